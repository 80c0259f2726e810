"""How the sweep stands: whether it runs, and what the last one could not settle."""

from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.service import RPCError, RPCStatusCode

from cli.temporal import RPC_TIMEOUT, TOO_LONG
from commerce.contract import SWEEP_SCHEDULE_ID
from commerce.domain.leftovers import SweepReport


class LastSweep(BaseModel):
    """The last sweep that is over, and what is wrong with the schedule.

    Attributes:
        started_at: None before the first one.
        trouble: Why there is none, or why it failed.
    """

    started_at: AwareDatetime | None = None
    report: SweepReport | None = None
    trouble: str = ""

    @property
    def wants_a_look(self) -> bool:
        """Whether an operator has something to do."""
        return bool(self.trouble or (self.report and self.report.payments_unsettled))

    @property
    def lines(self) -> list[str]:
        """What there is to tell, if anything."""
        lines = [f"sweep: {self.trouble}"] if self.trouble else []
        unsettled = self.report.payments_unsettled if self.report else 0
        if unsettled:
            stay = "payment stays" if unsettled == 1 else "payments stay"
            lines.append(
                f"sweep: {unsettled} {stay} open, though runs of the type late_payment see"
                " to them: the gateway is away, or says no"
            )
        return lines


async def last_sweep(client: Client) -> LastSweep:
    """What the last sweep says."""
    try:
        schedule = await client.get_schedule_handle(SWEEP_SCHEDULE_ID).describe(
            rpc_timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return LastSweep(trouble="it has no schedule: run 'checkout setup'")
    if schedule.schedule.state.paused:
        why = schedule.schedule.state.note or ""
        return LastSweep(trouble=f"its schedule is paused: {why}".rstrip(": "))
    return await _last_of(client, schedule)


async def _last_of(client: Client, schedule: ScheduleDescription) -> LastSweep:
    for each in reversed(schedule.info.recent_actions):
        started = each.action
        assert isinstance(started, ScheduleActionExecutionStartWorkflow)
        handle = client.get_workflow_handle(
            started.workflow_id, run_id=started.first_execution_run_id, result_type=SweepReport
        )
        try:
            found = await handle.describe(rpc_timeout=RPC_TIMEOUT)
            if found.status is not WorkflowExecutionStatus.RUNNING:
                report = await handle.result(rpc_timeout=RPC_TIMEOUT)
                return LastSweep(started_at=each.started_at, report=report)
            if datetime.now(UTC) - found.start_time > TOO_LONG:
                return LastSweep(started_at=each.started_at, trouble="it does not end: no worker?")
        except WorkflowFailureError as error:
            why = getattr(error.cause, "message", "") or str(error.cause)
            return LastSweep(started_at=each.started_at, trouble=f"the last one failed: {why}")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # forgotten: look at an older one
                raise
    return LastSweep()
