"""Orders a second beyond one machine: what breaks first, and Temporal Cloud's bill.

Run: ``python -m bench.scaling [--help]``; the method is in docs/scaling.md.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table

from bench import scaling_model as model
from bench.compare import END, PUBLISHED, RESULTS, ROOT, START
from bench.contenders import Who
from bench.measure import CROWD
from bench.plots_scaling import COLUMNS, ORDERS, SEED, SWEEPS, Points, draw, point, sweep
from bench.report import between
from bench.scaling_inputs import (
    BENCH,
    LARGE,
    PROCESSES,
    SMALL,
    TURNS,
    Measured,
    costs_of,
    read_measured,
)

MANUAL = ROOT / "docs" / "scaling.md"
OURS = (Who.OFFLINE, Who.OFFLINE_HTTP, Who.ONLINE, Who.ONLINE_HTTP)
BILLED = (Who.OFFLINE, Who.ONLINE, Who.NAIVE_TUNED)
RUNGS = 6


# -- Temporal Cloud's bill ----------------------------------------------------------------------

TIERS = ((5, 50.0), (5, 45.0), (10, 40.0), (30, 35.0), (50, 30.0), (100, 25.0))
"""Millions of actions a month, and dollars for a million of them (docs/scaling.md)."""

RETAINED_GB_HOUR = 0.00105
FAIRNESS = 1.1
CLOUD_ACTIONS_PER_S = 500
"""Actions with fairness by those without; a namespace's limit that it never falls below."""


def actions_dollars(millions: float, flat: float | None = None) -> float:
    """Of a month's actions: by tiers, the last for all above; or each million for the same.

    Raises:
        ValueError: There are fewer than none.
    """
    if millions < 0:
        raise ValueError(f"{millions} million actions: there cannot be fewer than none")
    if flat is not None:
        return millions * flat
    dollars = 0.0
    for size, each in TIERS:
        dollars += min(millions, size) * each
        millions = max(0.0, millions - size)
    return dollars + millions * TIERS[-1][1]


def retained_dollars(millions: float, history_kib: float, days: float) -> float:
    """Of the histories of so many million orders, from their end until they are deleted."""
    return millions * 1e6 * history_kib * 1024 / 1e9 * days * 24 * RETAINED_GB_HOUR


# -- tables, and the command --------------------------------------------------------------------


class Shown(NamedTuple):
    """A table, for the terminal and for the manual."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """With its title as a heading."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join([f"### {self.title}", "", *(f"| {' | '.join(each)} |" for each in lines)])

    def print(self, console: Console) -> None:
        """On the terminal."""
        table = Table(*self.columns, title=self.title)
        for row in self.rows:
            table.add_row(*row)
        console.print(table)


def needs(measured: Mapping[Who, Measured]) -> Shown:
    """What an order needs of each part."""
    rows: list[list[str]] = []
    for who in OURS:
        each, costs = measured[who], costs_of(who, measured[who])
        held = [model.held_ms(costs, LARGE, row) for row in (model.NUMBER, model.STOCK)]
        ms = [f"{value:.1f}" for value in (*map(each.of, PROCESSES), *held, each.history_kib)]
        rows.append([who, *ms, str(costs.writes), f"{each.actions:g}"])
    columns = ("", *PROCESSES, "number locked, ms", "stock locked, ms", "history, KiB")
    return Shown("An order; CPU in ms", (*columns, "shard writes", "actions"), rows)


def against_the_bench(cores: int, measured: Mapping[Who, Measured]) -> Shown:
    """What is predicted for the machine of ``make bench``, beside what it measured."""
    rows: list[list[str]] = []
    at = BENCH.but(machine_cores=cores)
    for who in OURS:
        seen, costs = measured[who], costs_of(who, measured[who])
        played = model.Simulation(costs, at, ORDERS, SEED).closed(CROWD)
        rates = seen.per_second, model.ceilings(costs, at)[0].per_second, played.per_second
        cells = [*(f"{rate:.1f}" for rate in rates), f"{rates[2] / rates[0] - 1:+.0%}"]
        rows.append([who, *cells, f"{seen.p50_ms:.0f}", f"{played.p50_ms:.0f}"])
    columns = ("", "measured, orders/s", "closed form", "simulated", "error", "p50 measured, ms")
    return Shown("Against what was measured", (*columns, "p50 simulated, ms"), rows)


def breaking(name: str, kind: str, costs: model.Costs, at: model.Deployment) -> Shown:
    """What breaks first, and what next once there is twice as much of it."""
    rows: list[list[str]] = []
    for _ in range(RUNGS):
        part, per_second, field = model.ceilings(costs, at)[0]
        units: int = getattr(at, field)
        rows.append([part, f"{per_second:.0f}", f"{units} to {2 * units} {TURNS[field]}"])
        at = at.but(**{field: 2 * units})
    return Shown(f"{name}, {kind}", ("breaks first", "at orders/s", "turn"), rows)


def usual(costs: Mapping[str, model.Costs]) -> Shown:
    """What clusters do, and how long orders take well below what breaks."""
    clusters = {"small cluster": SMALL, "large cluster": LARGE}
    rows = [
        [name, kind, *point(0, each, at).cells]
        for name, at in clusters.items()
        for kind, each in costs.items()
    ]
    return Shown("What the clusters do as they are", ("", "", *COLUMNS), rows)


def swept(field: str, found: Points) -> Shown:
    """A sweep's points."""
    rows = [[f"{each.x:g}", name, *each.cells] for name, points in found.items() for each in points]
    return Shown(f"By {SWEEPS[field][0]}", (field, "", *COLUMNS), rows)


def bill(measured: Mapping[Who, Measured], flat: float | None, days: float) -> Shown:
    """Temporal Cloud's, of a million orders in one month."""
    rows: list[list[str]] = []
    for who in BILLED:
        each = measured[who]
        dollars = [actions_dollars(each.actions * times, flat) for times in (1, FAIRNESS)]
        kept = retained_dollars(1, each.history_kib, days)
        rows.append([who, f"{each.actions:g}", *(f"{of:,.2f}" for of in (*dollars, kept))])
        rows[-1].append(f"{CLOUD_ACTIONS_PER_S / each.actions:.0f}")
    columns = ("", "actions an order", "actions, $", "with fairness, $", f"kept {days:g} days, $")
    return Shown(
        "A million orders", (*columns, f"orders/s at {CLOUD_ACTIONS_PER_S} actions/s"), rows
    )


@click.command()
@click.option("--inputs", "file", type=click.Path(path_type=Path), help="Else .bench/bench.json.")
@click.option("--documented", is_flag=True, help="The figures of docs/performance.md, instead.")
@click.option("--dollars-per-million-actions", "flat", type=click.FloatRange(0), help="No tiers.")
@click.option("--retention-days", type=click.FloatRange(1, 90), default=30, show_default=True)
@click.option("--publish", is_flag=True, help="Into docs/scaling.md and docs/images.")
def main(
    file: Path | None, documented: bool, flat: float | None, retention_days: float, publish: bool
) -> None:
    """Orders a second against shards, workers and PostgreSQL; Temporal Cloud's bill. A minute."""
    kept = RESULTS / "bench.json"
    file = file or (kept if kept.exists() and not documented else PUBLISHED)
    try:
        cores, measured = read_measured(file)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    whos = {"offline": Who.OFFLINE_HTTP, "paid online": Who.ONLINE_HTTP}
    costs = {kind: costs_of(who, measured[who]) for kind, who in whos.items()}
    machines = {"One machine": BENCH.but(machine_cores=cores)}
    clusters = {**machines, "Small cluster": SMALL, "Large cluster": LARGE}
    shown = [needs(measured), against_the_bench(cores, measured)]
    shown += [breaking(name, k, c, at) for name, at in clusters.items() for k, c in costs.items()]
    shown += [usual(costs), bill(measured, flat, retention_days)]
    console = Console(width=None if sys.stdout.isatty() else 160)
    for each in shown:
        each.print(console)
    folder = MANUAL.parent / "images" if publish else RESULTS
    folder.mkdir(exist_ok=True)
    for field in SWEEPS:
        found = sweep(costs["offline"], field)
        swept(field, found).print(console)
        draw(costs["offline"], field, found, folder / f"scaling-{field.replace('_', '-')}.png")
    if publish:
        text = "\n\n".join(each.markdown() for each in shown) + "\n"
        MANUAL.write_text(between(MANUAL.read_text(), START, END, text))


if __name__ == "__main__":
    main()
