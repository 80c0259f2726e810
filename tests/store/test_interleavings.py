"""Two connections at named points: what a race shows once in a thousand, made to happen each time.

PostgreSQL only, where transactions overlap; SQLite lets one writer in at a time.
"""

import pytest
from sqlalchemy import text

from commerce.adapters.store import holds
from commerce.adapters.store.stores import StoreSettingsError
from commerce.contract import LockedCart, OrderPlaced
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import CartStatus
from commerce.domain.errors import RefusalReason, refuse
from commerce.domain.stores import Store
from commerce.ports import CartNotHeldError
from tests.builders import cart, checkout, product
from tests.store.conftest import (
    HOLD_TTL,
    SECOND,
    Meanwhile,
    Shop,
    at,
    nothing_wrong,
    on_postgresql_only,
)

pytestmark = on_postgresql_only

Shops = tuple[Shop, Shop]
STOCK_LOCKED = "FOR UPDATE OF stock"


def hold(shop: Shop, cart_id: str, *lines: tuple[str, int]) -> str:
    """A cart that holds its stock, newer than the one before; the digest of its snapshot."""
    shop.clock.advance(SECOND)
    shop.save(cart_id, *lines)
    return shop.hold(checkout(cart_id)).digest


def test_expiring_holds_takes_the_stock_of_all_of_them_in_sku_order(shops: Shops) -> None:
    """A checkout has locked its first SKU and goes for its second: no deadlock."""
    shop, other = shops
    shop.stock(apple=5, pear=5)
    first, second = sorted(["one", "two"], key=lambda cart_id: checkout(cart_id).id)
    hold(shop, first, ("pear", 1))
    hold(shop, second, ("apple", 1))
    shop.clock.advance(HOLD_TTL)
    expiry = Meanwhile(other.store.database, other.store.stock.expire_overdue)
    with shop.store.database.engine.begin() as connection:
        for step in ("apple", "pear"):
            lock = text("SELECT sku FROM stock WHERE sku = :sku FOR UPDATE")
            connection.execute(lock, {"sku": step})
            if step == "apple":
                expiry()
    assert expiry.result() == 2
    assert shop.store.catalog.units() == {"apple": (5, 0), "pear": (5, 0)}
    assert shop.counts()["holds_open"] == 0


def test_ending_the_newest_holds_does_not_deadlock_with_an_order(shops: Shops) -> None:
    """The order has its hold and goes for the stock; the import has the stock of another hold."""
    shop, other = shops
    shop.stock(apple=5)
    hold(shop, "older", ("apple", 1))
    digest = hold(shop, "newer", ("apple", 1))
    restock = Meanwhile(other.store.database, lambda: other.stock(apple=0))
    with at(shop.store.database, STOCK_LOCKED, restock):
        outcome = shop.store.orders.create(checkout("newer"), digest)
    assert isinstance(outcome, OrderPlaced)
    assert restock.result() is None
    assert shop.units("apple") == (0, 0)
    assert shop.counts()["holds_open"] == 0


def test_saving_many_carts_does_not_deadlock_with_an_order(shops: Shops) -> None:
    """Their locks have expired; one is edited first, and another is about to become an order."""
    shop, other = shops
    shop.stock(apple=5)
    hold(shop, "a-cart", ("apple", 1))
    digest = hold(shop, "b-cart", ("apple", 1))
    shop.clock.advance(HOLD_TTL)
    edits = cart("a-cart", ("apple", 2)), cart("b-cart", ("apple", 2))
    save = Meanwhile(other.store.database, lambda: other.store.carts.save(*edits))
    with at(shop.store.database, STOCK_LOCKED, save):
        outcome = shop.store.orders.create(checkout("b-cart"), digest)
    assert isinstance(outcome, OrderPlaced)
    assert isinstance(save.result(), CartEditError)
    assert shop.counts()["orders"] == 1


def test_a_late_answer_does_not_deadlock_with_the_lock_for_the_same_key(shops: Shops) -> None:
    """The answer has its key and wants the cart; the lock has the cart and wants the key."""
    shop, other = shops
    shop.stock(apple=5)
    shop.save("cart")
    run = checkout("cart")
    aborted = refuse(RefusalReason.ABORTED)
    answer = Meanwhile(other.store.database, lambda: other.store.carts.answer(run.request, aborted))
    with at(shop.store.database, "INSERT INTO answers", answer):
        outcome = shop.store.carts.lock(run)
    assert isinstance(outcome, LockedCart) or outcome == aborted
    assert answer.result() == aborted


def test_a_lock_that_waits_for_its_own_takeover_does_not_take_the_cart_back(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=5)
    hold(shop, "cart", ("apple", 1))
    live = checkout("cart", key="live", run="live")
    late = Meanwhile(other.store.database, lambda: other.store.carts.lock(checkout("cart")))
    with at(shop.store.database, "COMMIT", late):
        locked = shop.lock(live)
    assert late.result() == refuse(RefusalReason.CART_CHANGED)
    assert isinstance(shop.store.orders.create(live, locked.digest), OrderPlaced)
    assert shop.counts()["orders"] == 1


def test_who_waits_for_another_to_expire_holds_looks_for_more_of_them(
    shops: Shops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold in the way is not in the batch that the other one expires."""
    shop, other = shops
    monkeypatch.setattr(holds, "EXPIRE_BATCH", 1)
    shop.stock(apple=1, pear=5)
    hold(shop, "old", ("pear", 1))
    hold(shop, "in-the-way", ("apple", 1))
    shop.clock.advance(HOLD_TTL)
    shop.save("wants", ("apple", 1))
    run = checkout("wants")
    snapshot = shop.freeze(run)
    wanted = Meanwhile(other.store.database, lambda: other.store.stock.hold(run, snapshot))
    with at(shop.store.database, "COMMIT", wanted):
        assert shop.store.stock.expire_overdue() == 1
    assert wanted.result() is None
    assert shop.units("apple") == (1, 1)


def test_a_hold_released_while_it_is_being_ended_stays_released(shops: Shops) -> None:
    """Else the late hold of a run that is over takes stock again."""
    shop, other = shops
    shop.stock(apple=5)
    shop.save("cart", ("apple", 1))
    run = checkout("cart")
    snapshot = shop.freeze(run)
    assert shop.store.stock.hold(run, snapshot) is None
    ending = Meanwhile(other.store.database, lambda: other.store.stock.end_newest("apple", 0))
    with at(shop.store.database, "COMMIT", ending):
        shop.store.stock.release(run)
    assert ending.result() is None
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(run, snapshot)
    assert shop.units("apple") == (0, 0)


def test_an_order_made_while_its_hold_is_being_ended_stays_sold(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=5)
    digest = hold(shop, "cart", ("apple", 2))
    ending = Meanwhile(other.store.database, lambda: other.store.stock.end_newest("apple", 0))
    with at(shop.store.database, "COMMIT", ending):
        outcome = shop.store.orders.create(checkout("cart"), digest)
    assert isinstance(outcome, OrderPlaced)
    assert ending.result() is None
    assert shop.units("apple") == (0, 0)
    assert shop.counts()["units_sold"] == 2


def test_an_order_made_while_its_hold_expires_stays_sold(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=5)
    digest = hold(shop, "cart", ("apple", 2))
    shop.clock.advance(HOLD_TTL)
    expiry = Meanwhile(other.store.database, other.store.stock.expire_overdue)
    with at(shop.store.database, "COMMIT", expiry):
        outcome = shop.store.orders.create(checkout("cart"), digest)
    assert isinstance(outcome, OrderPlaced)
    assert expiry.result() in (0, 1), "it may count what it found, but it ends nothing"
    assert shop.units("apple") == (3, 0)
    assert shop.counts()["units_sold"] == 2


def test_a_cart_taken_over_while_its_order_is_made_is_an_order(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=5)
    digest = hold(shop, "cart", ("apple", 2))
    next_run = checkout("cart", key="next", run="next", asked_at=shop.clock.time + SECOND)
    takeover = Meanwhile(other.store.database, lambda: other.store.carts.lock(next_run))
    with at(shop.store.database, "COMMIT", takeover):
        outcome = shop.store.orders.create(checkout("cart"), digest)
    assert isinstance(outcome, OrderPlaced)
    told = takeover.result()
    assert getattr(told, "reason", None) is RefusalReason.CART_NOT_ACTIVE
    assert getattr(told, "order_number", None) == outcome.order_number
    assert shop.counts()["orders"] == 1


def test_the_audit_sees_one_moment_while_an_order_is_made(shops: Shops) -> None:
    """It has read one table when everything changes at once."""
    shop, other = shops
    shop.stock(apple=5)
    digest = hold(shop, "cart", ("apple", 2))

    def order() -> None:
        outcome = other.store.orders.create(checkout("cart"), digest)
        assert isinstance(outcome, OrderPlaced)

    with at(shop.store.database, "SELECT", order, nth=2):
        counts = shop.counts()
    assert (counts["orders"], counts["holds_open"], counts["units_sold"]) == (0, 1, 0)
    assert shop.counts()["orders"] == 1


def test_two_imports_of_the_same_new_product_both_succeed(shops: Shops) -> None:
    shop, other = shops
    with at(shop.store.database, "INSERT INTO products", lambda: other.stock(apple=7)):
        assert shop.store.catalog.put([product("apple", 5)]) == 1
    assert shop.units("apple") == (5, 0)
    assert shop.counts()["units_stocked"] == 5


def test_two_saves_of_the_same_new_cart_both_succeed(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=5)
    with at(shop.store.database, "INSERT INTO carts", lambda: other.save("cart", ("apple", 1))):
        saved = shop.save("cart", ("apple", 2))
    assert shop.content("cart") == (saved, CartStatus.ACTIVE)


def test_a_store_added_twice_at_once_is_refused_as_existing(shops: Shops) -> None:
    shop, other = shops
    north = Store(code="north")
    add = at(shop.store.database, "INSERT INTO stores", lambda: other.store.stores.add(north))
    with add, pytest.raises(StoreSettingsError, match="'north' exists already"):
        shop.store.stores.add(north)
    assert shop.store.stores.all() == [Store(code="default"), north]


# -- lock, hold and check in one transaction ---------------------------------------------------


def left(shop: Shop) -> tuple[int, int, int]:
    """Carts that are locked, holds that are open, and units held; the audit is clean."""
    counts = shop.counts()
    return counts["carts_locked"], counts["holds_open"], counts["units_held"]


def test_a_hold_that_another_ends_after_the_stock_was_looked_at_does_not_make_it_short(
    shops: Shops,
) -> None:
    """Short when it was read, and nothing overdue any more when that was asked."""
    shop, other = shops
    shop.stock(apple=1)
    hold(shop, "old", ("apple", 1))
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("apple", 1))
    with at(shop.store.database, "FROM holds", other.store.stock.expire_overdue):
        shop.reserve(checkout("cart"))
    assert shop.units("apple") == (1, 1)
    assert shop.counts()["holds_open"] == 1


def test_what_another_takes_after_it_was_looked_at_is_short_and_nothing_is_left(
    shops: Shops,
) -> None:
    shop, other = shops
    shop.stock(apple=1, pear=9)
    for cart_id in ("cart", "faster"):
        shop.save(cart_id, ("apple", 1), ("pear", 1))
    faster = checkout("faster")
    with at(shop.store.database, "INSERT INTO holds", lambda: other.reserve(faster)):
        outcome = shop.store.carts.lock(checkout("cart"), nothing_wrong)
    assert getattr(outcome, "reason", None) is RefusalReason.OUT_OF_STOCK
    assert shop.store.carts.lock(checkout("cart"), nothing_wrong) == outcome
    assert shop.content("cart")[1] is CartStatus.ACTIVE
    assert left(shop) == (1, 1, 2)


def test_a_takeover_takes_stock_in_sku_order_whatever_the_dead_run_held(shops: Shops) -> None:
    """It gives a pear back and wants an apple, too; another has the apple and wants a pear."""
    shop, other = shops
    shop.stock(apple=None, pear=9)
    lines = ("apple", 1), ("pear", 1)
    shop.save("cart", *lines)
    shop.save("other", *lines)
    shop.reserve(checkout("cart", "dead", "dead"))
    shop.stock(apple=9)
    both = Meanwhile(other.store.database, lambda: other.reserve(checkout("other")))
    with at(shop.store.database, "FOR UPDATE", both, nth=4):
        locked = shop.hold(checkout("cart", "live", "live"), nothing_wrong)
    other_locked = both.result()
    assert isinstance(other_locked, LockedCart), other_locked
    assert other_locked.total == locked.total
    assert shop.store.catalog.units() == {"apple": (9, 2), "pear": (9, 2)}
    assert shop.counts()["holds_open"] == 2
