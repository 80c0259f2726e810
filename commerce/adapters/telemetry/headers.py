"""Headers of traces as they arrive: anybody may send one, and none stops what it comes with."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

TRACE = "_tracer-data"
"""The header that the SDK's OpenTelemetry plugin reads."""

_JSON = b"json/plain"
_PARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

Headers = Mapping[str, Payload]


class CheckedHeaders(ClientInterceptor, Interceptor):
    """Stands before the plugin, which fails the task of a run for ever at a header that is none.

    It is the client's as well: a worker puts those before its own, in their order.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Check what activities are called with."""
        return _CheckedActivity(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002
    ) -> type[WorkflowInboundInterceptor]:
        """Check what workflows are called with."""
        return _CheckedWorkflow


class _CheckedActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        input.headers = _checked(input.headers)
        return await super().execute_activity(input)


class _CheckedWorkflow(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        input.headers = _checked(input.headers)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        input.headers = _checked(input.headers)
        await super().handle_signal(input)

    async def handle_query(self, input: HandleQueryInput) -> Any:  # noqa: A002
        input.headers = _checked(input.headers)
        return await super().handle_query(input)

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002
        input.headers = _checked(input.headers)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        input.headers = _checked(input.headers)
        return await super().handle_update_handler(input)


def _checked(headers: Headers) -> Headers:
    """The headers, with the parent of the trace alone, or without it if it is none."""
    if TRACE not in headers:
        return headers
    rest = {name: payload for name, payload in headers.items() if name != TRACE}
    parent = _parent(headers[TRACE])
    if not parent:
        return rest
    data = json.dumps({"traceparent": parent}).encode()
    return rest | {TRACE: Payload(metadata={"encoding": _JSON}, data=data)}


def _parent(payload: Payload) -> str:
    if payload.metadata.get("encoding") != _JSON:
        return ""
    try:
        carrier: object = json.loads(payload.data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(carrier, dict):
        return ""
    parent = cast("dict[str, object]", carrier).get("traceparent")
    return parent if isinstance(parent, str) and _PARENT.fullmatch(parent) else ""
