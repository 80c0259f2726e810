"""What a load test says is right: schedules, percentiles, the knee."""

import asyncio

import pytest

from bench.day import Basket, busiest, read_baskets
from bench.load import Rung, arrivals, kept_busy, knee, offered, percentile
from bench.soak import Memory, growth


def _rung(offered_per_s: float, p95_ms: float, achieved: float | None = None) -> Rung:
    return Rung(
        offered=offered_per_s,
        calls=1,
        orders=1,
        refused=0,
        achieved=offered_per_s if achieved is None else achieved,
        p50_ms=p95_ms,
        p95_ms=p95_ms,
        p99_ms=p95_ms,
        late_p99_ms=0,
        busy=0,
        cpu_ms={},
    )


def _at(ladder: list[Rung]) -> float | None:
    found = knee(ladder)
    return None if found is None else found.offered


def test_calls_are_due_at_random_and_fill_exactly_their_time() -> None:
    due = arrivals(500, 20, seed=1)
    gaps = [later - earlier for earlier, later in zip([0.0, *due], due, strict=False)]
    assert due == sorted(due)
    assert due[-1] == pytest.approx(25)
    assert max(gaps) > 3 / 20
    assert min(gaps) < 0.1 / 20
    assert due == arrivals(500, 20, seed=1)
    assert due != arrivals(500, 20, seed=2)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.95) == 95
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.01) == 7


def test_the_knee_is_the_last_load_before_the_p95_has_doubled() -> None:
    assert _at([_rung(2, 50), _rung(5, 60), _rung(10, 100), _rung(15, 101)]) == 10


def test_what_is_fast_again_above_the_knee_is_luck() -> None:
    assert _at([_rung(2, 50), _rung(5, 300), _rung(10, 60)]) == 2


def test_the_knee_is_before_answers_stop_keeping_up() -> None:
    assert _at([_rung(2, 50), _rung(5, 60), _rung(10, 60, achieved=8.9)]) == 5


def test_there_is_no_knee_where_the_first_load_is_too_much() -> None:
    assert _at([_rung(2, 2001)]) is None


async def test_an_open_loop_counts_the_wait_behind_others() -> None:
    """One call blocks everything; those due meanwhile have waited, though they are fast."""
    answered = list[int]()

    async def call(n: int) -> bool:
        if n == 0:
            await first.wait()
        answered.append(n)
        return n > 0

    first = asyncio.Event()
    calls = [lambda n=n: call(n) for n in range(3)]
    asyncio.get_running_loop().call_soon(first.set)
    samples = await offered(calls, [-10.0, -5.0, 0.0])
    assert sorted(answered) == [0, 1, 2]
    assert [sample.ordered for sample in samples] == [False, True, True]
    assert samples[0].seconds >= samples[0].late_s >= 10
    assert samples[1].seconds >= samples[1].late_s >= 5


async def test_a_closed_loop_has_no_more_under_way_than_it_is_told() -> None:
    now, most, done = 0, 0, list[str]()

    async def call(item: str) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        done.append(item)

    items = [str(n) for n in range(10)]
    assert len(await kept_busy(call, items, 3)) == 10
    assert most == 3
    assert sorted(done) == items


def test_the_day_is_read_whole() -> None:
    baskets = read_baskets()
    assert len(baskets) == 616
    assert sum(len(basket.lines) for basket in baskets) == 5719


def test_the_busiest_while_has_the_most_baskets() -> None:
    day = [Basket(placed_at_s=at, lines=()) for at in (0, 50, 55, 59, 100, 130)]
    assert [basket.placed_at_s for basket in busiest(day, 10)] == [50, 55, 59]


def _memory(orders: int, uss_mib: float) -> Memory:
    return Memory(orders=orders, rss_mib=0, uss_mib=uss_mib, threads=1, server_mib=0, slowest_s=0)


def test_memory_grows_from_when_the_caches_are_full() -> None:
    samples = [_memory(0, 50), *(_memory(2000 + 500 * n, 100 + 2 * n) for n in range(6))]
    assert growth(samples) == pytest.approx(0.1)
    assert growth(samples[:2]) is None


def test_a_last_reading_that_is_high_by_chance_is_no_growth() -> None:
    readings = [100, 104, 100, 104, 100, 104, 100, 104, 100, 104]
    grown = growth([_memory(2000 + 500 * n, mib) for n, mib in enumerate(readings)])
    assert grown is not None
    assert grown < 0.02
