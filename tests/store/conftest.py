"""The store over real databases: every test runs on a SQLite file and on PostgreSQL."""

import os
import random
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self, TypeVar

import pytest
from sqlalchemy import event, text

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import Base
from commerce.adapters.store.schema import upgrade
from commerce.adapters.store.sql_store import SqlStore
from commerce.contract import Checkout, LockedCart, OrderEvent, OrderPlaced, Outcome
from commerce.domain.carts import Cart, CartSnapshot, CartStatus
from commerce.domain.checks import Check
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.orders import Order
from tests.builders import TestClock, build, cart, product, undurable, unnumbered
from tests.conftest import Server

HOLD_TTL = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
RACE_TIMEOUT_S = 60
POLLS = 20_000
SQLITE, POSTGRESQL = "sqlite", "postgresql"

on_postgresql_only = pytest.mark.parametrize("kind", [POSTGRESQL], indirect=True)
"""For what SQLite, with one writer at a time, cannot show."""

T = TypeVar("T")


def nothing_wrong(_snapshot: CartSnapshot) -> None:
    """The check of a cart that has nothing wrong."""


@dataclass(frozen=True)
class Shop:
    """A store, its clock, and the steps of a checkout as the activities take them."""

    store: SqlStore
    clock: TestClock

    def stock(self, **units: int | None) -> None:
        """Put products on the shelf at 10.00; None where stock is not managed."""
        self.store.catalog.put(product(sku, quantity) for sku, quantity in units.items())

    def save(self, cart_id: str, *lines: tuple[str, int], **changes: object) -> Cart:
        """Save a guest's cart that lacks nothing but what is changed."""
        saved = cart(cart_id, *lines, **changes)
        self.store.carts.save(saved)
        return saved

    def lock(self, run: Checkout, check: Check | None = None) -> LockedCart:
        """Lock the cart; no refusal is expected."""
        locked = self.store.carts.lock(run, check)
        assert isinstance(locked, LockedCart), locked
        return locked

    def freeze(self, run: Checkout) -> CartSnapshot:
        """Lock the cart and read its snapshot."""
        return self.store.carts.snapshot(run, self.lock(run).digest)

    def hold(self, run: Checkout, check: Check | None = None) -> LockedCart:
        """Lock the cart and hold its stock; no refusal is expected."""
        locked = self.lock(run, check)
        snapshot = self.store.carts.snapshot(run, locked.digest)
        assert self.store.stock.hold(run, snapshot) is None
        return locked

    def reserve(self, run: Checkout, check: Check = nothing_wrong) -> LockedCart:
        """Lock the cart, hold its stock and check it in one transaction; no refusal is expected."""
        locked = self.lock(run, check)
        assert locked.reserved
        return locked

    def claim(self, run: Checkout) -> LockedCart:
        """Lock the cart, hold its stock and claim its payment; no refusal is expected."""
        locked = self.hold(run)
        assert self._claim(run, self.store.carts.snapshot(run, locked.digest)) is None
        return locked

    def _claim(self, run: Checkout, snapshot: CartSnapshot) -> Refusal | None:
        payment_id = payment_of(run, snapshot)
        if not payment_id or self.store.claims.claim(run, snapshot.digest(), payment_id):
            return None
        return refuse(RefusalReason.PAYMENT_ID_INVALID)

    def order(self, run: Checkout) -> OrderPlaced:
        """The whole checkout; no refusal is expected."""
        placed = self.check_out(run)
        assert isinstance(placed, OrderPlaced), placed
        return placed

    def check_out(self, run: Checkout) -> Outcome:
        """The whole checkout with its undos, step by step, as the workflow can run it, too."""
        return self._check_out(run, None)

    def check_out_at_once(self, run: Checkout) -> Outcome:
        """The whole checkout with its undos, as the workflow runs it when all is well.

        Only a lock that is taken over leaves its stock to a step of its own.
        """
        return self._check_out(run, nothing_wrong)

    def _check_out(self, run: Checkout, check: Check | None) -> Outcome:
        locked = self.store.carts.lock(run, check)
        if not isinstance(locked, LockedCart):
            return locked
        snapshot = self.store.carts.snapshot(run, locked.digest)
        short = None if locked.reserved else self.store.stock.hold(run, snapshot)
        outcome = short or self._claim(run, snapshot)
        outcome = outcome or self.store.orders.create(run, locked.digest)
        return self.undo(run, outcome) if isinstance(outcome, Refusal) else outcome

    def undo(self, run: Checkout, refusal: Refusal) -> Outcome:
        """Give the payment up, release the stock and give the cart back."""
        if run.request.operation is Operation.COMPLETE_ORDER:
            self.store.claims.give_up(run)
        self.store.stock.release(run)
        return self.store.carts.unlock(run, refusal)

    def find(self, placed: OrderPlaced) -> Order:
        """The order that was answered."""
        found = self.store.order_book.find(placed.order_number)
        assert found is not None
        return found

    def event(self, order_number: str) -> OrderEvent | None:
        """The order's event while it has not been announced."""
        return next(iter(self.store.orders.pending_events([order_number])), None)

    def content(self, cart_id: str) -> tuple[Cart, CartStatus]:
        """A cart as it stands, whatever numbers its lines have."""
        found = self.store.carts.find(cart_id)
        assert found is not None
        return unnumbered(found[0]), found[1]

    def units(self, sku: str) -> tuple[int, int]:
        """On hand and held."""
        return self.store.catalog.units()[sku]

    def counts(self) -> dict[str, int]:
        """What the audit counts; it has to be clean."""
        report = self.store.audit.run()
        assert report.clean, report.violations
        return report.counts

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is written, table by table."""
        with self.store.database.engine.connect() as connection:
            return {
                name: sorted((tuple(x) for x in connection.execute(table.select())), key=repr)
                for name, table in Base.metadata.tables.items()
            }


def payment_of(run: Checkout, snapshot: CartSnapshot) -> str:
    """The payment at the gateway that pays; empty for the offline methods."""
    chosen = snapshot.cart.payment
    return run.request.payment_id or (chosen.payment_id if chosen else "")


# -- running things at the same time ---------------------------------------------------------


def race(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run the calls in as many threads, all let go at once; their results or exceptions."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        barrier.wait(RACE_TIMEOUT_S)
        try:
            return call()
        except Exception as error:  # noqa: BLE001 (handed to the test)
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls, timeout=RACE_TIMEOUT_S))


@dataclass
class Reached:
    """How often a named point was reached."""

    times: int = 0


@contextmanager
def at(
    database: Database, point: str, action: Callable[[], object], nth: int = 1
) -> Generator[Reached]:
    """Run ``action`` once, when this database reaches a named point for the nth time.

    Args:
        database: Whose transactions are watched; ``action`` works on another one.
        point: ``BEGIN``, ``COMMIT``, or a piece of the statement that is about to run.
        action: What happens there; what it raises, the statement raises.
        nth: Which time.
    """
    reached = Reached()

    def on_reached() -> None:
        reached.times += 1
        if reached.times == nth:
            action()

    def on_edge(_connection: object) -> None:
        on_reached()

    def on_statement(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if point in statement:
            on_reached()

    edges = {"COMMIT": "commit"} if database.is_sqlite else {}  # BEGIN is a statement on both
    name = edges.get(point, "before_cursor_execute")
    listener = on_edge if point in edges else on_statement
    event.listen(database.engine, name, listener)
    try:
        yield reached
    finally:
        event.remove(database.engine, name, listener)
    assert reached.times >= nth, f"{point!r} was reached {reached.times} times"


@dataclass
class Meanwhile:
    """A call that runs in another thread until it has to wait for a lock, or has ended."""

    database: Database
    call: Callable[[], object]
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    future: "Future[object] | None" = None

    def __call__(self) -> None:
        """Start, and come back when the call waits for a lock or has ended."""
        self.future = self.threads.submit(self.call)
        with self.database.engine.connect() as connection:
            for _ in range(POLLS):
                waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if self.future.done() or connection.scalar(waiting):
                    return
        raise AssertionError("it neither waits nor ends")

    def result(self) -> object:
        """What it came to, or the exception that it raised."""
        assert self.future is not None, "it was never started"
        error = self.future.exception(RACE_TIMEOUT_S)
        self.threads.shutdown()
        return error or self.future.result()


# -- databases --------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=[SQLITE, POSTGRESQL])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two databases."""
    return request.param


@pytest.fixture(scope="session")
def new_url(
    kind: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""
    if kind == SQLITE:
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'store.db'}"
    server: Server = request.getfixturevalue("postgresql")
    return server.create


@pytest.fixture
def empty(new_url: Callable[[], str]) -> Iterator[Database]:
    """A database with nothing in it."""
    database = undurable(new_url())
    yield database
    database.close()


@dataclass
class Opened:
    """A migrated database, opened twice as two processes would."""

    databases: tuple[Database, Database]
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    @classmethod
    def at(cls, url: str) -> Self:
        databases = undurable(url), undurable(url)
        upgrade(databases[0])
        opened = cls(databases)
        opened.keep()
        return opened

    def keep(self) -> None:
        """Remember everything that is written now."""
        with self.databases[0].engine.connect() as connection:
            for name, table in Base.metadata.tables.items():
                rows = connection.execute(table.select()).mappings()
                self.kept[name] = [dict(row) for row in rows]

    def restore(self) -> None:
        """Everything is as it was kept: as it was migrated, unless something else was."""
        with self.databases[0].engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
            for table in Base.metadata.sorted_tables:
                if self.kept[table.name]:
                    connection.execute(table.insert(), self.kept[table.name])

    def shops(self) -> tuple[Shop, Shop]:
        """The store in each of the two, with one clock."""
        clock = TestClock()
        for database in self.databases:
            database.now = clock
        first, second = (Shop(build(database, HOLD_TTL), clock) for database in self.databases)
        return first, second

    def close(self) -> None:
        for database in self.databases:
            database.close()


@pytest.fixture(scope="session")
def opened(new_url: Callable[[], str]) -> Iterator[Opened]:
    """The database that the tests use one after the other: statements are compiled only once."""
    opened = Opened.at(new_url())
    yield opened
    opened.close()


@pytest.fixture
def shops(opened: Opened) -> tuple[Shop, Shop]:
    """An empty store, opened twice."""
    opened.restore()
    return opened.shops()


@pytest.fixture
def shop(shops: tuple[Shop, Shop]) -> Shop:
    """An empty store."""
    return shops[0]


@pytest.fixture
def seed() -> int:
    """A new seed each time, shown when the test fails; ``CHECKOUT_TEST_SEED`` sets it."""
    chosen = os.environ.get("CHECKOUT_TEST_SEED") or random.SystemRandom().randrange(10**9)
    sys.stdout.write(f"CHECKOUT_TEST_SEED={chosen}\n")
    return int(chosen)
