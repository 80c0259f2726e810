"""What follows the answer: it is tried until it works, and never undone."""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payments import CANNOT_BE_CAPTURED
    from commerce.contract import (
        Checkout,
        CheckoutStatus,
        DoneByHand,
        OrderPlaced,
        PaymentNotice,
        PlacedOrder,
        Settled,
    )
    from workflows.incidents import Case, OpenIncidents
    from workflows.measures import count_money
    from workflows.payment_wait import PendingPayment
    from workflows.policies import (
        ANNOUNCE_ORDER,
        CAPTURE_PAYMENT,
        REVIEW_PAYMENT,
        SETTLE_PAYMENT,
        StepError,
    )
    from workflows.shown import Shown


async def settle_changed(
    incidents: OpenIncidents,
    shown: Shown,
    cart_id: str,
    changed: dict[str, None],
    except_for: str | None = None,
) -> Settled:
    """Settle the payments of a cart that changed and that no checkout uses; the last of them.

    Args:
        incidents: Of the run.
        shown: Of the run.
        cart_id: The cart.
        changed: Taken from until it is empty; it may grow meanwhile.
        except_for: Passed over.
    """
    settled = Settled(what="")
    while changed:
        payment_id, _ = changed.popitem()
        if payment_id == except_for:
            continue
        notice = PaymentNotice(cart_id=cart_id, payment_id=payment_id)
        by_hand = DoneByHand(step=SETTLE_PAYMENT.name, notice=notice)
        summary = "Settle a payment that came late"
        done, _ = await incidents.run(SETTLE_PAYMENT, notice, summary, by_hand)
        if done:
            shown.tell(f"a payment that came late: {done.what}")
        else:
            changed.pop(payment_id, None)  # an operator's word is final
        settled = done or Settled(what="settled by an operator")
    return settled


class Settlement:
    """Takes the money, announces the order, and settles other payments of the cart."""

    def __init__(
        self,
        checkout: Checkout,
        shown: Shown,
        incidents: OpenIncidents,
        pending: PendingPayment,
    ) -> None:
        self._checkout = checkout
        self._shown = shown
        self._incidents = incidents
        self._pending = pending
        self._changed: dict[str, None] = {}
        self._others: asyncio.Task[None] | None = None

    def payment_changed(self, payment_id: str) -> None:
        """A payment of the cart has changed: it is settled before the run ends."""
        self._changed[payment_id] = None

    async def order(
        self,
        placed: OrderPlaced,
        payment_id: str,
        *,
        at_gateway: bool,
        created: bool,
        relayed: bool,
    ) -> None:
        """Take the order's money, and announce it unless the relay does.

        Args:
            placed: The order.
            payment_id: What it is paid with.
            at_gateway: Whether there is money to take.
            created: By this run, and not by an earlier one.
            relayed: The outbox relay announces it.
        """
        order = PlacedOrder(
            checkout=self._checkout, order_number=placed.order_number, total=placed.total
        )
        announced = None if relayed else asyncio.create_task(self._announce(order))
        if at_gateway:
            await self._capture(order, placed, payment_id, created)
        if announced:
            await announced
        if self._others:
            await self._others

    async def _announce(self, order: PlacedOrder) -> None:
        summary = f"Announce order {order.order_number}"
        by_hand = self._by_hand(ANNOUNCE_ORDER.name, order)
        _, done = await self._incidents.run(ANNOUNCE_ORDER, order, summary, by_hand)
        if done:
            self._shown.tell("order announced")

    async def _capture(
        self, order: PlacedOrder, placed: OrderPlaced, payment_id: str, created: bool
    ) -> None:
        """Take the money; if the gateway will not give it, an operator has to see to it.

        Whatever they do at the gateway comes back as a webhook, or is asked for now and then.
        """
        case: Case | None = None
        while True:
            self._pending.changed = False
            try:
                captured = await CAPTURE_PAYMENT.run(order, f"Capture {placed.total}")
            except StepError as error:
                case = await self._not_captured(case, error, order)
            else:
                self._captured(case, captured or Settled(what="captured"), placed, created)
                return
            await self._settle_others(payment_id)
            if await self._incidents.is_settled_by_hand(case, lambda: self._pending.changed):
                return

    async def _not_captured(self, case: Case | None, error: StepError, order: PlacedOrder) -> Case:
        """No answer is an incident; a no puts the order into payment review."""
        # Before there were incidents, a capture that got no answer for days was a review, too.
        refused = error.why == CANNOT_BE_CAPTURED or not workflow.patched("capture-incident")
        was = case.status if case else None
        status = CheckoutStatus.PAYMENT_REVIEW if refused else CheckoutStatus.INCIDENT
        by_hand = self._by_hand(CAPTURE_PAYMENT.name, order)
        case = self._incidents.failed(case, error, by_hand, status)
        if refused:
            case.if_skipped = CheckoutStatus.PAYMENT_REVIEW
        if refused and was is not status:
            self._shown.tell("**payment review**: the gateway does not give the money")
            summary = "Mark the order for payment review"
            by_hand = self._by_hand(REVIEW_PAYMENT.name, order)
            await self._incidents.run(REVIEW_PAYMENT, order, summary, by_hand)
        return case

    async def _settle_others(self, payment_id: str) -> None:
        """See to other payments of the cart, without keeping this one's capture waiting."""
        if not self._changed.keys() - {payment_id}:
            self._changed.clear()
        elif not workflow.patched("settled-beside-capture"):
            await self.changed_payments(except_for=payment_id)
        elif self._others is None or self._others.done():
            self._others = asyncio.create_task(self.changed_payments(except_for=payment_id))

    def _captured(
        self, case: Case | None, captured: Settled, placed: OrderPlaced, counts: bool
    ) -> None:
        status = CheckoutStatus.PAYMENT_REVIEW if captured.gone else None
        if case:
            self._incidents.settled(case, status=status)
        elif status:
            self._shown.status(status)
        self._shown.tell(f"payment {captured.what}")
        if captured.gone:
            self._shown.tell(f"**payment review**: order {placed.order_number} is not paid")
        elif counts:
            count_money("captured", placed.total)

    async def changed_payments(self, except_for: str = "") -> None:
        """Settle the payments of the cart that changed meanwhile; not the one it is paid with."""
        cart_id = self._checkout.request.cart_id
        await settle_changed(self._incidents, self._shown, cart_id, self._changed, except_for)

    def _by_hand(self, step: str, order: PlacedOrder) -> DoneByHand:
        return DoneByHand(step=step, checkout=self._checkout, order_number=order.order_number)
