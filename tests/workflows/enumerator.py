"""Every fault at every call of the gateway, every pair of them, and every fault around a step.

The relay's calls count as steps of the run whose order they announce. A path, a call, a step, a
fault or an invariant joins by a line of its table.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.service import RPCError

from cli.money import differences
from client import Operation, OrderPlaced, Pending, Refused
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.sandbox import LedgerPayment
from commerce.adapters.relay import MISSED_AFTER, OutboxRelay
from commerce.adapters.store.orders import SqlOrders
from commerce.contract import PAYMENT_CHANGED_SIGNAL, OrderEvent, workflow_id
from commerce.domain.payments import PaymentMethod, PaymentStatus
from tests.builders import cart
from tests.faults import Faults, Mode
from tests.world import World

TOTAL = "15.00"
DEADLINE = timedelta(minutes=2)
TOGETHER = 32
"""Checkouts that run at a time."""


@dataclass(frozen=True)
class At:
    """The nth time that a gateway call is made, or that a step is tried."""

    what: str
    nth: int = 1


@dataclass(frozen=True)
class Path:
    """A way through the workflow.

    Attributes:
        script: How the payment behaves otherwise.
        calls: The gateway calls in it at which a fault is put.
        steps: The steps around which a fault is put.
        then: What the gateway's shopper or reviewer does while it is pending.
        breaks: A step that never succeeds.
        refunds: The money is captured behind our back before that step.
        loses: A step whose first answer is lost, whatever else happens.
        is_found: The run is terminated once there is the order, and the next one finds it.
    """

    operation: Operation
    calls: tuple[At, ...]
    steps: tuple[str, ...]
    script: dict[str, Any] = field(default_factory=dict[str, Any])
    then: str = ""
    breaks: str = ""
    refunds: bool = False
    loses: str = ""
    is_found: bool = False


def calls(**times: int) -> tuple[At, ...]:
    """``calls(look_up=2)``: the first and the second look-up."""
    return tuple(At(call, n + 1) for call, many in times.items() for n in range(many))


_PENDING = {"authorize": "pending_shopper"}
_RELAY = ("publish", "mark_announced")
_BEFORE = ("lock_cart", "verify_payment", "create_order")
_ORDER = (*_BEFORE, "capture_payment", *_RELAY)
_DECLINED = ("verify_payment", "unlock_cart")
_UNDO = ("verify_payment", "void_payment", "unlock_cart")
_APART = ("hold_stock", "validate_addresses", "verify_payment")
"""The steps of a run that does not hear that its cart is locked with all that belongs to it."""

_PLACE, _COMPLETE = Operation

PATHS: dict[str, Path] = {
    "order": Path(_COMPLETE, calls(look_up=4, authorize=2, capture=2), _ORDER),
    "placed online": Path(_PLACE, calls(look_up=2, authorize=1, capture=1), _ORDER),
    "declined": Path(_COMPLETE, calls(look_up=2, authorize=2), _DECLINED, {"authorize": "decline"}),
    "pending": Path(
        _COMPLETE, calls(look_up=3, authorize=1, capture=1), _ORDER, _PENDING, "authenticate"
    ),
    "pending, declined": Path(
        _COMPLETE, calls(look_up=3, authorize=1), _DECLINED, _PENDING, "decline"
    ),
    "undone": Path(_COMPLETE, calls(look_up=3, authorize=2, void=2), _UNDO, breaks="create_order"),
    "refunded": Path(
        _COMPLETE, calls(look_up=3, refund=2), _UNDO, breaks="create_order", refunds=True
    ),
    "in steps": Path(
        _COMPLETE, calls(look_up=1, authorize=1), (*_APART, "create_order"), loses="lock_cart"
    ),
    "undone in steps": Path(
        _COMPLETE,
        calls(void=1),
        (*_APART, "void_payment", "release_stock", "unlock_cart"),
        breaks="create_order",
        loses="lock_cart",
    ),
    "found": Path(
        _COMPLETE,
        (At("look_up", 2), *calls(capture=2)),
        ("capture_payment", "announce_order"),
        is_found=True,
    ),
}

GATEWAY_FAULTS = ("fail_before", "fail_after", "time_out_before", "time_out_after")
Fault = tuple[At, str]


def schedules(path: Path) -> Iterator[tuple[Fault, ...]]:
    """No fault, every single one, and every pair at two calls of the gateway."""
    at_calls = list(itertools.product(path.calls, GATEWAY_FAULTS))
    around_steps = itertools.product(map(At, path.steps), map(str, Mode))
    yield ()
    yield from ((each,) for each in itertools.chain(at_calls, around_steps))
    pairs = itertools.combinations(at_calls, 2)
    yield from (pair for pair in pairs if pair[0][0] != pair[1][0])


@dataclass
class Run:
    """What came of a schedule.

    Attributes:
        missed: The steps of it that were never tried.
    """

    cart_id: str
    path: Path
    schedule: tuple[Fault, ...]
    answer: Any = None
    missed: tuple[str, ...] = ()

    @property
    def payment_id(self) -> str:
        return f"PAY-{self.cart_id}"

    def __str__(self) -> str:
        return " and ".join(f"{mode} at {at.what} {at.nth}" for at, mode in self.schedule)


# -- the invariants: each is told of a run and of its payment, when all is quiet ------------------


def the_answer_is_true(world: World, run: Run, payment: LedgerPayment) -> bool:
    found = world.store.order_book.find(cart_id=run.cart_id)
    if isinstance(run.answer, OrderPlaced):
        return found is not None and found.number == run.answer.order_number
    return isinstance(run.answer, Refused) and found is None


def nothing_is_left_open(world: World, run: Run, payment: LedgerPayment) -> bool:
    return payment.open_minor == 0


def money_came_with_the_order_only(world: World, run: Run, payment: LedgerPayment) -> bool:
    wanted = 1500 if isinstance(run.answer, OrderPlaced) else 0
    return payment.captured_minor - payment.refunded_minor == wanted


def nothing_was_done_twice(world: World, run: Run, payment: LedgerPayment) -> bool:
    did = (payment.authorizations, payment.captures, payment.voids, payment.refunds)
    return max(did) <= 1


def a_path_that_works_ends_in_its_order(world: World, run: Run, payment: LedgerPayment) -> bool:
    hopeless = run.path.breaks or "decline" in (run.path.then, run.path.script.get("authorize"))
    return isinstance(run.answer, OrderPlaced) is not bool(hopeless)


INVARIANTS: tuple[Callable[[World, Run, LedgerPayment], bool], ...] = (
    the_answer_is_true,
    nothing_is_left_open,
    money_came_with_the_order_only,
    nothing_was_done_twice,
    a_path_that_works_ends_in_its_order,
)


# -- faults at the relay's calls ------------------------------------------------------------------


def faulty_publish(faults: Faults) -> Callable[[LogOrderEvents, OrderEvent], None]:
    """A broker that takes the faults that are planned for ``publish``."""
    publish = LogOrderEvents.publish

    def faulty(events: LogOrderEvents, event: OrderEvent) -> None:
        with _around(faults, "publish", [event.event_id]):
            publish(events, event)

    return faulty


def faulty_mark_announced(faults: Faults) -> Callable[[SqlOrders, Sequence[str]], None]:
    """A store that takes the faults that are planned for ``mark_announced``."""
    mark_announced = SqlOrders.mark_announced

    def faulty(orders: SqlOrders, event_ids: Sequence[str]) -> None:
        with _around(faults, "mark_announced", event_ids):
            mark_announced(orders, event_ids)

    return faulty


@contextlib.contextmanager
def _around(faults: Faults, call: str, event_ids: Sequence[str]) -> Generator[None]:
    planned = [faults.take(call, event_id.split("/")[0]) for event_id in event_ids]
    modes = {fault[0] for fault in planned if fault}
    if Mode.BEFORE in modes:
        raise ConnectionError
    yield
    if modes:
        raise ConnectionError


async def _all_announced(world: World) -> None:
    """Until another worker's relay has told what this one missed."""
    world.clock.advance(MISSED_AFTER)
    with OutboxRelay(world.store.orders, LogOrderEvents(), look_every_s=0.1):
        await world.announced(DEADLINE)


# -- playing them -------------------------------------------------------------------------------


async def play(
    world: World, path: Path, most_faults: int = 2
) -> tuple[list[Run], dict[str, LedgerPayment]]:
    """Run every schedule of a path, each with a cart and a payment of its own."""
    turn = asyncio.Semaphore(TOGETHER)
    played = [each for each in schedules(path) if len(each) <= most_faults]
    runs = [Run(world.id(f"cart{n}"), path, schedule) for n, schedule in enumerate(played)]

    async def one(run: Run) -> None:
        async with turn:
            await _play(world, run)

    await asyncio.gather(*map(one, runs))
    await _all_announced(world)
    for run in runs:
        around = [at.what for at, _ in run.schedule if at.what in path.steps]
        run_id = workflow_id(run.cart_id)
        run.missed = tuple(step for step in around if world.faults.take(step, run_id))
    return runs, {payment.id: payment for payment in world.gateway.ledger().payments}


async def _play(world: World, run: Run) -> None:
    path, online = run.path, run.path.operation is Operation.PLACE_ORDER
    choice = {"method": PaymentMethod.SMART_BUTTONS, "payment_id": run.payment_id}
    await asyncio.to_thread(
        world.store.carts.save,
        cart(run.cart_id, payment=choice if online else {"method": "checkmo"}),
    )
    script = {**path.script, "faults": _gateway_faults(run.schedule)}
    await asyncio.to_thread(world.pay, run.cart_id, TOTAL, id=run.payment_id, script=script)
    run_id = workflow_id(run.cart_id)
    for at, mode in run.schedule:
        if at.what in path.steps:
            world.faults.fail(at.what, Mode(mode), run=run_id)
    if path.loses:
        world.faults.fail(path.loses, Mode.AFTER, run=run_id)
    if path.is_found:
        _terminate_once_ordered(world, run)
    if path.breaks:
        world.faults.fail(path.breaks, Mode.BEFORE, for_good=True, run=run_id)
    if path.refunds:

        def capture() -> Awaitable[None]:
            return asyncio.to_thread(world.gateway.capture, run.payment_id)

        world.faults.on(path.breaks, capture, run=run_id)
    answer = await _order(world, run)
    while isinstance(answer, Pending):
        await _decide(world, run)
        answer = await answer.wait(DEADLINE)
    run.answer = answer
    await _until_quiet(world, run)


def _terminate_once_ordered(world: World, run: Run) -> None:
    """The first answer of ``create_order`` is lost; the run ends while it is tried again."""
    step, run_id = "create_order", workflow_id(run.cart_id)
    world.faults.fail(step, Mode.AFTER, run=run_id)

    def terminate() -> Awaitable[None]:
        return world.handle(run.cart_id).terminate("the test's operator")

    world.faults.on(step, lambda: world.faults.on(step, terminate, run=run_id), run=run_id)


async def _order(world: World, run: Run) -> Any:
    if run.path.operation is Operation.PLACE_ORDER:
        return await world.client.place_order(run.cart_id, deadline=DEADLINE)
    return await world.client.complete_order(run.cart_id, run.payment_id, deadline=DEADLINE)


async def _decide(world: World, run: Run) -> None:
    payment = await asyncio.to_thread(world.payment, run.payment_id)
    if payment.status is PaymentStatus.PENDING:
        await asyncio.to_thread(world.gateway.shopper, run.payment_id, run.path.then)
    with contextlib.suppress(RPCError):  # it has ended meanwhile
        await world.handle(run.cart_id).signal(PAYMENT_CHANGED_SIGNAL)


async def _until_quiet(world: World, run: Run) -> None:
    await asyncio.gather(world.handle(run.cart_id).result(), return_exceptions=True)


def _gateway_faults(schedule: tuple[Fault, ...]) -> list[dict[str, Any]]:
    """The faults as the gateway scripts them: what comes before each goes well."""
    scripted: list[dict[str, Any]] = []
    passed: dict[str, int] = {}
    for at, mode in sorted(schedule, key=lambda fault: fault[0].nth):
        if mode not in GATEWAY_FAULTS:
            continue
        before = at.nth - 1 - passed.get(at.what, 0)
        if before:
            scripted.append({"call": at.what, "mode": "pass", "times": before})
        scripted.append({"call": at.what, "mode": mode})
        passed[at.what] = at.nth
    return scripted


def happened(run: Run, payment: LedgerPayment) -> bool:
    """Whether the gateway was called as often as every fault of the schedule needs."""
    at_gateway = [at for at, mode in run.schedule if mode in GATEWAY_FAULTS]
    return all(payment.calls.get(at.what, 0) >= at.nth for at in at_gateway)


def violations(world: World, runs: list[Run], payments: dict[str, LedgerPayment]) -> list[str]:
    """Every invariant that a run broke, and every difference between money and orders."""
    found = [
        f"{run}: not {invariant.__name__}: {run.answer}"
        for run in runs
        for invariant in INVARIANTS
        if not invariant(world, run, payments[run.payment_id])
    ]
    ledger = world.gateway.ledger()
    return found + differences(ledger, world.store.audit.paid_orders())
