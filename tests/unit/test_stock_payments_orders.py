"""Is enough there, is it paid for, and what is the order called?"""

import pytest

from commerce.domain.carts import ProductKind, SnapshotLine
from commerce.domain.orders import OrderStatus, order_number
from commerce.domain.payments import Payment, PaymentMethod, PaymentStatus, pays_for
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stock import Shortage, demand, shortage
from tests.builders import usd


def line(sku: str, quantity: int) -> SnapshotLine:
    return SnapshotLine(
        sku=sku, name=sku, kind=ProductKind.SIMPLE, quantity=quantity, price=usd("1")
    )


# -- stock -------------------------------------------------------------------------------------


def test_demand_adds_up_the_lines_of_a_product() -> None:
    assert demand([line("a", 2), line("b", 1), line("a", 3)]) == {"a": 5, "b": 1}


def test_demand_is_in_sku_order_whatever_the_order_of_lines() -> None:
    assert list(demand([line("c", 1), line("a", 1), line("B", 1)])) == ["B", "a", "c"]


def test_no_lines_want_nothing() -> None:
    assert demand([]) == {}


@pytest.mark.parametrize(
    ("wanted", "available", "short"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": 2, "b": 0}, None),
        ({"a": 1_000_000}, {}, None),
        ({"a": 2}, {"a": 1}, ("a", 2, 1)),
        ({"a": 1}, {"a": 0}, ("a", 1, 0)),
        ({"a": 1}, {"a": -3}, ("a", 1, 0)),
        ({"a": 1, "b": 5, "c": 5}, {"a": 1, "b": 4, "c": 0}, ("b", 5, 4)),
    ],
)
def test_the_first_product_that_cannot_be_had_in_full_is_short(
    wanted: dict[str, int], available: dict[str, int], short: tuple[str, int, int] | None
) -> None:
    expected = short and Shortage(sku=short[0], wanted=short[1], available=short[2])
    assert shortage(wanted, available) == expected


# -- payments ----------------------------------------------------------------------------------

PAYMENT = Payment(id="pay", cart_id="cart", amount=usd("30"), status=PaymentStatus.APPROVED)


def test_an_approved_payment_of_the_cart_and_its_total_pays() -> None:
    assert pays_for(PAYMENT, "cart", usd("30.00"))


def test_an_unknown_payment_pays_nothing() -> None:
    assert not pays_for(None, "cart", usd("0"))


@pytest.mark.parametrize("cart_id", ["other", "CART", "cart ", ""])
def test_a_payment_for_another_cart_does_not_pay(cart_id: str) -> None:
    assert not pays_for(PAYMENT, cart_id, usd("30"))


@pytest.mark.parametrize("due", ["29.99", "30.01", "0", "3000"])
def test_a_payment_of_another_amount_does_not_pay_not_even_too_much(due: str) -> None:
    assert not pays_for(PAYMENT, "cart", usd(due))


def test_a_payment_in_another_currency_does_not_pay() -> None:
    euros = PAYMENT.amount.model_copy(update={"currency": "EUR"})
    assert not pays_for(PAYMENT, "cart", euros)


@pytest.mark.parametrize("status", [s for s in PaymentStatus if s is not PaymentStatus.APPROVED])
def test_a_payment_that_is_not_approved_or_already_used_does_not_pay(status: PaymentStatus) -> None:
    assert not pays_for(PAYMENT.model_copy(update={"status": status}), "cart", usd("30"))


# -- what shoppers call it ----------------------------------------------------------------------


def test_the_offline_methods_have_their_documented_names() -> None:
    assert {method.value: method.label for method in PaymentMethod} == {
        "checkmo": "Check / Money order",
        "banktransfer": "Bank Transfer Payment",
        "cashondelivery": "Cash On Delivery",
        "purchaseorder": "Purchase Order",
        "free": "No Payment Information Required",
    }
    names = {method.value: method.names for method in ShippingMethod}
    assert {
        (carrier, each.method_code): (each.carrier_title, each.method_title)
        for carrier, each in names.items()
    } == {
        ("flatrate", "flatrate"): ("Flat Rate", "Fixed"),
        ("tablerate", "bestway"): ("Best Way", "Table Rate"),
        ("freeshipping", "freeshipping"): ("Free Shipping", "Free"),
    }


def test_an_order_that_is_not_paid_is_pending() -> None:
    assert [status.label for status in OrderStatus] == ["Pending", "Processing"]


# -- order numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "value", "number"),
    [
        ("", 6, "000000006"),
        ("0", 12, "0000000012"),
        ("3", 496, "3000000496"),
        ("", 1, "000000001"),
        ("", 999_999_999, "999999999"),
        ("DE-", 7, "DE-000000007"),
    ],
)
def test_an_order_number_is_the_prefix_and_nine_digits(
    prefix: str, value: int, number: str
) -> None:
    assert order_number(prefix, value) == number


@pytest.mark.parametrize("value", [0, -1, 1_000_000_000])
def test_a_value_that_does_not_fit_nine_digits_is_never_cut(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        order_number("", value)
