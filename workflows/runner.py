"""How a worker runs workflows: strictly in the tests, and plainly once they have passed."""

from typing import Any

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import (
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner


class _ContextFree(WorkflowInstance):
    """Answers what belongs to a payload without asking the run: nothing does, here."""

    def __init__(self, run: WorkflowInstance) -> None:
        self._run = run

    def activate(self, act: Any) -> Any:
        return self._run.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Any:
        return self._run.get_info()

    def get_thread_id(self) -> int | None:
        return self._run.get_thread_id()


class _Strict(SandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFree(super().create_instance(det))


class _Plain(UnsandboxedWorkflowRunner):
    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _ContextFree(super().create_instance(det))


def strict_runner() -> WorkflowRunner:
    """Each run imports its workflow's module anew, and is kept from clocks, randomness and I/O.

    What the tests run workflows with: whatever is forbidden fails there.
    """
    return _Strict()


def plain_runner() -> WorkflowRunner:
    """Runs share the modules, which keep no state, once the tests have seen that they may.

    The sandbox was a third of a worker's CPU; without importing modules anew for each run, which
    was most of that, it keeps nothing from them (docs/adr/0018).
    """
    return _Plain()
