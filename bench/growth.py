"""What growth costs: longer baskets, more orders in the store, more workers."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import psutil
from rich.console import Console

from bench.fill import fill, templates, tidy
from bench.load import (
    audited,
    cpu_ms_each,
    cpu_s,
    keep,
    kept_busy,
    numbers,
    percentile,
    placed,
    progress,
    settled,
)
from bench.stage import Kind, Stage, a_stage, carts, stock
from cli.ports import free_ports

LINES = (1, 5, 20, 80, 161)
BLOCK = 5
"""Orders in a row; then it is another's turn, so that whatever slows the machine hits all."""

USUAL_LINES = 5
WARM_UP = 20
TEMPLATES = 50
TARGET = 1.15
SECOND_PORT = 40
MOST_WORKERS = 4
CONCURRENCY = 40
READY_S = 60
READY_POLL_S = 0.2


@dataclass
class _Cost:
    """Of the orders of one kind, one at a time.

    Attributes:
        cpu_s: Of all processes, the caller's among them.
    """

    seconds: list[float] = field(default_factory=list[float])
    cpu_s: float = 0.0

    @property
    def p50_ms(self) -> float:
        return percentile(self.seconds, 0.5) * 1000

    @property
    def p95_ms(self) -> float:
        return percentile(self.seconds, 0.95) * 1000

    @property
    def cpu_ms(self) -> float:
        return self.cpu_s * 1000 / len(self.seconds)

    @property
    def kept(self) -> dict[str, float]:
        """As it is written down."""
        return {
            "orders": len(self.seconds),
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "cpu_ms": self.cpu_ms,
        }

    async def block(self, stage: Stage, cart_ids: Sequence[str]) -> None:
        """Order these, and count what it took until nothing goes on any more."""
        before = cpu_s(stage.pids)
        self.seconds += await kept_busy(partial(placed, stage), cart_ids, 1)
        await settled(stage)
        after = cpu_s(stage.pids)
        self.cpu_s += sum(after.values()) - sum(before.values())


async def _warm(stage: Stage, skus: list[str]) -> None:
    await kept_busy(partial(placed, stage), carts(stage.store, WARM_UP, skus), 1)


# -- longer baskets -----------------------------------------------------------------------------


async def lines(
    console: Console, kind: Kind, blocks: int, port: int
) -> dict[int, tuple[float, float]]:
    """p50 and CPU milliseconds an order, by the lines of its basket."""
    costs = {count: _Cost() for count in LINES}
    async with a_stage(kind, port) as stage:
        skus = stock(stage.store, max(LINES))
        await _warm(stage, skus[:USUAL_LINES])
        with progress(console) as bars:
            bar = bars.add_task(f"{kind}: longer baskets", total=blocks)
            for _ in range(blocks):
                for count, cost in costs.items():
                    await cost.block(stage, carts(stage.store, BLOCK, skus[:count]))
                bars.advance(bar)
        await audited(stage)
    columns = ("lines", "orders", "p50 ms", "p95 ms", "CPU ms", "CPU ms a line more")
    table = numbers(f"{kind}: an order as its basket grows", *columns)
    least = costs[LINES[0]]
    for count, cost in costs.items():
        more = (cost.cpu_ms - least.cpu_ms) / (count - 1) if count > 1 else 0.0
        cells = [f"{ms:.0f}" for ms in (cost.p50_ms, cost.p95_ms, cost.cpu_ms)]
        table.add_row(str(count), str(len(cost.seconds)), *cells, f"{more:.2f}")
    console.print(table)
    keep(f"lines-{kind.lower()}", {str(count): cost.kept for count, cost in costs.items()})
    return {count: (cost.p50_ms, cost.cpu_ms) for count, cost in costs.items()}


# -- more orders in the store -------------------------------------------------------------------


async def stored(console: Console, kind: Kind, count: int, blocks: int, port: int) -> None:
    """An order in a store with many orders against one in a store with few, by turns.

    Only the stores differ: Temporal's own database is as small on both sides.
    """
    async with a_stage(kind, port) as small, a_stage(kind, port + SECOND_PORT) as large:
        skus = stock(small.store, TEMPLATES * USUAL_LINES)
        stock(large.store, len(skus))
        for stage in (small, large):
            await _warm(stage, skus[:USUAL_LINES])
        before = await _by_turns(console, small, large, skus[:USUAL_LINES], blocks)
        baskets = [skus[start : start + USUAL_LINES] for start in range(0, len(skus), USUAL_LINES)]
        made = await templates(large, baskets)
        with progress(console) as bars:
            bar = bars.add_task(f"{kind}: storing orders", total=count)
            await asyncio.to_thread(fill, large, made, count, partial(bars.advance, bar))
        with console.status(f"{kind}: auditing {count} orders"):
            await asyncio.to_thread(tidy, large)
            await audited(large, ledger=False)
        after = await _by_turns(console, small, large, skus[:USUAL_LINES], blocks)
        report = await asyncio.to_thread(large.store.audit.run)
    columns = ("", "few: p50 ms", "many: p50 ms", "ratio", "few: CPU", "many: CPU")
    table = numbers(f"{kind}: an order as stored orders grow; CPU: ms an order", *columns)
    kept: dict[str, Any] = {"stored": report.counts["orders"]}
    for name, (few, many) in (("both small", before), (f"{count:,} more in one", after)):
        ratio = many.p50_ms / few.p50_ms
        times = (f"{few.p50_ms:.1f}", f"{many.p50_ms:.1f}", f"{ratio:.3f}")
        table.add_row(name, *times, f"{few.cpu_ms:.1f}", f"{many.cpu_ms:.1f}")
        kept[name] = {"few": few.kept, "many": many.kept, "p50_ratio": ratio}
    console.print(table)
    console.print(f"the target: a p50 of at most {TARGET} times that of few, with {count:,} stored")
    keep(f"stored-{kind.lower()}", kept)


async def _by_turns(
    console: Console, small: Stage, large: Stage, skus: list[str], blocks: int
) -> tuple[_Cost, _Cost]:
    turns = [(small, _Cost()), (large, _Cost())]
    with progress(console) as bars:
        bar = bars.add_task(f"{small.kind}: by turns", total=blocks)
        for n in range(blocks):
            for stage, cost in turns if n % 2 else reversed(turns):
                await cost.block(stage, carts(stage.store, BLOCK, skus))
            bars.advance(bar)
    return turns[0][1], turns[1][1]


# -- more workers -------------------------------------------------------------------------------


async def workers(console: Console, kind: Kind, blocks: int, port: int) -> None:
    """Orders a second, 40 at a time, by one to four worker processes, and by one again."""
    orders = blocks * CONCURRENCY // 2
    title = f"{kind}: {CONCURRENCY} orders at a time; CPU: ms an order"
    columns = ("workers", "orders/s", "p50 ms", "p95 ms", "busy", "CPU", "of workers")
    table = numbers(title, *columns)
    kept: list[dict[str, Any]] = []
    async with a_stage(kind, port) as stage:
        skus = stock(stage.store, USUAL_LINES)
        await _warm(stage, skus)

        async def measure(pids: Mapping[str, int], count: int) -> None:
            made = await asyncio.to_thread(carts, stage.store, orders + CONCURRENCY, skus)
            await kept_busy(partial(placed, stage), made[:CONCURRENCY], CONCURRENCY)
            await settled(stage)
            psutil.cpu_percent()
            before = cpu_s(pids)
            with progress(console) as bars:
                bar = bars.add_task(f"{kind}: {count} workers", total=orders)
                loop = asyncio.get_running_loop()
                started = loop.time()
                seconds = await kept_busy(
                    partial(placed, stage),
                    made[CONCURRENCY:],
                    CONCURRENCY,
                    lambda: bars.advance(bar),
                )
                per_s = orders / (loop.time() - started)
            busy = psutil.cpu_percent() / 100
            await settled(stage)
            after = cpu_s(pids)
            cpu_ms = cpu_ms_each(before, after, orders)
            p50_ms, p95_ms = (percentile(seconds, share) * 1000 for share in (0.5, 0.95))
            cells = (f"{per_s:.1f}", f"{p50_ms:.0f}", f"{p95_ms:.0f}", f"{busy:.0%}")
            of_workers = sum(ms for name, ms in cpu_ms.items() if name.startswith("worker"))
            table.add_row(str(count), *cells, f"{sum(cpu_ms.values()):.0f}", f"{of_workers:.0f}")
            kept.append(
                {
                    "workers": count,
                    "per_s": per_s,
                    "p50_ms": p50_ms,
                    "p95_ms": p95_ms,
                    "busy": busy,
                    "cpu_ms": cpu_ms,
                }
            )

        await measure(stage.pids, 1)
        async with AsyncExitStack() as stack:
            pids = dict(stage.pids)
            for count in range(2, MOST_WORKERS + 1):
                pids[f"worker {count}"] = await stack.enter_async_context(_one_more(stage, count))
                await measure(pids, count)
        await measure(stage.pids, 1)
        await audited(stage)
    console.print(table)
    console.print(f"the machine has {os.cpu_count()} CPUs, for everything together")
    keep(f"workers-{kind.lower()}", {"cpus": os.cpu_count(), "measured": kept})


@asynccontextmanager
async def _one_more(stage: Stage, n: int) -> AsyncGenerator[int]:
    """Another worker process like the one that runs; its process id, once it is ready."""
    health, metrics = free_ports(2)
    environment = {
        **psutil.Process(stage.running.worker_pid).environ(),
        "CHECKOUT_HEALTH_PORT": str(health),
        "CHECKOUT_METRICS_PORT": str(metrics),
    }
    with (stage.data_dir / f"worker-{n}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "worker"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(READY_S):
            while not await _is_ready(stage.http, f"http://127.0.0.1:{health}/health/ready"):
                if process.returncode is not None:
                    raise SystemExit(f"worker {n} did not start: status {process.returncode}")
                await asyncio.sleep(READY_POLL_S)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.TransportError:
        return False
