"""What is shown of the figures: tables on the terminal, JSON, and Markdown for the manual."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.contenders import Who
from bench.figures import Figures, Spread, figures, targets
from bench.measure import CROWD, LINES, Measured

COLUMNS = (
    "",
    "p50 ms",
    "x floor",
    "p95 ms",
    f"p50 at {CROWD}",
    f"p95 at {CROWD}",
    "orders/s",
    "x floor",
    "CPU ms",
    "x floor",
    "events",
    "KiB",
    "actions",
)
LEGEND = (
    f"carts of {LINES} lines; medians over rounds, and their quartiles; CPU: of all processes, an"
    f" order, at {CROWD} at a time; KiB: the server's history_size_bytes"
)


@dataclass(frozen=True)
class StageResult:
    """What was measured on one stage.

    Attributes:
        database: Of the store.
        memory_mib: Resident, by process, after all rounds.
    """

    database: str
    measured: Mapping[Who, Measured]
    memory_mib: Mapping[str, float]


@dataclass(frozen=True)
class Result:
    """One run of the bench.

    Attributes:
        machine: What it ran on.
        plan: How much was ordered.
    """

    machine: Mapping[str, str | int]
    plan: Mapping[str, int]
    stages: tuple[StageResult, ...]


def print_result(console: Console, result: Result) -> bool:
    """All tables; whether every target is met."""
    met = True
    for stage in result.stages:
        console.print(_main_table(stage))
        console.print(_process_table(stage))
        met &= _print_targets(console, stage)
    console.print(LEGEND, style="dim")
    return met


def write_json(result: Result, file: Path, *, raw: bool = True) -> None:
    """The figures and, unless they are to be kept alone, everything that was measured."""
    stages: list[dict[str, Any]] = [
        {
            "database": stage.database,
            "memory_mib": stage.memory_mib,
            **({"measured": dataclasses.asdict(stage)["measured"]} if raw else {}),
            "figures": {w: dataclasses.asdict(f) for w, f in figures(stage.measured).items()},
            "targets": [
                {**dataclasses.asdict(target), "met": target.met}
                for target in targets(stage.measured)
            ],
        }
        for stage in result.stages
    ]
    file.write_text(
        json.dumps(
            {"machine": result.machine, "plan": result.plan, "stages": stages},
            indent=1,
        )
        + "\n"
    )


def markdown(result: Result) -> str:
    """The tables, for the manual."""
    parts: list[str] = []
    for stage in result.stages:
        parts += [f"### {stage.database}", ""]
        parts += _rows(COLUMNS, [_row(who, each) for who, each in _each(stage)])
        processes = _processes(stage)
        rows = [_process_row(who, each, processes) for who, each in _each(stage)]
        rows.append(_memory_row(stage, processes))
        parts += ["", "CPU ms an order by process, and memory:", ""]
        parts += _rows(("", *processes), rows)
        parts.append("")
    names = [target.what for target in targets(result.stages[0].measured)]
    by_stage = [targets(stage.measured) for stage in result.stages]
    rows = [
        [
            name,
            _limit(by_stage[0][n].limit, least=by_stage[0][n].least, unit=by_stage[0][n].unit),
            *(f"{_short(each[n].value)}{', missed' * (not each[n].met)}" for each in by_stage),
        ]
        for n, name in enumerate(names)
    ]
    parts += ["### Targets", ""]
    parts += _rows(("", "wanted", *(stage.database for stage in result.stages)), rows)
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    plan = ", ".join(f"{name} {value}" for name, value in result.plan.items())
    parts += ["", f"{LEGEND}. Machine: {machine}. {plan}.", ""]
    return "\n".join(parts)


def between(text: str, start: str, end: str, new: str) -> str:
    """The text with what stands between two markers replaced.

    Raises:
        ValueError: A marker is not there.
    """
    before, found, rest = text.partition(start)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"no {start} ... {end}")
    return f"{before}{start}\n\n{new}\n{end}{after}"


def _main_table(stage: StageResult) -> Table:
    table = Table(*COLUMNS, title=stage.database)
    for who, each in _each(stage):
        table.add_row(*_row(who, each))
    return table


def _process_table(stage: StageResult) -> Table:
    processes = _processes(stage)
    table = Table("CPU ms an order", *processes, title=stage.database)
    for who, each in _each(stage):
        table.add_row(*_process_row(who, each, processes))
    table.add_section()
    table.add_row(*_memory_row(stage, processes))
    return table


def _print_targets(console: Console, stage: StageResult) -> bool:
    table = Table("target", "wanted", "measured", "", title=stage.database)
    wanted = targets(stage.measured)
    for each in wanted:
        table.add_row(
            each.what,
            _limit(each.limit, least=each.least, unit=each.unit),
            f"{_short(each.value)}{each.unit}",
            "[green]met[/]" if each.met else "[red]missed[/]",
        )
    console.print(table)
    return all(each.met for each in wanted)


def _each(stage: StageResult) -> list[tuple[Who, Figures]]:
    return list(figures(stage.measured).items())


def _row(who: Who, each: Figures) -> list[str]:
    return [
        who,
        _spread(each.p50_ms),
        _spread(each.p50_ratio, 2),
        f"{each.p95_ms:.1f}",
        f"{each.crowd_p50_ms.median:.0f}",
        f"{each.crowd_p95_ms:.0f}",
        _spread(each.per_second),
        f"{each.per_second_ratio.median:.2f}",
        _spread(each.cpu_ms),
        f"{each.cpu_ratio.median:.2f}",
        f"{each.events:.0f}",
        f"{each.history_kib:.1f}",
        _short(each.actions),
    ]


def _processes(stage: StageResult) -> list[str]:
    names: dict[str, None] = {}
    for each in stage.measured.values():
        names |= dict.fromkeys(each.cpu_ms[0])
    return list(names)


def _process_row(who: Who, each: Figures, processes: list[str]) -> list[str]:
    cpu_ms = each.cpu_by_process_ms
    return [who, *(f"{cpu_ms[name]:.1f}" if name in cpu_ms else "" for name in processes)]


def _memory_row(stage: StageResult, processes: list[str]) -> list[str]:
    mib = stage.memory_mib
    return ["memory, MiB", *(f"{mib[name]:.0f}" if name in mib else "" for name in processes)]


def _rows(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [columns, ("---",) * len(columns), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _spread(value: Spread, digits: int = 1) -> str:
    return f"{value.median:.{digits}f} ({value.low:.{digits}f}-{value.high:.{digits}f})"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _limit(limit: float, *, least: bool, unit: str) -> str:
    return f"{'>=' if least else '<='} {limit:g}{unit}"
