"""Whether the worker's memory grows: 20,000 orders, 20 at a time.

Run: ``python -m bench.soak [ORDERS] [--help]``. Memory is read every 500 orders, when nothing goes
on; nothing is cleaned up between. What counts is the worker's own memory (USS: the pages that it
shares with nobody), from the first 2,000 orders, which fill its caches, to the end.
"""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

import click
import psutil
from rich.console import Console

from bench.load import (
    audited,
    folder_of_pictures,
    keep,
    kept_busy,
    numbers,
    placed,
    progress,
    settled,
)
from bench.plots_day import plot_memory
from bench.stage import Kind, a_stage, carts, stock

LINES = 5
CONCURRENCY = 20
EVERY = 500
CACHES_FULL = 2000
TARGET = 0.05
MIB = 1024 * 1024
console = Console()


@dataclass(frozen=True)
class Memory:
    """Of the worker and of the GraphQL server beside it, which nobody asks anything.

    Attributes:
        orders: Placed until then.
        rss_mib: Resident, shared pages among them.
        uss_mib: Its own.
        server_mib: Resident, of the Temporal server.
        slowest_s: Of the orders since the reading before, what the slowest took.
    """

    orders: int
    rss_mib: float
    uss_mib: float
    threads: int
    server_mib: float
    slowest_s: float


async def measured(kind: Kind, orders: int, port: int) -> list[Memory]:
    """Memory at the start, and after every 500 orders."""
    found: list[Memory] = []
    async with a_stage(kind, port) as stage:
        worker = psutil.Process(stage.running.worker_pid)
        server = psutil.Process(stage.pids["Temporal server"])

        def read(placed_until_now: int, slowest_s: float) -> None:
            memory = worker.memory_full_info()
            found.append(
                Memory(
                    orders=placed_until_now,
                    rss_mib=memory.rss / MIB,
                    uss_mib=memory.uss / MIB,
                    threads=worker.num_threads(),
                    server_mib=server.memory_info().rss / MIB,
                    slowest_s=slowest_s,
                )
            )

        skus = stock(stage.store, LINES)
        read(0, 0)
        with progress(console) as bars:
            bar = bars.add_task(f"{kind}: {CONCURRENCY} at a time", total=orders)
            for start in range(0, orders, EVERY):
                count = min(EVERY, orders - start)
                made = await asyncio.to_thread(carts, stage.store, count, skus)
                seconds = await kept_busy(
                    partial(placed, stage), made, CONCURRENCY, lambda: bars.advance(bar)
                )
                await settled(stage)
                read(start + count, max(seconds))
        assert stage.running.worker_pid == worker.pid, "the worker was started again meanwhile"
        await audited(stage)
    return found


def growth(samples: Sequence[Memory]) -> float | None:
    """Of the worker's own memory since its caches were full; None when it is too short to say.

    By the straight line through the readings, which differ by a few MiB from one to the next.
    """
    since = [sample for sample in samples if sample.orders >= CACHES_FULL]
    if len(since) < 2:
        return None
    orders = [sample.orders for sample in since]
    slope, at_0 = statistics.linear_regression(orders, [sample.uss_mib for sample in since])
    return (slope * orders[-1] + at_0) / (slope * orders[0] + at_0) - 1


def _print(kind: Kind, samples: Sequence[Memory]) -> None:
    columns = (
        "orders",
        "own MiB",
        "resident MiB",
        "threads",
        "server MiB",
        "slowest s",
        "",
    )
    table = numbers(f"{kind}: the worker's memory", *columns)
    table.columns[-1].justify = "left"
    most = max(sample.uss_mib for sample in samples)
    for sample in samples:
        table.add_row(
            f"{sample.orders:,}",
            f"{sample.uss_mib:.1f}",
            f"{sample.rss_mib:.1f}",
            str(sample.threads),
            f"{sample.server_mib:.0f}",
            f"{sample.slowest_s:.1f}",
            "#" * round(14 * sample.uss_mib / most),
        )
    console.print(table)
    grown = growth(samples)
    if grown is None:
        console.print(f"too few orders to say how it grows after the first {CACHES_FULL:,}")
        return
    verdict = "within" if grown <= TARGET else "ABOVE"
    console.print(
        f"{kind}: {grown:+.1%} from {CACHES_FULL:,} to {samples[-1].orders:,} orders,"
        f" {verdict} the target of {TARGET:.0%}"
    )


@click.command(help=__doc__)
@click.argument("orders", default=20_000, type=click.IntRange(1))
@click.option(
    "--database",
    type=click.Choice(Kind, case_sensitive=False),
    default=Kind.SQLITE,
    show_default=True,
)
@click.option("--port", default=7610, type=click.IntRange(1024, 65_000), show_default=True)
@click.option("--publish", is_flag=True, help="The picture to docs/images.")
def main(orders: int, database: Kind, port: int, publish: bool) -> None:
    """Measure, print, and keep in ``.bench``."""
    pictures = folder_of_pictures(publish=publish)
    samples = asyncio.run(measured(database, orders, port))
    _print(database, samples)
    kept = {"samples": [asdict(sample) for sample in samples], "growth": growth(samples)}
    keep(f"soak-{database.lower()}", kept)
    curves = {
        "worker, its own": [(each.orders, each.uss_mib) for each in samples],
        "worker, resident": [(each.orders, each.rss_mib) for each in samples],
    }
    picture = pictures / f"load-soak-{database.lower()}.png"
    plot_memory(curves, f"The worker's memory, {database}", picture)


if __name__ == "__main__":
    main()
