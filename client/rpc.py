"""What an error, of Temporal's server or of a codec, means to a call that repeats itself."""

import asyncio
from typing import Any

from temporalio.client import (
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from commerce.contract import INVALID_INPUT, UnreadablePayloadError

JOIN_WAIT_S = 1.0
RETRY_DELAYS_S = (0.05, 0.1, 0.2, 0.5, 1.0)
LOST = (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError, UnreadablePayloadError)
"""How an answer gets lost that may be had by asking again."""

UNREAD = "the workers cannot read what this client sends: does it have their codec keys?"

_HOPELESS = {
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.UNIMPLEMENTED,
}


def is_hopeless(error: RPCError) -> bool:
    """Whether asking again is no use."""
    no_namespace = error.status is RPCStatusCode.NOT_FOUND and "Namespace" in error.message
    return no_namespace or error.status in _HOPELESS


def is_unread(cause: BaseException | None) -> bool:
    """Whether a run, or an answer, failed because the worker could not read its request."""
    return isinstance(cause, ApplicationError) and cause.type == INVALID_INPUT


async def ended_unread(handle: WorkflowHandle[Any, Any]) -> bool:
    """Wait for a run to end, a while at most; whether it did because its request was not read."""
    try:
        async with asyncio.timeout(JOIN_WAIT_S):
            await handle.result()
    except WorkflowFailureError as error:
        return is_unread(error.cause)
    except (TimeoutError, RPCError, UnreadablePayloadError):
        raise_if_cancelled()
    return False  # whatever it was, asking again tells


async def pause(attempt: int) -> None:
    """Wait before asking again, ever longer."""
    await asyncio.sleep(RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)])


def raise_if_cancelled() -> None:
    """The SDK turns a cancelled wait into an error of its own; a deadline or a caller cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def look_at(done: "asyncio.Future[Any]") -> None:
    """Take note of how it ended, or asyncio complains that nobody did."""
    if not done.cancelled():
        done.exception()
