"""What waits for an operator: incidents, runs that stand still, and what the sweep left open."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from pydantic import AwareDatetime, BaseModel
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from cli.advice import advice, commands, told_of
from cli.common import console, data_dir_option
from cli.sweeps import LastSweep, last_sweep
from cli.temporal import RPC_TIMEOUT, TOO_LONG, connected, one_line_errors
from commerce.adapters.codec import PayloadCodecError
from commerce.contract import (
    INCIDENTS_QUERY,
    LATE_PAYMENT_TYPE,
    WORKFLOW_TYPE,
    Incident,
    Incidents,
)
from commerce.domain.money import Money

LATELY = timedelta(days=1)
MOST = 50
"""Of each kind; the Temporal UI lists the rest."""

QUERY_TIMEOUT = timedelta(seconds=5)
"""Without a worker nobody answers; all runs are asked at once."""

_TYPES = f'WorkflowType IN ("{WORKFLOW_TYPE}", "{LATE_PAYMENT_TYPE}")'
_WAITING = 'CheckoutStatus IN ("incident", "payment_review")'
_INCIDENTS = f'{_TYPES} AND ExecutionStatus = "Running" AND {_WAITING}'
_STANDING = (
    f'{_TYPES} AND ExecutionStatus = "Running" AND StartTime < "{{before}}" AND'
    ' (CheckoutStatus IS NULL OR CheckoutStatus IN ("running", "ordered", "refused", "failed"))'
)
_ENDED_BADLY = (
    f'{_TYPES} AND CloseTime > "{{after}}" AND (ExecutionStatus IN'
    ' ("Failed", "TimedOut", "Terminated") OR CheckoutStatus = "payment_review")'
)


class Run(BaseModel):
    """A run that an operator should know of.

    Attributes:
        since: When it started, or ended.
        open: Its incidents.
        note: What else is known of it.
    """

    workflow_id: str
    run_id: str
    type: str
    status: str
    reason: str = ""
    order_number: str = ""
    store: str = ""
    total: str = ""
    since: AwareDatetime
    open: tuple[Incident, ...] = ()
    note: str = ""


class Report(BaseModel):
    """What there is to do; ``ended_badly`` is for developers, and nothing can be done to it."""

    incidents: list[Run]
    running_too_long: list[Run]
    ended_badly: list[Run]
    sweep: LastSweep

    @property
    def stuck(self) -> bool:
        """Whether something waits for somebody."""
        return bool(self.incidents or self.running_too_long or self.sweep.wants_a_look)


@click.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stuck(data_dir: Path, as_json: bool) -> None:
    """List what waits for an operator, each with the commands that settle it.

    Incidents, orders in payment review, runs that stand still for ten minutes, and what the sweep
    could not settle. Exit status 1: there is something. What failed for good within a day is
    listed, too, for developers.
    """
    with one_line_errors():
        report = asyncio.run(_look(data_dir))
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        _print(report)
    if report.stuck:
        raise click.exceptions.Exit(1)


async def _look(data_dir: Path) -> Report:
    client, now = await connected(data_dir), datetime.now(UTC)
    before, after = (f"{now - each:%Y-%m-%dT%H:%M:%SZ}" for each in (TOO_LONG, LATELY))
    waiting = [run async for run in _runs(client, _INCIDENTS)]
    standing = [run async for run in _runs(client, _STANDING.format(before=before))]
    return Report(
        incidents=await asyncio.gather(*[_with_incidents(client, run) for run in waiting]),
        running_too_long=await asyncio.gather(*[_with_why(client, run) for run in standing]),
        ended_badly=[run async for run in _runs(client, _ENDED_BADLY.format(after=after))],
        sweep=await last_sweep(client),
    )


async def _runs(client: Client, query: str) -> AsyncIterator[Run]:
    async for found in client.list_workflows(query, limit=MOST, rpc_timeout=RPC_TIMEOUT):
        yield _run(found)


def _run(found: WorkflowExecution) -> Run:
    pairs: Any = found.typed_search_attributes
    known = {pair.key.name: pair.value for pair in pairs}
    total: Any = known.get("CheckoutTotal")
    currency: Any = known.get("CheckoutCurrency")
    status = found.status or WorkflowExecutionStatus.RUNNING
    return Run(
        workflow_id=found.id,
        run_id=found.run_id,
        type=found.workflow_type,
        status=str(known.get("CheckoutStatus", status.name.lower())),
        reason=known.get("CheckoutReason", ""),
        order_number=known.get("CheckoutOrderNumber", ""),
        store=known.get("CheckoutStore", ""),
        total=str(Money(amount_minor=total, currency=currency)) if currency else "",
        since=found.close_time or found.start_time,
        note=_END.get(status, "in payment review when it ended: see the order"),
    )


_END = {
    WorkflowExecutionStatus.RUNNING: "",
    WorkflowExecutionStatus.FAILED: "a step failed for good; its story says what was undone",
    WorkflowExecutionStatus.TERMINATED: "terminated; the sweep clears what it left behind",
    WorkflowExecutionStatus.TIMED_OUT: "timed out; the sweep clears what it left behind",
}


async def _with_incidents(client: Client, run: Run) -> Run:
    """With what the run itself says; that its worker is away if it does not."""
    handle = client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    try:
        told = await handle.query(INCIDENTS_QUERY, result_type=Incidents, rpc_timeout=QUERY_TIMEOUT)
    except RPCError as error:
        return run.model_copy(update={"note": f"no worker answers: {error.message}"})
    except PayloadCodecError as error:
        return run.model_copy(update={"note": f"cannot be read: {error}"})
    return run.model_copy(update={"open": told.open})


async def _with_why(client: Client, run: Run) -> Run:
    """With what it stands at."""
    found = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id).describe()
    raw = found.raw_description
    waits = [
        f"{each.activity_type.name}, attempt {each.attempt}" for each in raw.pending_activities
    ]
    if raw.HasField("pending_workflow_task"):
        attempt = raw.pending_workflow_task.attempt
        waits.append(f"its workflow task fails, attempt {attempt}" if attempt > 1 else "no worker")
    return run.model_copy(update={"note": "; ".join(waits) or "nothing is under way"})


def _print(report: Report) -> None:
    for run in report.incidents:
        _print_run(run)
        for incident in run.open:
            _print_incident(run, incident)
    for run in report.running_too_long:
        _print_run(run, "runs since")
    for run in report.ended_badly:
        _print_run(run, "ended")
    for line in report.sweep.lines:
        console.print(line, soft_wrap=True)
    if not report.stuck:
        console.print(f"nothing {'else ' if report.ended_badly else ''}is stuck")


def _print_run(run: Run, since: str = "") -> None:
    number = f"order {run.order_number}" if run.order_number else ""
    when = f"{since} {run.since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    facts = [f"{run.status} {run.reason}".strip(), number, run.total, run.store, when, run.note]
    name = "" if run.type == WORKFLOW_TYPE else f" ({run.type})"
    console.print(
        f"{run.workflow_id}{name}: {', '.join(filter(None, facts))}", style="bold", soft_wrap=True
    )


def _print_incident(run: Run, incident: Incident) -> None:
    console.print(f"  {told_of(incident)}", soft_wrap=True)
    console.print(f"  {advice(incident).means}", soft_wrap=True)
    for command, does in commands(run.workflow_id, incident):
        console.print(f"    {command}  # {does}", soft_wrap=True)
