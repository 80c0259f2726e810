"""Orders: one transaction turns a cart into one order, with everything frozen in it."""

from datetime import timedelta

import pytest

from commerce.contract import OrderPlaced
from commerce.domain.carts import CartStatus, ProductKind
from commerce.domain.errors import RefusalReason, refuse
from commerce.domain.orders import Order, OrderStatus
from commerce.domain.payments import PaymentChoice
from commerce.domain.stores import Store
from commerce.domain.totals import Totals
from tests.builders import EMAIL, TEXAS, TOKENS, checkout, product, usd
from tests.store.conftest import SECOND, Shop


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    ebook = product("ebook", None, price="7.50", kind=ProductKind.VIRTUAL)
    shop.store.catalog.put([product("apple", 50), product("pear", 50, price="2.25"), ebook])


def place(shop: Shop, cart_id: str, *lines: tuple[str, int], **changes: object) -> OrderPlaced:
    """Save a cart and order it."""
    shop.save(cart_id, *lines, **changes)
    return shop.order(checkout(cart_id))


def untaxed(subtotal: str, shipping: str, grand_total: str, lines: int) -> Totals:
    nothing = usd("0.00")
    return Totals(
        subtotal=usd(subtotal),
        shipping=usd(shipping),
        line_taxes=(nothing,) * lines,
        shipping_tax=nothing,
        tax=nothing,
        grand_total=usd(grand_total),
    )


def test_an_order_holds_all_of_its_cart_and_what_it_costs(shop: Shop) -> None:
    shop.clock.advance(timedelta(days=1, microseconds=1))
    saved = shop.save("cart", ("pear", 3), ("ebook", 2), ("pear", 1))
    run = checkout("cart")
    lines = shop.freeze(run).lines
    placed = shop.order(run)
    totals = untaxed("24.00", "20.00", "44.00", lines=3)
    assert placed.total == totals.grand_total
    assert shop.find(placed) == Order(
        number="000000001",
        cart_id="cart",
        store_code="default",
        customer_id=None,
        email=EMAIL,
        status=OrderStatus.PENDING,
        lines=lines,
        shipping_address=TEXAS,
        billing_address=TEXAS,
        shipping_method="flatrate",
        payment_method="checkmo",
        purchase_order_number="",
        payment_id=None,
        totals=totals,
        created_at=shop.clock.time,
    )
    assert [(x.sku, x.quantity, x.price) for x in lines] == [
        ("pear", 3, usd("2.25")),
        ("ebook", 2, usd("7.50")),
        ("pear", 1, usd("2.25")),
    ]
    assert shop.content("cart") == (saved, CartStatus.CONVERTED)
    assert shop.store.order_book.find(cart_id="cart") == shop.find(placed)
    assert shop.counts()["orders"] == 1


def test_an_order_that_does_not_exist_is_not_found(shop: Shop) -> None:
    assert shop.store.order_book.find("000000001") is None
    assert shop.store.order_book.find(cart_id="cart") is None


def test_the_token_opens_its_order_and_no_other(shop: Shop) -> None:
    first, second = place(shop, "first"), place(shop, "second")
    assert [TOKENS.open(x.token) for x in (first, second)] == ["000000001", "000000002"]
    assert first.token != second.token


def test_creating_again_answers_the_same_and_changes_nothing(shop: Shop) -> None:
    shop.save("cart")
    run = checkout("cart")
    locked = shop.hold(run)
    placed = shop.store.orders.create(run, locked.digest)
    assert isinstance(placed, OrderPlaced)
    before = shop.rows()
    shop.clock.advance(SECOND)
    assert shop.store.orders.create(run, locked.digest) == placed
    assert shop.rows() == before


@pytest.mark.parametrize("wrong", ["digest", "run", "cart", "active"])
def test_a_cart_that_is_not_held_by_this_run_makes_no_order(shop: Shop, wrong: str) -> None:
    shop.save("cart")
    run = checkout("cart")
    digest = "0" * 64 if wrong == "digest" else shop.hold(run).digest
    if wrong == "digest":
        shop.hold(run)
    if wrong == "active":
        shop.undo(run, refuse(RefusalReason.ABORTED))
    other = {"run": checkout("cart", run="other"), "cart": checkout("unknown")}
    before = shop.rows()
    created = shop.store.orders.create(other.get(wrong, run), digest)
    assert created == refuse(RefusalReason.CART_CHANGED)
    assert shop.rows() == before


def test_numbers_count_up_and_each_prefix_has_its_own(shop: Shop) -> None:
    shop.store.stores.add(Store(code="north", order_prefix="N-"))
    shop.store.stores.add(Store(code="south", order_prefix="N-"))
    shop.store.stores.add(Store(code="zero", order_prefix="0"))
    codes = ("default", "north", "zero", "south", "default", "north")
    placed = [place(shop, f"cart-{n}", store_code=code) for n, code in enumerate(codes)]
    assert [x.order_number for x in placed] == [
        "000000001",
        "N-000000001",
        "0000000001",
        "N-000000002",
        "000000002",
        "N-000000003",
    ]
    assert shop.counts()["orders"] == 6


def test_the_prefix_is_the_one_at_the_time_of_the_lock(shop: Shop) -> None:
    shop.save("cart")
    run = checkout("cart")
    locked = shop.hold(run)
    shop.store.stores.change("default", {"order_prefix": "NEW"})
    placed = shop.store.orders.create(run, locked.digest)
    assert isinstance(placed, OrderPlaced)
    assert placed.order_number == "000000001"
    assert place(shop, "next").order_number == "NEW000000001"
    assert shop.counts()["orders"] == 2


def test_refused_checkouts_leave_no_gap_in_the_numbers(shop: Shop) -> None:
    numbers: list[str] = []
    for n in range(1, 4):
        shop.save(f"short-{n}", ("apple", 51))
        assert not isinstance(shop.check_out(checkout(f"short-{n}")), OrderPlaced)
        numbers.append(place(shop, f"cart-{n}").order_number)
    assert numbers == ["000000001", "000000002", "000000003"]
    assert shop.counts()["orders"] == 3


def test_a_virtual_cart_is_not_shipped(shop: Shop) -> None:
    order = shop.find(place(shop, "cart", ("ebook", 2)))
    assert (order.shipping_address, order.shipping_method) == (None, None)
    assert order.totals == untaxed("15.00", "0.00", "15.00", lines=1)
    assert order.billing_address == TEXAS


@pytest.mark.parametrize(
    ("method", "shipping"),
    [("flatrate", "10.00"), ("tablerate", "15.00"), ("freeshipping", "0.00")],
)
def test_shipping_is_added_to_the_total(shop: Shop, method: str, shipping: str) -> None:
    methods = {"shipping_methods": ["flatrate", "tablerate", "freeshipping"]}
    shop.store.stores.change("default", methods)
    placed = place(shop, "cart", ("apple", 2), ("ebook", 1), shipping_method=method)
    order = shop.find(placed)
    assert order.totals.shipping == usd(shipping)
    assert placed.total == usd("27.50").plus(usd(shipping))
    assert shop.counts()["orders"] == 1


def test_a_purchase_order_number_is_kept(shop: Shop) -> None:
    choice = PaymentChoice(method="purchaseorder", purchase_order_number="PO-7")
    order = shop.find(place(shop, "cart", payment=choice))
    assert (order.payment_method, order.purchase_order_number) == ("purchaseorder", "PO-7")


def test_an_event_is_pending_until_it_was_announced(shop: Shop) -> None:
    placed, other = place(shop, "cart"), place(shop, "other")
    event = shop.event(placed.order_number)
    assert event is not None
    assert (event.order_number, event.total) == (placed.order_number, placed.total)
    assert event.store_code == "default"
    assert shop.event(placed.order_number) == event
    assert shop.counts()["events_unannounced"] == 2

    shop.store.orders.mark_announced([event.event_id])
    shop.clock.advance(SECOND)
    before = shop.rows()
    shop.store.orders.mark_announced([event.event_id])
    shop.store.orders.mark_announced(["unknown"])
    assert shop.rows() == before
    assert shop.event(placed.order_number) is None
    pending = shop.event(other.order_number)
    assert pending is not None
    assert pending.event_id != event.event_id
    assert shop.counts()["events_unannounced"] == 1


def test_an_unknown_order_has_no_event(shop: Shop) -> None:
    assert shop.event("000000001") is None
