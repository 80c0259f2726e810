"""Verifying that the order will be paid, taking the money, and giving it back."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from commerce.contract import (
    Checkout,
    Passed,
    PaymentNotice,
    PaymentResult,
    PlacedOrder,
    Settled,
    SnapshotRef,
    Undo,
    workflow_id,
)
from commerce.domain.carts import CartSnapshot
from commerce.domain.checks import payment_method_refusal
from commerce.domain.errors import Operation, Refusal, RefusalReason, declined, refuse
from commerce.domain.payments import (
    ClaimStatus,
    DeclineReason,
    GatewayOutcome,
    Payment,
    PaymentApproved,
    PaymentDeclined,
    PaymentInvalid,
    PaymentPending,
    PaymentStatus,
    PaymentUnknown,
    may_pay,
)
from commerce.ports import CartNotHeldError, Carts, Orders, PaymentClaims, PaymentGateway

CANNOT_BE_CAPTURED = "CannotBeCaptured"
"""Error type of a capture that the gateway refuses for good."""

UNANSWERED = "GatewayDidNotAnswer"
NOT_DONE = "GatewayDidNotDoIt"
_UNKNOWN = "unknown at the gateway"

_OPEN = {
    PaymentStatus.CREATED,
    PaymentStatus.APPROVED,
    PaymentStatus.PENDING,
    PaymentStatus.AUTHORIZED,
}
_R = RefusalReason
Result = TypeVar("Result")


class PaymentActivities:
    """Needs the carts, orders and payment claims ports and a payment gateway.

    What became of an earlier attempt is settled first: each step asks the gateway how the payment
    stands before it does anything, and repeats a call only under the same key.
    """

    def __init__(
        self, carts: Carts, orders: Orders, claims: PaymentClaims, gateway: PaymentGateway
    ) -> None:
        self._carts = carts
        self._orders = orders
        self._claims = claims
        self._gateway = gateway

    @activity.defn(name="verify_payment")
    async def verify_payment(self, ref: SnapshotRef) -> PaymentResult:
        """See that the order will be paid: by the method, and the total, that the shopper chose.

        A payment at the gateway is authorized for exactly this cart; one that does not fit stays
        untouched, and one that is pending is to be asked for again.

        Idempotent by asking first, and by the gateway's key ``<checkout id>/authorize``.
        Undone by ``void_payment``.
        """
        checkout = ref.checkout
        try:
            snapshot = await _call(lambda: self._carts.snapshot(checkout, ref.digest))
            refusal = method_refusal(checkout, snapshot)
            payment_id = _payment_id(checkout, snapshot)
            if refusal or payment_id is None:
                return refusal or Passed()
            payment = await self._look_up(payment_id)
            due = snapshot.totals().grand_total
            ours = await _call(lambda: self._claims.has_claimed(checkout, payment_id))
            if ours and payment is None:
                raise _unanswered("look-up")  # it was known when it was claimed
            if payment is None or not may_pay(payment, checkout.request.cart_id, due, ours):
                reason = _R.PAYMENT_EXPIRED if ours else _R.PAYMENT_ID_INVALID
                return refuse(reason)
            if not await _call(lambda: self._claims.claim(checkout, ref.digest, payment_id)):
                return refuse(_R.PAYMENT_ID_INVALID)
        except CartNotHeldError:
            return refuse(_R.CART_CHANGED)
        match await self._authorize(payment, f"{checkout.id}/authorize"):
            case PaymentApproved():
                return Passed()
            case PaymentPending() as pending:
                return pending
            case PaymentDeclined(reason=reason):
                await _call(lambda: self._claims.let_go(checkout))
                return declined(reason)
            case PaymentInvalid():
                return refuse(_R.PAYMENT_EXPIRED)
            case PaymentUnknown():
                raise _unanswered("authorize")

    async def _authorize(self, payment: Payment, key: str) -> GatewayOutcome:
        """Authorize a payment that is approved; what became of any other is known already."""
        if payment.status is PaymentStatus.APPROVED:
            return await self._gateway.authorize(payment, key)
        if payment.status is PaymentStatus.PENDING and payment.waits_for:
            return PaymentPending(waits_for=payment.waits_for)
        if payment.status is PaymentStatus.DECLINED:
            return PaymentDeclined(reason=payment.decline or DeclineReason.DECLINED)
        if payment.status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED):
            return PaymentApproved()
        return PaymentUnknown()

    @activity.defn(name="void_payment")
    async def void_payment(self, undo: Undo) -> Refusal | None:
        """Undo the payment that this checkout has claimed: void it, or give the money back.

        Answers with the refusal that says to pay again, if there was one.

        Idempotent by asking first, and by the gateway's keys ``<checkout id>/void`` and
        ``/refund``. Undoes ``verify_payment``; a claim of this run that comes late is refused.
        """
        payment_id = await _call(lambda: self._claims.give_up(undo.checkout))
        if payment_id is None:
            return None
        if await self._undo(payment_id, undo.checkout.id) != _UNKNOWN:
            await _call(lambda: self._claims.mark_settled(payment_id))
        return undo.refusal.model_copy(update={"pay_again": True})

    async def _undo(self, payment_id: str, key: str) -> str:
        """Void or refund, whatever the payment needs; what was done.

        A declined one can be tried again by its shopper at some gateways; those let it be voided.
        """
        payment = await self._look_up(payment_id)
        if payment is None:
            return _UNKNOWN
        if payment.status in _OPEN:
            _require_approved(await self._gateway.void(payment, f"{key}/void"), "void")
            return "voided"
        if payment.status is PaymentStatus.DECLINED:
            outcome = await self._gateway.void(payment, f"{key}/void")
            if isinstance(outcome, PaymentDeclined | PaymentInvalid):
                return "nothing open"
            _require_approved(outcome, "void")
            return "voided"
        if payment.status is PaymentStatus.CAPTURED:
            _require_approved(await self._gateway.refund(payment, f"{key}/refund"), "refund")
            return "refunded"
        return "nothing open"

    @activity.defn(name="capture_payment")
    async def capture_payment(self, order: PlacedOrder) -> Settled | None:
        """Take the money for the order, once: by the payment that it was created with.

        Not by the request's, which may have joined the checkout of another request. A payment that
        was voided or refunded at the gateway is gone: the order stays in payment review.

        Idempotent by asking first, and by the gateway's key ``<payment id>/capture``, the same in
        every run. Not undone: the order exists.

        Raises:
            ApplicationError: ``CANNOT_BE_CAPTURED``: the gateway refuses for good.
        """
        return await self._capture(order.order_number)

    async def _capture(self, number: str) -> Settled:
        due = await _call(lambda: self._orders.payment_to_capture(number))
        if due is None:
            return Settled(what="captured")
        payment_id = due.payment_id
        payment = await self._look_up(payment_id)
        if payment is None:
            raise _unanswered("look-up")  # it was known when the order was made
        if payment.status in (PaymentStatus.VOIDED, PaymentStatus.REFUNDED):
            await _call(lambda: self._orders.mark_for_review(number))
            await _call(lambda: self._claims.mark_settled(payment_id))
            return Settled(what=f"{payment.status} at the gateway", gone=True)
        if payment.amount != due.total:
            raise _cannot_be_captured("it is of another amount")
        if payment.status is not PaymentStatus.CAPTURED:
            await self._take(payment, f"{payment_id}/capture")
        await _call(lambda: self._orders.mark_captured(number))
        return Settled(what="captured")

    async def _take(self, payment: Payment, key: str) -> None:
        if payment.status is not PaymentStatus.AUTHORIZED:
            raise _cannot_be_captured(f"it is {payment.status}")
        outcome = await self._gateway.capture(payment, key)
        if isinstance(outcome, PaymentDeclined | PaymentInvalid):
            raise _cannot_be_captured(f"the gateway says {outcome.kind}")
        _require_approved(outcome, "capture")

    @activity.defn(name="review_payment")
    def review_payment(self, order: PlacedOrder) -> None:
        """Mark the order for payment review: its money could not be taken.

        Idempotent by the order's status. Not undone; ``capture_payment`` ends the review.
        """
        self._orders.mark_for_review(order.order_number)

    @activity.defn(name="settle_payment")
    async def settle_payment(self, notice: PaymentNotice) -> Settled:
        """Settle a payment that changed, and that no checkout of its cart uses.

        The payment of an order is captured, unless the order is paid; one that a checkout has
        claimed or given up, and that became no order, is voided or refunded. Any other is the
        shopper's, and stays. Only a run under the cart's own workflow id may ask for it: no
        checkout can run beside that.

        Idempotent by asking first, and by keys of the payment. Needs no undo.
        """
        claim = await _call(lambda: self._claims.find(notice.payment_id))
        if claim is None or claim.status is ClaimStatus.LET_GO:
            return Settled(what="nobody's")
        if activity.info().workflow_id != workflow_id(claim.cart_id):
            return Settled(what="of another cart")
        number = claim.order_number
        if claim.captured:
            return await self._close(notice.payment_id)
        if number is not None:
            try:
                return await self._capture(number)
            except ApplicationError as error:
                if error.type != CANNOT_BE_CAPTURED:
                    raise
                await _call(lambda: self._orders.mark_for_review(number))
                return Settled(what="in payment review")
        if not await _call(lambda: self._claims.abandon(notice.payment_id, claim.cart_id)):
            raise ApplicationError("an order was made of it meanwhile")  # tried again: captured
        what = await self._undo(notice.payment_id, f"{notice.payment_id}/late")
        if what != _UNKNOWN:  # it was known when it was claimed: a sweep tells of it again
            await _call(lambda: self._claims.mark_settled(notice.payment_id))
        return Settled(what=what)

    async def _close(self, payment_id: str) -> Settled:
        """Settle the payment of an order that is paid, maybe otherwise; no money is moved."""
        payment = await self._look_up(payment_id)
        if payment is None:
            return Settled(what=_UNKNOWN)
        if payment.status in _OPEN:
            return Settled(what="open at the gateway, and the order is paid")
        await _call(lambda: self._claims.mark_settled(payment_id))
        captured = payment.status is PaymentStatus.CAPTURED
        return Settled(what="captured" if captured else "nothing open")

    async def _look_up(self, payment_id: str) -> Payment | None:
        """How the payment stands; None when the gateway does not know it.

        Raises:
            ApplicationError: No answer: the step is tried again.
        """
        found = await self._gateway.look_up(payment_id)
        if isinstance(found, PaymentUnknown):
            raise _unanswered("look-up")
        return found if isinstance(found, Payment) else None


async def _call(call: Callable[[], Result]) -> Result:
    """Call the store, which blocks, in a thread."""
    return await asyncio.to_thread(call)


def method_refusal(checkout: Checkout, snapshot: CartSnapshot) -> Refusal | None:
    """What keeps the snapshot from being paid as the shopper chose, or was shown."""
    request, due = checkout.request, snapshot.totals().grand_total
    if request.operation is Operation.PLACE_ORDER:
        refusal = payment_method_refusal(snapshot, due)
        if refusal:
            return refusal
    expected = (request.expected_total, snapshot.cart.shown_total)
    if any(total not in (None, due) for total in expected):
        return refuse(_R.TOTAL_CHANGED)
    return None


def _payment_id(checkout: Checkout, snapshot: CartSnapshot) -> str | None:
    """The payment at the gateway that pays; None for the offline methods."""
    if checkout.request.operation is Operation.COMPLETE_ORDER:
        return checkout.request.payment_id
    choice = snapshot.cart.payment
    return choice.payment_id if choice and choice.is_online else None


def _require_approved(outcome: GatewayOutcome, call: str) -> None:
    """Anything but a yes is tried again, after the gateway has been asked how it stands.

    Raises:
        ApplicationError: The step is tried again.
    """
    if isinstance(outcome, PaymentUnknown):
        raise _unanswered(call)
    if not isinstance(outcome, PaymentApproved):
        raise ApplicationError(f"the gateway says {outcome.kind} to the {call}", type=NOT_DONE)


def _cannot_be_captured(why: str) -> ApplicationError:
    message = f"the payment cannot be captured: {why}"
    return ApplicationError(message, type=CANNOT_BE_CAPTURED, non_retryable=True)


def _unanswered(call: str) -> ApplicationError:
    return ApplicationError(f"the gateway did not answer the {call}", type=UNANSWERED)
