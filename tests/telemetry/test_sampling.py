"""Do gauges say so when they cannot be read, and does nothing else suffer?"""

import logging
import math
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionCount
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from commerce.adapters.store.gauges import StoreGauges
from commerce.adapters.telemetry.sampling import GAUGES, WAITING, Sampler

FOUND = StoreGauges.model_validate({name: n for n, name in enumerate(StoreGauges.model_fields)})


@dataclass
class Source:
    """The store and Temporal, as long as they answer."""

    answers: bool = True

    def read(self) -> StoreGauges:
        if not self.answers:
            raise OSError("away")
        return FOUND

    async def count_workflows(self, _query: str) -> WorkflowExecutionCount:
        if not self.answers:
            raise OSError("away")
        return WorkflowExecutionCount(count=3, groups=[])


def last_values(buffer: MetricBuffer) -> dict[str, float]:
    """The last value of each gauge, by its name and label."""
    return {
        " ".join([each.metric.name, *map(str, each.attributes.values())]): each.value
        for each in buffer.retrieve_updates()
    }


async def test_what_cannot_be_read_is_no_number_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    buffer = MetricBuffer(1_000)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer, attach_service_name=False))
    store, temporal = Source(), Source()
    clients: Any = (store, temporal)
    sampler = Sampler(runtime.metric_meter, *clients)
    await sampler.sample()
    read = last_values(buffer)
    waiting = {f"checkout_runs_waiting {status}" for status in WAITING}
    gauges = {metric: float(getattr(FOUND, name)) for name, (metric, _) in GAUGES.items()}
    assert {name: read[name] for name in gauges} == gauges
    assert {read[name] for name in waiting} == {3}
    assert {name for name in read if "sampled_at" in name} == {
        "checkout_sampled_at_seconds store",
        "checkout_sampled_at_seconds temporal",
    }
    with caplog.at_level(logging.WARNING):
        store.answers = False
        await sampler.sample()
        await sampler.sample()
    read = last_values(buffer)
    assert all(math.isnan(read[name]) for name in gauges)
    assert {read[name] for name in waiting} == {3}
    assert "checkout_sampled_at_seconds store" not in read
    assert [each.getMessage() for each in caplog.records] == ["the gauges of store cannot be read"]
    store.answers, temporal.answers = True, False
    await sampler.sample()
    read = last_values(buffer)
    assert {name: read[name] for name in gauges} == gauges
    assert all(math.isnan(read[name]) for name in waiting)


def test_every_gauge_of_the_store_is_a_metric() -> None:
    assert GAUGES.keys() == StoreGauges.model_fields.keys()
