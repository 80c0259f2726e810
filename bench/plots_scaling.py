"""The pictures of scaling: a large cluster with more and more of one part."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from bench import scaling_model as model
from bench.measure import CROWD
from bench.scaling_inputs import LARGE

SEED, ORDERS = 7, 800
BUSY = 0.7  # of what it can do, when its latencies are taken
COLUMNS = ("breaks first", "closed form, orders/s", "simulated", "at 70 %: p50 ms", "p95 ms")


class Point(NamedTuple):
    """A deployment: the closed form, simulated as busy as can be, and less so."""

    x: float
    first: model.Ceiling
    most: model.Played
    usual: model.Played

    @property
    def cells(self) -> list[str]:
        """For the tables."""
        rates = self.first.per_second, self.most.per_second
        return [self.first.part, *(f"{x:.0f}" for x in (*rates, *self.usual[1:]))]


Points = Mapping[str, Sequence[Point]]


def point(x: float, costs: model.Costs, at: model.Deployment, orders: int = ORDERS) -> Point:
    """Play a deployment twice: with ever more callers than it can serve, then at ``BUSY``."""
    first = model.ceilings(costs, at)[0]
    alone = model.Simulation(costs, at, 20, SEED).closed(1)
    callers = max(CROWD, round(3 * first.per_second * alone.p50_ms / 1000))
    most = model.Simulation(costs, at, max(orders, 3 * callers), SEED).closed(callers)
    return Point(
        x, first, most, model.Simulation(costs, at, orders, SEED).open(BUSY * most.per_second)
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


def sweep(costs: model.Costs, field: str) -> Points:
    """The large cluster with more and more of one part."""
    _, values, series = SWEEPS[field]
    runs = [(name, x, changed) for name, changed in series.items() for x in values]
    found: dict[str, list[Point]] = {name: [] for name in series}
    for name, x, changed in track(runs, field, console=Console(stderr=True), transient=True):
        at = LARGE.but(**changed, **{field: x})
        found[name].append(point(x, costs, at))
    return found


def draw(costs: model.Costs, field: str, found: Mapping[str, Sequence[Point]], file: Path) -> None:
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
            for each in model.ceilings(costs, LARGE.but(**changed, **{field: x})):
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
