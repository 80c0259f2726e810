"""Beyond one machine, on paper: what an order costs, and what breaks first as there are more.

Nothing is started and nothing measured: costs come from ``make bench``, the rest is assumed
(``docs/scaling.md``). ``ceilings`` is the closed form, and a ``Simulation`` plays orders through
the same parts, with their queues and locked rows.
"""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from itertools import accumulate
from statistics import quantiles
from typing import Annotated, Any, NamedTuple

import simpy
from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

POOL, RESERVED = 20, 3
"""Connections of a process at most (``pool_size``, ``max_overflow``); PostgreSQL's for itself."""

STORE_STEPS, CHECKOUTS = 8, 24
"""Of one worker at a time: local activities, and ``CHECKOUT_CONCURRENT_CHECKOUTS``."""

PYTHON_MS = 5.0 / 19  # of a worker, a statement (docs/performance.md); the rest is the SDK's
PARTITION_PER_S, FRONTEND_PER_S = 1000, 2400
"""Defaults of the server: tasks of a partition, and a namespace's requests of a frontend."""

VISIBILITY_WRITES = 3  # of a run: started, search attributes changed, closed


class Part(NamedTuple):
    """Statements of a transaction, some waited for; the rows are locked until the commit."""

    statements: int
    waits: int
    locks: str = ""


@dataclass(frozen=True)
class Step:
    """A step's transactions; the rows are those of the last one."""

    name: str
    parts: tuple[Part, ...]
    commits: int = 1
    delay_ms: float = 0.0


NUMBER, STOCK, WRITE, ANSWER = "number", "stock", "write", "answer"
GATEWAY_MS = 50.0
LOCK_CART = Step("lock_cart", (Part(6, 5), Part(3, 1, STOCK)))
CREATE_ORDER = Step("create_order", (Part(2, 2), Part(6, 1, NUMBER), Part(2, 0, STOCK)))
CREATE_PAID = Step("create_order", (Part(3, 3), Part(6, 1, NUMBER), Part(2, 0, STOCK)))
VERIFY = Step("verify_payment", (Part(8, 7),), commits=3, delay_ms=GATEWAY_MS)
CAPTURE = Step("capture_payment", (Part(3, 2),), commits=2, delay_ms=GATEWAY_MS)

Journey = tuple[Step | str, ...]
OFFLINE: Journey = (WRITE, WRITE, LOCK_CART, CREATE_ORDER, WRITE, ANSWER)
ONLINE: Journey = (
    *(WRITE, WRITE, LOCK_CART, WRITE, WRITE, VERIFY, WRITE, WRITE, CREATE_PAID, WRITE, ANSWER),
    *(WRITE, CAPTURE, WRITE, WRITE, WRITE),
)
"""Writes of the run's history shard, and the steps between them: start; each task and each activity
begins with one and ends with one. ``tests/bench/test_scaling.py`` counts them in the histories."""


class Costs(BaseModel, frozen=True, extra="forbid"):
    """What an order needs of each part: CPU milliseconds, and its path.

    Attributes:
        caller_ms: Of the process that calls Temporal: the GraphQL server, or a client.
        others_ms: Of what does not run in a cluster of ours: browsers, the gateway.
        path: What is done, in its order.
    """

    server_ms: PositiveFloat
    worker_ms: PositiveFloat
    caller_ms: NonNegativeFloat
    database_ms: NonNegativeFloat
    others_ms: NonNegativeFloat = 0.0
    path: Journey = OFFLINE

    @property
    def total_ms(self) -> float:
        """Of all processes."""
        ours_ms = self.server_ms + self.worker_ms + self.database_ms
        return ours_ms + self.caller_ms + self.others_ms

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(each for each in self.path if isinstance(each, Step))

    @property
    def writes(self) -> int:
        """Of the history shard; each is a request to the frontend, too."""
        return self.path.count(WRITE)

    @property
    def python_ms(self) -> float:
        """Of the worker, a statement."""
        return min(PYTHON_MS, self.worker_ms / 2 / self._statements)

    @property
    def statement_ms(self) -> float:
        """Of PostgreSQL, a statement."""
        return self.database_ms / self._statements

    @property
    def sdk_ms(self) -> float:
        """Of the worker, beside each step."""
        return (self.worker_ms - self.python_ms * self._statements) / max(1, len(self.steps))

    @property
    def _statements(self) -> int:
        return max(1, sum(part.statements for step in self.steps for part in step.parts))


class Deployment(BaseModel, frozen=True, extra="forbid"):
    """How much there is of each part.

    Attributes:
        machine_cores: All processes share so many; 0: each part has machines of its own.
        workers: Processes; each uses one core at most, as does each GraphQL server.
        server_cores: Of Temporal's services together.
        temporal_cores: Of Temporal's own database.
        postgres_cores: Of the store's.
        prefixes: Order prefixes that orders are spread over, evenly.
        hot_share: The part of all orders that have one and the same SKU in them.
        hot_rows: SKUs that stand for it, each with its own stock.
        write_ms: A write of a history shard, which does one after the other.
        record_ms: CPU of Temporal's database, for each such write and each of visibility.
        rtt_ms: Between worker and PostgreSQL.
        fsync_ms: Of a commit; commits at the same time share it.
    """

    machine_cores: Annotated[int, Field(ge=0)] = 0
    workers: PositiveInt = 1
    graphql: PositiveInt = 1
    server_cores: PositiveInt = 2
    shards: PositiveInt = 1
    temporal_cores: PositiveInt = 2
    postgres_cores: PositiveInt = 2
    prefixes: PositiveInt = 1
    hot_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    hot_rows: PositiveInt = 1
    partitions: PositiveInt = 4
    frontends: PositiveInt = 1
    max_connections: PositiveInt = 100
    write_ms: PositiveFloat = 5.0
    record_ms: NonNegativeFloat = 1.0
    rtt_ms: NonNegativeFloat = 0.5
    fsync_ms: NonNegativeFloat = 1.0

    @model_validator(mode="after")
    def _connects(self) -> "Deployment":
        needed, there = POOL * (self.workers + self.graphql), self.max_connections - RESERVED
        if needed > there:
            raise ValueError(f"max_connections: {needed} may be needed, and {there} are there")
        return self

    def but(self, **changed: Any) -> "Deployment":
        """The same with some fields changed, checked, and connections for all."""
        processes = changed.get("workers", self.workers) + changed.get("graphql", self.graphql)
        enough = max(self.max_connections, POOL * processes + RESERVED)
        return Deployment(**{**dict(self), "max_connections": enough, **changed})


def held_ms(costs: Costs, at: Deployment, row: str) -> float:
    """For how long an order keeps such a row locked, all its steps together, if nobody waits."""
    total = 0.0
    for step in costs.steps:
        locks = [part.locks for part in step.parts]
        if row in locks:
            total += _store_ms(costs, at, step.parts[locks.index(row) :])
    return total


def _store_ms(costs: Costs, at: Deployment, parts: Sequence[Part], commits: int = 1) -> float:
    statements, waits = sum(part.statements for part in parts), sum(part.waits for part in parts)
    work_ms = statements * (costs.python_ms + costs.statement_ms)
    return work_ms + waits * at.rtt_ms + commits * (at.rtt_ms + at.fsync_ms)


class Ceiling(NamedTuple):
    """What a part can do; more of its units, a field of the deployment, raise it."""

    part: str
    per_second: float
    units: str


def ceilings(costs: Costs, at: Deployment) -> list[Ceiling]:
    """Orders a second that each part allows, the least first: it breaks first."""
    numbers_ms, stock_ms = held_ms(costs, at, NUMBER), held_ms(costs, at, STOCK)
    steps_ms = sum(
        _store_ms(costs, at, each.parts, each.commits) for each in costs.steps if not each.delay_ms
    )
    records_ms = (costs.writes + VISIBILITY_WRITES) * at.record_ms
    found: list[tuple[str, float, float, str]] = [
        ("worker processes", at.workers, costs.worker_ms, "workers"),
        ("history shards", at.shards, costs.writes * at.write_ms, "shards"),
        ("order numbers of a prefix", at.prefixes, numbers_ms, "prefixes"),
        ("stock row of the hot SKU", at.hot_rows, at.hot_share * stock_ms, "hot_rows"),
        ("store steps of workers", at.workers * STORE_STEPS, steps_ms, "workers"),
        ("task queue partitions", at.partitions, 1000 / PARTITION_PER_S, "partitions"),
        ("frontend requests", at.frontends, costs.writes * 1000 / FRONTEND_PER_S, "frontends"),
    ]
    if at.machine_cores:
        found.append(("cores of the machine", at.machine_cores, costs.total_ms, "machine_cores"))
    else:
        found += [
            ("GraphQL servers", at.graphql, costs.caller_ms, "graphql"),
            ("Temporal server's cores", at.server_cores, costs.server_ms, "server_cores"),
            ("cores of Temporal's database", at.temporal_cores, records_ms, "temporal_cores"),
            ("PostgreSQL's cores", at.postgres_cores, costs.database_ms, "postgres_cores"),
        ]
    each = [Ceiling(part, 1000 * n / ms, units) for part, n, ms, units in found if ms > 0]
    return sorted(each, key=lambda ceiling: ceiling.per_second)


LINES, CV, WARM_UP = 5, 0.5, 0.2
"""Of a cart; of every service time (sigma by mean); the part of the orders before any counts."""

SWITCH_MS = 5.0  # for so long a thread runs Python while others wait: sys.getswitchinterval()
Run = Generator[simpy.Event, None, None]


class Played(NamedTuple):
    """What came of a simulation; times are from the call to the answer."""

    per_second: float
    p50_ms: float
    p95_ms: float


@cache
def _day() -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The products of a real day, and in how many of its baskets each of them or those before."""
    text = (resources.files("cli") / "demo_data" / "baskets.csv").read_text("utf-8")
    bought = Counter(row["sku"] for row in csv.DictReader(text.splitlines()))
    return tuple(bought), tuple(accumulate(bought.values()))


class _Worker:
    """A process: one thread of it runs Python at a time."""

    def __init__(self, env: simpy.Environment) -> None:
        self.python = simpy.Resource(env)
        self.checkouts = simpy.Resource(env, CHECKOUTS)
        self.steps = simpy.Resource(env, STORE_STEPS)
        self.orders = 0


class Simulation:
    """Orders that go through a deployment; time is in milliseconds."""

    def __init__(self, costs: Costs, at: Deployment, orders: int, seed: int, cv: float = CV):
        self._costs, self._at, self._cv = costs, at, cv
        self._left = orders
        self._warm_up = int(orders * WARM_UP)
        self._random = random.Random(seed)
        self._env = env = simpy.Environment()
        self._all_answered = env.event()
        self._answers: list[tuple[float, float]] = []
        machine = simpy.Resource(env, at.machine_cores) if at.machine_cores else None
        self._server = machine or simpy.Resource(env, at.server_cores)
        self._callers = machine or simpy.Resource(env, at.graphql)
        self._postgres = machine or simpy.Resource(env, at.postgres_cores)
        self._temporal = simpy.Resource(env, at.temporal_cores)
        self._machine = [machine] if machine else []
        self._shards = [simpy.Resource(env) for _ in range(at.shards)]
        self._workers = [_Worker(env) for _ in range(at.workers)]
        self._rows = defaultdict[tuple[str, str], simpy.Resource](partial(simpy.Resource, env))

    def closed(self, callers: int) -> Played:
        """So many callers who order again as soon as they are answered: the most it can do."""
        for _ in range(callers):
            self._env.process(self._caller())
        return self._play()

    def open(self, per_second: float) -> Played:
        """Orders that come at a rate, whatever becomes of those before (Poisson)."""
        self._env.process(self._arrivals(1000 / per_second))
        return self._play()

    def _play(self) -> Played:
        self._env.run(self._all_answered)
        counted = self._answers[self._warm_up :]
        took = counted[-1][0] - self._answers[self._warm_up - 1][0]
        cuts = quantiles([ms for _, ms in counted], n=20)
        return Played(1000 * len(counted) / took, cuts[9], cuts[18])

    def _caller(self) -> Run:
        while True:
            answered = self._env.event()
            self._env.process(self._order(answered))
            yield answered

    def _arrivals(self, every_ms: float) -> Run:
        while True:
            yield self._env.timeout(self._random.expovariate(1 / every_ms))
            self._env.process(self._order(self._env.event()))

    def _order(self, answered: simpy.Event) -> Run:
        came, costs, at = self._env.now, self._costs, self._at
        yield from self._use(costs.caller_ms + costs.others_ms * bool(self._machine), self._callers)
        shard = self._shards[self._random.randrange(at.shards)]
        prefix = str(self._random.randrange(at.prefixes))
        skus = self._basket()
        for stage in costs.path:
            if stage == ANSWER:
                self._answers.append((self._env.now, self._env.now - came))
                answered.succeed()
                self._left -= 1
                if not self._left:
                    self._all_answered.succeed()
            elif isinstance(stage, Step):
                yield from self._work(stage, prefix, skus)
            else:
                yield from self._use(costs.server_ms / costs.writes, self._server)
                if not self._machine:
                    yield from self._use(
                        at.record_ms * (1 + VISIBILITY_WRITES / costs.writes), self._temporal
                    )
                yield from self._use(at.write_ms, shard)

    def _basket(self) -> list[str]:
        """Other products by how often they were bought on a real day; in the order of locks."""
        hot = self._random.random() < self._at.hot_share
        first = [f"hot {self._random.randrange(self._at.hot_rows)}"] if hot else []
        products, weights = _day()
        return sorted({*first, *self._random.choices(products, cum_weights=weights, k=LINES - hot)})

    def _work(self, step: Step, prefix: str, skus: Sequence[str]) -> Run:
        """A worker's turn: its SDK, then the step, then the gateway if it has one."""
        worker = min(self._workers, key=lambda each: each.orders)
        worker.orders += 1
        place: Any = worker.checkouts.request()
        with place:
            yield place
            yield from self._python(self._costs.sdk_ms, worker)
            turn: Any = worker.steps.request()
            with turn:
                yield turn
                yield from self._transactions(step, worker, prefix, skus)
            if step.delay_ms:
                yield self._env.timeout(step.delay_ms)
        worker.orders -= 1

    def _transactions(self, step: Step, worker: _Worker, prefix: str, skus: Sequence[str]) -> Run:
        costs, at = self._costs, self._at
        locked: list[tuple[simpy.Resource, Any]] = []
        for part in step.parts:
            names = {NUMBER: [prefix], STOCK: skus}.get(part.locks, [])
            for name in names:
                row = self._rows[part.locks, name]
                locked.append((row, row.request()))
                yield locked[-1][1]
            yield from self._python(costs.python_ms * part.statements, worker)
            yield from self._use(costs.statement_ms * part.statements, self._postgres)
            yield self._env.timeout(part.waits * at.rtt_ms)
        yield self._env.timeout(step.commits * (at.rtt_ms + at.fsync_ms))
        for row, request in locked:
            row.release(request)

    def _python(self, mean_ms: float, worker: _Worker) -> Run:
        """The interpreter's threads take turns, whatever rows they keep locked meanwhile."""
        left_ms = self._drawn(mean_ms)
        while left_ms > 0:
            yield from self._keep(min(left_ms, SWITCH_MS), worker.python, *self._machine)
            left_ms -= SWITCH_MS

    def _use(self, mean_ms: float, resource: simpy.Resource) -> Run:
        yield from self._keep(self._drawn(mean_ms), resource)

    def _keep(self, ms: float, *resources: simpy.Resource) -> Run:
        requests: list[Any] = []
        for resource in resources:
            requests.append(resource.request())
            if not requests[-1].triggered:  # an event less where nobody waits
                yield requests[-1]
        yield self._env.timeout(ms)
        for resource, request in zip(resources, requests, strict=True):
            resource.release(request)

    def _drawn(self, mean_ms: float) -> float:
        if not (self._cv and mean_ms):
            return mean_ms
        shape = 1 / self._cv**2
        return self._random.gammavariate(shape, mean_ms / shape)
