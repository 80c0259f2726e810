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
        SEARCH_ATTRIBUTES,
        WORKFLOW_TYPE,
        Answer,
        Checkout,
        CheckoutRequest,
        KnownOutcome,
        LockedCart,
        OrderPlaced,
        OtherRequest,
        Outcome,
        PlacedOrder,
        SnapshotRef,
        StepResult,
        Undo,
    )
    from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
    from workflows.compensation import Compensations
    from workflows.policies import (
        ANNOUNCE_ORDER,
        CAPTURE_PAYMENT,
        CREATE_ORDER,
        HOLD_STOCK,
        LOCK_CART,
        RELEASE_STOCK,
        STORE_ANSWER,
        UNLOCK_CART,
        VALIDATE_ADDRESSES,
        VERIFY_PAYMENT,
        VERIFY_PAYMENT_METHOD,
        Step,
        StepError,
    )

_STATUS, _REASON, _OPERATION, _ORDER_NUMBER = map(SearchAttributeKey.for_keyword, SEARCH_ATTRIBUTES)


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
        at_gateway = self._request.operation is Operation.COMPLETE_ORDER
        step = VERIFY_PAYMENT if at_gateway else VERIFY_PAYMENT_METHOD
        summary = f"Check that {locked.total} will be paid"
        return await self._pass(step, cart, summary, "payment verified")

    async def _create_order(self, cart: SnapshotRef, locked: LockedCart) -> Outcome:
        self._check_not_stopped()
        return await CREATE_ORDER.run(cart, f"Create the order over {locked.total}")

    async def _settle(self, placed: OrderPlaced) -> None:
        """What follows the answer: it is retried until it works, and never undone."""
        order = PlacedOrder(checkout=self._checkout, order_number=placed.order_number)
        announced = asyncio.create_task(
            ANNOUNCE_ORDER.run(order, f"Announce order {placed.order_number}")
        )
        if self._request.operation is Operation.COMPLETE_ORDER:
            await CAPTURE_PAYMENT.run(order, f"Capture {placed.total}")
            self._tell("payment captured")
        await announced
        self._tell("order announced")

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
        result = await step.run(cart, summary)
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

    def _mark(self, *attributes: SearchAttributeUpdate[str]) -> None:
        workflow.upsert_search_attributes(attributes)  # pyright: ignore[reportUnknownMemberType]

    def _tell(self, line: str) -> None:
        """Add a line to the story that the Temporal UI shows as current details."""
        self._story.append(f"- {line}")
        workflow.set_current_details("\n".join(self._story))

    @workflow.update(name=ANSWER_UPDATE, description="Wait for the outcome of a request.")
    async def answer(self, request: CheckoutRequest) -> Answer:
        """The outcome, for the request that started this run and for those that join it."""
        late = self._outcome is not None
        await workflow.wait_condition(lambda: self._outcome is not None)
        assert self._outcome is not None
        outcome = self._outcome
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

    @workflow.query(name=OUTCOME_QUERY, description="The outcome, null while there is none.")
    def outcome(self) -> KnownOutcome:
        """The outcome as it stands."""
        return KnownOutcome(operation=self._request.operation, outcome=self._outcome)
