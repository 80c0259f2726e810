"""Locking a cart, holding its stock and checking it: one transaction, or a refusal and nothing."""

import pytest

from commerce.adapters.store import holds
from commerce.contract import Checkout, LockedCart, OrderPlaced, Outcome
from commerce.domain.carts import CartSnapshot, CartStatus
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.stock import Shortage
from tests.builders import EMAIL, cart, checkout, product
from tests.store.conftest import HOLD_TTL, SECOND, Shop, nothing_wrong
from tests.store.shoppers import changing

RUN = checkout("cart")
ABORTED = refuse(RefusalReason.ABORTED)
CHANGED = refuse(RefusalReason.CART_CHANGED)
NO_METHOD = refuse(RefusalReason.PAYMENT_METHOD_MISSING)


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=5, pear=2, ebook=None)


def short(sku: str, wanted: int, available: int) -> Refusal:
    reason = RefusalReason.INSUFFICIENT_STOCK if available else RefusalReason.OUT_OF_STOCK
    return Refusal(reason=reason, shortage=Shortage(sku=sku, wanted=wanted, available=available))


def objects(_snapshot: CartSnapshot) -> Refusal:
    """A check that is never satisfied."""
    return NO_METHOD


def reserve(shop: Shop, run: Checkout = RUN) -> LockedCart | Outcome:
    """Try to, with a cart that nothing but its stock may be wrong with."""
    return shop.store.carts.lock(run, nothing_wrong)


def assert_free(shop: Shop, cart_id: str = "cart") -> None:
    """The cart is its shopper's to edit, and nothing is locked or held."""
    assert shop.content(cart_id)[1] is CartStatus.ACTIVE
    counts = shop.counts()
    assert (counts["carts_locked"], counts["holds_open"], counts["units_held"]) == (0, 0, 0)
    shop.store.shopping.edit(cart_id, changing(email=EMAIL))


# -- what is set aside ------------------------------------------------------------------------


def test_the_cart_is_locked_and_every_line_set_aside_until_the_order(shop: Shop) -> None:
    shop.save("cart", ("pear", 2), ("ebook", 9), ("apple", 1), ("apple", 2))
    locked = shop.reserve(RUN)
    assert shop.content("cart")[1] is CartStatus.LOCKED
    assert shop.store.catalog.units() == {"apple": (5, 3), "pear": (2, 2)}
    counts = shop.counts()
    assert (counts["carts_locked"], counts["holds_open"], counts["units_held"]) == (1, 1, 5)
    assert isinstance(shop.store.orders.create(RUN, locked.digest), OrderPlaced)
    assert shop.store.catalog.units() == {"apple": (2, 0), "pear": (0, 0)}
    assert shop.counts()["units_sold"] == 5


def test_what_is_locked_is_what_the_steps_lock(shop: Shop) -> None:
    """The same digest, total and counts, and the same rows, whichever way it is done."""
    lines = ("pear", 2), ("apple", 1)
    shop.save("cart", *lines)
    at_once = shop.reserve(RUN)
    rows = shop.rows()
    shop.undo(RUN, ABORTED)
    again = checkout("cart", key="again", run="again")
    by_steps = shop.hold(again)
    assert at_once == by_steps.model_copy(update={"reserved": True})
    written = {name: len(rows[name]) for name in ("carts", "cart_lines", "orders")}
    assert written == {name: len(shop.rows()[name]) for name in written}


def test_the_check_sees_the_snapshot_that_is_locked(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    seen: list[CartSnapshot] = []
    locked = shop.reserve(RUN, seen.append)
    assert seen == [shop.store.carts.snapshot(RUN, locked.digest)]


def test_a_cart_without_managed_stock_is_held_too_so_that_it_can_be_released(shop: Shop) -> None:
    shop.stock(apple=None)
    shop.save("cart", ("ebook", 1_000_000))
    locked = shop.reserve(RUN)
    assert shop.counts()["holds_open"] == 1
    shop.undo(RUN, ABORTED)
    assert reserve(shop) == ABORTED
    assert shop.store.orders.create(RUN, locked.digest) == CHANGED
    assert_free(shop)


def test_all_is_undone_by_unlocking(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    shop.reserve(RUN)
    assert shop.store.carts.unlock(RUN, ABORTED) == ABORTED
    assert reserve(shop) == ABORTED
    assert_free(shop)


# -- refusals -----------------------------------------------------------------------------------

WRONG: tuple[tuple[Refusal, int, str | None], ...] = (
    (refuse(RefusalReason.GUEST_EMAIL_MISSING), 9, None),
    (short("pear", 9, 2), 9, EMAIL),
    (NO_METHOD, 1, EMAIL),
)
"""Everything wrong from here on: the refusal, the pears wanted, and the guest's address."""


@pytest.mark.parametrize(("refusal", "pears", "email"), WRONG, ids=["cart", "stock", "check"])
def test_of_several_things_that_are_wrong_the_first_is_told_and_nothing_is_locked_or_held(
    shop: Shop, refusal: Refusal, pears: int, email: str | None
) -> None:
    shop.save("cart", ("apple", 1), ("pear", pears), email=email)
    before = shop.rows()
    assert shop.store.carts.lock(RUN, objects) == refusal
    assert {**shop.rows(), "answers": []} == before, "only the answer is kept"
    assert_free(shop)


@pytest.mark.parametrize(("refusal", "pears", "email"), WRONG, ids=["cart", "stock", "check"])
def test_a_refusal_is_the_answer_for_the_key_even_when_nothing_is_wrong_any_more(
    shop: Shop, refusal: Refusal, pears: int, email: str | None
) -> None:
    shop.save("cart", ("apple", 1), ("pear", pears), email=email)
    shop.store.carts.lock(RUN, objects)
    shop.stock(pear=50)
    shop.save("cart", ("apple", 1), ("pear", pears))
    before = shop.rows()
    for run in (RUN, checkout("cart", run="next")):
        assert reserve(shop, run) == refusal
        assert shop.store.carts.lock(run) == refusal
    assert shop.store.carts.answer(RUN.request, ABORTED) == refusal
    assert shop.rows() == before
    assert isinstance(reserve(shop, checkout("cart", "another-key", "other")), LockedCart)


def test_what_the_check_objects_to_is_told_before_stock_is_looked_for_again(shop: Shop) -> None:
    """A refusal by the check takes no stock, not even for a moment, and expires nobody's hold."""
    shop.save("old", ("apple", 1))
    shop.reserve(checkout("old"))
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 1))
    before = shop.rows()
    assert shop.store.carts.lock(RUN, objects) == NO_METHOD
    assert {**shop.rows(), "answers": []} == {**before, "answers": []}


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ((("apple", 3), ("pear", 1), ("apple", 3)), short("apple", 6, 5)),
        ((("plum", 1),), short("plum", 1, 0)),
        ((("pear", 9), ("apple", 9)), short("apple", 9, 5)),
        ((("plum", 1), ("pear", 3)), short("pear", 3, 2)),
    ],
    ids=["the lines of a SKU count together", "nothing left", "in SKU order", "the first only"],
)
def test_what_is_short_is_told(
    shop: Shop, lines: tuple[tuple[str, int], ...], refusal: Refusal
) -> None:
    shop.stock(plum=0)
    shop.save("cart", *lines)
    assert reserve(shop) == refusal


def test_what_others_hold_is_not_available(shop: Shop) -> None:
    outcomes: list[object] = []
    for cart_id, units in (("first", 3), ("second", 3), ("third", 2), ("fourth", 1)):
        shop.save(cart_id, ("apple", units))
        outcome = reserve(shop, checkout(cart_id))
        outcomes.append("locked" if isinstance(outcome, LockedCart) else outcome)
    assert outcomes == ["locked", short("apple", 3, 2), "locked", short("apple", 1, 0)]
    assert shop.counts()["units_held"] == 5


# -- overdue holds ------------------------------------------------------------------------------


def test_the_stock_of_an_overdue_hold_is_used(shop: Shop) -> None:
    shop.save("old", ("apple", 5))
    old = checkout("old")
    digest = shop.reserve(old).digest
    shop.save("cart", ("apple", 4))
    assert reserve(shop, checkout("cart", "early", "early")) == short("apple", 4, 0)
    shop.clock.advance(HOLD_TTL)
    shop.reserve(RUN)
    assert shop.units("apple") == (5, 4)
    assert shop.counts()["holds_overdue"] == 0
    late = shop.store.orders.create(old, digest)
    assert late == short("apple", 5, 1)


def test_overdue_holds_are_ended_until_there_is_enough_or_none_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "EXPIRE_BATCH", 1)
    for n, sku in enumerate(["pear", "pear", "apple", "apple"]):
        shop.save(f"old-{n}", (sku, 1))
        shop.reserve(checkout(f"old-{n}"))
        shop.clock.advance(SECOND)
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 5))
    shop.reserve(RUN)
    assert shop.store.catalog.units() == {"apple": (5, 5), "pear": (2, 0)}
    shop.save("more", ("pear", 3))
    assert reserve(shop, checkout("more")) == short("pear", 3, 2)
    assert shop.counts()["holds_open"] == 1


def test_an_overdue_hold_that_is_not_needed_is_left_to_its_checkout(shop: Shop) -> None:
    shop.save("old", ("apple", 2))
    old = checkout("old")
    digest = shop.reserve(old).digest
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 3))
    shop.reserve(RUN)
    assert shop.units("apple") == (5, 5)
    assert isinstance(shop.store.orders.create(old, digest), OrderPlaced)


# -- the same checkout again -----------------------------------------------------------------------


def test_a_repeat_finds_its_lock_and_changes_nothing(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    locked = shop.reserve(RUN)
    shop.store.catalog.put([product("apple", 5, price="99.00")])
    shop.clock.advance(SECOND)
    before = shop.rows()
    for check in (nothing_wrong, objects, None):
        again = shop.store.carts.lock(RUN, check)
        assert again == locked.model_copy(update={"reserved": False})
        assert shop.rows() == before
    snapshot = shop.store.carts.snapshot(RUN, locked.digest)
    assert shop.store.stock.hold(RUN, snapshot) is None
    assert shop.rows() == before, "and the step that follows finds its hold"


def test_a_lock_from_before_gets_its_stock_by_the_step_that_holds_it(shop: Shop) -> None:
    """A run that began before a deployment, and whose worker is a new one now."""
    shop.save("cart", ("apple", 2))
    locked = shop.lock(RUN)
    assert reserve(shop) == locked
    assert shop.units("apple") == (5, 0)
    snapshot = shop.store.carts.snapshot(RUN, locked.digest)
    assert shop.store.stock.hold(RUN, snapshot) is None
    assert shop.units("apple") == (5, 2)
    assert isinstance(shop.store.orders.create(RUN, locked.digest), OrderPlaced)


def test_a_repeat_after_the_hold_expired_still_finds_the_lock(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    locked = shop.reserve(RUN)
    shop.clock.advance(HOLD_TTL)
    assert shop.store.stock.expire_overdue() == 1
    assert reserve(shop) == locked.model_copy(update={"reserved": False})
    assert shop.units("apple") == (5, 0)
    assert isinstance(shop.store.orders.create(RUN, locked.digest), OrderPlaced)
    assert shop.counts()["units_sold"] == 2


def test_a_repeat_after_the_order_answers_with_the_order(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    placed = shop.store.orders.create(RUN, shop.reserve(RUN).digest)
    before = shop.rows()
    assert reserve(shop) == placed
    assert reserve(shop, checkout("cart", run="next")) == placed
    assert shop.rows() == before


def test_a_repeat_after_the_cart_was_edited_takes_nothing(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    shop.reserve(RUN)
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 1))
    assert reserve(shop) == CHANGED
    assert_free(shop)


# -- undone before it came -----------------------------------------------------------------------


def test_released_before_it_came_it_takes_nothing_and_answers_nothing(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    shop.store.stock.release(RUN)
    before = shop.rows()
    for _ in range(2):
        assert reserve(shop) == CHANGED
        assert shop.rows() == before
    assert_free(shop)


def test_unlocked_before_it_came_it_takes_nothing_and_says_why(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    assert shop.store.carts.unlock(RUN, ABORTED) == ABORTED
    before = shop.rows()
    assert reserve(shop) == ABORTED
    assert shop.rows() == before
    assert_free(shop)


def test_released_before_it_came_it_leaves_the_live_run_alone(shop: Shop) -> None:
    """Whatever it would be refused for: the live run has the cart and its stock."""
    shop.save("cart", ("apple", 2))
    live = checkout("cart", "live", "live")
    locked = shop.reserve(live)
    shop.store.stock.release(RUN)
    before = {**shop.rows(), "answers": []}
    for check in (nothing_wrong, objects):
        shop.store.carts.lock(RUN, check)
        assert {**shop.rows(), "answers": []} == before
    assert isinstance(shop.store.orders.create(live, locked.digest), OrderPlaced)


# -- the lock of a run that is dead ------------------------------------------------------------

DEAD, LIVE = checkout("cart", "dead", "dead"), checkout("cart", "live", "live")


def test_a_takeover_gives_the_dead_runs_hold_back_and_leaves_its_own_to_a_step(shop: Shop) -> None:
    """All of the stock is the dead run's; the cart may have all of it."""
    shop.save("cart", ("apple", 5), ("pear", 2))
    shop.reserve(DEAD)
    locked = reserve(shop, LIVE)
    assert isinstance(locked, LockedCart)
    assert not locked.reserved
    assert shop.store.catalog.units() == {"apple": (5, 0), "pear": (2, 0)}
    assert shop.hold(LIVE, nothing_wrong) == locked
    assert shop.store.catalog.units() == {"apple": (5, 5), "pear": (2, 2)}
    assert isinstance(shop.store.orders.create(LIVE, locked.digest), OrderPlaced)
    assert shop.counts()["units_sold"] == 7


@pytest.mark.parametrize("expired", [False, True], ids=["overdue", "expired"])
def test_a_takeover_after_the_dead_runs_time_is_over(shop: Shop, expired: bool) -> None:
    shop.save("cart", ("apple", 5))
    shop.reserve(DEAD)
    shop.clock.advance(HOLD_TTL)
    if expired:
        assert shop.store.stock.expire_overdue() == 1
    shop.hold(LIVE, nothing_wrong)
    assert shop.units("apple") == (5, 5)
    assert shop.counts()["holds_open"] == 1


@pytest.mark.parametrize("key", ["dead", "live"], ids=["the same key", "another key"])
def test_a_takeover_is_not_refused_for_what_only_its_steps_would_undo(shop: Shop, key: str) -> None:
    """A refusal has nothing to undo, and the dead run undoes nothing: it stayed locked."""
    shop.save("cart", ("apple", 5), ("pear", 2))
    shop.reserve(DEAD)
    shop.stock(pear=0)
    live = checkout("cart", key, "live")
    locked = shop.lock(live, objects)
    snapshot = shop.store.carts.snapshot(live, locked.digest)
    refusal = short("pear", 2, 0)
    assert shop.store.stock.hold(live, snapshot) == refusal
    assert shop.undo(live, refusal) == refusal
    assert reserve(shop, live) == refusal
    assert_free(shop)


def test_one_who_may_not_take_the_cart_over_does_not(shop: Shop) -> None:
    shop.save("cart", ("apple", 2))
    locked = shop.reserve(DEAD)
    before = {**shop.rows(), "answers": []}
    wrong = checkout("cart", key="wrong", run="wrong", store_code="elsewhere")
    assert reserve(shop, wrong) == refuse(RefusalReason.WRONG_STORE)
    assert {**shop.rows(), "answers": []} == before
    assert isinstance(shop.store.orders.create(DEAD, locked.digest), OrderPlaced)


def test_a_key_that_another_cart_used_takes_nothing(shop: Shop) -> None:
    shop.store.carts.save(cart("cart"), cart("other"))
    shop.reserve(RUN)
    reused = checkout("other", key=RUN.request.idempotency_key)
    before = shop.rows()
    assert reserve(shop, reused) == refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
    assert shop.rows() == before
