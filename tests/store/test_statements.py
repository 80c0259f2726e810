"""How many statements and transactions does a checkout cost? As many for 161 lines as for five.

A statement is a round trip to the database, and a commit is one to the disk: with them a
checkout's time grows, and with it how long others wait for its stock.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import event
from sqlalchemy.engine import ExecutionContext

from activities.carts import CartActivities
from activities.orders import OrderActivities
from activities.payments import PaymentActivities
from commerce.adapters.addresses import PostalRules
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.store.pipelines import LATER
from commerce.contract import (
    Checkout,
    LockedCart,
    OrderPlaced,
    Outcome,
    Passed,
    PlacedOrder,
    SnapshotRef,
)
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from tests.builders import checkout, product
from tests.payments import Gateway
from tests.store.conftest import Shop

TRANSACTION_CONTROL = "BEGIN", "SET TRANSACTION", "COMMIT"
"""What begins or ends a transaction is a statement on one database, and none on the other."""

Cost = tuple[int, int, int]
"""Statements, those of them that are waited for, and commits, which are waited for as well."""

OFFLINE: dict[str, Cost] = {
    "lock_cart": (9, 6, 1),
    "create_order": (10, 3, 1),
    "the relay's batch": (2, 1, 2),
}
PAID: dict[str, Cost] = {
    "lock_cart": (9, 6, 1),
    "verify_payment": (8, 7, 3),
    "create_order": (11, 4, 1),
    "capture_payment": (3, 2, 2),
}
REFUSED: dict[str, Cost] = {
    "by the cart": (5, 4, 1),
    "short of stock": (7, 6, 1),
    "by the check": (5, 4, 1),
}
UNDONE: dict[str, Cost] = {"lock_cart": (9, 6, 1), "unlock_cart": (11, 8, 1)}
"""The costs of each step, however many lines the cart has."""


@dataclass
class Meter:
    """Counts what reaches a database, step by step."""

    costs: dict[str, Cost] = field(default_factory=dict[str, Cost])
    _statements: list[str] = field(default_factory=list[str])
    _waits: list[str] = field(default_factory=list[str])
    _commits: list[None] = field(default_factory=list[None])

    @contextmanager
    def of(self, step: str) -> Generator[None]:
        """Count a step."""
        self._statements.clear()
        self._waits.clear()
        self._commits.clear()
        yield
        self.costs[step] = len(self._statements), len(self._waits), len(self._commits)

    def on_statement(
        self,
        _connection: object,
        _cursor: object,
        text: str,
        _values: object,
        context: ExecutionContext,
        _many: bool,
    ) -> None:
        if text.startswith(TRANSACTION_CONTROL):
            return
        self._statements.append(text)
        if not LATER.items() <= context.execution_options.items():
            self._waits.append(text)

    def on_commit(self, _connection: object) -> None:
        self._commits.append(None)


@pytest.fixture
def meter(shop: Shop) -> Iterator[Meter]:
    meter = Meter()
    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": meter.on_statement,
        "commit": meter.on_commit,
    }
    for engine in shop.store.database.engines:
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
    yield meter
    for engine in shop.store.database.engines:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


Lines = tuple[tuple[str, int], ...]


@pytest.fixture(params=[5, 161], ids=["5 lines", "161 lines"])
def lines(shop: Shop, request: pytest.FixtureRequest) -> Lines:
    skus = [f"sku-{n:03}" for n in range(request.param)]
    shop.store.catalog.put(product(sku, 100) for sku in skus)
    return tuple((sku, 2) for sku in skus)


def lock(shop: Shop, run: Checkout) -> LockedCart | Outcome:
    return CartActivities(shop.store.carts, PostalRules()).lock_cart(run)


def lock_cart(shop: Shop, meter: Meter, run: Checkout) -> SnapshotRef:
    with meter.of("lock_cart"):
        locked = lock(shop, run)
    assert isinstance(locked, LockedCart), locked
    assert locked.reserved
    return SnapshotRef(checkout=run, digest=locked.digest)


def create_order(shop: Shop, meter: Meter, ref: SnapshotRef, soon: list[str]) -> str:
    """The number of the order, which the relay is told of."""
    orders = OrderActivities(shop.store.orders, LogOrderEvents(), soon.append)
    with meter.of("create_order"):
        placed = orders.create_order(ref)
    assert isinstance(placed, OrderPlaced), placed
    assert placed.order_number in soon
    return placed.order_number


def test_an_offline_checkout(shop: Shop, meter: Meter, lines: Lines) -> None:
    soon: list[str] = []
    for cart_id in ("first", "second"):
        shop.save(cart_id, *lines)
        create_order(shop, meter, lock_cart(shop, meter, checkout(cart_id)), soon)
    with meter.of("the relay's batch"):
        found = shop.store.orders.pending_events(soon)
        shop.store.orders.mark_announced([event.event_id for event in found])
    assert meter.costs == OFFLINE
    assert shop.counts()["events_unannounced"] == 0


async def test_a_paid_checkout(shop: Shop, meter: Meter, gateway: Gateway, lines: Lines) -> None:
    shop.save("cart", *lines)
    view = shop.store.shopping.view("cart")
    total = view and view.total()
    assert total is not None
    run = checkout(
        "cart", operation=Operation.COMPLETE_ORDER, payment_id=gateway.pay("cart", total)
    )
    adapter = SandboxGateway(gateway.url, gateway.key)
    store = shop.store
    payments = PaymentActivities(store.carts, store.orders, store.claims, adapter)
    ref = lock_cart(shop, meter, run)
    with meter.of("verify_payment"):
        assert await payments.verify_payment(ref) == Passed()
    number = create_order(shop, meter, ref, [])
    with meter.of("capture_payment"):
        await payments.capture_payment(PlacedOrder(checkout=run, order_number=number))
    await adapter.aclose()
    assert meter.costs == PAID


def test_a_refusal(shop: Shop, meter: Meter, lines: Lines) -> None:
    carts = {
        "by the cart": shop.save("a", *lines, email=None),
        "short of stock": shop.save("b", *lines, (lines[0][0], 1000)),
        "by the check": shop.save("c", *lines, payment=None),
    }
    for why, refused in carts.items():
        with meter.of(why):
            outcome = lock(shop, checkout(refused.id))
        assert isinstance(outcome, Refusal)
    assert meter.costs == REFUSED


def test_an_undo(shop: Shop, meter: Meter, lines: Lines) -> None:
    shop.save("cart", *lines)
    run = checkout("cart")
    lock_cart(shop, meter, run)
    with meter.of("unlock_cart"):
        shop.store.carts.unlock(run, refuse(RefusalReason.ABORTED))
    assert meter.costs == UNDONE
