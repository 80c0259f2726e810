"""The checkout: one run turns one cart into exactly one order, or a documented refusal."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import (
        ABORT_UPDATE,
        ANOTHER_REQUEST,
        ANSWER_UPDATE,
        EXTEND_HOLD_UPDATE,
        OUTCOME_QUERY,
        PAYMENT_CHANGED_SIGNAL,
        WORKFLOW_TYPE,
        Abort,
        Answer,
        Checkout,
        CheckoutRequest,
        CheckoutStatus,
        ExtendHold,
        HoldExtended,
        KnownOutcome,
        LockedCart,
        OrderPlaced,
        OtherRequest,
        Outcome,
        PaymentResult,
        SnapshotRef,
        StepResult,
        Undo,
    )
    from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
    from commerce.domain.payments import PaymentPending
    from workflows.compensation import Compensations
    from workflows.incidents import OpenIncidents, SettlesIncidents
    from workflows.measures import count_money, count_outcome
    from workflows.payment_wait import PendingPayment
    from workflows.policies import (
        CREATE_ORDER,
        HOLD_STOCK,
        LOCK_CART,
        MOST_TOLD_PENDING,
        NOTE_REQUEST,
        RELEASE_STOCK,
        STORE_ANSWER,
        UNLOCK_CART,
        VALIDATE_ADDRESSES,
        VERIFY_PAYMENT,
        VERIFY_PAYMENT_METHOD,
        VOID_PAYMENT,
        Step,
        StepError,
    )
    from workflows.settlement import Settlement
    from workflows.shown import Shown, counted

_PAYMENT_IS_NOT_OURS = {RefusalReason.PAYMENT_ID_INVALID, RefusalReason.PAYMENT_DECLINED}
"""The step that says so holds nothing of the payment any more."""


@workflow.defn(name=WORKFLOW_TYPE)
class CheckoutWorkflow(SettlesIncidents):
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
        self._shown = Shown()
        self._incidents = OpenIncidents(self._shown)
        self._pending = PendingPayment(self._shown, self._check_not_stopped)
        self._payment_id = request.payment_id
        self._told_pending = 0
        self._created = self._relayed = False
        self._undo = Compensations(self._incidents, self._shown)
        self._settlement = Settlement(self._checkout, self._shown, self._incidents, self._pending)

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
        self._shown.started(self._request.operation, self._request.store_code)
        outcome = await self._until_stopped()
        if isinstance(outcome, Refusal):
            outcome = await self._undo.run(Undo(checkout=self._checkout, refusal=outcome))
        self._answer_callers(outcome)
        if isinstance(outcome, OrderPlaced):
            await self._settle(outcome)
        else:
            is_operators = self._undo.payment_is_operators
            await self._settlement.changed_payments(self._payment_id if is_operators else "")
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._failed_step and isinstance(outcome, Refusal):
            undone = "an operator saw to its undo" if self._undo.left else "all is undone"
            raise ApplicationError(f"{self._failed_step} failed for good; {undone}")
        return outcome

    # -- the business -----------------------------------------------------------------------

    async def _place_order(self) -> Outcome:
        """The documented order of checks: the first refusal wins."""
        locked = await self._lock_cart()
        if not isinstance(locked, LockedCart):
            return locked
        cart = SnapshotRef(checkout=self._checkout, digest=locked.digest)
        if not locked.reserved:
            refusal = await self._hold_stock(cart, locked) or await self._validate_addresses(cart)
            if refusal:
                return refusal
        return await self._verify_payment(cart, locked) or await self._create_order(cart, locked)

    async def _lock_cart(self) -> LockedCart | Outcome:
        self._undo.register(UNLOCK_CART, "Give cart and stock back")
        locked = await LOCK_CART.run(self._checkout, "Lock the cart, hold its stock, check it")
        if isinstance(locked, LockedCart):
            self._relayed = locked.relayed
            self._shown.cart(locked.total, locked.store_code)
            checked = "; stock held, addresses valid" if locked.reserved else ""
            self._shown.tell(f"cart locked: {_units(locked)}, {locked.total}{checked}")
        else:
            self._shown.tell(
                "nothing was done: the answer is that of an earlier run, or no cart to order"
                if isinstance(locked, OrderPlaced)
                else "the cart cannot be ordered: nothing was set aside"
            )
            self._undo.drop_last()
        return locked

    async def _hold_stock(self, cart: SnapshotRef, locked: LockedCart) -> Refusal | None:
        self._undo.register(RELEASE_STOCK, f"Release {counted(locked.items, 'item')}")
        summary = f"Hold {_units(locked)}"
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
            if locked.reserved:
                self._shown.tell("payment verified")
                return None
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
        self._undo.order_may_exist = True
        outcome = await CREATE_ORDER.run(cart, f"Create the order over {locked.total}")
        self._created = isinstance(outcome, OrderPlaced)
        return outcome

    async def _settle(self, placed: OrderPlaced) -> None:
        completed = self._request.operation is Operation.COMPLETE_ORDER
        at_gateway = completed or placed.paid_at_gateway
        await self._settlement.order(
            placed,
            self._payment_id,
            at_gateway=at_gateway,
            created=self._created,
            relayed=self._relayed,
        )
        await self._settlement.changed_payments(except_for=self._payment_id)

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
                self._shown.tell(f"{error.step} failed for good{error.told}")
                return refuse(RefusalReason.SERVER_ERROR)
            self._shown.tell(f"stopped by {self._stopped_by}")
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
        self._shown.tell(told)
        return None

    def _check_not_stopped(self) -> None:
        """A step that was under way when the checkout was stopped may still end well."""
        if self._stopped_by:
            raise asyncio.CancelledError

    def _answer_callers(self, outcome: Outcome) -> None:
        self._outcome = outcome
        status = CheckoutStatus.FAILED if self._failed_step else CheckoutStatus.REFUSED
        told: dict[str, str] = {}
        if isinstance(outcome, OrderPlaced):
            status = CheckoutStatus.ORDERED
            told = {"order_number": outcome.order_number}
            if self._created:
                count_money("ordered", outcome.total)
        else:
            told = {"reason": outcome.reason}
        self._shown.outcome(outcome, status)
        workflow.logger.info("checkout %s", status, extra=told)
        if self._created or not isinstance(outcome, OrderPlaced):  # not an earlier run's again
            count_outcome(self._request.operation, outcome, failed=self._failed_step is not None)

    def _can_be_answered(self) -> bool:
        return self._outcome is not None or self._pending.waits_for is not None

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

    @workflow.update(
        name=ABORT_UPDATE, description="Stop and undo, unless there is an order; say why."
    )
    async def abort(self, act: Abort) -> Outcome:
        """Stop the checkout and undo it; the order, if that came first."""
        self._stopped_by = f"{act.by or 'an operator'}: {act.reason}"
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None
        return self._outcome

    @abort.validator
    def _may_abort(self, act: Abort) -> None:
        if not act.reason.strip():
            raise ApplicationError("say why the checkout is aborted")
        if self._outcome is not None:
            raise ApplicationError("the checkout has its outcome already")

    @workflow.update(
        name=EXTEND_HOLD_UPDATE,
        description="Keep cart and stock for a pending payment, for so many minutes from now.",
    )
    async def extend_hold(self, act: ExtendHold) -> HoldExtended:
        """Give a pending payment more time."""
        until = self._pending.keep(act.minutes)
        self._shown.tell(
            f"{act.by or 'an operator'} keeps cart and stock until {until:%d %b %H:%M}"
        )
        return HoldExtended(until=until)

    @extend_hold.validator
    def _may_extend_hold(self, act: ExtendHold) -> None:
        if self._pending.waits_for is None:
            raise ApplicationError("no payment is pending: nothing is kept for one")

    @workflow.signal(name=PAYMENT_CHANGED_SIGNAL, description="Ask the gateway for the payment.")
    def payment_changed(self, payment_id: str = "") -> None:
        """A payment of the cart has changed at the gateway, or may have."""
        self._pending.changed = True
        if payment_id:
            self._settlement.payment_changed(payment_id)

    @workflow.query(name=OUTCOME_QUERY, description="The outcome, null while there is none.")
    def outcome(self) -> KnownOutcome:
        """The outcome as it stands."""
        waits_for = None if self._outcome else self._pending.waits_for
        return KnownOutcome(
            operation=self._request.operation, outcome=self._outcome, waits_for=waits_for
        )


def _units(locked: LockedCart) -> str:
    return f"{counted(locked.items, 'item')}, {counted(locked.skus or locked.lines, 'SKU')}"
