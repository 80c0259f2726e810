"""A span for every statement of a traced call; its values are never in it.

Imported only when traces are on. OpenTelemetry's own instrumentation is not for SQLAlchemy 2.1, and
records users, hosts and the texts of errors.
"""

from typing import Any

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, get_current_span
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from commerce.adapters.store.database import Database

STATEMENT, SYSTEM = "db.query.text", "db.system.name"
MAX_STATEMENT_CHARS = 2_000
_SPAN = "checkout_span"


def trace_statements(database: Database, tracer: Tracer) -> None:
    """Trace what this database executes from now on."""
    for engine in database.engines:
        _trace(engine, tracer)


def _trace(engine: Engine, tracer: Tracer) -> None:
    system = engine.dialect.name

    def before(connection: Connection, _cursor: Any, statement: str, *_values: Any) -> None:
        if get_current_span().is_recording():  # probes and gauges belong to no trace
            shown = statement[:MAX_STATEMENT_CHARS]
            verb = shown.split(None, 1)[0].upper()
            attributes = {STATEMENT: shown, SYSTEM: system}
            connection.info[_SPAN] = tracer.start_span(verb, None, SpanKind.CLIENT, attributes)

    def after(connection: Connection, *_: Any) -> None:
        _end(connection, failed=False)

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None:
            _end(context.connection, failed=True)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)


def _end(connection: Connection, failed: bool) -> None:
    if connection.invalidated:
        return
    span: Span | None = connection.info.pop(_SPAN, None)
    if span is not None:
        if failed:
            span.set_status(StatusCode.ERROR)
        span.end()
