"""A payment that changes when no checkout of its cart runs: money and orders still agree."""

from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import (
        ANOTHER_REQUEST,
        ANSWER_UPDATE,
        LATE_PAYMENT_TYPE,
        PAYMENT_CHANGED_SIGNAL,
        Answer,
        CheckoutRequest,
        PaymentNotice,
        Settled,
    )
    from workflows.incidents import OpenIncidents, SettlesIncidents
    from workflows.settlement import settle_changed
    from workflows.shown import Shown


@workflow.defn(name=LATE_PAYMENT_TYPE)
class LatePaymentWorkflow(SettlesIncidents):
    """Runs under the id of the cart's checkout, so that none runs beside it: callers wait."""

    @workflow.init
    def __init__(self, notice: PaymentNotice) -> None:
        self._changed = {notice.payment_id: None}
        self._shown = Shown()
        self._incidents = OpenIncidents(self._shown)

    @workflow.run
    async def run(self, notice: PaymentNotice) -> Settled:
        """Capture what belongs to an order, and give back what belongs to none."""
        settled = await settle_changed(self._incidents, self._shown, notice.cart_id, self._changed)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return settled

    @workflow.signal(name=PAYMENT_CHANGED_SIGNAL, description="Ask the gateway for the payment.")
    def payment_changed(self, payment_id: str = "") -> None:
        """It has changed again, or another of the cart has, or it is what started this run."""
        if payment_id:
            self._changed[payment_id] = None

    @workflow.update(name=ANSWER_UPDATE, description="Refused: ask again when this run is over.")
    async def answer(self, request: CheckoutRequest) -> Answer:
        """Never reached: the validator turns every request away."""
        _turn_away()

    @answer.validator
    def _may_not_join(self, request: CheckoutRequest) -> None:
        _turn_away()


def _turn_away() -> NoReturn:
    raise ApplicationError("a late payment is being settled", type=ANOTHER_REQUEST)
