"""Which refusal wins, and what is let through?"""

from typing import Any

import pytest

from commerce.domain.addresses import REQUIRED_FIELDS, AddressProblem
from commerce.domain.carts import CartSnapshot, ProductKind, Shopper, SnapshotLine
from commerce.domain.checks import (
    billing_refusal,
    cart_refusal,
    payment_method_refusal,
    shipping_refusal,
)
from commerce.domain.errors import Refusal, RefusalReason
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice, PaymentMethod
from commerce.domain.stores import Store
from tests.builders import TEXAS, cart, usd

R = RefusalReason
STORE = Store(code="default")
BAD_POSTCODE = (AddressProblem(field="postcode", missing=False),)
NO_TELEPHONE = (AddressProblem(field="telephone", missing=True),)


def store(**changes: object) -> Store:
    return Store.model_validate({**STORE.model_dump(), **changes})


def snapshot(
    settings: Store = STORE, kind: ProductKind = ProductKind.SIMPLE, **changes: object
) -> CartSnapshot:
    ready = cart("cart", **changes)
    lines = tuple(
        SnapshotLine(sku=x.sku, name=x.sku, kind=kind, quantity=x.quantity, price=usd("10.00"))
        for x in ready.lines
    )
    return CartSnapshot(cart=ready, store=settings, lines=lines)


def reason_of(refusal: Refusal | None) -> RefusalReason | None:
    return refusal.reason if refusal else None


# -- the cart ----------------------------------------------------------------------------------


@pytest.mark.parametrize("store_code", ["", "default"])
def test_a_ready_cart_may_be_locked(store_code: str) -> None:
    assert cart_refusal(cart("c"), STORE, Shopper.guest(), store_code) is None


def test_a_customers_cart_needs_no_email_and_no_guest_checkout() -> None:
    owned = cart("c", customer_id="7", email=None)
    assert cart_refusal(owned, store(guest_checkout=False), Shopper.customer("7"), "") is None


def test_the_wrong_store_is_refused() -> None:
    refusal = cart_refusal(cart("c"), STORE, Shopper.guest(), "other")
    assert reason_of(refusal) is R.WRONG_STORE


@pytest.mark.parametrize(
    ("owner", "shopper"),
    [
        (None, Shopper.customer("7")),
        ("7", Shopper.guest()),
        ("7", Shopper.customer("8")),
        ("7", Shopper.customer("77")),
    ],
)
def test_only_the_owner_may_check_a_cart_out(owner: str | None, shopper: Shopper) -> None:
    refusal = cart_refusal(cart("c", customer_id=owner), STORE, shopper, "")
    assert reason_of(refusal) is R.NOT_CART_OWNER


def test_guests_are_refused_where_guest_checkout_is_off() -> None:
    refusal = cart_refusal(cart("c"), store(guest_checkout=False), Shopper.guest(), "")
    assert reason_of(refusal) is R.GUEST_CHECKOUT_DISABLED


def test_a_guest_needs_an_email() -> None:
    refusal = cart_refusal(cart("c", email=None), STORE, Shopper.guest(), "")
    assert reason_of(refusal) is R.GUEST_EMAIL_MISSING


@pytest.mark.parametrize("customer_id", [None, "7"])
def test_an_empty_cart_is_refused(customer_id: str | None) -> None:
    empty = cart("c", lines=(), customer_id=customer_id)
    refusal = cart_refusal(empty, STORE, Shopper(customer_id=customer_id), "")
    assert reason_of(refusal) is R.CART_EMPTY


def test_of_all_that_a_cart_lacks_the_first_in_the_list_of_reasons_wins() -> None:
    cures: list[dict[str, Any]] = [
        {"store_code": "default"},
        {"shopper": Shopper.guest()},
        {"store": STORE},
        {"cart": cart("c", lines=())},
        {"cart": cart("c")},
    ]
    asked: dict[str, Any] = {
        "cart": cart("c", lines=(), email=None),
        "store": store(guest_checkout=False),
        "shopper": Shopper.customer("7"),
        "store_code": "other",
    }
    won = [reason_of(cart_refusal(**asked))]
    for cure in cures:
        asked |= cure
        won.append(reason_of(cart_refusal(**asked)))
    assert won == [
        R.WRONG_STORE,
        R.NOT_CART_OWNER,
        R.GUEST_CHECKOUT_DISABLED,
        R.GUEST_EMAIL_MISSING,
        R.CART_EMPTY,
        None,
    ]
    assert won[:-1] == [reason for reason in RefusalReason if reason in won]


# -- shipping ----------------------------------------------------------------------------------


def test_a_physical_cart_with_address_and_method_may_be_shipped() -> None:
    assert shipping_refusal(snapshot(), ()) is None


def test_a_virtual_cart_needs_no_shipping_whatever_is_wrong_with_it() -> None:
    bare = snapshot(
        store(allowed_countries=("DE",)),
        ProductKind.VIRTUAL,
        shipping_address=None,
        shipping_method=None,
    )
    assert shipping_refusal(bare, BAD_POSTCODE) is None


def test_one_physical_product_among_virtual_ones_needs_shipping() -> None:
    mixed = snapshot(shipping_address=None, lines=cart("c", ("a", 1), ("b", 1)).lines)
    lines = (mixed.lines[0].model_copy(update={"kind": ProductKind.VIRTUAL}), mixed.lines[1])
    mixed = mixed.model_copy(update={"lines": lines})
    assert reason_of(shipping_refusal(mixed, ())) is R.SHIPPING_ADDRESS_MISSING


def test_a_physical_cart_without_an_address_is_refused() -> None:
    refusal = shipping_refusal(snapshot(shipping_address=None), ())
    assert reason_of(refusal) is R.SHIPPING_ADDRESS_MISSING


def test_a_country_that_the_store_does_not_ship_to_is_refused() -> None:
    refusal = shipping_refusal(snapshot(store(allowed_countries=("DE", "FR"))), ())
    assert reason_of(refusal) is R.COUNTRY_NOT_ALLOWED


def test_an_allowed_country_is_shipped_to() -> None:
    assert shipping_refusal(snapshot(store(allowed_countries=("DE", "US"))), ()) is None


def test_a_shipping_address_without_a_country_cannot_be_used_where_countries_are_limited() -> None:
    nowhere = TEXAS.model_copy(update={"country_code": ""})
    limited = snapshot(store(allowed_countries=("US",)), shipping_address=nowhere)
    assert reason_of(shipping_refusal(limited, ())) is R.COUNTRY_NOT_ALLOWED


def test_the_problems_of_a_shipping_address_are_told() -> None:
    refusal = shipping_refusal(snapshot(), BAD_POSTCODE + NO_TELEPHONE)
    assert refusal == Refusal(
        reason=R.SHIPPING_ADDRESS_INVALID, problems=BAD_POSTCODE + NO_TELEPHONE
    )


@pytest.mark.parametrize("method", [None, "", "freeshipping", "pigeon", "FLATRATE"])
def test_a_method_that_is_not_chosen_or_not_offered_is_refused(method: str | None) -> None:
    refusal = shipping_refusal(snapshot(shipping_method=method), ())
    assert reason_of(refusal) is R.SHIPPING_METHOD_MISSING


def test_of_all_that_is_wrong_with_shipping_the_first_in_the_list_of_reasons_wins() -> None:
    limited = store(allowed_countries=("DE",))
    worst = snapshot(limited, shipping_address=None, shipping_method=None)
    won = [
        reason_of(shipping_refusal(worst, BAD_POSTCODE)),
        reason_of(shipping_refusal(snapshot(limited, shipping_method=None), BAD_POSTCODE)),
        reason_of(shipping_refusal(snapshot(shipping_method=None), BAD_POSTCODE)),
        reason_of(shipping_refusal(snapshot(shipping_method=None), ())),
    ]
    assert won == [
        R.SHIPPING_ADDRESS_MISSING,
        R.COUNTRY_NOT_ALLOWED,
        R.SHIPPING_ADDRESS_INVALID,
        R.SHIPPING_METHOD_MISSING,
    ]
    assert won == [reason for reason in RefusalReason if reason in won]


# -- billing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ProductKind)
def test_a_good_billing_address_is_let_through(kind: ProductKind) -> None:
    assert billing_refusal(snapshot(kind=kind), ()) is None


@pytest.mark.parametrize("kind", ProductKind)
def test_without_a_billing_address_every_field_is_missing(kind: ProductKind) -> None:
    refusal = billing_refusal(snapshot(kind=kind, billing_address=None), ())
    assert refusal is not None
    assert refusal.reason is R.BILLING_ADDRESS_INVALID
    assert [problem.field for problem in refusal.problems] == list(REQUIRED_FIELDS)
    assert all(problem.missing for problem in refusal.problems)


def test_a_billing_country_that_is_not_allowed_wins_over_other_problems() -> None:
    limited = snapshot(store(allowed_countries=("DE",)))
    assert reason_of(billing_refusal(limited, BAD_POSTCODE)) is R.COUNTRY_NOT_ALLOWED


def test_a_billing_address_without_a_country_is_told_what_it_lacks() -> None:
    nowhere = TEXAS.model_copy(update={"country_code": ""})
    limited = snapshot(store(allowed_countries=("US",)), billing_address=nowhere)
    lacks = (AddressProblem(field="countryId", missing=True),)
    assert billing_refusal(limited, lacks) == Refusal(
        reason=R.BILLING_ADDRESS_INVALID, problems=lacks
    )


def test_the_problems_of_a_billing_address_are_told() -> None:
    assert billing_refusal(snapshot(), NO_TELEPHONE) == Refusal(
        reason=R.BILLING_ADDRESS_INVALID, problems=NO_TELEPHONE
    )


# -- the payment method ------------------------------------------------------------------------

ALL_METHODS = store(payment_methods=tuple(PaymentMethod))


def paid_by(
    method: str, number: str = "", settings: Store = ALL_METHODS, payment_id: str = ""
) -> CartSnapshot:
    choice = PaymentChoice(method=method, purchase_order_number=number, payment_id=payment_id)
    return snapshot(settings, payment=choice)


@pytest.mark.parametrize("method", ["checkmo", "banktransfer", "cashondelivery"])
@pytest.mark.parametrize("due", ["0", "0.01", "25"])
def test_an_offered_offline_method_may_be_used_for_any_total(method: str, due: str) -> None:
    assert payment_method_refusal(paid_by(method), usd(due)) is None


def test_no_payment_method_is_refused() -> None:
    refusal = payment_method_refusal(snapshot(payment=None), usd("1"))
    assert reason_of(refusal) is R.PAYMENT_METHOD_MISSING


@pytest.mark.parametrize("method", ["banktransfer", "free", "bitcoin", "CHECKMO", "checkmo "])
def test_a_method_that_the_store_does_not_offer_is_unavailable(method: str) -> None:
    refusal = payment_method_refusal(paid_by(method, settings=STORE), usd("0"))
    assert reason_of(refusal) is R.PAYMENT_METHOD_UNAVAILABLE


@pytest.mark.parametrize(
    ("due", "reason"),
    [("0", None), ("0.01", R.PAYMENT_METHOD_UNAVAILABLE), ("5", R.PAYMENT_METHOD_UNAVAILABLE)],
)
def test_free_is_for_orders_that_cost_nothing(due: str, reason: RefusalReason | None) -> None:
    assert reason_of(payment_method_refusal(paid_by("free"), usd(due))) is reason


def test_nothing_is_due_in_any_currency() -> None:
    assert payment_method_refusal(paid_by("free"), Money.zero("JPY")) is None


@pytest.mark.parametrize(("number", "reason"), [("PO-1", None), ("", R.PAYMENT_METHOD_MISSING)])
def test_a_purchase_order_needs_its_number(number: str, reason: RefusalReason | None) -> None:
    refusal = payment_method_refusal(paid_by("purchaseorder", number), usd("5"))
    assert reason_of(refusal) is reason


def test_an_unavailable_purchase_order_is_not_asked_for_its_number() -> None:
    refusal = payment_method_refusal(paid_by("purchaseorder", settings=STORE), usd("5"))
    assert reason_of(refusal) is R.PAYMENT_METHOD_UNAVAILABLE


ONLINE = pytest.mark.parametrize("method", [m for m in PaymentMethod if m.is_online])


@ONLINE
@pytest.mark.parametrize(
    ("payment_id", "due", "reason"),
    [
        ("pay", "0.01", None),
        ("", "0.01", R.PAYMENT_METHOD_MISSING),
        ("pay", "0", R.PAYMENT_METHOD_UNAVAILABLE),
        ("", "0", R.PAYMENT_METHOD_UNAVAILABLE),
    ],
)
def test_an_online_method_needs_its_payment_and_something_to_pay(
    method: str, payment_id: str, due: str, reason: RefusalReason | None
) -> None:
    refusal = payment_method_refusal(paid_by(method, payment_id=payment_id), usd(due))
    assert reason_of(refusal) is reason


@ONLINE
def test_an_online_method_that_the_store_does_not_offer_is_unavailable(method: str) -> None:
    refusal = payment_method_refusal(paid_by(method, settings=STORE, payment_id="pay"), usd("5"))
    assert reason_of(refusal) is R.PAYMENT_METHOD_UNAVAILABLE


def test_a_payment_id_is_not_asked_of_the_offline_methods() -> None:
    assert payment_method_refusal(paid_by("checkmo", payment_id="pay"), usd("5")) is None
