"""May this shopper do this with this cart: see it, ship it, pay for it? And what are they told?

The texts are those of section 5 of the contract, written down here anew.
"""

import pytest

from commerce.domain.cart_edits import (
    ensure_editable,
    ensure_guests_check_out,
    ensure_usable,
    offered_method,
    payment_methods,
    with_billing_address,
    with_email,
    with_payment_method,
    with_shipping_address,
    with_shipping_method,
)
from commerce.domain.carts import MAX_QUANTITY, CartStatus, CartView, Shopper
from commerce.domain.payments import PaymentChoice, PaymentMethod
from commerce.domain.stores import Store
from tests.builders import EMAIL, TEXAS, tax, usd
from tests.unit.views import AUTHORIZATION, INPUT, NO_SUCH_ENTITY, STORE, refused, view

LOCKED, CONVERTED, MERGED = CartStatus.LOCKED, CartStatus.CONVERTED, CartStatus.MERGED
GUEST, ADA = Shopper.guest(), Shopper.customer("ada")
NO_SHIPPING_ADDRESS = "The shipping address is missing. Set the address and try again."
NO_SUCH_PAYMENT = "The requested Payment Method is not available."

# -- who -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "shopper", "store_code"),
    [
        (view(), GUEST, ""),
        (view(), GUEST, "default"),
        (view(customer_id="ada"), ADA, "default"),
        (view(status=LOCKED), GUEST, "default"),
    ],
)
def test_who_owns_a_cart_may_see_it_in_its_store(
    before: CartView, shopper: Shopper, store_code: str
) -> None:
    ensure_usable(before, shopper, store_code)


@pytest.mark.parametrize(
    ("before", "shopper", "store_code", "message", "category"),
    [
        (view(status=CONVERTED), ADA, "other", "The cart isn't active.", NO_SUCH_ENTITY),
        (view(status=MERGED), ADA, "other", "The cart isn't active.", NO_SUCH_ENTITY),
        (view(), ADA, "other", 'Wrong store code specified for cart "cart"', INPUT),
        *(
            (
                view(customer_id=owner),
                shopper,
                "default",
                'The current user cannot perform operations on cart "cart"',
                AUTHORIZATION,
            )
            for owner, shopper in ((None, ADA), ("ada", GUEST), ("eve", ADA), ("ad", ADA))
        ),
    ],
)
def test_nobody_else_may_and_the_first_reason_is_told(
    before: CartView, shopper: Shopper, store_code: str, message: str, category: str
) -> None:
    for ensure in (ensure_usable, ensure_editable):
        assert refused(lambda e=ensure: e(before, shopper, store_code)) == (message, category)


def test_a_cart_that_is_checked_out_may_be_seen_and_not_changed() -> None:
    message = "The cart is locked for processing. Please try again later."
    assert refused(lambda: ensure_editable(view(status=LOCKED), GUEST, "")) == (message, INPUT)
    not_owner = 'The current user cannot perform operations on cart "cart"'
    assert refused(lambda: ensure_editable(view(status=LOCKED), ADA, ""))[0] == not_owner
    ensure_editable(view(), GUEST, "")


def test_guests_prepare_no_cart_where_guests_cannot_order() -> None:
    members_only = STORE.model_copy(update={"guest_checkout": False})
    message = (
        "Guest checkout is not allowed. Register a customer account or login with existing one."
    )
    guests = view(store=members_only)
    assert refused(lambda: ensure_guests_check_out(guests)) == (message, AUTHORIZATION)
    ensure_guests_check_out(view(store=members_only, customer_id="ada"))
    ensure_guests_check_out(view())


def test_an_email_is_set() -> None:
    before = view(("apple", 2), email=None)
    assert with_email(before, EMAIL) == before.cart.model_copy(update={"email": EMAIL})


@pytest.mark.parametrize(
    "email", ["", "a", "a@b", "a b@c.de", "a@b.co\x00", "\ud800@b.co", "x" * 250 + "@b.co"]
)
def test_what_is_no_email_is_refused(email: str) -> None:
    assert refused(lambda: with_email(view(), email)) == ("Invalid email format", INPUT)


# -- where to --------------------------------------------------------------------------------------

DALLAS = TEXAS.model_copy(update={"city": "Dallas"})


@pytest.mark.parametrize("before", [view(), view(("apple", 1)), view(("ebook", 1), ("apple", 1))])
def test_a_shipping_address_is_set_even_on_an_empty_cart(before: CartView) -> None:
    changed = with_shipping_address(before, DALLAS)
    assert changed == before.cart.model_copy(update={"shipping_address": DALLAS})


def test_what_is_not_shipped_has_no_shipping_address() -> None:
    message = "Shipping address is not allowed on cart: cart contains no items for shipment."
    virtual = view(("ebook", 1), ("gift", 1))
    assert refused(lambda: with_shipping_address(virtual, DALLAS)) == (message, INPUT)


def test_a_billing_address_leaves_the_shipping_address_alone() -> None:
    changed = with_billing_address(view(("apple", 1)), DALLAS, also_shipping=False)
    assert (changed.billing_address, changed.shipping_address) == (DALLAS, TEXAS)


def test_it_may_be_used_for_shipping_as_well_if_anything_is_shipped() -> None:
    changed = with_billing_address(view(("apple", 1)), DALLAS, also_shipping=True)
    assert (changed.billing_address, changed.shipping_address) == (DALLAS, DALLAS)
    virtual = with_billing_address(
        view(("ebook", 1), shipping_address=None), DALLAS, also_shipping=True
    )
    assert (virtual.billing_address, virtual.shipping_address) == (DALLAS, None)


def test_it_may_be_the_same_as_the_shipping_address() -> None:
    before = view(("apple", 1), shipping_address=DALLAS)
    changed = with_billing_address(before, None, also_shipping=False)
    assert changed == before.cart.model_copy(update={"billing_address": DALLAS})


@pytest.mark.parametrize("also_shipping", [True, False])
def test_there_has_to_be_a_shipping_address_to_be_the_same(also_shipping: bool) -> None:
    message = (
        'Could not use the "same_as_shipping" option, because the shipping address has not been '
        "set."
    )
    before = view(("apple", 1), shipping_address=None)
    same = refused(lambda: with_billing_address(before, None, also_shipping))
    assert same == (message, INPUT)


# -- how -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codes", "method"),
    [(("flatrate", "flatrate"), "flatrate"), (("tablerate", "bestway"), "tablerate")],
)
def test_a_shipping_method_is_set_by_its_documented_codes(
    codes: tuple[str, str], method: str
) -> None:
    before = view(("apple", 1), shipping_method=None)
    changed = with_shipping_method(before, *codes)
    assert changed == before.cart.model_copy(update={"shipping_method": method})


@pytest.mark.parametrize(
    "codes",
    [
        *(("flatrate", "bestway"), ("tablerate", "tablerate"), ("ups", "ground"), ("", "")),
        ("freeshipping", "freeshipping"),
        ("FLATRATE", "flatrate"),
    ],
)
def test_a_method_that_the_store_does_not_offer_is_not_found(codes: tuple[str, str]) -> None:
    message = f"Carrier with such method not found: {codes[0]}, {codes[1]}"
    for call in (
        lambda: with_shipping_method(view(("apple", 1)), *codes),
        lambda: offered_method(STORE, *codes),
    ):
        assert refused(call) == (message, INPUT)


def test_a_shipping_method_needs_something_to_ship_and_where_to() -> None:
    empty = "The shipping method can't be set for an empty cart. Add an item to cart and try again."
    flatrate = ("flatrate", "flatrate")
    assert refused(lambda: with_shipping_method(view(), *flatrate)) == (empty, INPUT)
    nowhere = view(("apple", 1), shipping_address=None)
    for codes in (flatrate, ("ups", "ground")):
        told_first = refused(lambda c=codes: with_shipping_method(nowhere, *c))
        assert told_first == (NO_SHIPPING_ADDRESS, INPUT)


@pytest.mark.parametrize("method", ["checkmo", "banktransfer", "cashondelivery"])
def test_a_payment_method_needs_no_shipping_method(method: str) -> None:
    before = view(("apple", 1), shipping_method=None, payment=None)
    changed = with_payment_method(before, method, "")
    assert changed == before.cart.model_copy(update={"payment": PaymentChoice(method=method)})


@pytest.mark.parametrize("code", ["bitcoin", "CHECKMO", "checkmo ", "free", "gateway", "x" * 1000])
def test_a_payment_method_that_cannot_be_used_is_refused(code: str) -> None:
    refusal = refused(lambda: with_payment_method(view(("apple", 1)), code, ""))
    assert refusal == (NO_SUCH_PAYMENT, INPUT)


def test_so_is_one_that_the_store_does_not_take() -> None:
    cheques = Store(code="default", payment_methods=(PaymentMethod.CHECKMO,))
    before = view(("apple", 1), store=cheques)
    assert refused(lambda: with_payment_method(before, "banktransfer", ""))[0] == NO_SUCH_PAYMENT
    assert payment_methods(before) == [PaymentMethod.CHECKMO]


@pytest.mark.parametrize("items", [(("apple", 1),), (("ebook", 1), ("apple", 1)), ()])
def test_what_is_shipped_needs_an_address_before_its_payment(
    items: tuple[tuple[str, int], ...],
) -> None:
    nowhere = view(*items, shipping_address=None)
    refusal = refused(lambda: with_payment_method(nowhere, "checkmo", ""))
    assert refusal == (NO_SHIPPING_ADDRESS, INPUT)


def test_what_is_not_shipped_does_not() -> None:
    changed = with_payment_method(view(("ebook", 1), shipping_address=None), "checkmo", "")
    assert changed.payment == PaymentChoice(method="checkmo")


def test_free_is_for_carts_that_cost_nothing() -> None:
    every_other = [method for method in PaymentMethod if method is not PaymentMethod.FREE]
    for before, free in (
        (view(("gift", 1)), True),
        (view(("gift", 1), ("ebook", 1)), False),
        (view(("gift", 1), ("apple", 1)), False),
    ):
        assert payment_methods(before) == (list(PaymentMethod) if free else every_other)
    changed = with_payment_method(view(("gift", 1)), "free", "")
    assert changed.payment == PaymentChoice(method="free")


def test_a_purchase_order_needs_its_number() -> None:
    before = view(("apple", 1))
    missing_number = ("Purchase order number is a required field.", INPUT)
    for number in ("", "  "):
        refusal = refused(lambda n=number: with_payment_method(before, "purchaseorder", n))
        assert refusal == missing_number
    paid = PaymentChoice(method="purchaseorder", purchase_order_number="PO-7")
    assert with_payment_method(before, "purchaseorder", "PO-7").payment == paid


@pytest.mark.parametrize("number", ["x" * 65, "a\nb", "\x00"])
@pytest.mark.parametrize("method", ["purchaseorder", "checkmo"])
def test_a_purchase_order_number_that_cannot_be_kept_is_invalid(method: str, number: str) -> None:
    refusal = refused(lambda: with_payment_method(view(("apple", 1)), method, number))
    assert refusal == ('"purchase_order_number" is invalid. Enter and try again.', INPUT)


# -- the total -------------------------------------------------------------------------------------


def test_the_total_of_a_view_is_the_one_of_its_checkout() -> None:
    before = view(("apple", 2), ("ebook", 1), rates=(tax("10", "TX"),))
    assert before.total() == before.snapshot().totals().grand_total == usd("44.00")


def test_what_is_not_for_sale_is_left_out_of_the_total() -> None:
    assert view(("apple", 1), ("unpriced", 3)).total() == usd("15.00")


def test_a_total_that_is_too_large_is_none() -> None:
    too_large = view(("dear", MAX_QUANTITY), ("dear", MAX_QUANTITY))
    assert too_large.total() is None
    assert PaymentMethod.FREE not in payment_methods(too_large)
