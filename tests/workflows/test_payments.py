"""However a payment at the gateway behaves: do money and orders agree, and is the answer true?"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from client import (
    DeclineReason,
    Operation,
    OrderPlaced,
    Pending,
    RefusalCode,
    RefusalReason,
    Refused,
    WaitsFor,
)
from commerce.contract import PAYMENT_CHANGED_SIGNAL
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import PaymentMethod, PaymentStatus
from sandbox_gateway.scripts import SCRIPTS
from tests.builders import cart, product
from tests.faults import Mode
from tests.world import DEADLINE, World, a_world

SHORT = timedelta(milliseconds=500)
SHOPPER: dict[str, Any] = {"authorize": "pending_shopper"}
GATEWAY: dict[str, Any] = {"authorize": "pending_gateway"}

ORDERED = (1, 1, 0, 0)
UNTOUCHED = (0, 0, 0, 0)
VOIDED = (1, 0, 1, 0)
"""Authorizations, captures, voids and refunds of a payment."""

ORDERS = (
    "approved",
    "3ds_approved",
    "review_approved",
    "timeout_with_effect",
    "timeout_without_effect",
    "capture_timeout_with_effect",
    "capture_timeout_without_effect",
    "server_error",
    "capture_server_error",
    "slow",
    "duplicate_webhooks",
    "out_of_order_webhooks",
)
DECLINES = {
    "declined": DeclineReason.DECLINED,
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "expired": DeclineReason.EXPIRED,
    "3ds_declined": DeclineReason.DECLINED,
    "review_declined": DeclineReason.DECLINED,
}


@asynccontextmanager
async def an_online_world(env: WorkflowEnvironment, directory: Path) -> AsyncGenerator[World]:
    """With little patience at the gateway, yet more than its slowest answer takes."""
    async with a_world(env.client, directory, gateway_timeout_s=2.5) as made:
        made.store.stores.change(
            "default", {"payment_methods": ["checkmo", PaymentMethod.SMART_BUTTONS]}
        )
        yield made


@pytest_asyncio.fixture
async def world(env: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[World]:
    async with an_online_world(env, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def patient(own_env: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[World]:
    """A world in which days pass."""
    async with an_online_world(own_env, tmp_path) as made:
        yield made


def ready(world: World, operation: Operation, **payment: Any) -> str:
    """A cart of 15.00 and its payment, chosen on the cart for ``place_order``."""
    cart_id = world.id("cart")
    choice = {"method": "checkmo"}
    if operation is Operation.PLACE_ORDER:
        choice = {"method": PaymentMethod.SMART_BUTTONS, "payment_id": "PAY1"}
    world.store.carts.save(cart(cart_id, payment=choice))
    world.pay(cart_id, "15.00", **payment)
    return cart_id


async def order(world: World, operation: Operation, key: str = "key", **how: Any) -> Any:
    cart_id = world.id("cart")
    given: dict[str, Any] = {"idempotency_key": world.id(key), "deadline": DEADLINE, **how}
    if operation is Operation.PLACE_ORDER:
        return await world.client.place_order(cart_id, **given)
    return await world.client.complete_order(cart_id, "PAY1", **given)


async def decided(world: World, answer: Any) -> Any:
    """The outcome once the gateway has decided, which the run is told again and again."""
    while isinstance(answer, Pending):
        with contextlib.suppress(RPCError):  # it has ended meanwhile
            await world.handle(world.id("cart")).signal(PAYMENT_CHANGED_SIGNAL)
        answer = await answer.wait(SHORT)
    return answer


def moved(world: World, payment_id: str = "PAY1") -> tuple[int, int, int, int]:
    """What moved at the gateway, by its own ledger; nothing is left open."""
    payment = world.payment(payment_id)
    assert payment.open_minor == 0
    return payment.authorizations, payment.captures, payment.voids, payment.refunds


# -- every scripted behaviour, in both operations -----------------------------------------------


def test_every_script_of_the_gateway_is_played_here() -> None:
    assert {*ORDERS, *DECLINES, "3ds_abandoned", "capture_declined"} == set(SCRIPTS)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("script", ORDERS)
async def test_a_payment_that_comes_through_is_one_order_paid_once(
    world: World, operation: Operation, script: str
) -> None:
    cart_id = ready(world, operation, script=script)
    answer = await decided(world, await order(world, operation))
    assert isinstance(answer, OrderPlaced)
    assert await world.handle(cart_id).result()
    assert moved(world) == ORDERED
    assert world.payment().captured_minor == answer.total.amount_minor
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert (found.status, found.payment_id) == (OrderStatus.PROCESSING, "PAY1")
    world.assert_clean(orders=1)
    assert await order(world, operation) == answer


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("script", DECLINES)
async def test_a_declined_payment_is_a_refusal_and_another_may_pay(
    world: World, operation: Operation, script: str
) -> None:
    ready(world, operation, script=script)
    answer = await decided(world, await order(world, operation))
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.decline) == (RefusalReason.PAYMENT_DECLINED, DECLINES[script])
    general = RefusalCode.UNABLE_TO_PLACE_ORDER, RefusalCode.UNABLE_TO_COMPLETE_ORDER
    assert answer.code is general[operation is Operation.COMPLETE_ORDER]
    assert "The payment was declined." in answer.message
    assert moved(world) == UNTOUCHED
    world.assert_clean(orders=0)
    world.pay(world.id("cart"), "15.00", id="PAY2")
    again = await world.client.complete_order(world.id("cart"), "PAY2", deadline=DEADLINE)
    assert isinstance(again, OrderPlaced)
    await world.handle(world.id("cart")).result()
    assert moved(world, "PAY2") == ORDERED


@pytest.mark.parametrize("operation", Operation)
async def test_a_shopper_who_never_comes_back_holds_nothing_for_long(
    own_env: WorkflowEnvironment, patient: World, operation: Operation
) -> None:
    cart_id = ready(patient, operation, script="3ds_abandoned")
    pending = await order(patient, operation)
    assert isinstance(pending, Pending)
    assert pending.waits_for is WaitsFor.SHOPPER
    await own_env.sleep(timedelta(minutes=14))
    assert isinstance(await order(patient, operation), Pending)
    await own_env.sleep(timedelta(minutes=2))
    answer = await order(patient, operation)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_EXPIRED
    assert patient.payment().status is PaymentStatus.VOIDED
    assert moved(patient) == UNTOUCHED
    patient.assert_clean(orders=0)
    assert await patient.status(cart_id) is WorkflowExecutionStatus.COMPLETED


@pytest.mark.parametrize("operation", Operation)
async def test_a_capture_that_is_refused_puts_the_order_into_payment_review(
    world: World, operation: Operation
) -> None:
    cart_id = ready(world, operation, script="capture_declined")
    answer = await order(world, operation)
    assert isinstance(answer, OrderPlaced)
    await in_review(world, answer.order_number)
    assert (await world.attributes(cart_id))["CheckoutStatus"] == "payment_review"
    assert await order(world, operation) == answer
    await world.handle(cart_id).terminate()


async def in_review(world: World, number: str) -> None:
    async with asyncio.timeout(DEADLINE.total_seconds()):
        while True:
            found = world.store.order_book.find(number=number)
            assert found is not None
            if found.status is OrderStatus.PAYMENT_REVIEW:
                return
            await asyncio.sleep(0.05)


# -- waiting ------------------------------------------------------------------------------------


async def test_all_who_ask_are_told_pending_and_get_the_order_when_it_comes(world: World) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    others = [await order(world, Operation.COMPLETE_ORDER, key=f"key{n}") for n in range(3)]
    assert [each.waits_for for each in (pending, *others)] == [WaitsFor.SHOPPER] * 4
    assert await world.client.outcome(cart_id) is None
    assert (await world.attributes(cart_id))["CheckoutStatus"] == "payment_pending"
    waiting = asyncio.create_task(pending.wait(DEADLINE))
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    answer = await waiting
    assert isinstance(answer, OrderPlaced)
    again = [await order(world, Operation.COMPLETE_ORDER, key=f"key{n}") for n in range(3)]
    assert [each.order_number for each in again] == [answer.order_number] * 3
    assert await order(world, Operation.COMPLETE_ORDER) == answer
    await world.handle(cart_id).result()
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


async def test_a_review_of_two_days_keeps_the_cart_and_the_order_follows(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    ready(patient, Operation.COMPLETE_ORDER, script=GATEWAY)
    pending = await order(patient, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    assert pending.waits_for is WaitsFor.GATEWAY
    await own_env.sleep(timedelta(days=2))
    assert isinstance(await order(patient, Operation.COMPLETE_ORDER), Pending)
    patient.gateway.shopper("PAY1", "authenticate")
    await own_env.sleep(timedelta(hours=1, minutes=1))  # no webhook comes: the run asks by itself
    answer = await order(patient, Operation.COMPLETE_ORDER)
    assert isinstance(answer, OrderPlaced)
    await patient.handle(patient.id("cart")).result()
    assert moved(patient) == ORDERED
    patient.assert_clean(orders=1)


async def test_a_review_that_never_ends_is_voided_after_three_days(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    cart_id = ready(patient, Operation.COMPLETE_ORDER, script=GATEWAY)
    assert isinstance(await order(patient, Operation.COMPLETE_ORDER), Pending)
    await own_env.sleep(timedelta(days=3, minutes=1))
    answer = await order(patient, Operation.COMPLETE_ORDER)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_EXPIRED
    assert patient.payment().status is PaymentStatus.VOIDED
    assert len((await patient.handle(cart_id).fetch_history()).events) < 6_000
    patient.assert_clean(orders=0)


async def test_the_hold_lasts_as_long_as_the_payment_may_succeed_up_to_a_day(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    patient.store.catalog.put([product("apple", 1)])
    ready(patient, Operation.COMPLETE_ORDER, script=GATEWAY)
    pending = await order(patient, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    other = patient.id("other")
    patient.store.carts.save(cart(other))
    for hours, sold_out in ((1, True), (20, True), (5, False)):
        for _ in range(hours * 12):  # five minutes at a time, at Temporal and in the store
            patient.clock.advance(timedelta(minutes=5))
            await own_env.sleep(timedelta(minutes=5))
        if sold_out:
            answer = await patient.client.place_order(other, deadline=DEADLINE)
            assert isinstance(answer, Refused)
            assert answer.reason is RefusalReason.OUT_OF_STOCK
    answer = await patient.client.place_order(other, deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    patient.gateway.shopper("PAY1", "authenticate")
    await patient.client.payment_changed(patient.id("cart"), "PAY1")
    late = await pending.wait(DEADLINE)
    assert isinstance(late, Refused)
    assert late.reason is RefusalReason.OUT_OF_STOCK
    assert moved(patient) == VOIDED
    patient.assert_clean(orders=1)


async def test_a_success_after_the_hold_expired_takes_the_stock_again_if_there_is_some(
    world: World,
) -> None:
    ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    world.clock.advance(timedelta(hours=1))
    assert world.store.stock.expire_overdue() == 1
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(world.id("cart"), "PAY1")
    assert isinstance(await pending.wait(DEADLINE), OrderPlaced)
    await world.handle(world.id("cart")).result()
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


async def test_a_cart_that_was_edited_after_its_lock_expired_is_not_ordered_as_it_was(
    world: World,
) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    world.clock.advance(timedelta(hours=1))
    world.store.carts.save(cart(cart_id, ("pear", 2)))
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    answer = await pending.wait(DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.CART_CHANGED
    assert moved(world) == VOIDED
    world.assert_clean(orders=0)


async def test_an_abort_while_a_payment_is_pending_voids_it(world: World) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    await world.abort(cart_id, "fraud")
    answer = await pending.wait(DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.ABORTED
    assert world.payment().status is PaymentStatus.VOIDED
    world.assert_clean(orders=0)


@pytest.mark.parametrize("step", ["verify_payment", "extend_hold"])
@pytest.mark.parametrize("by_cancel", [False, True])
async def test_an_abort_while_the_gateway_is_asked_for_a_pending_payment_is_heard(
    world: World, step: str, by_cancel: bool
) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    if step == "extend_hold":
        world.faults.fail(step, Mode.BEFORE, times=1000)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    world.faults.fail(step, Mode.BEFORE, times=1000)
    await world.client.payment_changed(cart_id, "PAY1")
    await world.faults.has_failed.wait()
    if by_cancel:
        await world.handle(cart_id).cancel()
    else:
        await world.abort(cart_id, "fraud")
    answer = await pending.wait(DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.ABORTED
    assert world.payment().status is PaymentStatus.VOIDED
    world.assert_clean(orders=0)


async def test_who_asks_for_something_else_meanwhile_is_told_what_is_waited_for(
    world: World,
) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    other = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(other, Pending)
    assert other.waits_for is WaitsFor.SHOPPER
    world.gateway.shopper("PAY1", "decline")
    await world.client.payment_changed(cart_id, "PAY1")
    assert isinstance(await pending.wait(DEADLINE), Refused)
    assert isinstance(await other.wait(DEADLINE), OrderPlaced)
    await world.handle(cart_id).result()
    assert moved(world) == UNTOUCHED
    world.assert_clean(orders=1)


async def test_a_gateway_that_does_not_answer_while_a_payment_is_pending_is_waited_for(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    cart_id = ready(patient, Operation.COMPLETE_ORDER, script=GATEWAY)
    assert isinstance(await order(patient, Operation.COMPLETE_ORDER), Pending)
    patient.faults.fail("verify_payment", Mode.BEFORE, times=1000)
    await own_env.sleep(timedelta(minutes=30))
    story = str(await patient.handle(cart_id).query("__temporal_workflow_metadata"))
    assert "the gateway does not answer" in story
    patient.faults.heal()
    patient.gateway.shopper("PAY1", "authenticate")
    await own_env.sleep(timedelta(hours=4))
    assert isinstance(await order(patient, Operation.COMPLETE_ORDER), OrderPlaced)
    await patient.handle(cart_id).result()
    assert moved(patient) == ORDERED


# -- late, and after the end --------------------------------------------------------------------


async def test_a_refused_checkout_gives_back_what_comes_through_later(world: World) -> None:
    """The gateway had said that the payment was void, and charges all the same."""
    cart_id = ready(world, Operation.COMPLETE_ORDER, script=SHOPPER)
    pending = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(pending, Pending)
    checkout_id = world.store.claims.find("PAY1")
    assert checkout_id is not None
    await world.handle(cart_id).terminate()
    world.gateway.shopper("PAY1", "authenticate")
    assert world.payment().open_minor == 1500
    await world.client.payment_changed(cart_id, "PAY1")
    settled = await world.handle(cart_id).result()
    assert settled["what"] == "voided"
    assert moved(world) == VOIDED
    world.clock.advance(timedelta(hours=1))
    answer = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_ID_INVALID
    assert moved(world) == VOIDED


async def test_a_webhook_of_an_order_whose_run_was_terminated_captures(world: World) -> None:
    fault = {"call": "capture", "mode": "fail_before", "times": 1000}
    cart_id = ready(world, Operation.COMPLETE_ORDER, script={"faults": [fault]})
    answer = await order(world, Operation.COMPLETE_ORDER)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).terminate()
    assert world.payment().open_minor == 1500
    world.gateway.behave("PAY1", "approved")
    await world.client.payment_changed(cart_id, "PAY1")
    settled = await world.handle(cart_id).result()
    assert settled["what"] == "captured"
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PROCESSING


async def test_a_payment_that_nobody_claimed_is_left_to_its_shopper(world: World) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, status=PaymentStatus.AUTHORIZED)
    await world.client.payment_changed(cart_id, "PAY1")
    settled = await world.handle(cart_id).result()
    assert settled["what"] == "nobody's"
    assert world.payment().open_minor == 1500
    assert isinstance(await order(world, Operation.COMPLETE_ORDER), OrderPlaced)
    await world.handle(cart_id).result()
    assert moved(world) == ORDERED


async def test_an_order_in_review_is_paid_once_the_gateway_gives_the_money(world: World) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER, script="capture_declined")
    answer = await order(world, Operation.COMPLETE_ORDER)
    await in_review(world, answer.order_number)
    world.gateway.behave("PAY1", "approved")
    await world.client.payment_changed(cart_id, "PAY1")
    assert await world.handle(cart_id).result()
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PROCESSING
    assert (await world.attributes(cart_id))["CheckoutStatus"] == "ordered"


# -- what belongs to whom -----------------------------------------------------------------------


@pytest.mark.parametrize("operation", Operation)
async def test_a_checkout_that_cannot_be_finished_gives_the_money_back(
    world: World, operation: Operation
) -> None:
    cart_id = ready(world, operation)
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    answer = await order(world, operation)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SERVER_ERROR
    assert moved(world) == VOIDED
    world.assert_clean(orders=0)
    world.pay(cart_id, "15.00", id="PAY2")
    again = await world.client.complete_order(cart_id, "PAY2", deadline=DEADLINE)
    assert isinstance(again, OrderPlaced)
    await world.handle(cart_id).result()
    assert (moved(world), moved(world, "PAY2")) == (VOIDED, ORDERED)
    world.assert_clean(orders=1)


async def test_a_payment_is_not_undone_when_the_order_exists_after_all(world: World) -> None:
    cart_id = ready(world, Operation.COMPLETE_ORDER)
    world.faults.fail("create_order", Mode.AFTER, for_good=True)
    assert isinstance(await order(world, Operation.COMPLETE_ORDER), OrderPlaced)
    await world.handle(cart_id).result()
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


async def test_a_method_without_its_payment_is_no_method(world: World) -> None:
    cart_id = world.id("cart")
    choice = {"method": PaymentMethod.SMART_BUTTONS}
    world.store.carts.save(cart(cart_id, payment=choice))
    answer = await order(world, Operation.PLACE_ORDER)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_METHOD_MISSING
