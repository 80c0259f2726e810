"""How the worker runs workflows: in Temporal's sandbox, made cheap where that costs no safety."""

from dataclasses import dataclass
from typing import Any

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions


class _ContextFree(WorkflowInstance):
    """Answers what belongs to a payload without entering the sandbox: nothing does, here."""

    def __init__(self, sandboxed: WorkflowInstance) -> None:
        self._sandboxed = sandboxed

    def activate(self, act: Any) -> Any:
        return self._sandboxed.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return StorageDriverStoreContext(target=None)

    def get_info(self) -> Any:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()


@dataclass(frozen=True)
class ContextFreeRunner(SandboxedWorkflowRunner):
    """The sandbox, for a converter and a codec that are the same for every payload.

    The SDK asks the instance six times a payload whose it is, and each time enters the sandbox
    anew: that was a seventh of a worker's CPU (docs/adr/0018).
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """As the sandbox makes it."""
        return _ContextFree(super().create_instance(det))


def strict_runner() -> SandboxedWorkflowRunner:
    """Each run imports its workflow's module anew, and is kept from clocks, randomness and I/O.

    What the tests run workflows with: whatever is forbidden fails there.
    """
    return ContextFreeRunner()


def lean_runner() -> SandboxedWorkflowRunner:
    """Runs share the modules, which keep no state, once the tests have seen that they may.

    Importing the module anew for each run was a quarter of a worker's CPU (docs/adr/0018).
    """
    return ContextFreeRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows")
    )
