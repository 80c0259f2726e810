"""What an error of Temporal's server means to a call that repeats itself."""

import asyncio
from typing import Any

from temporalio.service import RPCError, RPCStatusCode

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


def raise_if_cancelled() -> None:
    """The SDK turns a cancelled wait into an error of its own; a deadline or a caller cancelled."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def look_at(done: "asyncio.Future[Any]") -> None:
    """Take note of how it ended, or asyncio complains that nobody did."""
    if not done.cancelled():
        done.exception()
