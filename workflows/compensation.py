"""Undo: what this run did, in reverse, each until it works or an operator settles it."""

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.contract import DoneByHand, Outcome, Undo
    from commerce.domain.errors import Refusal
    from workflows.incidents import OpenIncidents
    from workflows.policies import UNLOCK_CART, VOID_PAYMENT, Step
    from workflows.shown import Shown

UndoStep = Step[Undo, Any]
"""Answers with the outcome that stands after it, if it knows."""


class Compensations:
    """The undos of a run. Each is registered before its step runs, for a step whose answer is
    lost may have taken effect; it is dropped again when the step says that it did nothing.

    Attributes:
        payment_is_operators: An operator has settled what becomes of the payment.
        order_may_exist: Its creation was tried; giving the cart back finds out.
        left: An operator has settled it otherwise: not everything is undone.
    """

    def __init__(self, incidents: OpenIncidents, shown: Shown) -> None:
        self._undos: list[tuple[UndoStep, str]] = []
        self._incidents = incidents
        self._shown = shown
        self.payment_is_operators = False
        self.order_may_exist = False
        self.left = False

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
            decides = self.order_may_exist and step is UNLOCK_CART
            only_retry = "the order may exist, and its caller has to hear of it" if decides else ""
            result, done = await self._incidents.run(step, undo, summary, by_hand, only_retry)
            self.left = self.left or not done
            if not done and step is VOID_PAYMENT:  # the payment was given up, whoever voids it
                self.payment_is_operators = True
                result = undo.refusal.model_copy(update={"pay_again": True})
            if isinstance(result, Refusal):  # an undo may know more of it than the step did
                undo = undo.model_copy(update={"refusal": result})
            outcome = result or outcome
            nothing = done and step is VOID_PAYMENT and result is None
            how = "nothing to undo" if nothing else "undone" if done else "not undone here"
            self._shown.tell(f"{how}: {summary}")
            self._undos.pop()
        return outcome
