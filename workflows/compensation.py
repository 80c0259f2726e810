"""Undo: what this run did, in reverse, each until it works or an operator settles it."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.contract import DoneByHand, Outcome, Undo
    from commerce.domain.errors import Refusal
    from workflows.incidents import OpenIncidents
    from workflows.policies import VOID_PAYMENT, Step
    from workflows.shown import Shown

UndoStep = Step[Undo, Any]
"""Answers with the outcome that stands after it, if it knows."""


class Compensations:
    """The undos of a run. Each is registered before its step runs, for a step whose answer is
    lost may have taken effect; it is dropped again when the step says that it did nothing.

    Attributes:
        payment_is_operators: An operator has settled what becomes of the payment.
    """

    def __init__(self, incidents: OpenIncidents, shown: Shown) -> None:
        self._undos: list[tuple[UndoStep, str]] = []
        self._incidents = incidents
        self._shown = shown
        self.payment_is_operators = False

    def register(self, undo: UndoStep, summary: str) -> None:
        """Undo this, should the checkout be refused."""
        self._undos.append((undo, summary))

    def drop_last(self) -> None:
        """The step just tried did nothing."""
        self._undos.pop()

    async def run(self, undo: Undo) -> Outcome:
        """Undo everything; the outcome that stands in the store when all is undone."""
        outcome: Outcome = undo.refusal
        while self._undos:
            step, summary = self._undos[-1]
            by_hand = DoneByHand(step=step.name, checkout=undo.checkout)
            result, done = await self._incidents.run(step, undo, summary, by_hand)
            if not done and step is VOID_PAYMENT:  # the payment was given up, whoever voids it
                self.payment_is_operators = True
                result = undo.refusal.model_copy(update={"pay_again": True})
            if isinstance(result, Refusal):  # an undo may know more of it than the step did
                undo = undo.model_copy(update={"refusal": result})
            outcome = result or outcome
            self._shown.tell(f"undone: {summary}" if done else f"not undone here: {summary}")
            self._undos.pop()
        return outcome
