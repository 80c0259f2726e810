"""Metrics: what the SDK, the workflows and the server count, on one endpoint of the process."""

from collections.abc import Sequence

from temporalio.runtime import PrometheusConfig

from commerce.settings import Settings

REQUEST_DURATION = "checkout_http_request_duration"

_CALLS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RUNS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600, 86_400)
_BUCKETS_S: dict[str, Sequence[float]] = {
    REQUEST_DURATION: _CALLS_S,
    "activity_execution_latency": _CALLS_S,
    "activity_schedule_to_start_latency": _CALLS_S,
    "local_activity_execution_latency": _CALLS_S,
    "long_request_latency": _CALLS_S,
    "request_latency": _CALLS_S,
    "workflow_endtoend_latency": _RUNS_S,
    "workflow_task_execution_latency": _CALLS_S,
    "workflow_task_schedule_to_start_latency": _CALLS_S,
}
"""The SDK's own buckets begin at 50 ms, in which most of our steps have long ended."""


def prometheus(settings: Settings) -> PrometheusConfig | None:
    """Where the metrics are; None when they are off."""
    if settings.metrics_port == 0:
        return None
    host = f"[{settings.metrics_host}]" if ":" in settings.metrics_host else settings.metrics_host
    return PrometheusConfig(
        bind_address=f"{host}:{settings.metrics_port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=_BUCKETS_S,
    )
