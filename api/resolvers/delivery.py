"""Addresses, shipping and payment of carts, and estimates before there are any."""

from typing import Any

from ariadne import MutationType

from api.present.carts import cart_object, shipping_method_object
from api.present.values import Object, part
from api.resolvers.carts import shown
from api.services import Info, cart_error, checked_cart_id, edit, look_at, required
from commerce.domain.address_forms import AddressForm, ensure_complete, to_address
from commerce.domain.addresses import Address
from commerce.domain.cart_edits import (
    PAYMENT_ID_FIELD,
    ensure_guests_check_out,
    offered_method,
    with_billing_address,
    with_payment_method,
    with_shipping_address,
    with_shipping_method,
)
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import Cart, CartView
from commerce.domain.payments import ONLINE_METHODS

mutation = MutationType()
_P = CartProblem
_FORM_FIELDS = set(AddressForm.model_fields)


@mutation.field("setShippingAddressesOnCart")
async def set_shipping_addresses(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002 (the schema's name)
) -> Object:
    """Say where the cart is shipped to; exactly one address."""
    given = input or {}
    cart_id = checked_cart_id(given.get("cart_id"))
    addresses = required(given.get("shipping_addresses"), "shipping_addresses")

    def change(view: CartView) -> Cart:
        ensure_guests_check_out(view)
        if len(addresses) > 1:
            raise CartEditError(_P.SHIPPING_ADDRESSES_MANY)
        entry: Object = addresses[0] or {}
        if entry.get("pickup_location_code"):
            raise CartEditError(_P.PICKUP_UNSUPPORTED)
        book, form = _book_id(entry), entry.get("address")
        if form and book:
            raise CartEditError(_P.SHIPPING_ADDRESS_BOTH)
        if not form and not book:
            raise CartEditError(_P.SHIPPING_ADDRESS_NEITHER)
        _refuse_book(view, book)
        return with_shipping_address(view, _address(info, view, form))

    return shown(info, await edit(info, cart_id, change))


@mutation.field("setBillingAddressOnCart")
async def set_billing_address(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Say who is billed."""
    given = input or {}
    cart_id = checked_cart_id(given.get("cart_id"))
    entry = required(given.get("billing_address"), "billing_address")

    def change(view: CartView) -> Cart:
        ensure_guests_check_out(view)
        book, form = _book_id(entry), entry.get("address")
        if form and book:
            raise CartEditError(_P.BILLING_ADDRESS_BOTH)
        if entry.get("same_as_shipping"):
            return with_billing_address(view, None, also_shipping=False)
        if not form and not book:
            raise CartEditError(_P.BILLING_ADDRESS_NEITHER)
        _refuse_book(view, book)
        address = _address(info, view, form)
        return with_billing_address(view, address, bool(entry.get("use_for_shipping")))

    return shown(info, await edit(info, cart_id, change))


@mutation.field("setShippingMethodsOnCart")
async def set_shipping_methods(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Say how the cart is shipped; exactly one method."""
    given = input or {}
    cart_id = checked_cart_id(given.get("cart_id"))
    methods = required(given.get("shipping_methods"), "shipping_methods")

    def change(view: CartView) -> Cart:
        ensure_guests_check_out(view)
        if len(methods) > 1:
            raise CartEditError(_P.SHIPPING_METHODS_MANY)
        method: Object = methods[0] or {}
        for name in ("carrier_code", "method_code"):
            if not method.get(name):
                raise CartEditError(_P.NESTED_PARAMETER_MISSING, name)
        return with_shipping_method(view, method["carrier_code"], method["method_code"])

    return shown(info, await edit(info, cart_id, change))


@mutation.field("setPaymentMethodOnCart")
async def set_payment_method(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Say how the order is paid."""
    given = input or {}
    cart_id = checked_cart_id(given.get("cart_id"))
    return shown(info, await choose_payment(info, cart_id, given.get("payment_method") or {}))


async def choose_payment(info: Info, cart_id: str, method: Object) -> CartView:
    """Set a cart's payment method.

    Raises:
        ApiError: It cannot be used for this cart.
    """
    code = method.get("code")
    if not code:
        raise cart_error(_P.PAYMENT_CODE_MISSING)
    number = method.get("purchase_order_number") or ""
    online = part(method, code) if code in ONLINE_METHODS else {}
    payment_id = online.get(PAYMENT_ID_FIELD) or online.get("payments_order_id") or ""

    def change(view: CartView) -> Cart:
        ensure_guests_check_out(view)
        return with_payment_method(view, code, number, payment_id)

    return await edit(info, cart_id, change)


# -- estimates ----------------------------------------------------------------------------------


@mutation.field("estimateShippingMethods")
async def estimate_shipping_methods(
    _: Any,
    info: Info,
    input: Object,  # noqa: A002
) -> list[Object]:
    """How the cart could be shipped to a place, and for how much. Nothing is changed."""
    view = await _estimated(info, input)
    if view.is_virtual:
        return []
    return [shipping_method_object(view, each) for each in view.store.shipping_methods]


@mutation.field("estimateTotals")
async def estimate_totals(
    _: Any,
    info: Info,
    input: Object,  # noqa: A002
) -> Object:
    """What the cart would cost at a place. Nothing is changed, and nothing is promised."""
    return {"cart": cart_object(await _estimated(info, input))}


async def _estimated(info: Info, given: Object) -> CartView:
    context = info.context
    view = await look_at(info, given.get("cart_id"))
    place = given["address"]
    region = part(place, "region")
    form = AddressForm(
        country_code=place["country_code"],
        postcode=place.get("postcode") or "",
        region=region.get("region_code") or region.get("region") or "",
        region_id=region.get("region_id"),
    )
    method = given.get("shipping_method")
    try:
        is_country = context.services.address_rules.is_country(form.country)
        address = to_address(form, view.store, is_country, needs_region=False)
        chosen = (
            offered_method(view.store, method["carrier_code"], method["method_code"])
            if method and method["carrier_code"]  # empty codes: none is chosen yet
            else None
        )
    except CartEditError as error:
        raise cart_error(error.problem, error.named) from None
    changes: dict[str, Any] = {"shipping_address": address, "billing_address": address}
    if chosen:
        changes["shipping_method"] = chosen.value
    return view.model_copy(update={"cart": view.cart.model_copy(update=changes)})


# -- addresses ----------------------------------------------------------------------------------


def _book_id(entry: Object) -> str | None:
    """An entry of an address book, by either of its ids; we keep no address books."""
    uid, number = entry.get("customer_address_uid"), entry.get("customer_address_id")
    return str(uid or number) if uid or number else None


def _refuse_book(view: CartView, book: str | None) -> None:
    if book and view.cart.customer_id is None:
        raise CartEditError(_P.NO_ADDRESS_BOOK_FOR_GUESTS)
    if book:
        raise CartEditError(_P.ADDRESS_NOT_FOUND, book)


def _address(info: Info, view: CartView, given: Object | None) -> Address:
    assert given is not None
    context = info.context
    rules = context.services.address_rules
    if given.get("custom_attributes"):
        raise CartEditError(_P.FIELD_INVALID, "custom_attributes")
    fields = {name: value for name, value in given.items() if name in _FORM_FIELDS}
    form = AddressForm.model_validate({k: v for k, v in fields.items() if v is not None})
    needs_region = rules.needs_region(form.country)
    address = to_address(form, view.store, rules.is_country(form.country), needs_region)
    ensure_complete(rules.problems(address))
    return address
