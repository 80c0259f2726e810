"""Which checkouts run, by Temporal's own word."""

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode


class TemporalRuns:
    """The runs port."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def is_running(self, checkout_id: str) -> bool:
        """Whether this very checkout is under way, however long it waits for something.

        Its id ends with that of its first run, which a reset does not change.

        Raises:
            RPCError: It is not known.
        """
        workflow_id, _, first_run_id = checkout_id.rpartition("/")
        try:
            found = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # over, and past its retention
                return False
            raise
        info = found.raw_description.workflow_execution_info
        first = info.first_run_id or found.run_id
        return found.status is WorkflowExecutionStatus.RUNNING and first == first_run_id
