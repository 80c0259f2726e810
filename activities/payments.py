"""Verifying that the order will be paid, and taking the money."""

from temporalio import activity

from commerce.contract import Passed, PlacedOrder, SnapshotRef, StepResult
from commerce.domain.checks import payment_method_refusal
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.payments import pays_for
from commerce.ports import CartNotHeldError, Carts, Orders, PaymentGateway


class PaymentActivities:
    """Needs the carts and orders ports and a payment gateway."""

    def __init__(self, carts: Carts, orders: Orders, gateway: PaymentGateway) -> None:
        self._carts = carts
        self._orders = orders
        self._gateway = gateway

    @activity.defn(name="verify_payment")
    def verify_payment(self, ref: SnapshotRef) -> StepResult:
        """Check the payment method, the total that the shopper expects, and the payment itself.

        Idempotent by changing nothing: the payment stays as it is. Needs no undo.
        """
        request = ref.checkout.request
        try:
            snapshot = self._carts.snapshot(ref.checkout, ref.digest)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)
        due = snapshot.totals().grand_total
        if request.operation is Operation.PLACE_ORDER:
            refusal = payment_method_refusal(snapshot, due)
            if refusal:
                return refusal
        if any(
            total not in (None, due)
            for total in (request.expected_total, snapshot.cart.shown_total)
        ):
            return refuse(RefusalReason.TOTAL_CHANGED)
        if request.operation is Operation.COMPLETE_ORDER:
            return self._payment_refusal(request.payment_id, request.cart_id, due) or Passed()
        return Passed()

    def _payment_refusal(self, payment_id: str, cart_id: str, due: Money) -> Refusal | None:
        payment = self._gateway.look_up(payment_id)
        if not pays_for(payment, cart_id, due) or self._orders.payment_used(payment_id):
            return refuse(RefusalReason.PAYMENT_ID_INVALID)
        return None

    @activity.defn(name="capture_payment")
    def capture_payment(self, order: PlacedOrder) -> None:
        """Take the money for the order, once: by the payment that it was created with.

        Not by the request's, which may have joined the checkout of another request.

        Idempotent by the gateway's idempotency key ``<order number>/capture``, the same in every
        run. Not undone: the order exists.
        """
        payment_id = self._orders.payment_to_capture(order.order_number)
        if payment_id is None:
            return
        payment = self._gateway.look_up(payment_id)
        if payment is None:
            raise LookupError("the gateway no longer knows the payment of this order")
        self._gateway.capture(payment, f"{order.order_number}/capture")
        self._orders.mark_captured(order.order_number)
