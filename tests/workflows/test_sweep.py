"""What is terminated is cleared: is nothing left behind, and nothing taken from a live checkout?"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from activities.sweep import LAST_ATTEMPT, SweepActivities
from client import CheckoutClient, OrderPlaced, Pending
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.runs import TemporalRuns
from commerce.adapters.setup import setup
from commerce.contract import (
    MARK_DONE_UPDATE,
    SWEEP_SCHEDULE_ID,
    SWEEP_TYPE,
    OrderEvent,
    workflow_id,
)
from commerce.domain.leftovers import Batch, SweepReport
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import ClaimStatus, PaymentInvalid, PaymentStatus
from tests.builders import cart
from tests.faults import Mode, no_relay
from tests.server import a_server
from tests.workflows.test_incidents import act, opened
from tests.world import DEADLINE, World, a_world

__all__ = ["no_relay"]
pytestmark = pytest.mark.usefixtures("no_relay")

State = Callable[[World, str], Awaitable[None]]
"""Brings a cart's checkout into a state, and leaves it there."""

SHORT = timedelta(seconds=1)
PENDING: dict[str, Any] = {"authorize": "pending_shopper"}
VOID_FAILS: dict[str, Any] = {"faults": [{"call": "void", "mode": "fail_before", "times": 1000}]}
DOWN: dict[str, Any] = {
    "faults": [{"call": call, "mode": "fail_before", "times": 1000} for call in ("look_up", "void")]
}
ALWAYS = 1_000


@pytest_asyncio.fixture(scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    """The real server, which has schedules."""
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def real_world(real: Client, tmp_path: Path) -> AsyncGenerator[World]:
    """With room for many checkouts whose steps fail again and again."""
    async with a_world(real, tmp_path, changed={"concurrent_checkouts": 200}) as made:
        yield made


# -- how checkouts are stopped ----------------------------------------------------------------


def payment_of(cart_id: str) -> str:
    return f"PAY-{cart_id}"


async def started(
    world: World, cart_id: str, script: Any = "approved", deadline: timedelta = SHORT
) -> None:
    """A checkout under way; nobody waits for its answer."""
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00", id=payment_of(cart_id), script=script)
    key = f"key-{cart_id}"
    answer = await world.client.complete_order(
        cart_id, payment_of(cart_id), idempotency_key=key, deadline=deadline
    )
    assert isinstance(answer, Pending | OrderPlaced)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE.total_seconds()):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.05)


def stands(world: World, cart_id: str, status: PaymentStatus) -> Callable[[], bool]:
    return lambda: world.payment(payment_of(cart_id)).status is status


def failing(world: World, step: str, cart_id: str, *, for_good: bool = False) -> None:
    times = 1 if for_good else ALWAYS
    world.faults.fail(step, Mode.BEFORE, times, for_good, run=workflow_id(cart_id))


async def with_stock_held(world: World, cart_id: str) -> None:
    failing(world, "verify_payment", cart_id)
    await started(world, cart_id)
    held = text("SELECT count(*) FROM holds WHERE cart_id = :cart_id AND status = 'held'")

    def holds() -> bool:
        with world.store.database.reading() as tx:
            return bool(tx.scalar(held, {"cart_id": cart_id}))

    await until(holds)


async def authorized(world: World, cart_id: str) -> None:
    failing(world, "create_order", cart_id)
    await started(world, cart_id)
    await until(stands(world, cart_id, PaymentStatus.AUTHORIZED))


async def pending(world: World, cart_id: str) -> None:
    await started(world, cart_id, PENDING, DEADLINE)  # or a start is on its way after the terminate
    await until(stands(world, cart_id, PaymentStatus.PENDING))


async def being_voided(world: World, cart_id: str) -> None:
    failing(world, "create_order", cart_id, for_good=True)
    await started(world, cart_id, VOID_FAILS)

    def given_up() -> bool:
        claim = world.store.claims.find(payment_of(cart_id))
        return claim is not None and claim.status is ClaimStatus.GIVEN_UP

    await until(given_up)
    # the attempt under way might succeed after the terminate, once the gateway is well again
    failing(world, "void_payment", cart_id)
    again = asyncio.Event()
    world.faults.on("void_payment", again.set, run=workflow_id(cart_id))
    await asyncio.wait_for(again.wait(), DEADLINE.total_seconds())


async def ordered(world: World, cart_id: str) -> None:
    """An order, and neither captured nor announced."""
    failing(world, "capture_payment", cart_id)
    await started(world, cart_id)
    await until(lambda: world.store.order_book.find(cart_id=cart_id) is not None)


STATES = (with_stock_held, authorized, pending, being_voided)


async def terminated(world: World, cart_id: str, state: State) -> None:
    """Terminated by an operator; in a local step it is while that runs, which then fails for good.

    A local step that fails again and again would be tried on for seconds after its run is gone.
    """
    if state is not authorized:
        await state(world, cart_id)
        await world.handle(cart_id).terminate("the test's operator")
        return
    done = asyncio.Event()

    async def terminate() -> None:
        call.cancel()  # a caller who hears of the terminate asks again
        await asyncio.wait([call])
        await world.handle(cart_id).terminate("the test's operator")
        done.set()

    world.faults.on("create_order", terminate, run=workflow_id(cart_id))
    failing(world, "create_order", cart_id, for_good=True)
    call = asyncio.create_task(started(world, cart_id, deadline=DEADLINE))
    await asyncio.wait_for(done.wait(), DEADLINE.total_seconds())


def wait_until_old(world: World) -> None:
    """The store's clock is put forward until holds have expired and no attempt goes on."""
    world.clock.advance(world.settings.hold_ttl + LAST_ATTEMPT)


async def swept(world: World) -> SweepReport:
    return await world.temporal.execute_workflow(
        SWEEP_TYPE, id=world.id("sweep"), task_queue=world.task_queue, result_type=SweepReport
    )


async def settled(world: World) -> None:
    """Wait for the runs that the sweep has started."""
    age = timedelta()
    await until(lambda: world.store.gauges.read().payments_unsettled == 0)
    assert world.store.leftovers.payments(age, 100) == []


# -- the show ---------------------------------------------------------------------------------


async def test_fifty_terminated_checkouts_leave_nothing_and_their_carts_can_be_ordered(
    real: Client, real_world: World
) -> None:
    world = real_world
    await setup(real, world.settings.model_copy(update={"sweep_interval_s": 3600}))
    carts = [world.id(f"cart{n}") for n in range(50)]
    for n in range(0, 50, 10):
        some = enumerate(carts[n : n + 10], n)
        await asyncio.gather(*[STATES[n % len(STATES)](world, cart_id) for n, cart_id in some])
    for cart_id in carts:
        await world.handle(cart_id).terminate("the test's operator")
        world.gateway.behave(payment_of(cart_id), "approved")
    assert world.store.gauges.read().holds_open == 50
    totals = world.gateway.ledger().totals["USD"]
    assert totals.open_minor == 1500 * (13 + 12)  # authorized, and being voided
    wait_until_old(world)

    report = await scheduled(real)
    assert (report.holds_expired, report.payments_told, report.failed) == (50, 37, ())
    await settled(world)
    gauges = world.store.gauges.read()
    assert (gauges.holds_open, gauges.units_held, gauges.payments_without_order) == (0, 0, 0)
    assert world.gateway.ledger().totals["USD"].open_minor == 0
    touched = [world.payment(payment_of(cart_id)) for cart_id in carts]
    assert {each.status for each in touched} == {PaymentStatus.APPROVED, PaymentStatus.VOIDED}
    assert sum(each.status is PaymentStatus.APPROVED for each in touched) == 13

    world.faults.heal()
    for cart_id, payment in zip(carts, touched, strict=True):
        payment_id = payment.id
        if payment.status is PaymentStatus.VOIDED:
            payment_id = world.pay(cart_id, "15.00", id=f"{payment.id}-again")
        answer = await world.client.complete_order(cart_id, payment_id, deadline=DEADLINE)
        assert isinstance(answer, OrderPlaced), answer
        await world.handle(cart_id).result()
    world.assert_clean(orders=50)
    totals = world.gateway.ledger().totals["USD"]
    assert (totals.captured_minor, totals.refunded_minor, totals.open_minor) == (50 * 1500, 0, 0)
    assert await scheduled(real) == SweepReport()


async def scheduled(client: Client) -> SweepReport:
    """Have the schedule run a sweep, now; its report."""
    schedule = client.get_schedule_handle(SWEEP_SCHEDULE_ID)
    before = (await schedule.describe()).info.num_actions
    await schedule.trigger()
    info = (await schedule.describe()).info
    async with asyncio.timeout(DEADLINE.total_seconds()):
        while info.num_actions == before:
            await asyncio.sleep(0.1)
            info = (await schedule.describe()).info
    started_by: Any = info.recent_actions[-1].action
    handle = client.get_workflow_handle(started_by.workflow_id, result_type=SweepReport)
    return await handle.result()


# -- every kind of leftover -------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
async def test_nothing_is_done_before_its_time_and_all_of_it_then(
    world: World, state: State
) -> None:
    cart_id = world.id("cart")
    await terminated(world, cart_id, state)
    world.gateway.behave(payment_of(cart_id), "approved")
    before = world.payment(payment_of(cart_id))
    assert await swept(world) == SweepReport()
    assert world.payment(payment_of(cart_id)) == before
    wait_until_old(world)
    report = await swept(world)
    assert report.holds_expired == 1
    await settled(world)
    assert world.payment(payment_of(cart_id)).open_minor == 0
    assert await swept(world) == SweepReport()


async def test_an_order_that_was_stopped_before_its_capture_is_paid_and_announced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[OrderEvent] = []

    def publish(_events: LogOrderEvents, event: OrderEvent) -> None:
        told.append(event)

    monkeypatch.setattr(LogOrderEvents, "publish", publish)
    cart_id = world.id("cart")
    await terminated(world, cart_id, ordered)
    wait_until_old(world)
    report = await swept(world)
    assert (report.payments_told, report.orders_announced) == (1, 1)
    await settled(world)
    order = world.store.order_book.find(cart_id=cart_id)
    assert order is not None
    assert order.status is OrderStatus.PROCESSING
    assert [event.order_number for event in told] == [order.number]
    payment = world.payment(payment_of(cart_id))
    assert (payment.captures, payment.open_minor) == (1, 0)
    world.assert_clean(orders=1)


async def test_a_live_checkout_is_left_alone_however_long_it_waits(world: World) -> None:
    cart_id = world.id("cart")
    await pending(world, cart_id)
    for _ in range(3):
        wait_until_old(world)
        report = await swept(world)
        assert (report.payments_told, report.running) == (0, 1)
    assert world.payment(payment_of(cart_id)).status is PaymentStatus.PENDING
    assert await world.status(cart_id) is WorkflowExecutionStatus.RUNNING
    world.gateway.shopper(payment_of(cart_id), "authenticate")
    await world.client.payment_changed(cart_id, payment_of(cart_id))
    await world.handle(cart_id).result()
    assert world.payment(payment_of(cart_id)).captures == 1
    world.assert_clean(orders=1)


async def test_so_is_one_that_waits_for_an_operator(world: World) -> None:
    cart_id = world.id("cart")
    await ordered(world, cart_id)
    wait_until_old(world)
    report = await swept(world)
    assert (report.payments_told, report.orders_announced, report.running) == (0, 0, 2)
    world.faults.heal()
    await world.handle(cart_id).terminate()


async def test_a_checkout_that_was_terminated_is_not_the_one_that_runs_now(world: World) -> None:
    """Whatever the older one left is settled by the one that runs, before it ends."""
    cart_id = world.id("cart")
    await terminated(world, cart_id, authorized)
    world.pay(cart_id, "15.00", id="PAY2", script=PENDING)
    second = await world.client.complete_order(cart_id, "PAY2", deadline=DEADLINE)
    assert isinstance(second, Pending)
    wait_until_old(world)
    report = await swept(world)
    assert (report.payments_told, report.running) == (1, 1)
    world.faults.heal()
    world.gateway.shopper("PAY2", "authenticate")
    await world.client.payment_changed(cart_id, "PAY2")
    assert isinstance(await second.wait(DEADLINE), OrderPlaced)
    await world.handle(cart_id).result()
    payment = world.payment(payment_of(cart_id))
    assert (payment.voids, payment.open_minor) == (1, 0)
    world.assert_clean(orders=1)
    await settled(world)


# -- faults in the sweep itself ---------------------------------------------------------------


async def test_a_gateway_that_is_down_is_reported_and_settled_with_later(world: World) -> None:
    cart_id = world.id("cart")
    await terminated(world, cart_id, authorized)
    world.gateway.behave(payment_of(cart_id), DOWN)
    wait_until_old(world)
    assert (await swept(world)).payments_unsettled == 0
    report = await swept(world)
    assert (report.payments_told, report.payments_unsettled) == (0, 1)
    world.clock.advance(timedelta(minutes=1))
    report = await swept(world)
    assert (report.payments_told, report.payments_unsettled) == (1, 1)
    world.gateway.behave(payment_of(cart_id), "approved")
    await settled(world)
    assert world.payment(payment_of(cart_id)).open_minor == 0
    assert await swept(world) == SweepReport()


async def test_one_that_was_not_settled_is_told_of_again_by_a_later_sweep(world: World) -> None:
    cart_id = world.id("cart")
    await terminated(world, cart_id, authorized)
    wait_until_old(world)
    world.faults.on("settle_payment", lambda: world.handle(cart_id).terminate())
    failing(world, "settle_payment", cart_id)
    await swept(world)
    await until(lambda: world.faults.failed["settle_payment"] > 0)
    world.faults.heal()
    assert world.payment(payment_of(cart_id)).open_minor > 0
    world.clock.advance(timedelta(minutes=1))
    assert (await swept(world)).payments_unsettled == 1
    await settled(world)
    assert world.payment(payment_of(cart_id)).open_minor == 0


async def test_one_that_the_gateway_did_not_know_for_a_moment_is_settled_by_a_later_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = world.id("cart")
    await terminated(world, cart_id, authorized)
    wait_until_old(world)

    async def knows_nothing(_gateway: SandboxGateway, _payment_id: str) -> PaymentInvalid:
        return PaymentInvalid()

    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "look_up", knows_nothing)
        await swept(world)
        assert (await world.handle(cart_id).result())["what"] == "unknown at the gateway"
    world.clock.advance(timedelta(minutes=1))
    assert (await swept(world)).payments_unsettled == 1
    await settled(world)
    assert world.payment(payment_of(cart_id)).open_minor == 0


async def test_the_payment_of_an_order_is_asked_for_again_whatever_an_operator_says_of_it(
    world: World,
) -> None:
    cart_id = world.id("cart")
    await terminated(world, cart_id, ordered)
    wait_until_old(world)
    failing(world, "settle_payment", cart_id, for_good=True)
    await swept(world)
    await opened(world, "settle_payment")
    world.gateway.capture(payment_of(cart_id))
    await act(world, MARK_DONE_UPDATE, "settle_payment", "captured at the gateway")
    await world.handle(cart_id).result()
    world.clock.advance(timedelta(minutes=1))
    assert (await swept(world)).payments_told == 1
    await settled(world)
    order = world.store.order_book.find(cart_id=cart_id)
    assert order is not None
    assert order.status is OrderStatus.PROCESSING


STEPS = (
    "look_for_leftovers",
    "expire_holds",
    "tell_leftover_payments",
    "announce_leftover_orders",
)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("step", STEPS)
async def test_an_activity_of_the_sweep_that_fails_or_is_not_heard_of_is_tried_again(
    world: World, step: str, mode: Mode
) -> None:
    await terminated(world, world.id("cart"), authorized)
    await terminated(world, world.id("other"), ordered)
    wait_until_old(world)
    world.faults.fail(step, mode, times=2)
    await swept(world)
    await settled(world)
    assert world.faults.tried[step] == 3
    for name in ("cart", "other"):
        assert world.payment(payment_of(world.id(name))).open_minor == 0
    assert world.store.gauges.read().events_unannounced == 0
    assert await swept(world) == SweepReport()


@pytest.mark.parametrize("step", STEPS)
async def test_a_sweep_that_fails_is_red_has_done_the_rest_and_the_next_does_it(
    world: World, step: str
) -> None:
    await terminated(world, world.id("cart"), ordered)
    await terminated(world, world.id("other"), with_stock_held)
    wait_until_old(world)
    world.faults.fail(step, Mode.BEFORE, for_good=True)
    with pytest.raises(WorkflowFailureError):
        await swept(world)
    tried = {name for name in STEPS if world.faults.tried[name]}
    assert tried == ({step} if step == "look_for_leftovers" else set(STEPS))
    await swept(world)
    await settled(world)
    assert world.store.gauges.read().events_unannounced == 0
    assert await swept(world) == SweepReport()


async def test_two_sweeps_at_once_settle_each_payment_once(world: World) -> None:
    carts = [world.id(f"cart{n}") for n in range(6)]
    for n, cart_id in enumerate(carts):
        await terminated(world, cart_id, ordered if n % 2 else authorized)
    wait_until_old(world)
    both = [
        world.temporal.execute_workflow(
            SWEEP_TYPE, id=world.id(name), task_queue=world.task_queue, result_type=SweepReport
        )
        for name in ("first", "second")
    ]
    reports = await asyncio.gather(*both)
    assert all(report.failed == () for report in reports)
    await settled(world)
    for n, cart_id in enumerate(carts):
        payment = world.payment(payment_of(cart_id))
        assert (payment.captures, payment.voids) == ((1, 0) if n % 2 else (0, 1))
        assert payment.open_minor == 0
    assert world.store.gauges.read().events_unannounced == 0


async def test_a_broker_that_refuses_one_order_gets_the_others_and_that_one_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await terminated(world, world.id(f"cart{n}"), ordered)
    wait_until_old(world)
    first = world.store.leftovers.unannounced(timedelta(), 1)[0].order_number
    told: list[str] = []

    def refuse_first(_events: LogOrderEvents, event: OrderEvent) -> None:
        if event.order_number == first:
            raise ConnectionError
        told.append(event.order_number)

    with monkeypatch.context() as patch:
        patch.setattr(LogOrderEvents, "publish", refuse_first)
        world.faults.on("announce_leftover_orders", lambda: None)
        sweep = await world.temporal.start_workflow(
            SWEEP_TYPE, id=world.id("sweep"), task_queue=world.task_queue
        )
        await until(lambda: len(told) == 2)
        await sweep.terminate()
    assert world.store.gauges.read().events_unannounced == 1
    await swept(world)
    assert world.store.gauges.read().events_unannounced == 0


async def test_orders_that_cannot_be_announced_do_not_keep_more_than_a_batch_from_being_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        await terminated(world, world.id(f"cart{n}"), ordered)
    wait_until_old(world)
    left = world.store.leftovers.unannounced(timedelta(), 5)
    refused, live = left[0].order_number, left[1].checkout_id
    told: list[str] = []

    def refuse_first(_events: LogOrderEvents, event: OrderEvent) -> None:
        if event.order_number == refused:
            raise ConnectionError
        told.append(event.order_number)

    async def is_running(_runs: TemporalRuns, checkout_id: str) -> bool:
        return checkout_id == live

    monkeypatch.setattr(LogOrderEvents, "publish", refuse_first)
    monkeypatch.setattr(TemporalRuns, "is_running", is_running)
    sweep = SweepActivities(
        world.store.leftovers,
        world.store.orders,
        LogOrderEvents(),
        TemporalRuns(world.temporal),
        world.client,
        world.settings.hold_ttl,
    )
    with pytest.raises(ApplicationError, match="1 orders could not be announced"):
        await sweep.announce_leftover_orders(Batch(most=2))
    assert told == [each.order_number for each in left[2:]]


async def test_a_payment_that_cannot_be_told_of_does_not_keep_those_behind_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    carts = [world.id(f"cart{n}") for n in range(3)]
    for cart_id in carts:
        await terminated(world, cart_id, authorized)
    wait_until_old(world)
    payment_changed = CheckoutClient.payment_changed

    async def not_the_first(client: CheckoutClient, cart_id: str, payment_id: str) -> None:
        if cart_id == carts[0]:
            raise ValueError(cart_id)
        await payment_changed(client, cart_id, payment_id)

    with monkeypatch.context() as patch:
        patch.setattr(CheckoutClient, "payment_changed", not_the_first)
        await swept(world)
        assert world.faults.tried["tell_leftover_payments"] == 2, "the first attempt says so"
        await until(lambda: world.store.gauges.read().payments_unsettled == 1)
    assert (await swept(world)).payments_unsettled == 1
    world.clock.advance(timedelta(minutes=1))
    await swept(world)
    await settled(world)
    assert all(world.payment(payment_of(cart_id)).open_minor == 0 for cart_id in carts)


async def test_an_attempt_that_ends_half_way_is_gone_on_with_batch_after_batch(
    real_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the worker dies: who tries again tells of those that were not told of."""
    world = real_world
    carts = [world.id(f"cart{n}") for n in range(60)]
    for n in range(0, 60, 10):
        await asyncio.gather(*[terminated(world, each, pending) for each in carts[n : n + 10]])
    wait_until_old(world)
    payment_changed, told = CheckoutClient.payment_changed, Counter[str]()

    async def breaks_once(client: CheckoutClient, cart_id: str, payment_id: str) -> None:
        told[cart_id] += 1
        if told.total() == 5:
            raise asyncio.CancelledError
        await payment_changed(client, cart_id, payment_id)

    monkeypatch.setattr(CheckoutClient, "payment_changed", breaks_once)
    report = await swept(world)
    assert world.faults.tried["tell_leftover_payments"] == 3, "twice the first batch, once the rest"
    assert (sorted(told.values()), report.failed) == ([1] * 59 + [2], ())
    await settled(world)
    assert {each.status for each in world.gateway.ledger().payments} == {PaymentStatus.VOIDED}


# -- what it is known by ----------------------------------------------------------------------


async def test_an_operator_sees_what_a_sweep_did(world: World) -> None:
    await terminated(world, world.id("cart"), authorized)
    wait_until_old(world)
    await swept(world)
    shown = str(
        await world.temporal.get_workflow_handle(world.id("sweep")).query(
            "__temporal_workflow_metadata"
        )
    )
    assert "| payments told | 1 |" in shown
    assert "| holds expired | 1 |" in shown
    await settled(world)


async def test_who_runs_is_told_by_the_first_run(real_world: World) -> None:
    world = real_world
    runs = TemporalRuns(world.temporal)
    cart_id = world.id("cart")
    assert not await runs.is_running(f"{workflow_id(cart_id)}/none")
    await pending(world, cart_id)
    run_id = (await world.handle(cart_id).describe()).run_id
    assert await runs.is_running(f"{workflow_id(cart_id)}/{run_id}")
    assert not await runs.is_running(f"{workflow_id(cart_id)}/another")
    await world.handle(cart_id).terminate()
    assert not await runs.is_running(f"{workflow_id(cart_id)}/{run_id}")


async def test_a_reset_run_is_the_same_checkout(real_world: World) -> None:
    world = real_world
    cart_id = world.id("cart")
    await pending(world, cart_id)
    first = (await world.handle(cart_id).describe()).run_id
    await reset(world, cart_id)
    now = await world.handle(cart_id).describe()
    assert now.run_id != first
    assert await TemporalRuns(world.temporal).is_running(f"{workflow_id(cart_id)}/{first}")
    wait_until_old(world)
    assert (await swept(world)).payments_told == 0
    with contextlib.suppress(Exception):
        await world.handle(cart_id).terminate()


async def reset(world: World, cart_id: str) -> None:
    """Back to the first workflow task."""
    described = await world.handle(cart_id).describe()
    await world.temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=world.temporal.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=workflow_id(cart_id), run_id=described.run_id
            ),
            reason="the test's operator",
            workflow_task_finish_event_id=4,
            request_id=world.id("reset"),
        )
    )
