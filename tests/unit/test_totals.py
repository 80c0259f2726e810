"""What does the shopper pay, and what is it computed from?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce.domain.carts import Cart, CartLine, CartSnapshot, ProductKind, SnapshotLine
from commerce.domain.money import MAX_AMOUNT_MINOR, Money, MoneyError
from commerce.domain.payments import PaymentChoice, PaymentMethod
from commerce.domain.shipping import ShippingMethod, shipping_amount
from commerce.domain.stores import Store
from commerce.domain.taxes import PPM, TaxRate
from commerce.domain.totals import add_up
from tests.builders import TEXAS, cart, tax, usd

SIMPLE, VIRTUAL = ProductKind.SIMPLE, ProductKind.VIRTUAL
TEXAN = tax("8.25", "TX")


def line(
    quantity: int, price: str, currency: str = "USD", kind: ProductKind = SIMPLE, sku: str = "apple"
) -> SnapshotLine:
    return SnapshotLine(
        sku=sku, name=sku, kind=kind, quantity=quantity, price=Money.parse(price, currency)
    )


def snapshot(
    *lines: SnapshotLine, method: str | None = "flatrate", rate: TaxRate | None = None
) -> CartSnapshot:
    currency = lines[0].price.currency if lines else "USD"
    store = Store(code="default", currency=currency, shipping_methods=tuple(ShippingMethod))
    ready = cart("cart", shipping_method=method)
    return CartSnapshot(cart=ready, store=store, lines=lines, tax_rate=rate)


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


# -- tax ---------------------------------------------------------------------------------------


def taxed(*lines: SnapshotLine, rate: TaxRate) -> tuple[list[str], str, str, str]:
    """The tax on each line, on shipping and on all, and the grand total, as they are written."""
    computed = snapshot(*lines, rate=rate).totals()
    assert computed.tax_rate == rate
    line_taxes = [str(amount) for amount in computed.line_taxes]
    return line_taxes, str(computed.shipping_tax), str(computed.tax), str(computed.grand_total)


def test_the_documented_example_without_its_discount() -> None:
    example = snapshot(line(4, "10.00"), rate=tax("7.5")).totals()
    assert (example.subtotal, example.shipping) == (usd("40.00"), usd("20.00"))
    assert (example.tax, example.grand_total) == (usd("4.50"), usd("64.50"))


def test_tax_on_shipping_is_its_own_and_may_be_off() -> None:
    lines = line(4, "10.00"), line(1, "5.00", sku="e", kind=VIRTUAL)
    on_goods = tax("7.5", on_shipping=False)
    assert taxed(*lines, rate=tax("7.5")) == (
        ["3.00 USD", "0.38 USD"],
        "1.50 USD",
        "4.88 USD",
        "69.88 USD",
    )
    assert taxed(*lines, rate=on_goods) == (
        ["3.00 USD", "0.38 USD"],
        "0.00 USD",
        "3.38 USD",
        "68.38 USD",
    )


def test_tax_is_rounded_for_each_line_and_not_for_the_sum() -> None:
    lines = (line(1, "0.10", kind=VIRTUAL, sku=f"e-{n}") for n in range(3))
    three_times_half_a_cent = (["0.01 USD"] * 3, "0.00 USD", "0.03 USD", "0.33 USD")
    assert taxed(*lines, rate=tax("5")) == three_times_half_a_cent


def test_nothing_in_the_cart_has_no_tax() -> None:
    assert taxed(rate=TEXAN) == ([], "0.00 USD", "0.00 USD", "0.00 USD")


@pytest.mark.parametrize(
    ("lines", "percent"),
    [
        ((line(1, "10000000000000.00", kind=VIRTUAL),), "0.0001"),
        ((line(1, "5000000000000.01", kind=VIRTUAL),), "100"),
        ((line(1, "9999999999989.99"),), "100"),
        ((line(1, "5000000000000.00"), line(1, "5000000000000.00", sku="pear")), "0.0001"),
    ],
    ids=["grand total", "twice the price", "with shipping", "two lines"],
)
def test_a_total_that_tax_makes_too_large_is_a_money_error(
    lines: tuple[SnapshotLine, ...], percent: str
) -> None:
    with pytest.raises(MoneyError):
        snapshot(*lines, rate=tax(percent)).totals()


def test_the_largest_total_can_be_reached_with_tax() -> None:
    half = line(1, "5000000000000.00", kind=VIRTUAL)
    computed = snapshot(half, rate=tax("100")).totals()
    assert computed.grand_total.amount_minor == MAX_AMOUNT_MINOR


@st.composite
def taxed_carts(draw: st.DrawFn) -> CartSnapshot:
    """Carts of every kind, in currencies with 0, 2 and 3 digits, with every rate."""
    currency = draw(st.sampled_from(["JPY", "USD", "KWD"]))
    amounts = st.integers(0, 10**8)
    items = draw(
        st.lists(st.tuples(amounts, st.integers(1, 1000), st.sampled_from(ProductKind)), max_size=6)
    )
    lines = tuple(
        SnapshotLine(
            sku=f"sku-{n}",
            name="any",
            kind=kind,
            quantity=quantity,
            price=Money(amount_minor=amount_minor, currency=currency),
        )
        for n, (amount_minor, quantity, kind) in enumerate(items)
    )
    rate = TEXAN.model_copy(
        update={"rate_ppm": draw(st.integers(0, PPM)), "on_shipping": draw(st.booleans())}
    )
    method = draw(st.sampled_from([None, *(method.value for method in ShippingMethod)]))
    drawn = snapshot(*lines, method=method, rate=draw(st.sampled_from([None, rate])))
    store = drawn.store.model_copy(update={"currency": currency})
    return drawn.model_copy(update={"store": store})


def is_half_up(taxed: Money, amount: Money, rate: TaxRate | None) -> bool:
    """At most half a minor unit from the exact tax, and upwards where it is just half."""
    exact = amount.amount_minor * rate.rate_ppm if rate else 0
    return -PPM < 2 * (taxed.amount_minor * PPM - exact) <= PPM


@settings(database=None, deadline=None)
@given(taxed_carts())
def test_all_that_is_paid_adds_up(bought: CartSnapshot) -> None:
    totals, currency = bought.totals(), bought.store.currency
    assert totals.subtotal == add_up((line.total for line in bought.lines), currency)
    assert totals.tax == add_up((*totals.line_taxes, totals.shipping_tax), currency)
    assert totals.grand_total == add_up((totals.subtotal, totals.shipping, totals.tax), currency)
    rate = totals.tax_rate
    for taxed_line, amount in zip(bought.lines, totals.line_taxes, strict=True):
        assert is_half_up(amount, taxed_line.total, rate)
    on_shipping = rate if rate and rate.on_shipping else None
    assert is_half_up(totals.shipping_tax, totals.shipping, on_shipping)


# -- the digest --------------------------------------------------------------------------------

FROZEN = snapshot(line(2, "10.00"), line(1, "5.00", sku="pear"))
ON_GOODS = {"on_shipping": False}


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
    "region id": with_cart(shipping_address=TEXAS.model_copy(update={"region_id": 57})),
    "line number": with_cart(lines=(CartLine(sku="apple", quantity=1, id=1),)),
    "shown total": with_cart(shown_total=usd("25.00")),
    "street": with_cart(shipping_address=TEXAS.model_copy(update={"street": ("12", "Canary St")})),
    "shipping method": with_cart(shipping_method="tablerate"),
    "payment method": with_cart(payment=PaymentChoice(method="banktransfer")),
    "payment id": with_cart(payment=PaymentChoice(method="checkmo", payment_id="1")),
    "purchase order": with_cart(payment=PaymentChoice(method="checkmo", purchase_order_number="1")),
    "currency": with_store(currency="EUR"),
    "countries": with_store(allowed_countries=("US",)),
    "prefix": with_store(order_prefix="0"),
    "guests": with_store(guest_checkout=False),
    "payments": with_store(payment_methods=(PaymentMethod.FREE,)),
    "shippings": with_store(shipping_methods=(ShippingMethod.FLATRATE,)),
    "street lines": with_store(street_lines=3),
    "tax rate": FROZEN.model_copy(update={"tax_rate": TEXAN}),
    "another tax rate": FROZEN.model_copy(update={"tax_rate": TEXAN.model_copy(update=ON_GOODS)}),
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


def test_what_the_digest_covers_changes_on_purpose_only() -> None:
    """An older one is not computed again: it is stored beside its snapshot."""
    assert FROZEN.digest() == "e6b7b93ff41cedd6ffe8f284aa7d134a5b0ec3d85f296348ddcef15f6c902509"
