"""Is enough there, is it paid for, and what is the order called?"""

import pytest
from pydantic import ValidationError

from commerce.domain.carts import ProductKind, SnapshotLine
from commerce.domain.orders import OrderStatus, order_number
from commerce.domain.payments import (
    Payment,
    PaymentChoice,
    PaymentEvent,
    PaymentMethod,
    PaymentStatus,
    may_pay,
)
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
PAYS = {
    PaymentStatus.CREATED: False,
    PaymentStatus.APPROVED: True,
    PaymentStatus.PENDING: True,
    PaymentStatus.AUTHORIZED: True,
    PaymentStatus.CAPTURED: False,
    PaymentStatus.DECLINED: True,
    PaymentStatus.VOIDED: False,
    PaymentStatus.REFUNDED: False,
}
"""A declined one was for this cart, too: what is told then is that it was declined."""


def stands(status: PaymentStatus, at_once: bool = False) -> Payment:
    return PAYMENT.model_copy(update={"status": status, "captured_at_once": at_once})


@pytest.mark.parametrize("status", PaymentStatus)
def test_a_payment_may_pay_while_it_is_approved_and_unspent(status: PaymentStatus) -> None:
    assert may_pay(stands(status), "cart", usd("30.00")) is PAYS[status]


@pytest.mark.parametrize("status", PaymentStatus)
def test_so_may_one_that_was_captured_by_the_approval_itself(status: PaymentStatus) -> None:
    may = PAYS[status] or status is PaymentStatus.CAPTURED
    assert may_pay(stands(status, at_once=True), "cart", usd("30")) is may


UNSPENT = pytest.mark.parametrize(
    "payment",
    [*(stands(status) for status in PaymentStatus), stands(PaymentStatus.CAPTURED, at_once=True)],
    ids=lambda payment: f"{payment.status}, {payment.captured_at_once}",
)


@UNSPENT
@pytest.mark.parametrize("cart_id", ["other", "CART", "cart ", ""])
def test_a_payment_for_another_cart_does_not_pay(payment: Payment, cart_id: str) -> None:
    assert not may_pay(payment, cart_id, usd("30"))


@UNSPENT
@pytest.mark.parametrize("due", ["29.99", "30.01", "0", "3000"])
def test_a_payment_of_another_amount_does_not_pay_not_even_too_much(
    payment: Payment, due: str
) -> None:
    assert not may_pay(payment, "cart", usd(due))


@UNSPENT
def test_a_payment_in_another_currency_does_not_pay(payment: Payment) -> None:
    euros = PAYMENT.amount.model_copy(update={"currency": "EUR"})
    assert not may_pay(payment, "cart", euros)


@pytest.mark.parametrize("text", ["\n", "a\x00", "\x7f"])
def test_no_control_character_gets_into_ids_from_outside(text: str) -> None:
    for make in (
        lambda: PaymentChoice(method="checkmo", payment_id=text),
        lambda: PaymentEvent(id=text, payment_id="pay"),
        lambda: PaymentEvent(id="evt", payment_id=text),
    ):
        with pytest.raises(ValidationError):
            make()


def test_ids_from_outside_are_bounded_as_the_columns_are() -> None:
    assert PaymentChoice(method="checkmo", payment_id="x" * 255)
    assert PaymentEvent(id="x" * 255, payment_id="x" * 255)
    for make in (
        lambda: PaymentChoice(method="checkmo", payment_id="x" * 256),
        lambda: PaymentEvent(id="x" * 256, payment_id="pay"),
        lambda: PaymentEvent(id="evt", payment_id="x" * 256),
        lambda: PaymentEvent(id="", payment_id="pay"),
    ):
        with pytest.raises(ValidationError):
            make()


# -- methods, and what shoppers call them --------------------------------------------------------

LABELS = {
    "checkmo": "Check / Money order",
    "banktransfer": "Bank Transfer Payment",
    "cashondelivery": "Cash On Delivery",
    "purchaseorder": "Purchase Order",
    "free": "No Payment Information Required",
    "payment_services_paypal_smart_buttons": "PayPal",
    "payment_services_paypal_hosted_fields": "Credit Card",
    "payment_services_paypal_apple_pay": "Apple Pay",
    "payment_services_paypal_google_pay": "Google Pay",
}


def test_the_methods_have_their_documented_names() -> None:
    assert {method.value: method.label for method in PaymentMethod} == LABELS
    names = {method.value: method.names for method in ShippingMethod}
    assert {
        (carrier, each.method_code): (each.carrier_title, each.method_title)
        for carrier, each in names.items()
    } == {
        ("flatrate", "flatrate"): ("Flat Rate", "Fixed"),
        ("tablerate", "bestway"): ("Best Way", "Table Rate"),
        ("freeshipping", "freeshipping"): ("Free Shipping", "Free"),
    }


@pytest.mark.parametrize("method", PaymentMethod)
def test_the_methods_of_payment_services_are_online(method: PaymentMethod) -> None:
    online = method.value.startswith("payment_services_")
    assert method.is_online is online
    assert PaymentChoice(method=method.value).is_online is online
    assert PaymentChoice(method=method.value, payment_id="pay").is_online is online


@pytest.mark.parametrize("method", ["bitcoin", "gateway", "PAYMENT_SERVICES_PAYPAL_APPLE_PAY"])
def test_a_method_that_is_not_known_is_not_online(method: str) -> None:
    assert not PaymentChoice(method=method).is_online


def test_what_an_older_version_chose_has_no_payment_id() -> None:
    stored = '{"method":"checkmo","purchase_order_number":""}'
    assert PaymentChoice.model_validate_json(stored) == PaymentChoice(method="checkmo")


def test_shoppers_read_how_their_order_stands() -> None:
    assert [status.label for status in OrderStatus] == ["Pending", "Processing", "Payment Review"]


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
