"""What offers load: by a schedule that waits for no answer, or as fast as answers come."""

import asyncio
import json
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.probes import cpu_seconds
from bench.stage import Stage
from cli.money import differences
from client import OrderPlaced, Pending

RESULTS = Path(".bench")
IMAGES = Path("docs/images")
SATURATED_SHARE = 0.9
SATURATED_P95_MS = 2000.0
KNEE_RATIO = 2.0
SETTLED_S = 120
POLL_S = 0.1
PATIENCE = timedelta(seconds=300)


@dataclass(frozen=True)
class Sample:
    """One answer.

    Attributes:
        seconds: From when the call was due, sent late or not, to its answer.
        late_s: How long after it was due the caller sent it.
        ordered: With an order; else with a refusal.
    """

    seconds: float
    late_s: float
    ordered: bool


@dataclass(frozen=True)
class Rung:
    """What came of one offered load.

    Attributes:
        offered: Orders asked for a second.
        achieved: Answers a second, until the last one.
        late_p99_ms: How late the caller itself was: above a few milliseconds, its own CPU is short.
        busy: Share of the machine's CPU in use meanwhile, whoever used it.
        cpu_ms: CPU milliseconds an answer, by process.
    """

    offered: float
    calls: int
    orders: int
    refused: int
    achieved: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    late_p99_ms: float
    busy: float
    cpu_ms: Mapping[str, float]

    @property
    def is_saturated(self) -> bool:
        """Answers do not keep up with what is asked, or take too long for a shopper."""
        return self.achieved < SATURATED_SHARE * self.offered or self.p95_ms > SATURATED_P95_MS


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed.

    Args:
        values: At least one, in any order.
        share: Above 0, at most 1.
    """
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def arrivals(count: int, per_s: float, seed: int) -> list[float]:
    """When each call is due, in seconds: at random, as shoppers come who know nothing of others.

    The gaps are exponential, scaled so that exactly ``count / per_s`` seconds are filled.
    """
    chance = random.Random(seed)
    gaps = [chance.expovariate(1.0) for _ in range(count)]
    scale = count / per_s / sum(gaps)
    due, at = list[float](), 0.0
    for gap in gaps:
        at += gap * scale
        due.append(at)
    return due


def knee(rungs: Sequence[Rung]) -> Rung | None:
    """The highest load before the p95 first doubles, or before answers stop keeping up.

    Args:
        rungs: By rising load; the first is what the others are compared with.

    Returns:
        None when even the first does not keep up.
    """
    found: Rung | None = None
    for rung in rungs:
        if rung.is_saturated or rung.p95_ms > KNEE_RATIO * rungs[0].p95_ms:
            break
        found = rung
    return found


async def offered(
    calls: Sequence[Callable[[], Awaitable[bool]]],
    due: Sequence[float],
    done: Callable[[], None] = lambda: None,
) -> list[Sample]:
    """Make each call when it is due, whatever became of those before it (an open loop).

    Args:
        calls: Each answers whether it was an order.
        due: Seconds from now, one a call, rising.
        done: Told of each answer.

    Returns:
        One a call, in their order.
    """
    start = time.perf_counter()

    async def one(call: Callable[[], Awaitable[bool]], at: float) -> Sample:
        late_s = time.perf_counter() - at
        ordered = await call()
        done()
        return Sample(time.perf_counter() - at, late_s, ordered)

    sent: list[asyncio.Task[Sample]] = []
    async with asyncio.TaskGroup() as group:
        for call, at in zip(calls, due, strict=True):
            await asyncio.sleep(start + at - time.perf_counter())
            sent.append(group.create_task(one(call, start + at)))
    return [task.result() for task in sent]


async def kept_busy(
    call: Callable[[str], Awaitable[None]],
    items: Sequence[str],
    concurrency: int,
    done: Callable[[], None] = lambda: None,
) -> list[float]:
    """Call with each item, so many at a time (a closed loop); the seconds of each."""
    left: Iterator[str] = iter(items)
    seconds: list[float] = []

    async def caller() -> None:
        for item in left:
            started = time.perf_counter()
            await call(item)
            seconds.append(time.perf_counter() - started)
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(caller())
    return seconds


async def placed(stage: Stage, cart_id: str) -> None:
    """Order a cart that nothing is wrong with, however long it takes."""
    answer = await stage.checkout.place_order(cart_id)
    if isinstance(answer, Pending):
        answer = await answer.wait(PATIENCE)
    assert isinstance(answer, OrderPlaced), answer


async def settled(stage: Stage) -> None:
    """Wait until nothing goes on after the answers: captures, announcements.

    Raises:
        SystemExit: It does not end.
    """
    deadline = time.monotonic() + SETTLED_S
    while True:
        gauges = await asyncio.to_thread(stage.store.gauges.read)
        if not gauges.holds_open + gauges.payments_unsettled + gauges.events_unannounced:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{stage.kind}: not settled in {SETTLED_S} s: {gauges}")
        await asyncio.sleep(POLL_S)


async def audited(stage: Stage, *, ledger: bool = True) -> None:
    """Wait until nothing goes on any more, and check every rule about orders, stock and money.

    Args:
        ledger: Hold the orders against the gateway's; it knows nothing of orders made up.

    Raises:
        SystemExit: One is broken.
    """
    await settled(stage)
    report = await asyncio.to_thread(stage.store.audit.run)
    broken = [f"{each.rule}: {', '.join(each.examples)}" for each in report.violations]
    if ledger:
        paid = await asyncio.to_thread(stage.store.audit.paid_orders)
        broken += differences(await stage.gateway.ledger(), paid)
    if broken:
        raise SystemExit(f"{stage.kind}: the audit is not clean: {'; '.join(broken[:5])}")


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds used until now: by processes with their children, and by the caller."""
    return {**cpu_seconds(pids), "caller": time.process_time()}


def cpu_ms_each(
    before: Mapping[str, float], after: Mapping[str, float], n: int
) -> dict[str, float]:
    """CPU milliseconds between two readings for each of ``n`` things, by process."""
    return {name: (after[name] - before[name]) * 1000 / n for name in after}


def progress(console: Console) -> Progress:
    """A bar a task."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def numbers(title: str, *names: str) -> Table:
    """A table of numbers, narrow enough for 80 columns."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    for name in names:
        table.add_column(name, justify="right")
    return table


def folder_of_pictures(*, publish: bool) -> Path:
    """Where pictures go: beside the results, or among those of the manual.

    Raises:
        UsageError: There is no manual here.
    """
    if publish and not IMAGES.is_dir():
        raise click.UsageError(f"--publish: there is no {IMAGES} here")
    RESULTS.mkdir(exist_ok=True)
    return IMAGES if publish else RESULTS


def keep(name: str, result: Mapping[str, Any]) -> Path:
    """Write a result as JSON; where."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    return file
