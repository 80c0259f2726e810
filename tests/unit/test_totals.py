"""What does the shopper pay, and what is it computed from?"""

import pytest

from commerce.domain.carts import Cart, CartSnapshot, ProductKind, SnapshotLine
from commerce.domain.money import MAX_AMOUNT_MINOR, Money, MoneyError
from commerce.domain.payments import PaymentChoice, PaymentMethod
from commerce.domain.shipping import ShippingMethod, shipping_amount
from commerce.domain.stores import Store
from tests.builders import TEXAS, cart

SIMPLE, VIRTUAL = ProductKind.SIMPLE, ProductKind.VIRTUAL


def line(
    quantity: int, price: str, currency: str = "USD", kind: ProductKind = SIMPLE, sku: str = "apple"
) -> SnapshotLine:
    return SnapshotLine(
        sku=sku, name=sku, kind=kind, quantity=quantity, price=Money.parse(price, currency)
    )


def snapshot(*lines: SnapshotLine, method: str | None = "flatrate") -> CartSnapshot:
    currency = lines[0].price.currency if lines else "USD"
    store = Store(code="default", currency=currency, shipping_methods=tuple(ShippingMethod))
    return CartSnapshot(cart=cart("cart", shipping_method=method), store=store, lines=lines)


def totals(*lines: SnapshotLine, method: str | None = "flatrate") -> tuple[str, str, str]:
    """Subtotal, shipping and grand total, as they are written."""
    computed = snapshot(*lines, method=method).totals()
    return str(computed.subtotal), str(computed.shipping), str(computed.grand_total)


# -- totals ------------------------------------------------------------------------------------


def test_flat_rate_is_five_per_shipped_item() -> None:
    assert totals(line(2, "10.00")) == ("20.00 USD", "10.00 USD", "30.00 USD")
    assert totals(line(4, "10.00")) == ("40.00 USD", "20.00 USD", "60.00 USD")


def test_flat_rate_adds_up_over_lines_and_leaves_virtual_ones_out() -> None:
    lines = (line(2, "1.50"), line(3, "2.25", sku="pear"), line(7, "9.99", kind=VIRTUAL, sku="e"))
    assert totals(*lines) == ("79.68 USD", "25.00 USD", "104.68 USD")


@pytest.mark.parametrize("method", [*ShippingMethod, None])
def test_a_virtual_cart_pays_no_shipping_whatever_is_chosen(method: str | None) -> None:
    virtual = line(3, "10.00", kind=VIRTUAL)
    assert totals(virtual, method=method) == ("30.00 USD", "0.00 USD", "30.00 USD")


def test_free_shipping_costs_nothing() -> None:
    assert totals(line(3, "10.00"), method="freeshipping") == (
        "30.00 USD",
        "0.00 USD",
        "30.00 USD",
    )


@pytest.mark.parametrize(
    ("price", "shipping"),
    [
        ("0", "15.00 USD"),
        ("49.99", "15.00 USD"),
        ("50", "10.00 USD"),
        ("99.99", "10.00 USD"),
        ("100", "5.00 USD"),
        ("1000", "5.00 USD"),
    ],
)
def test_table_rate_falls_with_the_subtotal(price: str, shipping: str) -> None:
    assert totals(line(1, price), method="tablerate")[1] == shipping


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("flatrate", ("1500 JPY", "15 JPY", "1515 JPY")),
        ("tablerate", ("1500 JPY", "5 JPY", "1505 JPY")),
        ("freeshipping", ("1500 JPY", "0 JPY", "1500 JPY")),
    ],
)
def test_a_currency_without_decimals_pays_whole_units(
    method: str, expected: tuple[str, str, str]
) -> None:
    assert totals(line(3, "500", "JPY"), method=method) == expected


def test_a_currency_with_three_decimals_keeps_them() -> None:
    assert totals(line(2, "1.005", "KWD")) == ("2.010 KWD", "10.000 KWD", "12.010 KWD")


@pytest.mark.parametrize("method", [None, "", "pigeon"])
def test_shipping_is_zero_while_no_method_is_chosen(method: str | None) -> None:
    assert totals(line(1, "10.00"), method=method) == ("10.00 USD", "0.00 USD", "10.00 USD")


def test_a_method_that_the_store_no_longer_offers_counts_as_not_chosen() -> None:
    chosen = snapshot(line(1, "10.00"))
    offers = chosen.store.model_copy(update={"shipping_methods": (ShippingMethod.FREESHIPPING,)})
    chosen = chosen.model_copy(update={"store": offers})
    assert chosen.chosen_shipping is None
    assert str(chosen.totals().shipping) == "0.00 USD"


def test_an_empty_cart_costs_nothing() -> None:
    assert totals() == ("0.00 USD", "0.00 USD", "0.00 USD")


@pytest.mark.parametrize(
    "lines",
    [
        (line(2, "10000000000000.00"),),
        (line(1, "10000000000000.00"), line(1, "0.01", sku="pear")),
        (line(1, "10000000000000.00"),),
    ],
    ids=["line", "subtotal", "grand total"],
)
def test_a_total_that_is_too_large_is_a_money_error(lines: tuple[SnapshotLine, ...]) -> None:
    with pytest.raises(MoneyError):
        snapshot(*lines).totals()


def test_the_largest_total_can_be_reached() -> None:
    largest = line(1, "10000000000000.00", kind=VIRTUAL)
    assert snapshot(largest).totals().grand_total.amount_minor == MAX_AMOUNT_MINOR


def test_shipping_that_is_too_large_is_a_money_error() -> None:
    with pytest.raises(MoneyError):
        shipping_amount(ShippingMethod.FLATRATE, Money.zero("KWD"), 10**12)


def test_lines_in_another_currency_than_the_store_are_a_money_error() -> None:
    mixed = snapshot(line(1, "1", "USD"), line(1, "1", "EUR", sku="pear"))
    with pytest.raises(MoneyError):
        mixed.totals()


# -- the digest --------------------------------------------------------------------------------

FROZEN = snapshot(line(2, "10.00"), line(1, "5.00", sku="pear"))


def with_cart(**changes: object) -> CartSnapshot:
    changed = Cart.model_validate({**FROZEN.cart.model_dump(), **changes})
    return FROZEN.model_copy(update={"cart": changed})


def with_store(**changes: object) -> CartSnapshot:
    changed = Store.model_validate({**FROZEN.store.model_dump(), **changes})
    return FROZEN.model_copy(update={"store": changed})


def with_line(**changes: object) -> CartSnapshot:
    changed = SnapshotLine.model_validate({**FROZEN.lines[0].model_dump(), **changes})
    return FROZEN.model_copy(update={"lines": (changed, FROZEN.lines[1])})


CHANGED = {
    "cart id": with_cart(id="other"),
    "cart store": with_cart(store_code="other"),
    "customer": with_cart(customer_id="7"),
    "email": with_cart(email="other@example.com"),
    "no email": with_cart(email=None),
    "shipping address": with_cart(shipping_address=TEXAS.model_copy(update={"city": "Dallas"})),
    "billing address": with_cart(billing_address=TEXAS.model_copy(update={"city": "Dallas"})),
    "street": with_cart(shipping_address=TEXAS.model_copy(update={"street": ("12", "Canary St")})),
    "shipping method": with_cart(shipping_method="tablerate"),
    "payment method": with_cart(payment=PaymentChoice(method="banktransfer")),
    "purchase order": with_cart(payment=PaymentChoice(method="checkmo", purchase_order_number="1")),
    "currency": with_store(currency="EUR"),
    "countries": with_store(allowed_countries=("US",)),
    "prefix": with_store(order_prefix="0"),
    "guests": with_store(guest_checkout=False),
    "payments": with_store(payment_methods=(PaymentMethod.FREE,)),
    "shippings": with_store(shipping_methods=(ShippingMethod.FLATRATE,)),
    "quantity": with_line(quantity=3),
    "price": with_line(price=Money.parse("10.01", "USD")),
    "price currency": with_line(price=Money.parse("10.00", "EUR")),
    "sku": with_line(sku="plum"),
    "name": with_line(name="Apple"),
    "kind": with_line(kind="virtual"),
    "line order": FROZEN.model_copy(update={"lines": FROZEN.lines[::-1]}),
    "a line less": FROZEN.model_copy(update={"lines": FROZEN.lines[:1]}),
}


@pytest.mark.parametrize("what", CHANGED)
def test_the_digest_changes_with(what: str) -> None:
    assert CHANGED[what].digest() != FROZEN.digest()


def test_no_two_changes_share_a_digest() -> None:
    assert len({changed.digest() for changed in CHANGED.values()}) == len(CHANGED)


def test_equal_snapshots_have_one_digest_of_64_hex_characters() -> None:
    again = snapshot(line(2, "10.00"), line(1, "5.00", sku="pear"))
    assert again is not FROZEN
    assert again.digest() == FROZEN.digest()
    assert len(bytes.fromhex(FROZEN.digest())) == 32


def test_the_digest_survives_storage() -> None:
    stored = CartSnapshot.model_validate_json(FROZEN.model_dump_json())
    assert stored == FROZEN
    assert stored.digest() == FROZEN.digest()


def test_the_digest_is_the_same_in_every_version() -> None:
    """A new worker computes it again: were it different, running checkouts would be refused."""
    assert FROZEN.digest() == "b8be836b79a7b69755a4585060b1616f68b0d5d2f4a957b57739bc4619cff4e9"
