"""Gauges: what stands open in the store and at Temporal, looked at now and then by each worker."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.common import MetricMeter

from commerce.adapters.store.gauges import SqlGauges

SAMPLE_S = 15.0
WAITING = ("incident", "payment_review", "payment_pending")
"""The statuses in which a checkout waits for somebody."""

GAUGES = {
    "holds_open": ("checkout_holds_open", "Checkouts that have stock set aside"),
    "holds_overdue": ("checkout_holds_overdue", "Holds past their time"),
    "hold_overdue_s": ("checkout_hold_overdue_seconds", "How long the longest of them is"),
    "units_held": ("checkout_units_held", "Units set aside"),
    "payments_without_order": (
        "checkout_payments_without_order",
        "Payments claimed by checkouts that have no order",
    ),
    "payments_unsettled": (
        "checkout_payments_unsettled",
        "Payments that are neither taken nor given back",
    ),
    "orders_in_payment_review": (
        "checkout_orders_in_payment_review",
        "Orders whose money could not be taken",
    ),
    "events_unannounced": ("checkout_events_unannounced", "Orders not announced yet"),
    "event_unannounced_s": (
        "checkout_event_unannounced_seconds",
        "How long the oldest of them is waiting",
    ),
}
"""Of each gauge of the store, the metric and what it says."""

logger = logging.getLogger("checkout.gauges")


class Sampler:
    """Sets the gauges. What cannot be read is not a number, which max() over workers skips."""

    def __init__(self, meter: MetricMeter, store: SqlGauges, client: Client) -> None:
        self._store = store
        self._client = client
        self._gauges = {
            name: meter.create_gauge_float(metric, says) for name, (metric, says) in GAUGES.items()
        }
        self._waiting = meter.create_gauge_float(
            "checkout_runs_waiting", "Checkouts that wait for somebody, by status"
        )
        self._sampled_at = meter.create_gauge_float(
            "checkout_sampled_at_seconds", "When the gauges of a source were last read"
        )
        self._silent: set[str] = set()

    async def sample(self) -> None:
        """Look once; what fails is logged when it begins, and fails nothing else."""
        self._set_store(await self._unless_it_fails("store", self._read_store))
        waiting = await self._unless_it_fails("temporal", self._count_waiting)
        for status in WAITING:
            self._waiting.set(waiting.get(status, math.nan), {"status": status})

    async def _read_store(self) -> dict[str, float]:
        found = await asyncio.to_thread(self._store.read)
        return found.model_dump()

    def _set_store(self, found: Mapping[str, float]) -> None:
        for name, gauge in self._gauges.items():
            gauge.set(float(found.get(name, math.nan)))

    async def _count_waiting(self) -> dict[str, float]:
        counts: dict[str, float] = {}
        for status in WAITING:
            query = f"CheckoutStatus = '{status}' AND ExecutionStatus = 'Running'"
            counts[status] = (await self._client.count_workflows(query)).count
        return counts

    async def _unless_it_fails(
        self, source: str, read: Callable[[], Awaitable[dict[str, float]]]
    ) -> dict[str, float]:
        try:
            async with asyncio.timeout(SAMPLE_S):
                found = await read()
        except Exception:
            if source not in self._silent:
                logger.warning("the gauges of %s cannot be read", source, exc_info=True)
            self._silent.add(source)
            return {}
        self._silent.discard(source)
        self._sampled_at.set(time.time(), {"source": source})
        return found


@asynccontextmanager
async def sampled(sampler: Sampler | None, every_s: float = SAMPLE_S) -> AsyncGenerator[None]:
    """Sample again and again while the block runs."""
    if sampler is None:
        yield
        return

    async def for_ever() -> None:
        while True:
            await sampler.sample()
            await asyncio.sleep(every_s)

    task = asyncio.create_task(for_ever())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
