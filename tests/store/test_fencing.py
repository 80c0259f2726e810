"""A run that has ended, by termination or a lost worker, must not disturb the one that follows."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from commerce.contract import Checkout, LockedCart, OrderPlaced, Outcome
from commerce.domain.carts import CartSnapshot, CartStatus
from commerce.domain.checks import Check
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import CartNotHeldError
from tests.builders import checkout
from tests.store.conftest import Shop, nothing_wrong

ABORTED = refuse(RefusalReason.ABORTED)
CHANGED = refuse(RefusalReason.CART_CHANGED)


@dataclass(frozen=True)
class Takeover:
    """A dead run that held stock, and the live run that took its cart over."""

    dead: Checkout
    live: Checkout
    snapshot: CartSnapshot
    check: Check | None

    @property
    def digest(self) -> str:
        return self.snapshot.digest()

    def lock(self, shop: Shop, run: Checkout) -> LockedCart | Outcome:
        """An attempt at the lock, by a run that sets the stock aside with it or in a step."""
        return shop.store.carts.lock(run, self.check)

    def finish(self, shop: Shop) -> OrderPlaced:
        """The live run, which has its lock, goes on to the order."""
        assert shop.store.stock.hold(self.live, self.snapshot) is None
        placed = shop.store.orders.create(self.live, self.digest)
        assert isinstance(placed, OrderPlaced), placed
        return placed


@pytest.fixture(params=["the same key", "another key"])
def live_key(request: pytest.FixtureRequest) -> str:
    """The caller asks again with its key, or as somebody who knows nothing of it."""
    return "key" if request.param == "the same key" else "new"


@pytest.fixture(params=["by steps", "at once"])
def takeover(shop: Shop, live_key: str, request: pytest.FixtureRequest) -> Takeover:
    """The caller asks again after the first run was terminated."""
    shop.stock(apple=5)
    shop.save("cart", ("apple", 2))
    dead = checkout("cart", key="key", run="dead")
    live = checkout("cart", key=live_key, run="live")
    check = None if request.param == "by steps" else nothing_wrong
    shop.hold(dead, check)
    snapshot = shop.store.carts.snapshot(live, shop.lock(live, check).digest)
    return Takeover(dead, live, snapshot, check)


def test_a_takeover_gives_the_stock_of_the_dead_run_back(shop: Shop, takeover: Takeover) -> None:
    assert shop.units("apple") == (5, 0)
    with pytest.raises(CartNotHeldError):
        shop.store.carts.snapshot(takeover.dead, takeover.digest)
    assert takeover.finish(shop).order_number == "000000001"
    assert shop.units("apple") == (3, 0)
    assert shop.counts()["orders"] == 1


def test_a_takeover_before_the_dead_run_held_anything_refuses_its_late_hold(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart")
    dead = checkout("cart", run="dead")
    snapshot = shop.freeze(dead)
    shop.lock(checkout("cart", run="live"))
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(dead, snapshot)
    assert shop.units("apple") == (5, 0)


def test_a_refused_takeover_leaves_lock_and_hold_as_they_are(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart")
    first = checkout("cart", run="first")
    locked = shop.hold(first)
    before = {**shop.rows(), "answers": []}
    wrong = checkout("cart", key="wrong", run="wrong", store_code="elsewhere")
    assert shop.store.carts.lock(wrong) == refuse(RefusalReason.WRONG_STORE)
    assert {**shop.rows(), "answers": []} == before
    assert isinstance(shop.store.orders.create(first, locked.digest), OrderPlaced)


def test_a_late_hold_of_the_dead_run_takes_nothing(shop: Shop, takeover: Takeover) -> None:
    before = shop.rows()
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(takeover.dead, takeover.snapshot)
    assert shop.rows() == before


def test_a_late_release_of_the_dead_run_gives_nothing_back(shop: Shop, takeover: Takeover) -> None:
    shop.store.stock.hold(takeover.live, takeover.snapshot)
    before = shop.rows()
    shop.store.stock.release(takeover.dead)
    assert shop.rows() == before


def test_a_late_create_of_the_dead_run_creates_nothing(shop: Shop, takeover: Takeover) -> None:
    before = shop.rows()
    assert shop.store.orders.create(takeover.dead, takeover.digest) == CHANGED
    assert shop.rows() == before


def test_a_late_create_after_the_live_run_ordered_creates_nothing(
    shop: Shop, takeover: Takeover
) -> None:
    takeover.finish(shop)
    before = shop.rows()
    late = shop.store.orders.create(takeover.dead, takeover.digest)
    assert isinstance(late, Refusal)
    assert late.reason is RefusalReason.CART_NOT_ACTIVE
    assert shop.rows() == before


def test_a_late_unlock_of_the_dead_run_leaves_the_cart_locked(
    shop: Shop, takeover: Takeover
) -> None:
    before = shop.rows()["carts"]
    shop.store.carts.unlock(takeover.dead, ABORTED)
    assert shop.rows()["carts"] == before
    assert takeover.finish(shop).order_number == "000000001"


def test_after_a_late_unlock_every_key_that_ordered_still_gets_the_order(
    shop: Shop, takeover: Takeover
) -> None:
    """Else a caller who was told the order number is told "aborted" when it asks again."""
    shop.store.carts.unlock(takeover.dead, ABORTED)
    placed = takeover.finish(shop)
    again = checkout("cart", takeover.live.request.idempotency_key)
    assert takeover.lock(shop, again) == placed


def test_after_a_late_answer_the_run_and_its_key_agree(shop: Shop, takeover: Takeover) -> None:
    """The dead run answered a request that had joined it; its caller asked again meanwhile."""
    live = takeover.live
    shop.store.carts.answer(live.request, ABORTED)
    assert shop.store.stock.hold(live, takeover.snapshot) is None
    outcome = shop.store.orders.create(live, takeover.digest)
    if isinstance(outcome, Refusal):
        outcome = shop.undo(live, outcome)
    assert takeover.lock(shop, checkout("cart", live.request.idempotency_key)) == outcome


def test_a_late_lock_of_the_dead_run_does_not_take_the_cart_back(
    shop: Shop, takeover: Takeover
) -> None:
    takeover.lock(shop, takeover.dead)
    assert shop.store.carts.snapshot(takeover.live, takeover.digest) == takeover.snapshot
    assert takeover.finish(shop).order_number == "000000001"


def test_a_late_lock_after_the_live_run_was_refused_leaves_the_cart_to_the_shopper(
    shop: Shop, takeover: Takeover
) -> None:
    shop.store.stock.hold(takeover.live, takeover.snapshot)
    shop.undo(takeover.live, refuse(RefusalReason.PAYMENT_METHOD_MISSING))
    takeover.lock(shop, takeover.dead)
    found = shop.store.carts.find("cart")
    assert found is not None
    assert found[1] is CartStatus.ACTIVE


def test_everything_late_after_the_order_changes_nothing(shop: Shop, takeover: Takeover) -> None:
    takeover.finish(shop)
    before = {**shop.rows(), "answers": []}
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(takeover.dead, takeover.snapshot)
    shop.undo(takeover.dead, ABORTED)
    takeover.lock(shop, takeover.dead)
    assert {**shop.rows(), "answers": []} == before
    assert shop.counts()["orders"] == 1


def test_a_hold_that_comes_after_its_cart_was_given_back_takes_nothing(shop: Shop) -> None:
    """The hold was refused as short, so that nothing is released; its first attempt comes late."""
    shop.stock(apple=0)
    shop.save("cart")
    run = checkout("cart")
    snapshot = shop.freeze(run)
    refusal = shop.store.stock.hold(run, snapshot)
    assert refusal is not None
    shop.store.carts.unlock(run, refusal)
    shop.stock(apple=5)
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(run, snapshot)
    assert shop.units("apple") == (5, 0)


def test_a_create_that_comes_after_the_release_is_refused(shop: Shop) -> None:
    """The undo has begun, and what was released stays released."""
    shop.stock(apple=5)
    shop.save("cart")
    run = checkout("cart")
    locked = shop.hold(run)
    shop.store.stock.release(run)
    before = shop.rows()
    with pytest.raises(CartNotHeldError):
        shop.store.orders.create(run, locked.digest)
    assert shop.rows() == before


def test_a_late_extension_of_the_dead_run_keeps_nothing(shop: Shop, takeover: Takeover) -> None:
    before = shop.rows()
    with pytest.raises(CartNotHeldError):
        shop.store.carts.extend(takeover.dead, takeover.digest)
    assert shop.rows() == before


LATE: dict[str, Callable[[Shop, Checkout, LockedCart], object]] = {
    "lock": lambda shop, run, _locked: shop.store.carts.lock(run),
    "lock and hold": lambda shop, run, _locked: shop.store.carts.lock(run, nothing_wrong),
    "extend": lambda shop, run, locked: shop.store.carts.extend(run, locked.digest),
    "create": lambda shop, run, locked: shop.store.orders.create(run, locked.digest),
    "release": lambda shop, run, _locked: shop.store.stock.release(run),
    "unlock": lambda shop, run, _locked: shop.store.carts.unlock(run, ABORTED),
}
"""Whatever of the dead run may still be executed."""


def try_late(shop: Shop, late: str, run: Checkout, locked: LockedCart) -> None:
    with suppress(CartNotHeldError):
        LATE[late](shop, run, locked)


@pytest.mark.parametrize("late", LATE)
def test_whatever_the_dead_run_still_does_between_the_steps_of_the_live_one_changes_nothing(
    shop: Shop, live_key: str, late: str
) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 2))
    dead = checkout("cart", key="key", run="dead")
    live = checkout("cart", key=live_key, run="live")
    locked = shop.reserve(dead)
    shop.hold(live, nothing_wrong)
    before = shop.rows()
    try_late(shop, late, dead, locked)
    after = shop.rows()
    assert {**after, "answers": []} == {**before, "answers": []}, "the live run has cart and stock"
    placed = shop.store.orders.create(live, locked.digest)
    assert isinstance(placed, OrderPlaced)
    before = shop.rows()
    try_late(shop, late, dead, locked)
    assert {**shop.rows(), "answers": []} == {**before, "answers": []}, "there is an order"
    assert shop.store.carts.lock(checkout("cart", live_key), nothing_wrong) == placed
    assert shop.counts()["units_sold"] == 2


@pytest.mark.parametrize("late", LATE)
def test_whatever_the_dead_run_still_does_after_the_live_one_was_undone_takes_nothing(
    shop: Shop, live_key: str, late: str
) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 2))
    dead = checkout("cart", key="key", run="dead")
    live = checkout("cart", key=live_key, run="live")
    locked = shop.reserve(dead)
    shop.hold(live, nothing_wrong)
    shop.undo(live, ABORTED)
    try_late(shop, late, dead, locked)
    assert shop.content("cart")[1] is CartStatus.ACTIVE
    assert shop.units("apple") == (5, 0)
    assert shop.counts()["orders"] == 0
    assert isinstance(shop.check_out_at_once(checkout("cart", "next", "next")), OrderPlaced)
