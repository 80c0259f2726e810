"""``placeOrder`` and ``completeOrder``: the client does the work, this says it in GraphQL.

``placeOrder`` answers a refusal in its payload and as a top-level error at once, for clients of
every era; ``completeOrder`` in its payload only, with the finer reason in the extensions.
"""

from collections.abc import Container
from typing import Any

from ariadne import MutationType
from graphql import FieldNode

from api.errors import ApiError
from api.present.orders import known_of_order, order_object
from api.present.values import Object, uid
from api.resolvers.delivery import choose_payment
from api.services import Context, Info, checked_cart_id, in_store
from client import Answered, InvalidRequestError, OrderPlaced, Pending, RefusalCode, Refused
from commerce.domain.cart_errors import CartProblem

mutation = MutationType()

PENDING_MESSAGE = (
    "The order is still being processed. Ask again with the same Idempotency-Key to get it."
)
PAYMENT_PENDING_MESSAGE = (
    "The payment is still pending. Ask again with the same Idempotency-Key to get the order."
)
_LEFT_TO_THE_CHECKOUT = {CartProblem.CART_NOT_ACTIVE, CartProblem.CART_LOCKED}


@mutation.field("placeOrder")
async def place_order(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002 (the schema's name)
) -> Object:
    """Turn a cart into its order."""
    return await _place(info, (input or {}).get("cart_id") or "")


@mutation.field("setPaymentMethodAndPlaceOrder")
async def set_payment_method_and_place_order(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """The same, with the payment method set first; asked again, it finds the order as well."""
    given = input or {}
    cart_id = checked_cart_id(given.get("cart_id"))
    try:
        await choose_payment(info, cart_id, given.get("payment_method") or {})
    except ApiError as error:
        if (error.extensions or {}).get("reason") not in _LEFT_TO_THE_CHECKOUT:
            raise
    return await _place(info, cart_id)


async def _place(info: Info, cart_id: str) -> Object:
    context = info.context
    caller = context.caller
    try:
        answered = await context.services.checkout.place_order(
            cart_id,
            shopper=caller.shopper,
            store=caller.store_code,
            idempotency_key=caller.idempotency_key,
            deadline=context.services.deadline,
        )
    except InvalidRequestError as error:
        raise ApiError(str(error)) from None
    if isinstance(answered, OrderPlaced):
        return _placed(context, answered)
    code, message = _code_and_message(answered, RefusalCode.UNDEFINED)
    error = await _as_error(context, answered, cart_id, code, message)
    if code is None:
        raise error
    context.report.add_error(info, error)
    return {"order": None, "orderV2": None, "errors": [{"code": str(code), "message": message}]}


@mutation.field("completeOrder")
async def complete_order(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> Object:
    """Turn a cart into its order, paid by a payment that exists at the gateway."""
    context = info.context
    caller, given = context.caller, input or {}
    cart_id = given.get("cartId") or ""
    try:
        answered = await context.services.checkout.complete_order(
            cart_id,
            given.get("id") or "",
            shopper=caller.shopper,
            store=caller.store_code,
            idempotency_key=caller.idempotency_key,
            deadline=context.services.deadline,
        )
    except InvalidRequestError as error:
        raise ApiError(str(error)) from None
    if isinstance(answered, OrderPlaced):
        return _placed(context, answered)
    code, message = _code_and_message(answered, RefusalCode.UNABLE_TO_COMPLETE_ORDER)
    error = await _as_error(context, answered, cart_id, code, message)
    if code is None:
        raise error
    context.report.extras.add(str(info.path.key), error.extensions)
    told = {"__typename": "CompleteOrderError", "code": str(code), "message": message}
    return {"order": None, "orderV2": None, "errors": [told]}


def _placed(context: Context, answered: OrderPlaced) -> Object:
    known = known_of_order(answered.order_number, answered.token)

    async def order_v2(info: Info) -> Object:
        if _asks_only_for(known, info):
            return known
        order = await in_store(context.services.order_book.find, answered.order_number)
        assert order is not None, "an answered order exists"
        return order_object(order, answered.token)

    number = answered.order_number
    return {
        "order": {"order_number": number, "order_id": number},
        "orderV2": order_v2,
        "errors": [],
    }


def _asks_only_for(known: Container[str], info: Info) -> bool:
    return all(
        isinstance(each, FieldNode)
        and (each.name.value in known or each.name.value == "__typename")
        for node in info.field_nodes
        if node.selection_set
        for each in node.selection_set.selections
    )


def _code_and_message(answered: Answered, pending: RefusalCode) -> tuple[RefusalCode | None, str]:
    if isinstance(answered, Refused):
        return answered.code, answered.message
    assert isinstance(answered, Pending)
    return pending, PAYMENT_PENDING_MESSAGE if answered.waits_for else PENDING_MESSAGE


async def _as_error(
    context: Context, answered: Answered, cart_id: str, code: RefusalCode | None, message: str
) -> ApiError:
    """The error with all that a client can use: why, what is short, what to ask again with."""
    extensions: Object = {"error_code": str(code)} if code else {}
    if isinstance(answered, Pending):
        extensions |= {"reason": "PENDING", "idempotency_key": answered.idempotency_key}
        if answered.waits_for:
            extensions |= {"reason": "PAYMENT_PENDING", "waits_for": str(answered.waits_for)}
        return ApiError(message, extensions=extensions)
    assert isinstance(answered, Refused)
    extensions |= {"reason": str(answered.reason), "retryable": answered.retryable}
    if answered.decline:
        extensions["decline"] = str(answered.decline)
    if answered.order_number:
        extensions["order_number"] = answered.order_number
    if answered.shortage:
        view = await in_store(context.services.shopping.view, cart_id)
        lines = view.cart.lines if view else ()
        sku = answered.shortage.sku
        extensions["stock"] = {
            "sku": sku,
            "cart_item_uid": next((uid(line.id) for line in lines if line.sku == sku), None),
            "quantity_requested": answered.shortage.wanted,
            "quantity_available": answered.shortage.available,
        }
    return ApiError(message, str(answered.category), extensions)
