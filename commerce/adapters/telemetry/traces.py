"""Traces: a request from HTTP through Temporal to the statements that it ran, as one trace.

Imported only when traces are on.
"""

import logging
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider
from temporalio.plugin import SimplePlugin

from commerce.adapters.store.database import Database
from commerce.adapters.store.traced import STATEMENT, SYSTEM, trace_statements
from commerce.adapters.telemetry import logs
from commerce.adapters.telemetry.headers import CheckedHeaders
from commerce.adapters.telemetry.http import Done, Scope

FLUSH_MS = 1_000
KEPT = {
    "exception.type",
    "graphql.field",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "temporalActivityID",
    "temporalRunID",
    "temporalWorkflowID",
    STATEMENT,
    SYSTEM,
}
"""The attributes that leave the process: whatever a library adds, a caller made, or an error says
is not among them. An update's id is a caller's idempotency key."""

_METHODS = {"GET", "HEAD", "OPTIONS", "POST"}

logger = logging.getLogger("checkout.traces")


class Tracing:
    """The traces of this process."""

    def __init__(self, process: str, file: Path | None, to_collector: bool) -> None:
        """Start tracing; it is for the whole process, once.

        Args:
            file: Gets a JSON object a span, if there is one.
            to_collector: Whether spans go where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says.

        Raises:
            OSError: The file cannot be written.
        """
        # Neither a baggage nor a trace state: both are texts of whoever sends them.
        propagate.set_global_textmap(TraceContextTextMapPropagator())
        resource = Resource.create({"service.name": f"checkout-{process}"})
        self._provider = create_tracer_provider(resource=resource)
        exporters: list[SpanExporter] = [SpanFile(file)] if file else []
        exporters += [OTLPSpanExporter()] if to_collector else []
        for exporter in exporters:
            private = PrivateSpans(exporter)
            processor = BatchSpanProcessor(private, schedule_delay_millis=FLUSH_MS)
            self._provider.add_span_processor(processor)
        trace.set_tracer_provider(self._provider)
        self._tracer = trace.get_tracer("checkout")
        tracing = OpenTelemetryPlugin(add_temporal_spans=True)
        self.plugins = (SimplePlugin("CheckedHeaders", interceptors=[CheckedHeaders()]), tracing)
        logs.set_trace_id(_current_trace_id)

    def watch(self, database: Database) -> None:
        """Make a span of every statement of a traced call."""
        trace_statements(database, self._tracer)

    @contextmanager
    def request(self, scope: Scope) -> Generator[Done]:
        """The span of an HTTP request; it continues the trace that the caller names."""
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        sent = [value for name, value in scope["headers"] if name == b"traceparent"]
        carrier = {"traceparent": sent[0].decode("ascii", "replace")} if len(sent) == 1 else {}
        with self._tracer.start_as_current_span(
            method,
            TraceContextTextMapPropagator().extract(carrier),
            SpanKind.SERVER,
            {"http.request.method": method},
        ) as span:

            def done(route: str, operation: str, status: int) -> None:
                span.set_attribute("http.response.status_code", status)
                span.set_attribute("http.route", route)
                span.update_name(f"{method} {route}")
                if operation != route:
                    span.set_attribute("graphql.field", operation)
                    span.update_name(f"{method} {route} {operation}")
                if status >= 500:
                    span.set_status(StatusCode.ERROR)

            yield done

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()


class PrivateSpans(SpanExporter):
    """Exports spans without anything that could be personal, whoever put it there."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what may leave the process."""
        return self._exporter.export([_private(span) for span in spans])

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what the exporter keeps."""
        return self._exporter.force_flush(timeout_millis)


class SpanFile(SpanExporter):
    """Appends a JSON object a span to a file that several processes may share."""

    def __init__(self, file: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(file, flags, 0o600)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append them in one write, so that the lines of processes do not mix."""
        lines = "".join(f"{span.to_json(indent=None)}\n" for span in spans)
        try:
            os.write(self._file, lines.encode())
        except OSError as error:
            logger.warning("spans cannot be written: %s", error.strerror)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        os.close(self._file)


def _private(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_kept(span.attributes),
        events=[Event(each.name, _kept(each.attributes), each.timestamp) for each in span.events],
        links=[Link(each.context) for each in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kept(attributes: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    return {name: value for name, value in (attributes or {}).items() if name in KEPT}


def _current_trace_id() -> str:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""
