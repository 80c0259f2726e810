"""What is shown of scaling: tables, pictures, Temporal Cloud's bill, and the command itself."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
from matplotlib.figure import Figure
from pydantic import AliasPath, BaseModel, Field, NonNegativeFloat, PositiveFloat, ValidationError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import scaling
from bench.compare import END, RESULTS, ROOT, START
from bench.contenders import DATABASE, SERVER, WORKER, Who
from bench.measure import CROWD
from bench.report import between

MANUAL = ROOT / "docs" / "scaling.md"
GRAPHQL = "GraphQL server"
SEED, ORDERS, RUNGS = 7, 800, 6
BUSY = 0.7  # of what it can do, when its latencies are taken


# -- what was measured --------------------------------------------------------------------------


class Measured(BaseModel, frozen=True, populate_by_name=True):
    """A contender of ``make bench`` on PostgreSQL, with everything on one machine.

    Attributes:
        cpu_ms: An order, by process, 20 at a time.
        per_second: Orders answered, 20 at a time.
        p50_ms: The same callers' wait.
    """

    cpu_ms: dict[str, NonNegativeFloat] = Field(validation_alias="cpu_by_process_ms")
    per_second: PositiveFloat = Field(validation_alias=AliasPath("per_second", "median"))
    p50_ms: PositiveFloat = Field(validation_alias=AliasPath("crowd_p50_ms", "median"))
    actions: PositiveFloat
    history_kib: PositiveFloat

    def of(self, *processes: str) -> float:
        """CPU milliseconds of some processes."""
        return sum(self.cpu_ms.get(name, 0.0) for name in processes)


class _Stage(BaseModel):
    database: str
    figures: dict[Who, Measured]


class _Bench(BaseModel):
    cores: int = Field(gt=0, validation_alias=AliasPath("machine", "cores"))
    stages: list[_Stage]


OURS = (Who.OFFLINE, Who.OFFLINE_HTTP, Who.ONLINE, Who.ONLINE_HTTP)
BILLED = (Who.OFFLINE, Who.ONLINE, Who.NAIVE_TUNED)
_PROCESSES = (SERVER, WORKER, "client", GRAPHQL, "sandbox gateway", DATABASE)


def _documented(cpu_ms: Sequence[float], *others: float) -> Measured:
    by_process: dict[str, float] = dict(zip(_PROCESSES, cpu_ms, strict=True))
    names = ("per_second", "p50_ms", "actions", "history_kib")
    return Measured(cpu_ms=by_process, **dict(zip(names, others, strict=True)))


DOCUMENTED: Mapping[Who, Measured] = {
    Who.OFFLINE: _documented((23.8, 31.3, 2.9, 0, 0.3, 8.3), 24.2, 751, 4, 4.6),
    Who.OFFLINE_HTTP: _documented((23.5, 34.2, 3.1, 9.7, 0, 9.3), 20.9, 946, 4, 4.6),
    Who.ONLINE: _documented((55.5, 68.0, 2.8, 14.3, 10.2, 14.7), 11.9, 1438, 7, 7.6),
    Who.ONLINE_HTTP: _documented((49.0, 59.8, 3.7, 22.0, 9.3, 15.2), 12.5, 1432, 7, 7.6),
    Who.NAIVE_TUNED: _documented((75.3, 67.3, 2.7, 0, 0, 10.3), 12.3, 1605, 7, 7.5),
}
DOCUMENTED_CORES = 2
"""The figures of docs/performance.md for PostgreSQL, and the machine they are from."""


def read_measured(file: Path) -> tuple[int, dict[Who, Measured]]:
    """The cores of the machine, and each contender, of a ``bench.json``.

    Raises:
        ValueError: It is not one, or has nothing measured on PostgreSQL.
    """
    try:
        bench = _Bench.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{file}: not of make bench: {where}: {first['msg']}") from None
    for stage in bench.stages:
        if stage.database == DATABASE and DOCUMENTED.keys() <= stage.figures.keys():
            return bench.cores, {who: stage.figures[who] for who in DOCUMENTED}
    raise ValueError(f"{file}: not every contender was measured on {DATABASE}")


def costs_of(who: Who, measured: Measured) -> scaling.Costs:
    """Of a contender's orders; GraphQL's server calls Temporal for those over HTTP."""
    caller = GRAPHQL if who in (Who.OFFLINE_HTTP, Who.ONLINE_HTTP) else "client"
    return scaling.Costs(
        server_ms=measured.of(SERVER),
        worker_ms=measured.of(WORKER),
        caller_ms=measured.of(caller),
        database_ms=measured.of(DATABASE),
        others_ms=measured.of(*measured.cpu_ms.keys() - {SERVER, WORKER, caller, DATABASE}),
        path=scaling.ONLINE if who in (Who.ONLINE, Who.ONLINE_HTTP) else scaling.OFFLINE,
    )


# -- deployments, and what becomes of them ------------------------------------------------------

BENCH = scaling.Deployment(
    machine_cores=2, partitions=1, hot_share=1, write_ms=1, rtt_ms=0.2, fsync_ms=0.25
)
"""As ``make bench``: everything on one machine, and all carts with the same products."""

SMALL = scaling.Deployment().but(workers=4, graphql=2, server_cores=4, shards=4, postgres_cores=4)
LARGE = SMALL.but(workers=64, graphql=16, server_cores=64, shards=512, frontends=4).but(
    temporal_cores=32, postgres_cores=32
)
TURNS = {
    "workers": "`python worker.py` processes",
    "graphql": "`python -m api` processes",
    "server_cores": "cores for Temporal's services",
    "shards": "`numHistoryShards`, of a new cluster",
    "temporal_cores": "cores for Temporal's database",
    "postgres_cores": "cores for PostgreSQL",
    "prefixes": "`order_prefix`es of stores",
    "hot_rows": "SKUs for the hot product",
    "partitions": "`matching.numTaskqueue...Partitions`",
    "frontends": "frontends, or `frontend.namespaceRPS` of each",
    "machine_cores": "cores",
}


COLUMNS = ("breaks first", "closed form, orders/s", "simulated", "at 70 %: p50 ms", "p95 ms")


class Point(NamedTuple):
    """A deployment: the closed form, simulated as busy as can be, and less so."""

    x: float
    first: scaling.Ceiling
    most: scaling.Played
    usual: scaling.Played

    @property
    def cells(self) -> list[str]:
        """For the tables."""
        rates = self.first.per_second, self.most.per_second
        return [self.first.part, *(f"{x:.0f}" for x in (*rates, *self.usual[1:]))]


Points = Mapping[str, Sequence[Point]]


def point(x: float, costs: scaling.Costs, at: scaling.Deployment, orders: int = ORDERS) -> Point:
    """Play a deployment twice: with ever more callers than it can serve, then at ``BUSY``."""
    first = scaling.ceilings(costs, at)[0]
    alone = scaling.Simulation(costs, at, 20, SEED).closed(1)
    callers = max(CROWD, round(3 * first.per_second * alone.p50_ms / 1000))
    most = scaling.Simulation(costs, at, max(orders, 3 * callers), SEED).closed(callers)
    return Point(
        x, first, most, scaling.Simulation(costs, at, orders, SEED).open(BUSY * most.per_second)
    )


_MANY: Mapping[str, int] = {"prefixes": 16}
SWEEPS: Mapping[str, tuple[str, Sequence[float], Mapping[str, Mapping[str, int]]]] = {
    "workers": (
        "worker processes",
        (1, 2, 4, 8, 16, 32, 64),
        {"one order prefix": {"prefixes": 1}, "16 prefixes": _MANY},
    ),
    "shards": ("history shards", (1, 4, 16, 128, 512), {"": _MANY}),
    "postgres_cores": ("cores of PostgreSQL", (2, 4, 8, 16, 32, 64), {"": _MANY}),
    "hot_share": (
        "part of the orders with the hot SKU",
        (0, 0.1, 0.25, 0.5, 1),
        {"one row": _MANY, "4 rows": {**_MANY, "hot_rows": 4}},
    ),
}
"""By field: its name, its values, and what else is changed of the large cluster."""


def sweep(costs: scaling.Costs, field: str) -> Points:
    """The large cluster with more and more of one part."""
    _, values, series = SWEEPS[field]
    runs = [(name, x, changed) for name, changed in series.items() for x in values]
    found: dict[str, list[Point]] = {name: [] for name in series}
    for name, x, changed in track(runs, field, console=Console(stderr=True), transient=True):
        at = LARGE.but(**changed, **{field: x})
        found[name].append(point(x, costs, at))
    return found


def draw(
    costs: scaling.Costs, field: str, found: Mapping[str, Sequence[Point]], file: Path
) -> None:
    """Orders a second: simulated, with the ceilings as lines."""
    xlabel, values, series = SWEEPS[field]
    is_share = field == "hot_share"
    xs = [n / 100 for n in range(1, 101)] if is_share else values
    figure: Any = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    more = "" if len(series) > 1 and not is_share else ", 16 order prefixes"
    axes.set(title=f"A large cluster{more}", xlabel=xlabel, ylabel="orders/s")
    axes.grid(visible=True, alpha=0.3)
    most = max(each.most.per_second for points in found.values() for each in points)
    for name, points in found.items():
        played = [each.most.per_second for each in points]
        axes.plot([each.x for each in points], played, "o-", label=f"simulated, {name}".strip(", "))
    lines: dict[tuple[str, tuple[float, ...]], str] = {}
    for name, changed in series.items():
        by_part: dict[str, list[float]] = {}
        for x in xs:
            for each in scaling.ceilings(costs, LARGE.but(**changed, **{field: x})):
                by_part.setdefault(each.part, []).append(each.per_second)
        for part, line in by_part.items():
            known = (part, tuple(line)) in lines  # the same in both series
            lines[part, tuple(line)] = part if known or not name else f"{part}, {name}"
    for (_, line), label in lines.items():
        if min(line) < 2 * most:
            axes.plot(xs, line, "--", linewidth=1, alpha=0.7, label=label)
    if not is_share:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(values, [f"{x:g}" for x in values])
        axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylim(0 if is_share else 20, 2 * most)
    axes.legend(fontsize="x-small")
    figure.savefig(file, dpi=120, metadata={"Software": None})


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
        held = [scaling.held_ms(costs, LARGE, row) for row in (scaling.NUMBER, scaling.STOCK)]
        ms = [f"{value:.1f}" for value in (*map(each.of, _PROCESSES), *held, each.history_kib)]
        rows.append([who, *ms, str(costs.writes), f"{each.actions:g}"])
    columns = ("", *_PROCESSES, "number locked, ms", "stock locked, ms", "history, KiB")
    return Shown("An order; CPU in ms", (*columns, "shard writes", "actions"), rows)


def against_the_bench(cores: int, measured: Mapping[Who, Measured]) -> Shown:
    """What is predicted for the machine of ``make bench``, beside what it measured."""
    rows: list[list[str]] = []
    at = BENCH.but(machine_cores=cores)
    for who in OURS:
        seen, costs = measured[who], costs_of(who, measured[who])
        played = scaling.Simulation(costs, at, ORDERS, SEED).closed(CROWD)
        rates = seen.per_second, scaling.ceilings(costs, at)[0].per_second, played.per_second
        cells = [*(f"{rate:.1f}" for rate in rates), f"{rates[2] / rates[0] - 1:+.0%}"]
        rows.append([who, *cells, f"{seen.p50_ms:.0f}", f"{played.p50_ms:.0f}"])
    columns = ("", "measured, orders/s", "closed form", "simulated", "error", "p50 measured, ms")
    return Shown("Against what was measured", (*columns, "p50 simulated, ms"), rows)


def breaking(name: str, kind: str, costs: scaling.Costs, at: scaling.Deployment) -> Shown:
    """What breaks first, and what next once there is twice as much of it."""
    rows: list[list[str]] = []
    for _ in range(RUNGS):
        part, per_second, field = scaling.ceilings(costs, at)[0]
        units: int = getattr(at, field)
        rows.append([part, f"{per_second:.0f}", f"{units} to {2 * units} {TURNS[field]}"])
        at = at.but(**{field: 2 * units})
    return Shown(f"{name}, {kind}", ("breaks first", "at orders/s", "turn"), rows)


def usual(costs: Mapping[str, scaling.Costs]) -> Shown:
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
@click.option("--documented", is_flag=True, help="What docs/performance.md says, instead.")
@click.option("--dollars-per-million-actions", "flat", type=click.FloatRange(0), help="No tiers.")
@click.option("--retention-days", type=click.FloatRange(1, 90), default=30, show_default=True)
@click.option("--publish", is_flag=True, help="Into docs/scaling.md and docs/images.")
def main(
    file: Path | None, documented: bool, flat: float | None, retention_days: float, publish: bool
) -> None:
    """Orders a second against shards, workers and PostgreSQL; Temporal Cloud's bill. A minute."""
    kept = RESULTS / "bench.json"
    file = file or (kept if kept.exists() and not documented else None)
    try:
        cores, measured = read_measured(file) if file else (DOCUMENTED_CORES, dict(DOCUMENTED))
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
