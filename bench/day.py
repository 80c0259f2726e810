"""The real day under load: its baskets from real time to saturation, and what growth costs.

Run: ``python -m bench.day [--help]``. The 616 baskets of ``cli/demo_data`` come whole, as orders
to be placed (the demo's faults are left out): a third paid at the gateway, and the hot products
with stock for four fifths of the demand. Carts are filled beforehand; callers, workers and servers
share the machine.
"""

import asyncio
import csv
import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from importlib import resources
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console

from bench import growth
from bench.load import (
    KNEE_RATIO,
    PATIENCE,
    Rung,
    arrivals,
    audited,
    cpu_ms_each,
    cpu_s,
    folder_of_pictures,
    keep,
    knee,
    numbers,
    offered,
    percentile,
    progress,
    settled,
)
from bench.plots_day import plot_lines, plot_load
from bench.stage import Kind, Stage, a_stage, pay
from cli.demo_day import OPEN_STORE, TAX_RATES, read_day, read_products
from client import OrderPlaced, Pending, Refused, Shopper
from commerce.domain.carts import Cart, CartLine

LOADS = (2, 5, 10, 15, 20, 25, 30, 40)
RUNG_S = 120
FEWEST = 20
"""Orders of a load, even if they take longer than they should."""

WARM_UP = 40
SEED = 20171224
HOUR_S = 3600.0
GROWTH = ("lines", "stored", "workers")
console = Console()


@dataclass(frozen=True)
class Basket:
    """What somebody bought that day.

    Attributes:
        placed_at_s: Seconds since the epoch.
    """

    placed_at_s: float
    lines: tuple[CartLine, ...]


def read_baskets() -> list[Basket]:
    """The day's baskets, in their order."""
    text = (resources.files("cli") / "demo_data" / "baskets.csv").read_text("utf-8")
    table = csv.DictReader(text.splitlines())
    found = [[*rows] for _, rows in groupby(table, lambda row: row["basket_id"])]
    return [
        Basket(
            placed_at_s=datetime.fromisoformat(f"{rows[0]['placed_at']}+00:00").timestamp(),
            lines=tuple(CartLine(sku=row["sku"], quantity=int(row["quantity"])) for row in rows),
        )
        for rows in found
    ]


def busiest(baskets: Sequence[Basket], seconds: float) -> list[Basket]:
    """The baskets of so long a while as had the most of them."""

    def began(first: Basket) -> list[Basket]:
        since = first.placed_at_s
        return [each for each in baskets if since <= each.placed_at_s < since + seconds]

    return max(map(began, baskets), key=len)


# -- shoppers -----------------------------------------------------------------------------------


async def _shoppers(stage: Stage, baskets: Sequence[Basket]) -> list[Callable[[], Awaitable[bool]]]:
    """Fill a new cart for each basket; who then orders it."""
    known = [each.cart for each in read_day() if each.expected is None and not each.twice]
    carts = [
        known[n % len(known)].model_copy(
            update={"id": secrets.token_hex(16), "lines": basket.lines}
        )
        for n, basket in enumerate(baskets)
    ]
    with console.status(f"{stage.kind}: filling {len(carts)} carts"):
        for start in range(0, len(carts), 200):
            await asyncio.to_thread(stage.store.carts.save, *carts[start : start + 200])
        payments = [await pay(stage, each.id) if n % 3 == 1 else "" for n, each in enumerate(carts)]
    return [
        partial(_order, stage, cart, payment_id)
        for cart, payment_id in zip(carts, payments, strict=True)
    ]


async def _order(stage: Stage, cart: Cart, payment_id: str) -> bool:
    """Check out until there is an answer; False when the stock had run out."""
    shopper = Shopper(customer_id=cart.customer_id)
    if payment_id:
        answer = await stage.checkout.complete_order(cart.id, payment_id, shopper=shopper)
    else:
        answer = await stage.checkout.place_order(cart.id, shopper=shopper)
    if isinstance(answer, Pending):
        answer = await answer.wait(PATIENCE)
    if isinstance(answer, OrderPlaced):
        return True
    assert isinstance(answer, Refused), answer
    assert answer.shortage, answer
    return False


# -- load ---------------------------------------------------------------------------------------


async def _rung(
    stage: Stage, baskets: Sequence[Basket], due: Sequence[float], per_s: float
) -> Rung:
    """Offer the baskets when they are due, on full shelves, and audit what came of it."""
    with console.status(f"{stage.kind}: filling the shelves"):
        await asyncio.to_thread(stage.store.catalog.put, read_products())
    calls = await _shoppers(stage, baskets)
    psutil.cpu_percent()
    before = cpu_s(stage.pids)
    with progress(console) as bars:
        bar = bars.add_task(f"{stage.kind}: {per_s:.3g} orders/s", total=len(calls))
        samples = await offered(calls, due, lambda: bars.advance(bar))
    busy = psutil.cpu_percent() / 100
    await settled(stage)
    after = cpu_s(stage.pids)
    with console.status(f"{stage.kind}: auditing"):
        await audited(stage)
    seconds = [sample.seconds for sample in samples]
    last_s = max(at + each.seconds for at, each in zip(due, samples, strict=True))
    return Rung(
        offered=per_s,
        calls=len(samples),
        orders=sum(sample.ordered for sample in samples),
        refused=sum(not sample.ordered for sample in samples),
        achieved=len(samples) / last_s,
        p50_ms=percentile(seconds, 0.5) * 1000,
        p95_ms=percentile(seconds, 0.95) * 1000,
        p99_ms=percentile(seconds, 0.99) * 1000,
        late_p99_ms=percentile([sample.late_s for sample in samples], 0.99) * 1000,
        busy=busy,
        cpu_ms=cpu_ms_each(before, after, len(samples)),
    )


async def _climb(kind: Kind, loads: Sequence[float], rung_s: float, port: int) -> list[Rung]:
    """Real time first, then each load until one is too much."""
    baskets = read_baskets()
    async with a_stage(kind, port) as stage:
        stage.store.stores.add(OPEN_STORE)
        for rate in TAX_RATES:
            stage.store.stores.set_tax_rate(OPEN_STORE.code, rate)
        await _rung(stage, baskets[:WARM_UP], arrivals(WARM_UP, 5, SEED), 5)
        real = busiest(baskets, rung_s)
        due = [each.placed_at_s - real[0].placed_at_s for each in real]
        rungs = [await _rung(stage, real, due, len(real) / rung_s)]
        for load in loads:
            count = min(len(baskets), max(round(load * rung_s), FEWEST))
            spread = [baskets[n * len(baskets) // count] for n in range(count)]
            rungs.append(await _rung(stage, spread, arrivals(count, load, SEED), load))
            if rungs[-1].is_saturated:
                break
    return rungs


def _print_load(kind: Kind, rungs: Sequence[Rung], peak_per_s: float) -> None:
    title = (
        f"{kind}: orders/s; refused as out of stock; ms until answered;"
        " ms that the caller was late; CPU ms an answer; the machine's CPU in use"
    )
    columns = ("offered", "x real", "done", "orders", "short", "p50", "p95", "p99")
    table = numbers(title, *columns, "late", "CPU", "busy", "")
    found = knee(rungs[1:])
    for n, rung in enumerate(rungs):
        mark = "knee" if rung is found else "too much" if rung.is_saturated else ""
        table.add_row(
            f"{rung.offered:.3g}",
            f"{rung.offered / peak_per_s:,.0f}",
            f"{rung.achieved:.3g}",
            *(str(rung.orders), str(rung.refused)),
            *(f"{ms:,.0f}" for ms in (rung.p50_ms, rung.p95_ms, rung.p99_ms, rung.late_p99_ms)),
            f"{sum(rung.cpu_ms.values()):.0f}",
            f"{rung.busy:.0%}",
            mark if n else "real time",
        )
    console.print(table)
    if found:
        console.print(
            f"{kind}: the knee is at {found.offered:g} orders/s, {found.offered / peak_per_s:,.0f}"
            f" times the day's busiest hour: up to there answers keep up, and the p95 stays within"
            f" {KNEE_RATIO:g} times that at {rungs[1].offered:g}/s"
        )
    else:
        console.print(f"{kind}: even {rungs[1].offered:g} orders/s are too much: no knee")


def _load(
    kinds: Sequence[Kind], loads: Sequence[float], rung_s: float, port: int, pictures: Path
) -> None:
    peak_per_s = len(busiest(read_baskets(), HOUR_S)) / HOUR_S
    ladders: dict[str, list[Rung]] = {}
    for kind in kinds:
        ladders[kind] = asyncio.run(_climb(kind, loads, rung_s, port))
        _print_load(kind, ladders[kind], peak_per_s)
    kept: dict[str, Any] = {
        kind: {
            "rungs": [asdict(rung) for rung in rungs],
            "knee": found.offered if (found := knee(rungs[1:])) else None,
        }
        for kind, rungs in ladders.items()
    }
    keep("load", {"peak_per_s": peak_per_s, "seed": SEED, "by_database": kept})
    plot_load({kind: rungs[1:] for kind, rungs in ladders.items()}, pictures / "load-latency.png")


# -- the command --------------------------------------------------------------------------------


def _rising(_context: object, _parameter: object, text: str) -> tuple[float, ...]:
    """Positive numbers, rising."""
    try:
        loads = tuple(float(each) for each in text.split(","))
    except ValueError:
        raise click.BadParameter("numbers are wanted, comma separated") from None
    if not all(map(math.isfinite, loads)) or any(b <= a for a, b in pairwise((0.0, *loads))):
        raise click.BadParameter("each must be above the one before it, and above zero")
    return loads


@click.command(help=__doc__)
@click.option("--only", "parts", multiple=True, type=click.Choice(["load", "growth", *GROWTH]))
@click.option(
    "--database", type=click.Choice(Kind, case_sensitive=False), help="Both, if not given."
)
@click.option("--loads", callback=_rising, default=",".join(map(str, LOADS)), show_default=True)
@click.option(
    "--seconds", default=RUNG_S, type=click.IntRange(1), show_default=True, help="At most, a load."
)
@click.option(
    "--blocks",
    default=20,
    type=click.IntRange(1),
    show_default=True,
    help="Of growth: 5 orders by turns.",
)
@click.option(
    "--stored", default=200_000, type=click.IntRange(100), show_default=True, help="Orders."
)
@click.option("--port", default=7610, type=click.IntRange(1024, 65_000), show_default=True)
@click.option("--publish", is_flag=True, help="Pictures to docs/images.")
def main(
    parts: tuple[str, ...],
    database: Kind | None,
    loads: tuple[float, ...],
    seconds: int,
    blocks: int,
    stored: int,
    port: int,
    publish: bool,
) -> None:
    """Measure, print, and keep in ``.bench``."""
    kinds = [database] if database else list(Kind)
    wanted = {*parts, *(GROWTH if not parts or "growth" in parts else ())}
    pictures = folder_of_pictures(publish=publish)
    if "load" in wanted or not parts:
        _load(kinds, loads, seconds, port, pictures)
    if "lines" in wanted:
        costs = {
            str(kind): asyncio.run(growth.lines(console, kind, blocks, port)) for kind in kinds
        }
        plot_lines(costs, pictures / "load-lines.png")
    for kind in kinds:
        if "stored" in wanted:
            asyncio.run(growth.stored(console, kind, stored, blocks, port))
        if "workers" in wanted:
            asyncio.run(growth.workers(console, kind, blocks, port))


if __name__ == "__main__":
    main()
