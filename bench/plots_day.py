"""Pictures of what was measured under load."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from bench.load import KNEE_RATIO, Rung, knee

_COLORS = ("tab:blue", "tab:orange")


@contextmanager
def _picture(file: Path, title: str, xlabel: str, ylabel: str) -> Generator[Any]:
    figure: Any = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(visible=True, alpha=0.3)
    yield axes
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=120)


def plot_load(rungs: Mapping[str, Sequence[Rung]], file: Path) -> None:
    """Latency over offered load, by database, with the knees."""
    with _picture(
        file, "The real day, faster and faster", "offered, orders/s", "until answered, ms"
    ) as axes:
        for color, (kind, ladder) in zip(_COLORS, rungs.items(), strict=False):
            offered = [rung.offered for rung in ladder]
            for name, style in (("p50", "-"), ("p95", "--"), ("p99", ":")):
                values = [getattr(rung, f"{name}_ms") for rung in ladder]
                axes.plot(offered, values, style, color=color, marker=".", label=f"{kind} {name}")
            found = knee(ladder)
            if found:
                label = f"{kind} knee: {found.offered:g}/s (p95 within {KNEE_RATIO:g} times)"
                axes.axvline(found.offered, color=color, alpha=0.4, linewidth=4, label=label)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def plot_lines(costs: Mapping[str, Mapping[int, tuple[float, float]]], file: Path) -> None:
    """p50 and CPU an order over the lines of its basket, by database."""
    with _picture(
        file, "What an order costs as its basket grows", "lines of the basket", "ms"
    ) as axes:
        for color, (kind, by_lines) in zip(_COLORS, costs.items(), strict=False):
            lines = list(by_lines)
            axes.plot(lines, [by_lines[n][0] for n in lines], color=color, label=f"{kind} p50")
            cpu = [by_lines[n][1] for n in lines]
            axes.plot(lines, cpu, "--", color=color, label=f"{kind} CPU of all processes")
        axes.set_ylim(bottom=0)


def plot_memory(samples: Mapping[str, Sequence[tuple[int, float]]], title: str, file: Path) -> None:
    """Memory over orders placed, by what was measured."""
    with _picture(file, title, "orders", "MiB") as axes:
        for name, points in samples.items():
            axes.plot([orders for orders, _ in points], [mib for _, mib in points], label=name)
        axes.set_ylim(bottom=0)
