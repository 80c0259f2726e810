"""Pictures of the figures: a panel for each database, a bar for each contender."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.contenders import Who
from bench.figures import Figures, Spread, figures
from bench.measure import CROWD
from bench.report import Result

mpl.use("Agg")
_BASE, _OURS, _NAIVE = "#7f8c8d", "#1f77b4", "#d98c3f"
_COLOURS = {Who.FLOOR: _BASE, Who.NAIVE_TUNED: _NAIVE, Who.NAIVE_AS_IT_COMES: _NAIVE}
_WIDTH, _HEIGHT = 11, 3.6
_DPI = 110


def draw(result: Result, folder: Path) -> None:
    """Latency, throughput and CPU, each a file ``performance-*.png``."""
    _bars(
        result,
        folder / "performance-latency.png",
        "p50 at concurrency 1, ms",
        lambda each: (each.p50_ms, each.p50_ratio),
    )
    _bars(
        result,
        folder / "performance-throughput.png",
        f"orders a second, {CROWD} at a time",
        lambda each: (each.per_second, each.per_second_ratio),
    )
    _stacks(result, folder / "performance-cpu.png")


def _bars(
    result: Result, file: Path, title: str, of: Callable[[Figures], tuple[Spread, Spread]]
) -> None:
    figure, panels = _panels(result, title)
    for panel, stage in zip(panels, result.stages, strict=True):
        for who, each in figures(stage.measured).items():
            value, ratio = of(each)
            error = [[value.median - value.low], [value.high - value.median]]
            panel.barh(who, value.median, xerr=error, color=_COLOURS.get(who, _OURS), capsize=3)
            text = f"  {value.median:.0f} ({ratio.median:.2g} x floor)"
            panel.text(value.high, who, text, va="center", fontsize=8)
    _save(figure, panels, file)


def _stacks(result: Result, file: Path) -> None:
    figure, panels = _panels(result, f"CPU an order, ms, {CROWD} at a time")
    for panel, stage in zip(panels, result.stages, strict=True):
        all_of = figures(stage.measured)
        names = {name: None for each in all_of.values() for name in each.cpu_by_process_ms}
        left = dict.fromkeys(all_of, 0.0)
        for name in names:
            each_ms = [each.cpu_by_process_ms.get(name, 0.0) for each in all_of.values()]
            panel.barh(list(all_of), each_ms, left=list(left.values()), label=name)
            left = {who: left[who] + ms for who, ms in zip(left, each_ms, strict=True)}
        for who, each in all_of.items():
            text = f"  {left[who]:.0f} ({each.cpu_ratio.median:.2g} x floor)"
            panel.text(left[who], who, text, va="center", fontsize=8)
        panel.legend(fontsize=7, loc="lower right")
    _save(figure, panels, file)


def _panels(result: Result, title: str) -> tuple[Any, list[Any]]:
    """A figure with a panel for each stage, the first contender at the top."""
    figure: Any = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    panels: list[Any] = list(figure.subplots(1, len(result.stages), sharey=True, squeeze=False)[0])
    panels[0].invert_yaxis()
    for panel, stage in zip(panels, result.stages, strict=True):
        panel.set_title(f"{stage.database}: {title}", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    return figure, panels


def _save(figure: Any, panels: list[Any], file: Path) -> None:
    for panel in panels:
        panel.margins(x=0.3)
    figure.savefig(file, dpi=_DPI, metadata={"Software": None})
