"""What operators do to a checkout that runs. Every act is in its history, with who and why."""

import asyncio
import functools
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

import click
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.service import RPCError, RPCStatusCode

from cli.advice import told_of
from cli.common import console, data_dir_option, or_cli_error
from cli.errors import CliError
from cli.temporal import RPC_TIMEOUT, connected, find_checkout, one_line_errors
from commerce.contract import (
    ABORT_UPDATE,
    EXTEND_HOLD_UPDATE,
    INCIDENTS_QUERY,
    MARK_DONE_UPDATE,
    MAX_HOLD_MINUTES,
    RETRY_UPDATE,
    SKIP_UPDATE,
    WORKFLOW_TYPE,
    Abort,
    ExtendHold,
    HoldExtended,
    Incident,
    Incidents,
    OrderPlaced,
    Outcome,
    StepAct,
)
from commerce.domain.errors import RefusalReason

WAIT_S = 300
"""An attempt of two minutes may be under way, and the act comes after it with two of its own."""

_QUEUES = "an attempt may be under way, up to two minutes; then it takes up to two more"

Result = TypeVar("Result")


class _Act(NamedTuple, Generic[Result]):
    """An update, and what the user reads while it is under way."""

    update: str
    arg: Any
    answers: Any
    waiting: str


class Operator(NamedTuple):
    """Who acts, and how long they wait for what comes of it."""

    data_dir: Path
    by: str
    wait_s: int

    def act(self, named: str, act: _Act[Result]) -> tuple[str, Result, Incidents]:
        """Have an act carried out by the run of a checkout.

        Returns:
            The workflow id, what the act came to, and the incidents that are open after it.

        Raises:
            CliError: It was turned away.
            Exit: It goes on, and nothing came of it yet; what is open was told.
        """
        with one_line_errors():
            found, result, left = asyncio.run(self._act(named, act))
        if result is None:
            goes_on = f"taken, and it goes on: nothing came of it in {self.wait_s} s"
            console.print(f"{found}: {goes_on}; 'checkout stuck' tells when it did", soft_wrap=True)
            _print_open(left.open, "still open")
            raise click.exceptions.Exit(1)
        return found, result, left

    async def _act(self, named: str, act: _Act[Result]) -> tuple[str, Result | None, Incidents]:
        client = await connected(self.data_dir)
        found = await find_checkout(client, self.data_dir, named)
        handle = await _running(client, named, found, checkout_only=act.update in _OF_CHECKOUTS)
        await _require_answer(handle)
        with console.status(act.waiting):
            result = await self._sent(handle, act)
        return found, result, await _open(handle)

    async def _sent(self, handle: WorkflowHandle[Any, Any], act: _Act[Result]) -> Result | None:
        """What came of the act; None when nothing did in time."""
        try:
            started: WorkflowUpdateHandle[Any] = await cast(Any, handle).start_update(
                act.update,
                act.arg,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                result_type=act.answers,
                rpc_timeout=RPC_TIMEOUT,
            )
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise CliError(
                f"no worker has taken it in {RPC_TIMEOUT.seconds} s, and one still may: "
                "see 'checkout stuck'"
            ) from None
        except WorkflowUpdateFailedError as error:
            raise CliError(_told(error)) from None
        try:
            async with asyncio.timeout(self.wait_s):
                return await started.result()
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return None
        except WorkflowUpdateFailedError as error:
            raise CliError(_told(error)) from None


_OF_CHECKOUTS = {ABORT_UPDATE, EXTEND_HOLD_UPDATE}


def _told(error: WorkflowUpdateFailedError) -> str:
    return getattr(error.cause, "message", "") or str(error.cause)


async def _running(
    client: Client, named: str, workflow_id: str, *, checkout_only: bool
) -> WorkflowHandle[Any, Any]:
    """The run to act on.

    Raises:
        CliError: There is none, it is over, or it is of another type.
    """
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise CliError(f"no cart, order or workflow {named[:64]!r} has a checkout") from None
    if found.status is not WorkflowExecutionStatus.RUNNING:
        status = found.status.name.lower() if found.status else "over"
        raise CliError(f"{workflow_id} is over ({status}): there is nothing to act on")
    if checkout_only and found.workflow_type != WORKFLOW_TYPE:
        raise CliError(f"{workflow_id} is a {found.workflow_type}, not a checkout under way")
    return client.get_workflow_handle(workflow_id, run_id=found.run_id)


async def _require_answer(handle: WorkflowHandle[Any, Any]) -> None:
    """A worker is there, and our keys are its keys: what it cannot read would stop the run.

    Raises:
        CliError: No worker answers.
        PayloadCodecError: Its answer cannot be read.
    """
    try:
        await handle.query(INCIDENTS_QUERY, result_type=Incidents, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        raise CliError(f"no worker answers, and nothing was sent: {error.message}") from None


async def _open(handle: WorkflowHandle[Any, Any]) -> Incidents:
    """The incidents that are open; none when the run cannot tell any more."""
    try:
        return await handle.query(INCIDENTS_QUERY, result_type=Incidents, rpc_timeout=RPC_TIMEOUT)
    except RPCError:
        return Incidents()


def operator_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which checkout, and the options that every act takes; the command gets an ``Operator``."""

    @functools.wraps(command)
    def run(data_dir: Path, by: str | None, wait: int, **rest: Any) -> None:
        if by is not None and not by.strip():
            raise CliError("say who acts: --by is empty")
        command(Operator(data_dir, by or _login(), wait), **rest)

    waits = click.IntRange(1, 3600)
    run = click.option(
        "--wait", type=waits, default=WAIT_S, show_default=True, help="Seconds, for the result."
    )(run)
    run = click.option("--by", help="Who acts; the login name if not given.")(run)
    return data_dir_option(click.argument("checkout")(run))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise CliError("say why: a reason is wanted")


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user has no name
        return "an operator"


@click.command()
@operator_options
@click.argument("reason")
def abort(operator: Operator, checkout: str, reason: str) -> None:
    """Stop a CHECKOUT that has no order yet, and undo it.

    CHECKOUT is a workflow id, a cart's id or an order number.
    """
    _require_reason(reason)
    arg = or_cli_error(lambda: Abort(reason=reason, by=operator.by))
    act = _Act[Outcome](ABORT_UPDATE, arg, Outcome, f"stopping and undoing: {_QUEUES}")
    found, outcome, left = operator.act(checkout, act)
    if isinstance(outcome, OrderPlaced):
        told = f"the order came first: {outcome.order_number}; nothing is undone"
    elif outcome.reason is RefusalReason.ABORTED:
        told = "aborted and undone"
    else:
        told = f"it was refused already: {outcome.reason}"
    console.print(f"{found}: {told}", soft_wrap=True)
    _print_open(left.open)


@click.command("extend-hold")
@operator_options
@click.argument("minutes", type=click.IntRange(1, MAX_HOLD_MINUTES))
def extend_hold(operator: Operator, checkout: str, minutes: int) -> None:
    """Keep cart and stock of a CHECKOUT for its pending payment, for MINUTES from now.

    CHECKOUT is a workflow id or a cart's id.
    """
    arg = or_cli_error(lambda: ExtendHold(minutes=minutes, by=operator.by))
    act = _Act[HoldExtended](EXTEND_HOLD_UPDATE, arg, HoldExtended, "extending the hold")
    found, extended, _ = operator.act(checkout, act)
    console.print(f"{found}: kept until {extended.until:%Y-%m-%d %H:%M} UTC", soft_wrap=True)


@click.command()
@operator_options
@click.argument("step")
@click.option("--reason", default="", help="Why.")
def retry(operator: Operator, checkout: str, step: str, reason: str) -> None:
    """Try the STEP of an incident again, now; it goes on trying by itself anyway.

    CHECKOUT is a workflow id, a cart's id or an order number. Exit status 1: it failed again.
    """
    _settle(operator, RETRY_UPDATE, checkout, step, reason)


@click.command()
@operator_options
@click.argument("step")
@click.option("--reason", required=True, help="Why.")
def skip(operator: Operator, checkout: str, step: str, reason: str) -> None:
    """Go on without the STEP of an incident; `checkout stuck` says what that leaves open.

    CHECKOUT is a workflow id, a cart's id or an order number.
    """
    _settle(operator, SKIP_UPDATE, checkout, step, reason)


@click.command("mark-done")
@operator_options
@click.argument("step")
@click.option("--reason", required=True, help="How, and by whom.")
def mark_done(operator: Operator, checkout: str, step: str, reason: str) -> None:
    """Note that the STEP of an incident was done by hand, and go on.

    CHECKOUT is a workflow id, a cart's id or an order number. Exit status 1: the store could not
    be told, and the incident stays open.
    """
    _settle(operator, MARK_DONE_UPDATE, checkout, step, reason)


_DONE = {RETRY_UPDATE: "settled", SKIP_UPDATE: "skipped", MARK_DONE_UPDATE: "noted as done by hand"}


def _settle(operator: Operator, update: str, checkout: str, step: str, reason: str) -> None:
    """Send an act on a step and tell what came of it; exit 1 while its incident is open."""
    if update != RETRY_UPDATE:
        _require_reason(reason)
    name = step.replace("-", "_")
    arg = or_cli_error(lambda: StepAct(step=name, reason=reason, by=operator.by))
    act = _Act[Incidents](update, arg, Incidents, f"{name}: {_QUEUES}")
    found, after, _ = operator.act(checkout, act)
    is_open = name in {each.step for each in after.open}
    told = "still open" if is_open else _DONE[update]
    console.print(f"{found}: {name} is {told}", soft_wrap=True)
    _print_open(after.open)
    if is_open:
        raise click.exceptions.Exit(1)


def _print_open(incidents: tuple[Incident, ...], told: str = "open") -> None:
    for each in incidents:
        console.print(f"{told}: {told_of(each)}", soft_wrap=True)


ACTS = (abort, retry, skip, mark_done, extend_hold)
