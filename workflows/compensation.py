"""Undo: what this run did, in reverse, each until it works."""

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.contract import Outcome, Undo
    from commerce.domain.errors import Refusal
    from workflows.policies import Step

UndoStep = Step[Undo, Outcome] | Step[Undo, Refusal | None] | Step[Undo, None]


class Compensations:
    """The undos of a run. Each is registered before its step runs, for a step whose answer is
    lost may have taken effect; it is dropped again when the step says that it did nothing.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._undos: list[tuple[UndoStep, str]] = []
        self._tell = tell

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
            result = await step.run(undo, summary)
            if isinstance(result, Refusal):  # an undo may know more of it than the step did
                undo = undo.model_copy(update={"refusal": result})
            outcome = result or outcome
            self._tell(f"undone: {summary}")
            self._undos.pop()
        return outcome
