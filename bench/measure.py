"""The measuring itself: contenders take turns, so that whatever disturbs one disturbs all.

Alone: a row of orders, each when the run before has ended. In the crowd: blocks of many
orders, ``CROWD`` at a time; they give throughput and, once all their runs have ended, CPU.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from bench.contenders import PAID_ONLINE, Basket, Contender, Who
from bench.probes import actions, cpu_seconds, memory_mib
from bench.stage import Stage, carts, pay, stock
from cli.errors import CliError
from commerce.contract import SWEEP_SCHEDULE_ID

LINES = 5
CROWD = 20
WARM_UP = CROWD

ANSWERED_S = 60.0
ENDED_S = 60.0
POLL_S = 0.05
QUIET_S = 0.3
"""After all runs of a block have ended: what the relay and the gateway still have to tell."""

COUNTERS_S = 2.5
"""The server brings its counters up to date once a second."""

CLIENT = "client"
"""The process of the callers: this one."""


@dataclass
class Measured:
    """What was seen of a contender; lists are by round.

    Attributes:
        alone_ms: Latencies at concurrency 1.
        crowd_ms: Latencies at concurrency ``CROWD``.
        per_second: Orders answered a second, of a block.
        cpu_ms: CPU an order by process, of a block.
        events: Events in a history, of each that was looked at.
        history_bytes: The server's ``history_size_bytes`` of the same.
        actions: The server's count an order, by kind.
    """

    alone_ms: list[list[float]] = field(default_factory=list[list[float]])
    crowd_ms: list[list[float]] = field(default_factory=list[list[float]])
    per_second: list[float] = field(default_factory=list[float])
    cpu_ms: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    events: list[int] = field(default_factory=list[int])
    history_bytes: list[int] = field(default_factory=list[int])
    actions: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True)
class Plan:
    """How much is ordered.

    Attributes:
        rounds: How often each contender has its turn.
        orders: Of each contender in a round, one at a time.
        block: Of each contender in a round, ``CROWD`` at a time.
    """

    rounds: int
    orders: int
    block: int

    def crowd(self, contender: Contender) -> int:
        """Orders of a contender in a block."""
        return max(CROWD, round(self.block * contender.share))

    def total(self, contender: Contender) -> int:
        """All its orders, with those to warm up and those whose traces are counted."""
        return WARM_UP + self.rounds * (self.orders + self.crowd(contender)) + self.orders


class Measurement:
    """One stage's."""

    def __init__(
        self, stage: Stage, contenders: Sequence[Contender], plan: Plan, told: Callable[[Who], None]
    ) -> None:
        self._stage = stage
        self._contenders = contenders
        self._plan = plan
        self._told = told
        self._baskets: dict[Who, Iterator[Basket]] = {}
        self._ended: Counter[tuple[str, str]] = Counter()
        self.measured = {each.who: Measured() for each in contenders}
        self.memory: dict[str, float] = {}

    async def run(self) -> None:
        """Everything, in turns; ``measured`` and ``memory`` have it then."""
        await self._fill_baskets()
        for contender in self._contenders:
            await self._block(contender, WARM_UP)
        for n in range(self._plan.rounds):
            for contender in _rotated(self._contenders, n):
                await self._alone(contender)
            for contender in _rotated(self._contenders, n):
                await self._crowd(contender)
        self.memory = memory_mib(self._stage.pids)
        sweep = self._stage.temporal.get_schedule_handle(SWEEP_SCHEDULE_ID)
        await sweep.pause(note="orders' actions are counted")
        await asyncio.sleep(COUNTERS_S)
        for contender in self._contenders:
            await self._count(contender)

    async def _fill_baskets(self) -> None:
        skus = stock(self._stage.store, LINES)
        for contender in self._contenders:
            ids = carts(self._stage.store, self._plan.total(contender), skus)
            payments = [""] * len(ids)
            if contender.who in PAID_ONLINE:
                payments = [await pay(self._stage, cart_id) for cart_id in ids]
            baskets = [Basket(*each) for each in zip(ids, payments, strict=True)]
            self._baskets[contender.who] = iter(baskets)

    async def _alone(self, contender: Contender) -> None:
        """One order after the other: by turns order by order, a server would rest meanwhile.

        As it comes it saves up reads while it rests, and the first few orders are twice as fast.
        """
        latencies_ms: list[float] = []
        for _ in range(self._plan.orders):
            basket = next(self._baskets[contender.who])
            latencies_ms.append(await self._timed(contender, basket))
            await _end_of_run(contender, basket)
        self.measured[contender.who].alone_ms.append(latencies_ms)

    async def _crowd(self, contender: Contender) -> None:
        count = self._plan.crowd(contender)
        before = _cpu_s(contender)
        started = time.perf_counter()
        latencies_ms = await self._orders(contender, count)
        seconds = time.perf_counter() - started
        await self._until_ended(contender)
        after = _cpu_s(contender)
        measured = self.measured[contender.who]
        measured.crowd_ms.append(latencies_ms)
        measured.per_second.append(count / seconds)
        measured.cpu_ms.append(
            {name: (after[name] - before[name]) * 1000 / count for name in before}
        )

    async def _block(self, contender: Contender, count: int) -> None:
        await self._orders(contender, count)
        await self._until_ended(contender)

    async def _orders(self, contender: Contender, count: int) -> list[float]:
        turn = asyncio.Semaphore(CROWD)

        async def one(basket: Basket) -> float:
            async with turn:
                return await self._timed(contender, basket)

        baskets = [next(self._baskets[contender.who]) for _ in range(count)]
        return await asyncio.gather(*[one(basket) for basket in baskets])

    async def _timed(self, contender: Contender, basket: Basket) -> float:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWERED_S):
                await contender.order(basket)
        except TimeoutError:
            late = (
                f"{contender.who}: no answer after {ANSWERED_S:.0f} s; is the machine overloaded?"
            )
            raise CliError(late) from None
        latency_ms = (time.perf_counter() - started) * 1000
        self._ended[_runs(contender)] += 1
        self._told(contender.who)
        return latency_ms

    async def _until_ended(self, contender: Contender) -> None:
        """Every run that its orders started has ended, and what the gateway tells has come."""
        query = f'WorkflowType = "{contender.workflow_type}" AND ExecutionStatus = "Completed"'
        wanted = self._ended[_runs(contender)]
        deadline = time.monotonic() + ENDED_S
        while (await contender.client.count_workflows(query)).count < wanted:
            if time.monotonic() > deadline:
                raise CliError(f"{contender.who}: runs have not ended after {ENDED_S:.0f} s")
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(QUIET_S)

    async def _count(self, contender: Contender) -> None:
        """Events, bytes and actions; they hardly vary, so that once is enough."""
        before = await self._actions(contender)
        measured = self.measured[contender.who]
        count = self._plan.orders
        baskets = [next(self._baskets[contender.who]) for _ in range(count)]
        for basket in baskets:
            await self._timed(contender, basket)
            await _end_of_run(contender, basket)
        await asyncio.sleep(COUNTERS_S)
        done = await self._actions(contender) - before
        measured.actions = {kind: number / count for kind, number in sorted(done.items())}
        for basket in baskets:
            run = contender.client.get_workflow_handle(contender.run_of(basket.cart_id))
            info = (await run.describe()).raw_description.workflow_execution_info
            measured.events.append(info.history_length)
            measured.history_bytes.append(info.history_size_bytes)

    async def _actions(self, contender: Contender) -> Counter[str]:
        answer: httpx.Response = await self._stage.http.get(contender.metrics)
        return actions(answer.raise_for_status().text)


def _runs(contender: Contender) -> tuple[str, str]:
    """Whose runs are found by one query."""
    return contender.metrics, contender.workflow_type


def _cpu_s(contender: Contender) -> dict[str, float]:
    return {**cpu_seconds(contender.pids), CLIENT: time.process_time()}


def _rotated(contenders: Sequence[Contender], by: int) -> list[Contender]:
    start = by % len(contenders)
    return [*contenders[start:], *contenders[:start]]


async def _end_of_run(contender: Contender, basket: Basket) -> None:
    await contender.client.get_workflow_handle(contender.run_of(basket.cart_id)).result()
