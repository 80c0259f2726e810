"""Requests, measured: which operation, how it was answered, and how long that took."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from temporalio.common import MetricMeter

from commerce.adapters.telemetry.metrics import REQUEST_DURATION

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Done = Callable[[str, str, int], None]
"""Told the route, the operation and the status when a request is answered."""

OpenSpan = Callable[[Scope], AbstractContextManager[Done]]
"""From a request to its span."""

OPERATION = "operation"
"""Where the application notes, in the state of a request, what was asked for: one of few words."""

NO_ROUTE = "other"
PROBES = "/health/"
"""Asked every few seconds: no trace is made of them."""


class MeasuredApp:
    """An ASGI application around a Starlette one. No label holds what a caller made up."""

    def __init__(self, app: AsgiApp, meter: MetricMeter, span: OpenSpan | None) -> None:
        self._app = app
        self._span = span
        self._duration = meter.create_histogram_float(  # the other kind is of milliseconds
            REQUEST_DURATION, "HTTP requests by operation and status", "seconds"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._opened(scope) as done:
            try:
                await self._app(scope, receive, noting_status)
            finally:
                # The route's template, never the path: what is in a path may be secret.
                route = getattr(scope.get("route"), "path", NO_ROUTE)
                operation = scope.get("state", {}).get(OPERATION, route)
                took_s = time.perf_counter() - started
                self._duration.record(took_s, {"operation": operation, "status": str(status)})
                if done:
                    done(route, operation, status)

    def _opened(self, scope: Scope) -> AbstractContextManager[Done | None]:
        is_probe = scope["path"].startswith(PROBES)
        return self._span(scope) if self._span and not is_probe else nullcontext()
