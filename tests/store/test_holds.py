"""Stock: hold, commit, release, expire."""

import pytest

from commerce.adapters.store import holds
from commerce.contract import OrderPlaced
from commerce.domain.errors import Refusal, RefusalReason
from commerce.domain.stock import Shortage
from commerce.ports import CartNotHeldError
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop, at


def short(sku: str, wanted: int, available: int) -> Refusal:
    reason = RefusalReason.INSUFFICIENT_STOCK if available else RefusalReason.OUT_OF_STOCK
    shortage = Shortage(sku=sku, wanted=wanted, available=available)
    return Refusal(reason=reason, shortage=shortage)


def try_hold(shop: Shop, cart_id: str, *lines: tuple[str, int]) -> Refusal | None:
    """Save a cart, lock it, try to hold it."""
    shop.save(cart_id, *lines)
    run = checkout(cart_id)
    return shop.store.stock.hold(run, shop.freeze(run))


def test_a_hold_sets_every_line_aside_and_an_order_sells_it(shop: Shop) -> None:
    shop.stock(apple=5, pear=2)
    assert try_hold(shop, "cart", ("pear", 2), ("apple", 1)) is None
    assert shop.store.catalog.units() == {"apple": (5, 1), "pear": (2, 2)}
    shop.order(checkout("cart"))
    assert shop.store.catalog.units() == {"apple": (4, 0), "pear": (0, 0)}
    assert shop.counts()["units_sold"] == 3


def test_when_one_line_is_short_nothing_is_held(shop: Shop) -> None:
    shop.stock(apple=5, pear=2)
    shop.save("cart", ("apple", 1), ("pear", 3))
    run = checkout("cart")
    snapshot = shop.freeze(run)
    before = shop.rows()
    assert shop.store.stock.hold(run, snapshot) == short("pear", 3, 2)
    assert shop.rows() == before


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
    shop.stock(apple=5, pear=2, plum=0)
    assert try_hold(shop, "cart", *lines) == refusal


def test_the_lines_of_a_sku_are_held_together(shop: Shop) -> None:
    shop.stock(apple=5, pear=2)
    assert try_hold(shop, "cart", ("apple", 2), ("pear", 1), ("apple", 3)) is None
    assert shop.store.catalog.units() == {"apple": (5, 5), "pear": (2, 1)}


def test_what_others_hold_is_not_available(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "first", ("apple", 3)) is None
    assert try_hold(shop, "second", ("apple", 3)) == short("apple", 3, 2)
    assert try_hold(shop, "third", ("apple", 2)) is None
    assert try_hold(shop, "fourth", ("apple", 1)) == short("apple", 1, 0)
    assert shop.counts()["units_held"] == 5


def test_products_without_managed_stock_are_never_short(shop: Shop) -> None:
    shop.stock(apple=5, ebook=None)
    assert try_hold(shop, "cart", ("ebook", 1_000_000), ("apple", 5)) is None
    assert shop.store.catalog.units() == {"apple": (5, 5)}
    assert try_hold(shop, "other", ("ebook", 1)) is None
    shop.order(checkout("other"))
    shop.order(checkout("cart"))
    assert shop.counts()["units_sold"] == 5


def test_holding_again_holds_once_even_when_all_else_is_sold(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "cart", ("apple", 4)) is None
    shop.clock.advance(SECOND)
    shop.stock(apple=4)
    before = shop.rows()
    assert shop.store.stock.hold(checkout("cart"), shop.freeze(checkout("cart"))) is None
    assert shop.rows() == before


def test_a_release_gives_back_once(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "first", ("apple", 3)) is None
    assert try_hold(shop, "second", ("apple", 2)) is None
    shop.store.stock.release(checkout("first"))
    before = shop.rows()
    shop.store.stock.release(checkout("first"))
    assert shop.rows() == before
    assert shop.units("apple") == (5, 2)


def test_a_release_before_the_hold_refuses_the_hold(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart")
    run = checkout("cart")
    snapshot = shop.freeze(run)
    shop.store.stock.release(run)
    for _ in range(2):
        with pytest.raises(CartNotHeldError):
            shop.store.stock.hold(run, snapshot)
    assert shop.units("apple") == (5, 0)


def test_a_release_after_the_order_leaves_the_sale(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 3))
    shop.order(checkout("cart"))
    shop.store.stock.release(checkout("cart"))
    assert shop.units("apple") == (2, 0)
    assert shop.counts()["units_sold"] == 3


def test_a_hold_lasts_until_its_time_and_not_longer(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "first", ("apple", 5)) is None
    shop.clock.advance(HOLD_TTL - SECOND)
    assert try_hold(shop, "second", ("apple", 1)) == short("apple", 1, 0)
    shop.clock.advance(SECOND)
    assert try_hold(shop, "third", ("apple", 1)) is None
    assert shop.units("apple") == (5, 1)
    assert shop.counts()["holds_overdue"] == 0


def test_the_shopper_who_is_short_can_be_the_one_whose_hold_expired(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "cart", ("apple", 5)) is None
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 4))
    again = checkout("cart", key="again", run="2")
    assert shop.store.stock.hold(again, shop.freeze(again)) is None
    assert shop.units("apple") == (5, 4)


def test_an_expired_hold_can_be_taken_again_by_its_own_run(shop: Shop) -> None:
    shop.stock(apple=5)
    assert try_hold(shop, "cart", ("apple", 5)) is None
    shop.clock.advance(HOLD_TTL)
    assert shop.store.stock.expire_overdue() == 1
    assert shop.units("apple") == (5, 0)
    assert shop.store.stock.hold(checkout("cart"), shop.freeze(checkout("cart"))) is None
    assert shop.units("apple") == (5, 5)
    assert shop.store.stock.expire_overdue() == 0, "its time starts again"


def test_only_what_is_overdue_expires_and_only_once(shop: Shop) -> None:
    shop.stock(apple=5, pear=5)
    assert try_hold(shop, "old", ("apple", 1), ("pear", 1)) is None
    shop.clock.advance(SECOND)
    assert try_hold(shop, "newer", ("apple", 2)) is None
    shop.clock.advance(HOLD_TTL - SECOND)
    assert [shop.store.stock.expire_overdue() for _ in range(2)] == [1, 0]
    assert shop.store.catalog.units() == {"apple": (5, 2), "pear": (5, 0)}


def test_an_expired_hold_that_nobody_claimed_still_sells(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 5))
    run = checkout("cart")
    locked = shop.hold(run)
    shop.clock.advance(10 * HOLD_TTL)
    assert isinstance(shop.store.orders.create(run, locked.digest), OrderPlaced)
    assert shop.units("apple") == (0, 0)
    assert shop.counts()["units_sold"] == 5


def test_an_expired_hold_is_taken_again_for_the_order_when_stock_is_still_there(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 3))
    run = checkout("cart")
    locked = shop.hold(run)
    shop.clock.advance(HOLD_TTL)
    assert try_hold(shop, "claims", ("apple", 4)) is None
    shop.store.stock.release(checkout("claims"))
    assert shop.units("apple") == (5, 0)
    assert isinstance(shop.store.orders.create(run, locked.digest), OrderPlaced)
    assert shop.units("apple") == (2, 0)
    assert shop.counts()["units_sold"] == 3


@pytest.mark.parametrize("claimed", [5, 4])
def test_an_expired_hold_whose_stock_is_gone_refuses_the_order(shop: Shop, claimed: int) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 3))
    run = checkout("cart")
    locked = shop.hold(run)
    shop.clock.advance(HOLD_TTL)
    assert try_hold(shop, "claims", ("apple", claimed)) is None
    before = shop.rows()
    refusal = shop.store.orders.create(run, locked.digest)
    assert isinstance(refusal, Refusal)
    assert refusal == short("apple", 3, 5 - claimed)
    assert shop.rows() == before
    assert shop.undo(run, refusal) == refusal
    shop.store.stock.release(checkout("claims"))
    assert isinstance(shop.check_out(checkout("cart", key="again", run="2")), OrderPlaced)
    assert shop.counts()["units_sold"] == 3


def test_an_order_takes_its_stock_when_it_was_never_held(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 3))
    locked = shop.lock(checkout("cart"))
    assert isinstance(shop.store.orders.create(checkout("cart"), locked.digest), OrderPlaced)
    assert shop.units("apple") == (2, 0)
    assert shop.counts()["units_sold"] == 3


def test_stock_under_many_overdue_holds_is_there_for_who_wants_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More holds are overdue than expire at once, and the one in the way is not the oldest."""
    monkeypatch.setattr(holds, "EXPIRE_BATCH", 2)
    shop.stock(apple=1, pear=5)
    for n in range(4):
        assert try_hold(shop, f"old-{n}", ("pear", 1)) is None
    shop.clock.advance(SECOND)
    assert try_hold(shop, "in-the-way", ("apple", 1)) is None
    shop.clock.advance(HOLD_TTL)
    assert try_hold(shop, "wants", ("apple", 1)) is None


def test_stock_that_another_checkout_has_just_freed_is_there_for_both(
    shops: tuple[Shop, Shop],
) -> None:
    """Both are short at first; the other one is faster to expire the holds in the way."""
    shop, other = shops
    shop.stock(apple=2)
    assert try_hold(shop, "in-the-way", ("apple", 2)) is None
    shop.clock.advance(HOLD_TTL)
    shop.save("mine")
    run = checkout("mine")
    snapshot = shop.freeze(run)

    def faster() -> None:
        assert try_hold(other, "faster", ("apple", 1)) is None

    with at(shop.store.database, "BEGIN", faster, nth=2):
        assert shop.store.stock.hold(run, snapshot) is None
    assert shop.units("apple") == (2, 2)
