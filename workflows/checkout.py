"""The checkout: one run turns one cart into exactly one order, or a documented refusal."""

import asyncio

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
        SEARCH_ATTRIBUTES,
        WORKFLOW_TYPE,
        Answer,
        Checkout,
        CheckoutRequest,
        Extension,
        KnownOutcome,
        LockedCart,
        OrderPlaced,
        OtherRequest,
        Outcome,
        PaymentResult,
        PlacedOrder,
        SnapshotRef,
        StepResult,
        Undo,
    )
    from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
    from commerce.domain.payments import PaymentPending, WaitsFor
    from workflows.compensation import Compensations
    from workflows.payment_wait import PaymentWait
    from workflows.policies import (
        ANNOUNCE_ORDER,
        ASK_FOR_PAYMENT,
        CAPTURE_PAYMENT,
        CREATE_ORDER,
        EXTEND_HOLD,
        HOLD_STOCK,
        LOCK_CART,
        RELEASE_STOCK,
        REVIEW_PAYMENT,
        STORE_ANSWER,
        UNKNOWN_HOLD_S,
        UNLOCK_CART,
        VALIDATE_ADDRESSES,
        VERIFY_PAYMENT,
        VERIFY_PAYMENT_METHOD,
        VOID_PAYMENT,
        Step,
        StepError,
    )

_STATUS, _REASON, _OPERATION, _ORDER_NUMBER = map(SearchAttributeKey.for_keyword, SEARCH_ATTRIBUTES)

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
        self._waits_for: WaitsFor | None = None
        self._payment_changed = False
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
        online = self._request.operation is Operation.COMPLETE_ORDER or locked.paid_at_gateway
        if not online:
            return self._passed(await VERIFY_PAYMENT_METHOD.run(cart, summary), "payment verified")
        self._undo.register(VOID_PAYMENT, f"Void the payment of {locked.total}")
        result = await VERIFY_PAYMENT.run(cart, summary)
        if isinstance(result, PaymentPending):
            result = await self._until_decided(cart, result)
        if isinstance(result, Refusal) and result.reason in _PAYMENT_IS_NOT_OURS:
            self._undo.drop_last()
        return self._passed(result, "payment authorized")

    async def _until_decided(self, cart: SnapshotRef, pending: PaymentPending) -> PaymentResult:
        """Keep cart and stock for a payment until the gateway has decided, or it takes too long."""
        wait = PaymentWait(workflow.now())
        result: PaymentResult = pending
        try:
            while isinstance(result, PaymentPending):
                self._check_not_stopped()  # a stop that a step has swallowed
                self._wait_for(result.waits_for)
                if wait.is_over(result.waits_for, workflow.now()):
                    return refuse(RefusalReason.PAYMENT_EXPIRED)
                if wait.wants_hold(workflow.now()):
                    wait.extended(workflow.now(), await self._keep_hold(cart))
                if await self._payment_may_have_changed(wait, result.waits_for):
                    result = await self._ask_for_payment(cart, result)
        finally:
            self._waits_for = None
        return result

    async def _keep_hold(self, cart: SnapshotRef) -> float:
        """Keep cart and stock for longer; for how many seconds, also when that did not work."""
        try:
            extension = await EXTEND_HOLD.run(cart, "Keep cart and stock set aside")
        except StepError:
            return UNKNOWN_HOLD_S
        return extension.seconds if isinstance(extension, Extension) else UNKNOWN_HOLD_S

    async def _payment_may_have_changed(self, wait: PaymentWait, waits_for: WaitsFor) -> bool:
        """Sleep until a webhook comes, it is time to ask, or something else is due."""
        try:
            await workflow.wait_condition(
                lambda: self._payment_changed,
                timeout=wait.pause(waits_for, workflow.now()),
                timeout_summary=f"The payment waits for the {waits_for}",
            )
        except TimeoutError:
            return wait.is_time_to_ask(waits_for, workflow.now())
        return True

    async def _ask_for_payment(self, cart: SnapshotRef, pending: PaymentPending) -> PaymentResult:
        self._payment_changed = False
        try:
            return await ASK_FOR_PAYMENT.run(cart, "Ask the gateway for the pending payment")
        except StepError:
            self._tell("the gateway does not answer; the payment is waited for")
            return pending

    def _wait_for(self, waits_for: WaitsFor) -> None:
        """Callers are told that the payment is pending."""
        if waits_for is not self._waits_for:
            self._waits_for = waits_for
            self._tell(f"payment pending: it waits for the {waits_for}")
            self._mark(_STATUS.value_set("payment_pending"))

    async def _create_order(self, cart: SnapshotRef, locked: LockedCart) -> Outcome:
        self._check_not_stopped()
        return await CREATE_ORDER.run(cart, f"Create the order over {locked.total}")

    async def _settle(self, placed: OrderPlaced) -> None:
        """What follows the answer: it is retried until it works, and never undone."""
        order = PlacedOrder(checkout=self._checkout, order_number=placed.order_number)
        announced = asyncio.create_task(
            ANNOUNCE_ORDER.run(order, f"Announce order {placed.order_number}")
        )
        if self._request.operation is Operation.COMPLETE_ORDER or placed.paid_at_gateway:
            await self._capture(order, placed)
        await announced
        self._tell("order announced")

    async def _capture(self, order: PlacedOrder, placed: OrderPlaced) -> None:
        """Take the money; if the gateway will not give it, an operator has to see to it.

        Whatever they do at the gateway comes back as a webhook, or they send the signal.
        """
        while not await self._is_captured(order, placed):
            self._mark(_STATUS.value_set("payment_review"))
            self._tell(f"**payment review**: {placed.total} could not be captured")
            await REVIEW_PAYMENT.run(order, "Mark the order for payment review")
            await workflow.wait_condition(lambda: self._payment_changed)
            self._mark(_STATUS.value_set("ordered"))
        self._tell("payment captured")

    async def _is_captured(self, order: PlacedOrder, placed: OrderPlaced) -> bool:
        self._payment_changed = False
        try:
            await CAPTURE_PAYMENT.run(order, f"Capture {placed.total}")
        except StepError:
            return False
        return True

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
            self._tell(f"**refused: {outcome.reason}**")
            status = "failed" if self._failed_step else "refused"
            self._mark(_STATUS.value_set(status), _REASON.value_set(outcome.reason))

    def _can_be_answered(self) -> bool:
        return self._outcome is not None or self._waits_for is not None

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
        await workflow.wait_condition(self._can_be_answered)
        outcome = self._outcome
        if outcome is None:
            assert self._waits_for is not None
            pending = PaymentPending(waits_for=self._waits_for)
            return Answer(fingerprint=request.fingerprint, outcome=pending)
        if request.idempotency_key != self._request.idempotency_key:
            if late and isinstance(outcome, OrderPlaced):
                outcome = refuse(RefusalReason.CART_NOT_ACTIVE)
            other = OtherRequest(request=request, outcome=outcome)
            outcome = await STORE_ANSWER.run(other, "Answer a request that joined")
        elif request.fingerprint != self._request.fingerprint:
            outcome = refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        return Answer(fingerprint=request.fingerprint, outcome=outcome)

    @answer.validator
    def _may_join(self, request: CheckoutRequest) -> None:
        """Who asks for the same thing joins; who asks for another waits until this run is over.

        Turned away before anything is written, so that the key is not used up.
        """
        same_key = request.idempotency_key == self._request.idempotency_key
        same_thing = request.fingerprint == self._request.fingerprint
        if not (same_key or same_thing or isinstance(self._outcome, OrderPlaced)):
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
    def payment_changed(self) -> None:
        """The payment has changed at the gateway, or may have."""
        self._payment_changed = True

    @workflow.query(name=OUTCOME_QUERY, description="The outcome, null while there is none.")
    def outcome(self) -> KnownOutcome:
        """The outcome as it stands."""
        waits_for = None if self._outcome else self._waits_for
        return KnownOutcome(
            operation=self._request.operation, outcome=self._outcome, waits_for=waits_for
        )
