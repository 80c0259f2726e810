"""Keeping cart and stock for longer, while a payment is waited for."""

import pytest

from commerce.contract import Checkout, Extension, OrderPlaced
from commerce.domain.cart_errors import CartEditError
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import CartNotHeldError
from tests.builders import cart, checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop, at
from tests.store.shoppers import setting

RUN = checkout("cart")
HELD = Extension(seconds=HOLD_TTL.total_seconds(), held=True)
GONE = HELD.model_copy(update={"held": False})
ABORTED = refuse(RefusalReason.ABORTED)


@pytest.fixture
def digest(shop: Shop) -> str:
    """A cart that is locked and holds three of five apples; the digest of its snapshot."""
    shop.stock(apple=5, ebook=None)
    shop.save("cart", ("apple", 3), ("ebook", 1))
    return shop.hold(RUN).digest


def extend(shop: Shop, digest: str, run: Checkout = RUN) -> Extension:
    return shop.store.carts.extend(run, digest)


def wants(shop: Shop, units: int, cart_id: str = "rival") -> Refusal | None:
    """Another checkout tries to hold so many apples."""
    shop.save(cart_id, ("apple", units))
    run = checkout(cart_id)
    return shop.store.stock.hold(run, shop.freeze(run))


def is_locked(shop: Shop) -> bool:
    """Whether the shopper may not edit the cart."""
    try:
        shop.store.shopping.edit("cart", setting(_1=1))
    except CartEditError:
        return True
    return False


def test_cart_and_stock_are_kept_for_as_long_as_at_first(shop: Shop, digest: str) -> None:
    shop.clock.advance(HOLD_TTL - SECOND)
    assert extend(shop, digest) == HELD
    shop.clock.advance(HOLD_TTL - SECOND)
    assert is_locked(shop)
    assert shop.store.stock.expire_overdue() == 0
    assert wants(shop, 3) is not None, "nobody else gets what is held for longer"
    assert shop.units("apple") == (5, 3)
    shop.clock.advance(SECOND)
    assert shop.store.stock.expire_overdue() == 1
    assert not is_locked(shop)


def test_extended_again_and_again_it_is_held_once_and_still_becomes_an_order(
    shop: Shop, digest: str
) -> None:
    for _ in range(3):
        shop.clock.advance(HOLD_TTL - SECOND)
        assert extend(shop, digest) == HELD
        before = shop.rows()
        assert extend(shop, digest) == HELD
        assert shop.rows() == before
    assert shop.units("apple") == (5, 3)
    assert isinstance(shop.store.orders.create(RUN, digest), OrderPlaced)
    assert shop.counts()["units_sold"] == 3


def test_what_is_overdue_and_nobody_took_is_kept(shop: Shop, digest: str) -> None:
    shop.clock.advance(10 * HOLD_TTL)
    assert extend(shop, digest) == HELD
    assert shop.store.stock.expire_overdue() == 0
    assert shop.counts()["holds_overdue"] == 0
    assert is_locked(shop)


def test_a_hold_that_expired_is_taken_again_if_there_is_stock(shop: Shop, digest: str) -> None:
    shop.clock.advance(HOLD_TTL)
    assert shop.store.stock.expire_overdue() == 1
    assert wants(shop, 2) is None
    assert extend(shop, digest) == HELD
    assert shop.units("apple") == (5, 5)
    assert wants(shop, 1, "late") is not None
    shop.clock.advance(HOLD_TTL - SECOND)
    assert shop.store.stock.expire_overdue() == 0, "its time starts again"


def test_without_stock_the_cart_is_kept_and_the_payment_waited_for(shop: Shop, digest: str) -> None:
    shop.clock.advance(HOLD_TTL)
    assert wants(shop, 3) is None
    assert extend(shop, digest) == GONE
    assert shop.units("apple") == (5, 3)
    assert is_locked(shop)
    shop.store.stock.release(checkout("rival"))
    assert extend(shop, digest) == HELD, "given back meanwhile"
    assert shop.units("apple") == (5, 3)


def test_a_hold_without_managed_stock_cannot_be_lost(shop: Shop) -> None:
    shop.stock(ebook=None)
    shop.save("cart", ("ebook", 9))
    digest = shop.hold(RUN).digest
    shop.clock.advance(HOLD_TTL)
    shop.store.stock.expire_overdue()
    assert extend(shop, digest) == HELD


@pytest.mark.parametrize(
    "wrong", ["digest", "run", "cart", "released", "undone", "ordered", "edited", "saved", "taken"]
)
def test_what_is_no_longer_held_by_this_run_is_not_extended(
    shop: Shop, digest: str, wrong: str
) -> None:
    run = RUN
    shop.clock.advance(HOLD_TTL)
    match wrong:
        case "digest":
            digest = "0" * 64
        case "run":
            run = checkout("cart", run="another")
        case "cart":
            run = checkout("unknown")
        case "released":
            shop.store.stock.release(run)
        case "undone":
            shop.undo(run, ABORTED)
        case "ordered":
            assert isinstance(shop.store.orders.create(run, digest), OrderPlaced)
        case "edited":
            shop.store.shopping.edit("cart", setting(_1=1))
        case "saved":
            shop.store.carts.save(cart("cart", ("apple", 3), ("ebook", 1)))
        case _:
            shop.hold(checkout("cart", key="next", run="next"))
    before = shop.rows()
    with pytest.raises(CartNotHeldError):
        extend(shop, digest, run)
    assert shop.rows() == before


def test_a_cart_that_is_taken_over_before_its_stock_is_taken_again_gets_none(
    shops: tuple[Shop, Shop], digest: str
) -> None:
    """The stock is taken in a transaction of its own, for others may have to be expired first."""
    shop, other = shops
    shop.clock.advance(HOLD_TTL)
    shop.store.stock.expire_overdue()
    live = checkout("cart", key="live", run="live")

    with (
        at(shop.store.database, "BEGIN", lambda: other.lock(live), nth=2),
        pytest.raises(CartNotHeldError),
    ):
        extend(shop, digest)
    assert shop.units("apple") == (5, 0)
    assert isinstance(shop.check_out(live), OrderPlaced)
    assert shop.counts()["units_sold"] == 3
