"""Making, showing and filling carts."""

import secrets
import string
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ariadne import MutationType, QueryType

from api.errors import ApiError
from api.present.carts import cart_object
from api.present.values import Object, line_id, uid
from api.services import (
    Context,
    Info,
    cart_error,
    checked_cart_id,
    edit,
    in_store,
    look_at,
    noting_total,
    required,
)
from commerce.domain.cart_edits import (
    Addition,
    LineUpdate,
    ensure_editable,
    ensure_guests_check_out,
    merged,
    with_email,
    with_products,
    with_quantities,
    without_line,
)
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import MAX_LINES, Cart, CartView, Shopper

query, mutation = QueryType(), MutationType()

CART_ID_CHARS = 32
_ALPHABET = string.ascii_letters + string.digits
_P = CartProblem


def shown(info: Info, view: CartView) -> Object:
    """``{cart}``, as most mutations answer."""
    return {"cart": cart_object(view, noting_total(info, view))}


# -- making and showing -------------------------------------------------------------------------


@query.field("cart")
async def cart(_: Any, info: Info, cart_id: str) -> Object:
    """The caller's cart with this id."""
    view = await look_at(info, cart_id)
    return cart_object(view, noting_total(info, view))


@query.field("customerCart")
async def customer_cart(_: Any, info: Info) -> Object:
    """The one cart that the customer fills; made now if they have none."""
    view = await look_at(info, await _own_cart_id(info))
    return cart_object(view, noting_total(info, view))


@mutation.field("createEmptyCart")
async def create_empty_cart(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002 (the schema's name)
) -> str:
    """The id of a new guest's cart, or of the customer's own."""
    context = info.context
    wanted = (input or {}).get("cart_id")
    if context.caller.claims:
        return await _own_cart_id(info, wanted)
    return await _new_guest_cart(context, wanted)


@mutation.field("createGuestCart")
async def create_guest_cart(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """A new guest's cart."""
    context = info.context
    if context.caller.claims:
        raise cart_error(_P.LOGGED_IN_CREATES_NO_GUEST_CART)
    cart_id = await _new_guest_cart(context, (input or {}).get("cart_uid"))
    return shown(info, await look_at(info, cart_id))


async def _new_guest_cart(context: Context, wanted: str | None) -> str:
    made = Cart(id=_cart_id(wanted), store_code=context.store.code)
    await in_store(context.services.shopping.create, made)
    return made.id


async def _own_cart_id(info: Info, wanted: str | None = None) -> str:
    context = info.context
    claims = context.customer()
    new = Cart(id=_cart_id(wanted), store_code=context.store.code, customer_id=claims.customer_id)
    with suppress(ValueError):  # no address that an order could be confirmed to: of no use
        new = Cart.model_validate({**dict(new), "email": claims.email or None})
    return await in_store(
        context.services.shopping.of_customer, claims.customer_id, context.store.code, new
    )


def _cart_id(wanted: str | None) -> str:
    if wanted is None:
        return "".join(secrets.choice(_ALPHABET) for _ in range(CART_ID_CHARS))
    if len(wanted) != CART_ID_CHARS or set(wanted) - set(_ALPHABET):
        raise cart_error(_P.CART_ID_LENGTH)
    return wanted


# -- lines --------------------------------------------------------------------------------------


@mutation.field("addProductsToCart")
async def add_products(
    _: Any,
    info: Info,
    cartId: str,  # noqa: N803 (the schema's name)
    cartItems: Sequence[Object],  # noqa: N803
) -> Object:
    """Put products into a cart; those that cannot be had are told in ``user_errors``."""
    view, problems = await _add(info, cartId, cartItems)
    return {**shown(info, view), "user_errors": _user_errors("CartUserInputError", problems)}


@mutation.field("addProductsToNewCart")
async def add_products_to_new_cart(
    _: Any,
    info: Info,
    cartItems: Sequence[Object],  # noqa: N803
) -> Object:
    """The same for a cart that is made for it."""
    cart_id = await create_empty_cart(None, info)
    return await add_products(None, info, cart_id, cartItems)


@mutation.field("addSimpleProductsToCart")
@mutation.field("addVirtualProductsToCart")
@mutation.field("addConfigurableProductsToCart")
async def add_products_or_nothing(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Put all of the products into a cart, or none."""
    given = input or {}
    checked_cart_id(given.get("cart_id"))
    items = [_data(item) for item in required(given.get("cart_items"), "cart_items") if item]
    view, _problems = await _add(info, given.get("cart_id"), items, all_or_none=True)
    return shown(info, view)


def _entered(item: Object) -> list[Object]:
    """Options; some storefronts send the product itself as one, by its number in a catalogue."""
    own = uid(item["sku"])
    entered: list[Object] = item.get("entered_options") or []
    named = [(each, each.get("uid") or "") for each in entered if each]
    return [each for each, name in named if name != own and line_id(name) is None]


def _data(item: Object) -> Object:
    """A line of the older mutations, as ``addProductsToCart`` takes it."""
    options = item.get("customizable_options") or item["data"].get("selected_options")
    return {**item["data"], "selected_options": options}


def _check_number(items: Sequence[Any]) -> None:
    """Each is compared with every line, while the cart is locked."""
    if len(items) > MAX_LINES:
        raise cart_error(_P.TOO_MANY_LINES, MAX_LINES)


async def _add(
    info: Info,
    cart_id: str | None,
    items: Sequence[Object],
    all_or_none: bool = False,
) -> tuple[CartView, list[CartEditError]]:
    _check_number(items)
    additions = [
        Addition(
            sku=item["sku"],
            quantity=item["quantity"],
            has_options=bool(item.get("selected_options") or _entered(item)),
        )
        for item in items
    ]
    problems: list[CartEditError] = []

    def change(view: CartView) -> Cart:
        nonlocal problems
        filled, problems = with_products(view, additions)
        if problems and all_or_none:
            raise problems[0]
        return filled

    return await edit(info, cart_id, change, [each.sku for each in additions]), problems


@mutation.field("updateCartItems")
async def update_items(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Set the quantities of lines; what cannot be done is told in ``errors``."""
    given = input or {}
    checked_cart_id(given.get("cart_id"))
    _check_number(given.get("cart_items") or ())
    updates = [
        LineUpdate(*_named(item), item.get("quantity"))
        for item in required(given.get("cart_items"), "cart_items")
        if item
    ]
    problems: list[CartEditError] = []

    def change(view: CartView) -> Cart:
        nonlocal problems
        changed, problems = with_quantities(view, updates)
        return changed

    view = await edit(info, given.get("cart_id"), change)
    return {**shown(info, view), "errors": _user_errors("CartUserInputError", problems)}


@mutation.field("removeItemFromCart")
async def remove_item(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Take a line out of a cart."""
    given = input or {}
    checked_cart_id(given.get("cart_id"))
    named, number = _named(given)
    if not named or number == 0:
        raise cart_error(_P.NESTED_PARAMETER_MISSING, "cart_item_id")
    view = await edit(
        info, given.get("cart_id"), lambda before: without_line(before, named, number)
    )
    return shown(info, view)


def _named(item: Object) -> tuple[str | None, int | None]:
    """A line as the caller named it, and its number."""
    if item.get("cart_item_uid") is not None:
        number = line_id(item["cart_item_uid"])
        return (item["cart_item_uid"] if number is None else str(number)), number
    number = item.get("cart_item_id")
    return (None if number is None else str(number)), number


def _user_errors(typename: str, problems: Sequence[CartEditError]) -> list[Object]:
    return [
        {"__typename": typename, "code": str(each.rule.code), "message": each.message}
        for each in problems
    ]


# -- whose --------------------------------------------------------------------------------------


@mutation.field("setGuestEmailOnCart")
async def set_guest_email(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Say who orders as a guest."""
    context = info.context
    given = input or {}
    checked_cart_id(given.get("cart_id"))
    email = required(given.get("email"), "email")
    if context.caller.claims:
        raise cart_error(_P.EMAIL_OF_CUSTOMER)

    def change(view: CartView) -> Cart:
        ensure_guests_check_out(view)
        return with_email(view, email)

    return shown(info, await edit(info, given.get("cart_id"), change))


@mutation.field("mergeCarts")
async def merge_carts(
    _: Any,
    info: Info,
    source_cart_id: str,
    destination_cart_id: str | None = None,
) -> Object:
    """Put what a customer chose as a guest into their own cart; the guest's cart ends."""
    context = info.context
    caller, shopper = context.caller, Shopper.customer(context.customer().customer_id)
    source_id = checked_cart_id(source_cart_id, "source_cart_id")
    if destination_cart_id == "":
        raise ApiError('The parameter "destination_cart_id" cannot be empty')
    own_id = destination_cart_id or await _own_cart_id(info)
    if source_id == own_id:
        raise cart_error(_P.CARTS_ARE_THE_SAME)

    def join(source: CartView, destination: CartView) -> Cart:
        ensure_editable(source, Shopper.guest(), destination.cart.store_code)
        ensure_editable(destination, shopper, caller.store_code)
        return merged(source, destination)

    view = await in_store(context.services.shopping.merge, source_id, checked_cart_id(own_id), join)
    return cart_object(view, noting_total(info, view))


@mutation.field("assignCustomerToGuestCart")
async def assign_customer(_: Any, info: Info, cart_id: str) -> Object:
    """Make a guest's cart the customer's own; what they had chosen before goes into it."""
    context = info.context
    claims = context.customer()
    caller, shopper = context.caller, Shopper.customer(claims.customer_id)

    def change(guests: CartView) -> Cart:
        ensure_editable(guests, Shopper.guest(), caller.store_code)
        email = guests.cart.email or claims.email or None
        theirs = guests.cart.model_copy(update={"customer_id": claims.customer_id})
        try:
            return Cart.model_validate({**dict(theirs), "email": email})
        except ValueError:
            return theirs

    def join(own: CartView, guests: CartView) -> Cart:
        ensure_editable(own, shopper, guests.cart.store_code)
        return merged(own, guests.model_copy(update={"cart": change(guests)}))

    view = await in_store(
        context.services.shopping.assign,
        checked_cart_id(cart_id),
        claims.customer_id,
        join,
        change,
    )
    return cart_object(view, noting_total(info, view))
