"""Payments that are made for a cart at the gateway, for the shopper to approve there."""

import hashlib
import json
import uuid
from typing import Any

from ariadne import MutationType, QueryType

from api.errors import ApiError
from api.present.values import Object, money
from api.services import Info, cart_error, checked_cart_id, look_at, noting_total
from commerce.domain.cart_edits import amount_to_pay, ensure_editable, ensure_guests_check_out
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.money import Money
from commerce.domain.payments import (
    MAX_PAYMENT_ID_CHARS,
    Payment,
    PaymentStatus,
    PaymentUnknown,
)

query, mutation = QueryType(), MutationType()
_P = CartProblem
_READY = {PaymentStatus.APPROVED, PaymentStatus.PENDING, PaymentStatus.AUTHORIZED}


@query.field("getPaymentConfig")
def payment_config(_: Any, info: Info, **_arguments: Any) -> None:
    """None: what the scripts of a provider need for their buttons is not known here."""


@mutation.field("createPaymentOrder")
async def create_payment_order(
    _: Any,
    info: Info,
    input: Object,  # noqa: A002 (the schema's name)
) -> Object:
    """Make a payment over the cart's total; the shopper approves it at the provider."""
    context = info.context
    cart_id = checked_cart_id(input["cartId"], "cartId")
    view = await look_at(info, cart_id)
    try:
        ensure_editable(view, context.caller.shopper, context.caller.store_code)
        ensure_guests_check_out(view)
        amount = amount_to_pay(view, input["methodCode"])
    except CartEditError as error:
        raise cart_error(error.problem, error.named) from None
    orders = context.services.payment_orders
    if orders is None:
        raise _unavailable()
    source = input["paymentSource"]
    key = _key(context.caller.idempotency_key, cart_id, input["methodCode"], source, amount)
    made = await orders.create(cart_id, amount, source=source, idempotency_key=key)
    if isinstance(made, PaymentUnknown):
        raise _unavailable()
    if not isinstance(made, Payment):
        raise cart_error(_P.PAYMENT_REFUSED)
    noting_total(info, view)(amount)
    shown = money(amount)
    return {**_shown(made), "amount": shown["value"], "currency_code": shown["currency"]}


@query.field("getPaymentOrder")
async def payment_order(
    _: Any,
    info: Info,
    cartId: str,  # noqa: N803 (the schema's name)
    id: str,  # noqa: A002
) -> Object:
    """How far a payment for the caller's cart is."""
    return {**_shown(await _payment(info, cartId, id)), "payment_source_details": None}


@mutation.field("syncPaymentOrder")
async def sync_payment_order(
    _: Any,
    info: Info,
    input: Object | None = None,  # noqa: A002
) -> bool:
    """Whether the payment is ready for the order: nothing of it is copied into the cart."""
    given = input or {}
    payment = await _payment(info, given.get("cartId"), given.get("id") or "")
    return payment.status in _READY


async def _payment(info: Info, cart_id: str | None, payment_id: str) -> Payment:
    """A payment for the caller's cart.

    Raises:
        ApiError: There is none of this id, as far as this cart goes, or the provider is away.
    """
    view = await look_at(info, checked_cart_id(cart_id, "cartId"))
    found = None
    if payment_id and len(payment_id) <= MAX_PAYMENT_ID_CHARS and payment_id.isprintable():
        found = await info.context.services.gateway.look_up(payment_id)
    if isinstance(found, PaymentUnknown):
        raise _unavailable()
    if not isinstance(found, Payment) or found.cart_id != view.cart.id:
        raise cart_error(_P.PAYMENT_ORDER_NOT_FOUND, payment_id)
    return found


def _shown(payment: Payment) -> Object:
    return {"id": payment.id, "mp_order_id": payment.id, "status": payment.status.value.upper()}


def _key(given: str | None, cart_id: str, method: str, source: str, amount: Money) -> str:
    """The caller's key, for just this payment: the same call gets the same payment."""
    if given is None:
        return uuid.uuid4().hex
    parts = ("createPaymentOrder", cart_id, method, source, str(amount), given)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _unavailable() -> ApiError:
    error = cart_error(_P.PAYMENT_PROVIDER_UNAVAILABLE)
    return ApiError(error.message, extensions={**(error.extensions or {}), "retryable": True})
