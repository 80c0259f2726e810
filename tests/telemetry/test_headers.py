"""Can a header of a trace, which anybody may send, stop what it comes with?"""

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from commerce.adapters.telemetry.headers import TRACE, CheckedHeaders

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = b"json/plain"
BAD = [
    (JSON, b"5"),
    (JSON, b'"x"'),
    (JSON, b"{"),
    (JSON, b""),
    (JSON, b"\xff"),
    (JSON, b"null"),
    (JSON, b"[]"),
    (JSON, b"{}"),
    (JSON, b"[" * 100_000),
    (JSON, b"9" * 10_000),
    (JSON, b'{"traceparent": 5}'),
    (JSON, b'{"traceparent": ["x"]}'),
    (JSON, b'{"traceparent": "x"}'),
    (JSON, b'{"baggage": "a=\\ud800"}'),
    (b"binary/null", b""),
    (b"binary/encrypted", b'{"traceparent": "%s"}' % PARENT),
    (b"json/protobuf", b"{}"),
]


def headers(data: bytes, encoding: bytes = JSON) -> dict[str, Payload]:
    payload = Payload(metadata={"encoding": encoding}, data=data)
    return {TRACE: payload, "another": Payload(data=b"kept")}


class Last:
    """The next one in the chain: it notes which headers get to it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def execute_workflow(self, given: Any) -> None:
        self.seen.append(given.headers)

    handle_signal = handle_query = handle_update_handler = execute_activity = execute_workflow

    def handle_update_validator(self, given: Any) -> None:
        self.seen.append(given.headers)


def all_that_arrive(sent: dict[str, Payload]) -> list[dict[str, Payload]]:
    """The headers behind the check, for each way that they may come."""
    last: Any = Last()
    checked = CheckedHeaders()
    kind = checked.workflow_interceptor_class(WorkflowInterceptorClassInput({}))
    workflow: WorkflowInboundInterceptor = kind(last)
    activity: ActivityInboundInterceptor = checked.intercept_activity(last)
    nothing: Any = None

    async def arrive() -> None:
        await workflow.execute_workflow(ExecuteWorkflowInput(nothing, nothing, (), sent))
        await workflow.handle_signal(HandleSignalInput("signal", (), sent))
        await workflow.handle_query(HandleQueryInput("1", "query", (), sent))
        update = HandleUpdateInput("1", "update", (), sent)
        workflow.handle_update_validator(update)
        await workflow.handle_update_handler(update)
        await activity.execute_activity(ExecuteActivityInput(nothing, (), None, sent))

    asyncio.run(arrive())
    assert len(last.seen) == 6
    return last.seen


@pytest.mark.parametrize(("encoding", "data"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_a_header_that_is_none_is_dropped(encoding: bytes, data: bytes) -> None:
    for arrived in all_that_arrive(headers(data, encoding)):
        assert arrived == {"another": Payload(data=b"kept")}


def test_a_parent_is_kept_and_nothing_beside_it() -> None:
    """A baggage and a trace state are texts of whoever sends them."""
    (sent,) = [b'{"traceparent": "%s", "baggage": "a=\\ud800", "tracestate": "x=y"}' % PARENT]
    for arrived in all_that_arrive(headers(sent)):
        assert arrived[TRACE].metadata["encoding"] == JSON
        assert arrived[TRACE].data == b'{"traceparent": "%s"}' % PARENT
        assert set(arrived) == {TRACE, "another"}


def test_what_comes_without_one_stays_as_it_is() -> None:
    for arrived in all_that_arrive({}):
        assert arrived == {}


def test_it_is_the_clients_so_that_it_stands_before_the_clients_tracing() -> None:
    """A worker puts its client's interceptors first, in their order."""
    assert isinstance(CheckedHeaders(), Interceptor)
