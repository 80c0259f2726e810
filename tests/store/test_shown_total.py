"""The total that a shopper was shown: what moves it, and that no other is paid."""

from collections.abc import Iterator
from contextlib import aclosing

import pytest

from activities.payments import PaymentActivities
from commerce.adapters.payments.none import NoGateway
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.contract import Checkout, Passed, PaymentResult, SnapshotRef
from commerce.domain.carts import MAX_QUANTITY
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.domain.money import MAX_AMOUNT_MINOR, Money
from commerce.ports import PaymentGateway
from tests.builders import TEXAS, checkout, product, tax, usd
from tests.payments import Gateway
from tests.store.conftest import HOLD_TTL, Shop
from tests.store.shoppers import adding, changing, setting


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=10, pear=10)


def shown(shop: Shop) -> Money | None:
    found = shop.store.shopping.view("cart")
    assert found is not None
    return found.cart.shown_total


def test_the_total_that_was_shown_last_is_kept(shop: Shop) -> None:
    shop.save("cart")
    assert shown(shop) is None
    for total in ("15.00", "14.99"):
        shop.store.shopping.show_total("cart", usd(total))
        assert shown(shop) == usd(total)
    found = shop.store.carts.find("cart")
    assert found is not None
    assert found[0].shown_total == usd("14.99")


def test_it_moves_with_the_shoppers_own_change_if_it_was_right_before(shop: Shop) -> None:
    shop.store.stores.set_tax_rate("default", tax("10", "TX"))
    shop.save("cart", shipping_address=None)
    shop.store.shopping.show_total("cart", usd("15.00"))
    changes = [
        (adding("apple"), "30.00"),
        (changing(shipping_address=TEXAS), "33.00"),
        (changing(email="other@example.com"), "33.00"),
        (changing(shipping_method=None), "22.00"),
        (setting(_1=0), "0.00"),
    ]
    for change, total in changes:
        changed = shop.store.shopping.edit("cart", change)
        assert changed.cart.shown_total == changed.total() == usd(total)


def test_it_stays_if_the_price_had_changed_before(shop: Shop) -> None:
    """Else the shopper would pay a price that nobody has shown them."""
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd("15.00"))
    shop.store.catalog.put([product("apple", 10, price="12.00")])
    changed = shop.store.shopping.edit("cart", adding("apple"))
    assert (changed.cart.shown_total, changed.total()) == (usd("15.00"), usd("34.00"))
    changed = shop.store.shopping.edit("cart", setting(_1=1))
    assert (changed.cart.shown_total, changed.total()) == (usd("15.00"), usd("17.00"))


def test_what_was_never_shown_does_not_move(shop: Shop) -> None:
    shop.save("cart")
    assert shop.store.shopping.edit("cart", adding("apple")).cart.shown_total is None


def test_a_change_that_makes_the_total_too_large_leaves_none(shop: Shop) -> None:
    gold = Money(amount_minor=MAX_AMOUNT_MINOR, currency="USD")
    shop.store.catalog.put([product("gold", None).model_copy(update={"price": gold})])
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd("15.00"))
    changed = shop.store.shopping.edit("cart", adding("gold", MAX_QUANTITY), ["gold"])
    assert (changed.cart.shown_total, changed.total()) == (None, None)


@pytest.mark.parametrize("state", ["locked", "converted", "never made"])
def test_of_a_cart_that_is_not_being_filled_no_total_is_noted(shop: Shop, state: str) -> None:
    if state != "never made":
        shop.save("cart")
        shop.store.shopping.show_total("cart", usd("15.00"))
    if state == "locked":
        shop.hold(checkout("cart"))
    if state == "converted":
        shop.order(checkout("cart"))
    before = shop.rows()
    shop.store.shopping.show_total("cart", usd("1.00"))
    assert shop.rows() == before


async def test_of_a_cart_whose_lock_expired_it_is(shop: Shop) -> None:
    """It is shown as active: its shopper sees what it costs now, and may order it."""
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd("15.00"))
    shop.hold(checkout("cart"))
    shop.clock.advance(HOLD_TTL)
    shop.store.catalog.put([product("apple", 10, price="12.00")])
    shop.store.shopping.show_total("cart", usd("17.00"))
    assert shown(shop) == usd("17.00")
    assert await verify(shop, checkout("cart", key="next", run="next")) == Passed()


# -- what is due then ------------------------------------------------------------------------------


async def verify(shop: Shop, run: Checkout, gateway: PaymentGateway | None = None) -> PaymentResult:
    """Lock the cart and verify its payment, as the workflow does."""
    locked, store = shop.lock(run), shop.store
    payments = PaymentActivities(store.carts, store.orders, store.claims, gateway or NoGateway())
    return await payments.verify_payment(SnapshotRef(checkout=run, digest=locked.digest))


@pytest.fixture
def merchant() -> Iterator[Gateway]:
    merchant = Gateway()
    yield merchant
    merchant.close()


TOTALS = pytest.mark.parametrize(
    ("total", "result"),
    [
        ("15.00", Passed()),
        ("14.99", refuse(RefusalReason.TOTAL_CHANGED)),
        ("15.01", refuse(RefusalReason.TOTAL_CHANGED)),
    ],
)


@TOTALS
async def test_no_other_total_than_the_one_that_was_shown_is_ordered(
    shop: Shop, total: str, result: PaymentResult
) -> None:
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd(total))
    assert await verify(shop, checkout("cart")) == result


@TOTALS
async def test_nor_paid_at_the_gateway(
    shop: Shop, merchant: Gateway, total: str, result: PaymentResult
) -> None:
    paid = merchant.pay("cart", usd("15.00"))
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd(total))
    run = checkout("cart", operation=Operation.COMPLETE_ORDER, payment_id=paid)
    gateway = SandboxGateway(merchant.url, merchant.key)
    async with aclosing(gateway):
        assert await verify(shop, run, gateway) == result
    assert merchant.payment(paid).authorizations == (result == Passed())


@pytest.mark.parametrize(
    ("total", "expected"), [("14.99", "15.00"), ("15.00", "14.99"), ("14.99", "14.99")]
)
async def test_both_the_total_that_was_shown_and_the_expected_one_count(
    shop: Shop, total: str, expected: str
) -> None:
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd(total))
    run = checkout("cart", expected_total=usd(expected))
    assert await verify(shop, run) == refuse(RefusalReason.TOTAL_CHANGED)


async def test_a_price_that_changes_after_the_total_was_shown_is_not_paid_unseen(
    shop: Shop,
) -> None:
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd("15.00"))
    shop.store.catalog.put([product("apple", 10, price="12.00")])
    first = checkout("cart", key="first", run="first")
    changed = refuse(RefusalReason.TOTAL_CHANGED)
    assert await verify(shop, first) == changed
    shop.undo(first, changed)
    shop.store.shopping.show_total("cart", usd("17.00"))
    second = checkout("cart", key="second", run="second")
    assert await verify(shop, second) == Passed()
    assert shop.order(second).total == usd("17.00")


async def test_nor_is_a_tax_that_came_after_it(shop: Shop) -> None:
    shop.save("cart")
    shop.store.shopping.show_total("cart", usd("15.00"))
    shop.store.stores.set_tax_rate("default", tax("1", "TX"))
    assert await verify(shop, checkout("cart")) == refuse(RefusalReason.TOTAL_CHANGED)
