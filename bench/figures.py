"""Figures out of what was measured: medians with their quartiles, ratios to the floor, targets."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.contenders import Who
from bench.measure import Measured

KIB = 1024


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and the quartiles about it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """A contender's; the ratios are to the floor of the same rounds.

    Attributes:
        p50_ms: At concurrency 1.
        p95_ms: Over all rounds.
        crowd_p50_ms: At concurrency 20.
        cpu_ms: An order, all processes.
        cpu_by_process_ms: An order; medians.
        events: Median.
        history_kib: Median.
        actions: An order, all kinds.
    """

    p50_ms: Spread
    p50_ratio: Spread
    p95_ms: float
    crowd_p50_ms: Spread
    crowd_p50_ratio: Spread
    crowd_p95_ms: float
    per_second: Spread
    per_second_ratio: Spread
    cpu_ms: Spread
    cpu_ratio: Spread
    cpu_by_process_ms: Mapping[str, float]
    events: float
    history_kib: float
    actions: float


@dataclass(frozen=True)
class Target:
    """What a figure is wanted to be.

    Attributes:
        what: The figure's name.
        value: The figure.
        limit: The least or the most.
        least: Whether the limit is the least.
        unit: Behind both.
    """

    what: str
    value: float
    limit: float
    least: bool = False
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the figure is as wanted."""
        return self.value >= self.limit if self.least else self.value <= self.limit


def spread(values: Sequence[float]) -> Spread:
    """Of the values of the rounds, at least one."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def p95(rounds: Sequence[Sequence[float]]) -> float:
    """Of all values of all rounds."""
    values = [value for each in rounds for value in each]
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def figures(measured: Mapping[Who, Measured]) -> dict[Who, Figures]:
    """Of every contender."""
    floor = measured[Who.FLOOR]
    return {who: _figures(each, floor) for who, each in measured.items()}


def _figures(one: Measured, floor: Measured) -> Figures:
    def of(value: Callable[[Measured], list[float]]) -> tuple[Spread, Spread]:
        """The figure and its ratio to the floor, round by round."""
        pairs = zip(value(one), value(floor), strict=True)
        return spread(value(one)), spread([mine / least for mine, least in pairs])

    p50_ms, p50_ratio = of(lambda each: [statistics.median(ms) for ms in each.alone_ms])
    crowd_p50_ms, crowd_p50_ratio = of(lambda each: [statistics.median(ms) for ms in each.crowd_ms])
    per_second, per_second_ratio = of(lambda each: each.per_second)
    cpu_ms, cpu_ratio = of(lambda each: [sum(ms.values()) for ms in each.cpu_ms])
    return Figures(
        p50_ms=p50_ms,
        p50_ratio=p50_ratio,
        p95_ms=p95(one.alone_ms),
        crowd_p50_ms=crowd_p50_ms,
        crowd_p50_ratio=crowd_p50_ratio,
        crowd_p95_ms=p95(one.crowd_ms),
        per_second=per_second,
        per_second_ratio=per_second_ratio,
        cpu_ms=cpu_ms,
        cpu_ratio=cpu_ratio,
        cpu_by_process_ms={
            name: statistics.median(ms[name] for ms in one.cpu_ms) for name in one.cpu_ms[0]
        },
        events=statistics.median(one.events),
        history_kib=statistics.median(one.history_bytes) / KIB,
        actions=sum(one.actions.values()),
    )


def targets(measured: Mapping[Who, Measured]) -> list[Target]:
    """What is wanted of one stage, beside what was measured."""
    all_of = figures(measured)
    offline, online = all_of[Who.OFFLINE], all_of[Who.ONLINE]

    def p50(who: Who, to: Who) -> float:
        pairs = zip(measured[who].alone_ms, measured[to].alone_ms, strict=True)
        return spread([statistics.median(a) / statistics.median(b) for a, b in pairs]).median

    return [
        Target("p50, offline / floor", offline.p50_ratio.median, 2.0),
        Target("p50, paid online / floor", online.p50_ratio.median, 3.5),
        Target("orders/s, offline / floor", offline.per_second_ratio.median, 0.5, least=True),
        Target("CPU an order, offline / floor", offline.cpu_ratio.median, 2.2),
        Target(
            "p50, naive as it comes / ours", p50(Who.NAIVE_AS_IT_COMES, Who.OFFLINE), 6, least=True
        ),
        Target("p50, naive tuned / ours", p50(Who.NAIVE_TUNED, Who.OFFLINE), 2, least=True),
        Target("p50, placeOrder HTTP / client", p50(Who.OFFLINE_HTTP, Who.OFFLINE), 1.3),
        Target("p50, completeOrder HTTP / client", p50(Who.ONLINE_HTTP, Who.ONLINE), 1.3),
        Target("events, offline", offline.events, 20, unit=""),
        Target("history, offline", offline.history_kib, 12, unit=" KiB"),
        Target("actions, offline", offline.actions, 5, unit=""),
        Target("events, paid online", online.events, 34, unit=""),
        Target("actions, paid online", online.actions, 9, unit=""),
    ]
