"""The checkout: one run turns one cart into exactly one order, or a documented refusal."""

import asyncio
import contextlib

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import (
        ABORT_UPDATE,
        ANOTHER_REQUEST,
        ANSWER_UPDATE,
        OUTCOME_QUERY,
        PAYMENT_CHANGED_SIGNAL,
        WORKFLOW_TYPE,
        Answer,
        Checkout,
        CheckoutRequest,
        KnownOutcome,
        LockedCart,
        OrderPlaced,
        OtherRequest,
        Outcome,
        PaymentNotice,
        PaymentResult,
        PlacedOrder,
        Settled,
        SnapshotRef,
        StepResult,
        Undo,
    )
    from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
    from commerce.domain.payments import PaymentPending
    from workflows.compensation import Compensations
    from workflows.payment_wait import PendingPayment
    from workflows.policies import (
        ANNOUNCE_ORDER,
        CAPTURE_PAYMENT,
        CREATE_ORDER,
        FIRST_REVIEW,
        HOLD_STOCK,
        LAST_REVIEW,
        LOCK_CART,
        MOST_TOLD_PENDING,
        NOTE_REQUEST,
        RELEASE_STOCK,
        REVIEW_PAYMENT,
        SETTLE_PAYMENT,
        STORE_ANSWER,
        UNLOCK_CART,
        VALIDATE_ADDRESSES,
        VERIFY_PAYMENT,
        VERIFY_PAYMENT_METHOD,
        VOID_PAYMENT,
        Step,
        StepError,
    )

_STATUS, _REASON, _OPERATION, _ORDER_NUMBER = (
    SearchAttributeKey.for_keyword(f"Checkout{name}")
    for name in ("Status", "Reason", "Operation", "OrderNumber")
)

_PAYMENT_IS_NOT_OURS = {RefusalReason.PAYMENT_ID_INVALID, RefusalReason.PAYMENT_DECLINED}
"""The step that says so holds nothing of the payment any more."""


@workflow.defn(name=WORKFLOW_TYPE)
class CheckoutWorkflow:
    """One cart's checkout. Callers ask by the update ``answer``; operators stop it by ``abort``."""

    @workflow.init
    def __init__(self, request: CheckoutRequest) -> None:
        info = workflow.info()
        self._request = request
        self._checkout = Checkout(
            id=f"{info.workflow_id}/{info.first_execution_run_id}", request=request
        )
        self._outcome: Outcome | None = None
        self._stopped_by: str | None = None
        self._failed_step: str | None = None
        self._pending = PendingPayment(self._tell, self._mark_pending, self._check_not_stopped)
        self._payment_id = request.payment_id
        self._changed_payments: dict[str, None] = {}
        self._told_pending = 0
        self._undo = Compensations(self._tell)
        self._story: list[str] = []

    @workflow.run
    async def run(self, request: CheckoutRequest) -> Outcome:
        """Check the cart out; a cancel stops it like an operator's abort, as often as it comes."""
        checkout = asyncio.create_task(self._check_out())
        while not checkout.done():
            try:
                await workflow.wait_condition(checkout.done)
            except asyncio.CancelledError:
                self._stopped_by = self._stopped_by or "a cancel request"
        return checkout.result()

    async def _check_out(self) -> Outcome:
        operation = self._request.operation
        self._mark(_STATUS.value_set("running"), _OPERATION.value_set(operation))
        outcome = await self._until_stopped()
        if isinstance(outcome, Refusal):
            outcome = await self._undo.run(Undo(checkout=self._checkout, refusal=outcome))
        self._answer_callers(outcome)
        if isinstance(outcome, OrderPlaced):
            await self._settle(outcome)
        await self._settle_changed_payments(ordered=isinstance(outcome, OrderPlaced))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._failed_step and isinstance(outcome, Refusal):
            raise ApplicationError(f"{self._failed_step} failed for good; all is undone")
        return outcome

    # -- the business -----------------------------------------------------------------------

    async def _place_order(self) -> Outcome:
        """The documented order of checks: the first refusal wins."""
        locked = await self._lock_cart()
        if not isinstance(locked, LockedCart):
            return locked
        cart = SnapshotRef(checkout=self._checkout, digest=locked.digest)
        return (
            await self._hold_stock(cart, locked)
            or await self._validate_addresses(cart)
            or await self._verify_payment(cart, locked)
            or await self._create_order(cart, locked)
        )

    async def _lock_cart(self) -> LockedCart | Outcome:
        self._undo.register(UNLOCK_CART, "Give the cart back")
        locked = await LOCK_CART.run(self._checkout, "Lock the cart")
        if isinstance(locked, LockedCart):
            self._tell(f"cart locked: {locked.items} items, {locked.lines} lines, {locked.total}")
        else:
            self._tell(
                "nothing was done: the answer is that of an earlier run, or no cart to order"
            )
            self._undo.drop_last()
        return locked

    async def _hold_stock(self, cart: SnapshotRef, locked: LockedCart) -> Refusal | None:
        self._undo.register(RELEASE_STOCK, f"Release {locked.items} items")
        summary = f"Hold {locked.items} items, {locked.lines} lines"
        refusal = await self._pass(HOLD_STOCK, cart, summary, "stock held")
        if refusal:
            self._undo.drop_last()
        return refusal

    async def _validate_addresses(self, cart: SnapshotRef) -> Refusal | None:
        summary = "Check addresses and shipping"
        return await self._pass(VALIDATE_ADDRESSES, cart, summary, "addresses valid")

    async def _verify_payment(self, cart: SnapshotRef, locked: LockedCart) -> Refusal | None:
        summary = f"Check that {locked.total} will be paid"
        self._check_not_stopped()
        online = self._request.operation is Operation.COMPLETE_ORDER
        if not online and locked.payment_id is None:
            return self._passed(await VERIFY_PAYMENT_METHOD.run(cart, summary), "payment verified")
        self._payment_id = self._request.payment_id or locked.payment_id or ""
        self._undo.register(VOID_PAYMENT, f"Undo the payment of {locked.total}")
        result = await VERIFY_PAYMENT.run(cart, summary)
        if isinstance(result, PaymentPending):
            result = await self._pending.until_decided(cart, result)
        if isinstance(result, Refusal) and result.reason in _PAYMENT_IS_NOT_OURS:
            self._undo.drop_last()
        return self._passed(result, "payment authorized")

    async def _create_order(self, cart: SnapshotRef, locked: LockedCart) -> Outcome:
        self._check_not_stopped()
        return await CREATE_ORDER.run(cart, f"Create the order over {locked.total}")

    async def _settle(self, placed: OrderPlaced) -> None:
        """What follows the answer: it is retried until it works, and never undone."""
        order = PlacedOrder(
            checkout=self._checkout, order_number=placed.order_number, total=placed.total
        )
        announced = asyncio.create_task(
            ANNOUNCE_ORDER.run(order, f"Announce order {placed.order_number}")
        )
        if self._request.operation is Operation.COMPLETE_ORDER or placed.paid_at_gateway:
            await self._capture(order, placed)
        await announced
        self._tell("order announced")

    async def _capture(self, order: PlacedOrder, placed: OrderPlaced) -> None:
        """Take the money; if the gateway will not give it, an operator has to see to it.

        Whatever they do at the gateway comes back as a webhook, or is asked for now and then.
        """
        pause = FIRST_REVIEW
        while (captured := await self._try_to_capture(order, placed)) is None:
            if pause is FIRST_REVIEW:
                self._mark(_STATUS.value_set("payment_review"))
                self._tell(f"**payment review**: {placed.total} could not be captured")
                await REVIEW_PAYMENT.run(order, "Mark the order for payment review")
            await self._settle_changed_payments(ordered=True)
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._pending.changed,
                    timeout=pause,
                    timeout_summary="The payment is in review",
                )
            pause = min(pause * 2, LAST_REVIEW)
        self._tell(f"payment {captured.what}")
        if captured.gone:
            self._mark(_STATUS.value_set("payment_review"))
            self._tell(f"**payment review**: order {placed.order_number} is not paid")
        elif pause is not FIRST_REVIEW:
            self._mark(_STATUS.value_set("ordered"))

    async def _settle_changed_payments(self, *, ordered: bool) -> None:
        """Payments of the cart that changed meanwhile, and that this run does not pay with."""
        while self._changed_payments:
            payment_id, _ = self._changed_payments.popitem()
            if ordered and payment_id == self._payment_id:
                continue
            notice = PaymentNotice(cart_id=self._request.cart_id, payment_id=payment_id)
            settled = await SETTLE_PAYMENT.run(notice, "Settle a payment that came late")
            self._tell(f"a payment that came late: {settled.what}")

    async def _try_to_capture(self, order: PlacedOrder, placed: OrderPlaced) -> Settled | None:
        self._pending.changed = False
        try:
            done = await CAPTURE_PAYMENT.run(order, f"Capture {placed.total}")
        except StepError:
            return None
        return done or Settled(what="captured")

    # -- stopping, answering, telling ---------------------------------------------------------

    async def _until_stopped(self) -> Outcome:
        """Run the steps, or what of them ran until somebody stopped the checkout."""
        steps = asyncio.create_task(self._place_order())
        await workflow.wait_condition(lambda: steps.done() or self._stopped_by is not None)
        if not steps.done():
            steps.cancel()
        try:
            return await steps
        except (asyncio.CancelledError, StepError) as error:
            if self._stopped_by is None and isinstance(error, StepError):
                self._failed_step = error.step
                self._tell(f"{error.step} failed for good")
                return refuse(RefusalReason.SERVER_ERROR)
            self._tell(f"stopped by {self._stopped_by}")
            return refuse(RefusalReason.ABORTED)

    async def _pass(
        self, step: Step[SnapshotRef, StepResult], cart: SnapshotRef, summary: str, told: str
    ) -> Refusal | None:
        """Run a step that either has nothing to object to, or refuses."""
        self._check_not_stopped()
        return self._passed(await step.run(cart, summary), told)

    def _passed(self, result: PaymentResult, told: str) -> Refusal | None:
        if isinstance(result, Refusal):
            return result
        self._tell(told)
        return None

    def _check_not_stopped(self) -> None:
        """A step that was under way when the checkout was stopped may still end well."""
        if self._stopped_by:
            raise asyncio.CancelledError

    def _answer_callers(self, outcome: Outcome) -> None:
        self._outcome = outcome
        if isinstance(outcome, OrderPlaced):
            self._tell(f"**order {outcome.order_number}**, {outcome.total}")
            number = _ORDER_NUMBER.value_set(outcome.order_number)
            self._mark(_STATUS.value_set("ordered"), number)
        else:
            why = f" ({outcome.decline})" if outcome.decline else ""
            self._tell(f"**refused: {outcome.reason}**{why}")
            status = "failed" if self._failed_step else "refused"
            self._mark(_STATUS.value_set(status), _REASON.value_set(outcome.reason))

    def _mark_pending(self) -> None:
        self._mark(_STATUS.value_set("payment_pending"))

    def _can_be_answered(self) -> bool:
        return self._outcome is not None or self._pending.waits_for is not None

    def _mark(self, *attributes: SearchAttributeUpdate[str]) -> None:
        workflow.upsert_search_attributes(attributes)  # pyright: ignore[reportUnknownMemberType]

    def _tell(self, line: str) -> None:
        """Add a line to the story that the Temporal UI shows as current details."""
        self._story.append(f"- {line}")
        workflow.set_current_details("\n".join(self._story))

    @workflow.update(name=ANSWER_UPDATE, description="Wait for the outcome of a request.")
    async def answer(self, request: CheckoutRequest) -> Answer:
        """The outcome, for the request that started this run and for those that join it.

        While a payment is pending, that: who asks again gets the outcome once there is one.
        """
        late = self._outcome is not None
        same_key = request.idempotency_key == self._request.idempotency_key
        same_thing = request.fingerprint == self._request.fingerprint
        await workflow.wait_condition(self._can_be_answered)
        if self._pending.waits_for is not None and (same_thing or not same_key):
            pending = PaymentPending(waits_for=self._pending.waits_for)
            if not same_key:
                self._told_pending += 1
                await NOTE_REQUEST.run(request, "Note a request that is to ask again")
            return Answer(fingerprint=request.fingerprint, outcome=pending)
        outcome = self._outcome or refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        if not same_key:
            if late and isinstance(outcome, OrderPlaced):
                outcome = refuse(RefusalReason.CART_NOT_ACTIVE)
            other = OtherRequest(request=request, outcome=outcome)
            outcome = await STORE_ANSWER.run(other, "Answer a request that joined")
        elif not same_thing:
            outcome = refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        return Answer(fingerprint=request.fingerprint, outcome=outcome)

    @answer.validator
    def _may_join(self, request: CheckoutRequest) -> None:
        """Who asks for the same thing joins; who asks for another waits until this run is over.

        Turned away before anything is written, so that the key is not used up. While a payment is
        pending everybody is told so, some hundred times: a run takes 2,000 updates, ever.
        """
        same_key = request.idempotency_key == self._request.idempotency_key
        same_thing = request.fingerprint == self._request.fingerprint
        is_pending = self._pending.waits_for is not None
        if is_pending and not same_key and self._told_pending >= MOST_TOLD_PENDING:
            raise ApplicationError("too many asked for this cart", type=ANOTHER_REQUEST)
        if not (same_key or same_thing or is_pending or isinstance(self._outcome, OrderPlaced)):
            raise ApplicationError("another request for this cart runs", type=ANOTHER_REQUEST)

    @workflow.update(name=ABORT_UPDATE, description="Stop and undo, unless there is an order.")
    async def abort(self, reason: str) -> Outcome:
        """Stop the checkout and undo it; the order, if that came first."""
        self._stopped_by = f"an operator: {reason}"
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None
        return self._outcome

    @abort.validator
    def _may_abort(self, reason: str) -> None:
        if not reason.strip():
            raise ApplicationError("say why the checkout is aborted")
        if self._outcome is not None:
            raise ApplicationError("the checkout has its outcome already")

    @workflow.signal(name=PAYMENT_CHANGED_SIGNAL, description="Ask the gateway for the payment.")
    def payment_changed(self, payment_id: str = "") -> None:
        """A payment of the cart has changed at the gateway, or may have."""
        self._pending.changed = True
        if payment_id:
            self._changed_payments[payment_id] = None

    @workflow.query(name=OUTCOME_QUERY, description="The outcome, null while there is none.")
    def outcome(self) -> KnownOutcome:
        """The outcome as it stands."""
        waits_for = None if self._outcome else self._pending.waits_for
        return KnownOutcome(
            operation=self._request.operation, outcome=self._outcome, waits_for=waits_for
        )
