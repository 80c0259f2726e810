"""Everything that tells how a process is doing, opened at its start and flushed at its end."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from temporalio.client import Plugin
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime, TelemetryConfig

from commerce.adapters.store.database import Database
from commerce.adapters.telemetry import logs
from commerce.adapters.telemetry.http import AsgiApp, MeasuredApp
from commerce.adapters.telemetry.metrics import prometheus
from commerce.settings import Settings

COLLECTOR = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables, read by its exporter: where spans go."""

if TYPE_CHECKING:
    from commerce.adapters.telemetry.traces import Tracing


class Telemetry:
    """What a composition root hands on to what it builds.

    Attributes:
        runtime: Of every connection to Temporal of this process.
        plugins: Of those connections.
        has_metrics: Whether anybody can read what is measured.
    """

    def __init__(self, runtime: Runtime, tracing: "Tracing | None", has_metrics: bool) -> None:
        self.runtime = runtime
        self.plugins: Sequence[Plugin] = tracing.plugins if tracing else ()
        self.has_metrics = has_metrics
        self._tracing = tracing

    @property
    def meter(self) -> MetricMeter:
        """Where everything is counted; it does nothing while metrics are off."""
        return self.runtime.metric_meter

    def watch(self, database: Database) -> None:
        """Make a span of every statement."""
        if self._tracing:
            self._tracing.watch(database)

    def serve(self, app: AsgiApp) -> AsgiApp:
        """The application, with its requests measured and traced."""
        if not self._tracing and not self.has_metrics:
            return app
        span = self._tracing.request if self._tracing else None
        return MeasuredApp(app, self.meter, span)


@contextmanager
def open_telemetry(settings: Settings, process: str) -> Generator[Telemetry]:
    """Open logs, metrics and traces as the settings say.

    Args:
        process: The name of this process in all of them.

    Raises:
        ValueError: The metrics cannot be served where the settings say.
        OSError: The file of traces cannot be written.
    """
    logs.configure(process, settings.log_format)
    tracing = _open_tracing(settings, process)
    endpoint = prometheus(settings)
    config = TelemetryConfig(
        logging=logs.core_logging(), metrics=endpoint, attach_service_name=False
    )
    try:
        runtime = Runtime(telemetry=config)
    except (RuntimeError, ValueError) as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise ValueError(f"metrics cannot be served at {where}: {error}") from None
    try:
        yield Telemetry(runtime, tracing, has_metrics=endpoint is not None)
    finally:
        if tracing:
            tracing.close()


def _open_tracing(settings: Settings, process: str) -> "Tracing | None":
    to_collector = any(os.environ.get(name) for name in COLLECTOR)
    if settings.trace_file is None and not to_collector:
        return None
    # Only now: who does not trace does not pay for the import either.
    from commerce.adapters.telemetry.traces import Tracing  # noqa: PLC0415

    return Tracing(process, settings.trace_file, to_collector)
