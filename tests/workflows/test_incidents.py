"""What must be done and cannot: does it show, and does each way of an operator settle it?"""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from cli.advice import commands
from client import Operation, OrderPlaced, Pending, RefusalReason, Refused
from commerce.contract import (
    ABORT_UPDATE,
    EXTEND_HOLD_UPDATE,
    INCIDENTS_QUERY,
    LATE_PAYMENT_TYPE,
    MARK_DONE_UPDATE,
    RETRY_UPDATE,
    SKIP_UPDATE,
    Abort,
    HoldExtended,
    Incidents,
    StepAct,
)
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import PaymentStatus
from tests.builders import cart
from tests.faults import Mode, in_steps, no_relay
from tests.workflows.test_payments import (
    ORDERED,
    SHOPPER,
    in_review,
    moved,
    order,
    patient,
    ready,
    world,
)
from tests.world import DEADLINE, World

__all__ = ["no_relay", "patient", "world"]
COMPLETE = Operation.COMPLETE_ORDER
UNDOS = ("void_payment", "release_stock", "unlock_cart")
WAYS = (RETRY_UPDATE, SKIP_UPDATE, MARK_DONE_UPDATE)
WHO = "grace"


async def act(world: World, way: str, step: str, reason: str = "seen to") -> Incidents:
    """An operator's act on the cart's run; what is open after it."""
    handle: Any = world.handle(world.id("cart"))
    given = StepAct(step=step, reason=reason, by=WHO)
    return await handle.execute_update(way, given, result_type=Incidents)


async def incidents(world: World) -> Incidents:
    handle: Any = world.handle(world.id("cart"))
    return await handle.query(INCIDENTS_QUERY, result_type=Incidents)


async def opened(world: World, *steps: str) -> None:
    """Until the run has exactly these incidents."""
    async with asyncio.timeout(DEADLINE.total_seconds()):
        while True:
            if {each.step for each in (await incidents(world)).open} == set(steps):
                return
            await asyncio.sleep(0.02)


async def status(world: World) -> tuple[str, str | None]:
    shown = await world.attributes(world.id("cart"))
    return shown["CheckoutStatus"], shown.get("CheckoutReason")


async def story(world: World) -> str:
    return str(await world.handle(world.id("cart")).query("__temporal_workflow_metadata"))


async def accepted(world: World) -> list[Any]:
    """The updates that stand in the run's history."""
    history = await world.handle(world.id("cart")).fetch_history()
    return [
        event.workflow_execution_update_accepted_event_attributes.accepted_request
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]


async def stuck_in(world: World, undo: str, before: str = "create_order") -> "asyncio.Task[Any]":
    """A checkout that fails for good in a step, and then in an undo; its caller's call."""
    ready(world, COMPLETE)
    mode = Mode.AFTER if before == "lock_cart" else Mode.BEFORE
    world.faults.fail(before, mode, for_good=True)
    world.faults.fail(undo, Mode.BEFORE, for_good=True)
    call = asyncio.create_task(order(world, COMPLETE))
    await asyncio.sleep(0)
    await world.faults.has_failed.wait()
    await opened(world, undo)
    return call


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("undo", UNDOS)
async def test_an_undo_that_fails_is_an_incident_and_each_way_settles_it(
    world: World, monkeypatch: pytest.MonkeyPatch, undo: str, way: str
) -> None:
    if undo == "release_stock":
        in_steps(monkeypatch)
    before = "lock_cart" if undo == "unlock_cart" else "create_order"
    call = await stuck_in(world, undo, before)
    assert await status(world) == ("incident", undo)
    assert f"checkout retry {world.handle(world.id('cart')).id} {undo}" in await story(world)
    assert not call.done()
    if undo == "void_payment" and way == MARK_DONE_UPDATE:
        world.gateway.void("PAY1")
    assert (await act(world, way, undo)).open == ()
    answer = await call
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SERVER_ERROR
    assert await status(world) == ("failed", "SERVER_ERROR")
    told = await story(world)
    assert f"{WHO} says {undo}" in told
    assert "seen to" in told
    assert world.faults.tried[undo] == 1 + (way == RETRY_UPDATE)
    expected = PaymentStatus.VOIDED
    if undo == "unlock_cart":  # it did not come so far as to touch the payment
        expected = PaymentStatus.APPROVED
    elif (undo, way) == ("void_payment", SKIP_UPDATE):  # the sweep sees to it
        expected = PaymentStatus.AUTHORIZED
    assert world.payment().status is expected
    is_left = way != RETRY_UPDATE and undo == "unlock_cart"
    counts = world.store.audit.run().counts  # giving the cart back gives its stock back, too
    assert (counts["holds_open"], counts["carts_locked"]) == (is_left, is_left)
    assert answer.retryable is (undo == "unlock_cart")
    world.clock.advance(timedelta(minutes=20))
    world.pay(world.id("cart"), "15.00", id="PAY2")
    again = await world.client.complete_order(world.id("cart"), "PAY2", deadline=DEADLINE)
    assert isinstance(again, OrderPlaced)


async def test_an_incident_is_tried_again_by_itself(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    call = await stuck_in(patient, "void_payment")
    patient.faults.fail("void_payment", Mode.BEFORE, for_good=True, times=3)
    await own_env.sleep(timedelta(minutes=4))
    (incident,) = (await incidents(patient)).open
    assert incident.tries == 2
    assert (await status(patient))[0] == "incident"
    await own_env.sleep(timedelta(minutes=30))
    answer = await call
    if isinstance(answer, Pending):  # while time was skipped its deadline may have passed
        answer = await answer.wait(DEADLINE)
    assert isinstance(answer, Refused)
    assert (await incidents(patient)).open == ()
    assert patient.payment().status is PaymentStatus.VOIDED
    patient.assert_clean(orders=0)


async def test_another_try_that_fails_leaves_the_incident_open(world: World) -> None:
    call = await stuck_in(world, "void_payment")
    world.faults.fail("void_payment", Mode.BEFORE, for_good=True)
    (incident,) = (await act(world, RETRY_UPDATE, "void_payment", "")).open
    assert (incident.step, incident.tries) == ("void_payment", 1)
    assert "also when tried again 1 time." in await story(world)
    assert (await act(world, RETRY_UPDATE, "void_payment", "")).open == ()
    assert isinstance(await call, Refused)
    world.assert_clean(orders=0)


async def test_an_order_that_may_exist_is_not_skipped(world: World) -> None:
    ready(world, COMPLETE)
    world.faults.fail("create_order", Mode.AFTER, for_good=True)
    world.faults.fail("unlock_cart", Mode.BEFORE, for_good=True)
    call = asyncio.create_task(order(world, COMPLETE))
    await world.faults.has_failed.wait()
    await opened(world, "unlock_cart")
    (incident,) = (await incidents(world)).open
    assert [command.split()[1] for command, _ in commands("id", incident)] == ["retry"]
    told = await story(world)
    assert "checkout retry" in told
    assert "checkout skip" not in told
    for way in (SKIP_UPDATE, MARK_DONE_UPDATE):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await act(world, way, "unlock_cart")
        assert "only another try" in str(refused.value.cause)
    await act(world, RETRY_UPDATE, "unlock_cart")
    assert isinstance(await call, OrderPlaced)
    await world.handle(world.id("cart")).result()
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


async def test_of_two_operators_only_one_is_told_that_it_was_done(world: World) -> None:
    ready(world, COMPLETE, script="capture_declined")
    answer = await order(world, COMPLETE)
    await in_review(world, answer.order_number)
    await opened(world, "capture_payment")
    acts = [act(world, way, "capture_payment") for way in (SKIP_UPDATE, MARK_DONE_UPDATE)]
    answers = await asyncio.gather(*acts, return_exceptions=True)
    assert sorted(type(each) is Incidents for each in answers) == [False, True]
    await world.handle(world.id("cart")).result()
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    noted = isinstance(answers[1], Incidents)
    assert (found.status is OrderStatus.PROCESSING) is noted


async def test_a_capture_does_not_wait_for_another_payment(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    cart_id = ready(patient, COMPLETE, script="capture_declined")
    patient.pay(cart_id, "15.00", id="PAY0", script=SHOPPER)
    answer = await order(patient, COMPLETE)
    await in_review(patient, answer.order_number)
    patient.faults.fail("settle_payment", Mode.BEFORE, for_good=True, times=1000)
    await patient.client.payment_changed(cart_id, "PAY0")
    await opened(patient, "capture_payment", "settle_payment")
    patient.gateway.behave("PAY1", "approved")
    await act(patient, RETRY_UPDATE, "capture_payment")
    assert patient.payment().captures == 1
    await act(patient, SKIP_UPDATE, "settle_payment")
    await patient.handle(cart_id).result()


async def test_acts_that_make_no_sense_are_turned_away_and_leave_no_trace(world: World) -> None:
    call = await stuck_in(world, "unlock_cart", "lock_cart")
    before = len(await accepted(world))
    for way, step, reason in (
        (RETRY_UPDATE, "void_payment", "no such incident"),
        (SKIP_UPDATE, "unlock_cart", ""),
        (SKIP_UPDATE, "unlock_cart", "  "),
        (MARK_DONE_UPDATE, "unlock_cart", ""),
        (MARK_DONE_UPDATE, "nonsense", "why"),
    ):
        with pytest.raises(WorkflowUpdateFailedError):
            await act(world, way, step, reason)
    assert len(await accepted(world)) == before
    assert (await act(world, RETRY_UPDATE, "unlock_cart", "")).open == ()
    await call


async def test_from_the_ui_the_plain_values_will_do(world: World) -> None:
    call = await stuck_in(world, "unlock_cart")
    handle: Any = world.handle(world.id("cart"))
    await handle.execute_update(RETRY_UPDATE, "unlock_cart")
    assert isinstance(await call, Refused)


async def test_every_act_is_in_the_history_with_who_and_why(world: World) -> None:
    call = await stuck_in(world, "unlock_cart", "lock_cart")
    await act(world, SKIP_UPDATE, "unlock_cart", "the cart is free already")
    await call
    (request,) = [each for each in await accepted(world) if each.input.name == SKIP_UPDATE]
    assert request.meta.identity
    assert WHO in str(request.input.args)
    assert "the cart is free already" in str(request.input.args)


async def test_a_cancel_does_not_leave_an_incident_behind(world: World) -> None:
    call = await stuck_in(world, "void_payment")
    await world.handle(world.id("cart")).cancel()
    assert [each.step for each in (await incidents(world)).open] == ["void_payment"]
    await act(world, RETRY_UPDATE, "void_payment")
    assert isinstance(await call, Refused)
    world.assert_clean(orders=0)


@pytest.mark.parametrize("way", [SKIP_UPDATE, MARK_DONE_UPDATE])
async def test_a_payment_that_an_operator_settled_is_not_settled_once_more(
    world: World, way: str
) -> None:
    call = await stuck_in(world, "void_payment")
    await world.client.payment_changed(world.id("cart"), "PAY1")
    await act(world, way, "void_payment")
    assert isinstance(await call, Refused)
    assert world.faults.tried["settle_payment"] == 0


async def test_what_was_done_by_hand_has_to_be_noted(world: World) -> None:
    call = await stuck_in(world, "void_payment")
    world.faults.fail("mark_done", Mode.BEFORE, for_good=True)
    assert len((await act(world, MARK_DONE_UPDATE, "void_payment")).open) == 1
    assert (await act(world, MARK_DONE_UPDATE, "void_payment")).open == ()
    assert isinstance(await call, Refused)


# -- after the answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_an_order_that_cannot_be_announced_is_an_incident(
    no_relay: None, world: World, way: str
) -> None:
    """In a run that finds the order of an earlier one: who makes it leaves it to the relay."""
    cart_id, key = world.id("cart"), world.id("key")
    world.store.carts.save(cart(cart_id))
    first = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    await world.handle(cart_id).result()
    await world.client.place_order(cart_id, deadline=DEADLINE)
    world.faults.fail("announce_order", Mode.BEFORE, for_good=True)
    answer = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    assert answer == first
    await opened(world, "announce_order")
    assert await status(world) == ("incident", "announce_order")
    await act(world, way, "announce_order")
    await world.handle(cart_id).result()
    assert await status(world) == ("ordered", None)
    left = world.store.audit.run().counts["events_unannounced"]
    assert left == (1 if way == SKIP_UPDATE else 0)


async def test_a_capture_that_gets_no_answer_is_an_incident_until_it_does(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    fault = {"call": "capture", "mode": "fail_before", "times": 1000}
    ready(patient, COMPLETE, script={"faults": [fault]})
    answer = await order(patient, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await own_env.sleep(timedelta(days=2))
    assert await status(patient) == ("incident", "capture_payment")
    found = patient.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PENDING
    (incident,) = (await incidents(patient)).open
    assert incident.why == "GatewayDidNotAnswer"
    patient.gateway.behave("PAY1", "approved")
    await own_env.sleep(timedelta(hours=2))
    await patient.handle(patient.id("cart")).result()
    assert moved(patient) == ORDERED
    assert await status(patient) == ("ordered", None)


@pytest.mark.parametrize("way", WAYS)
async def test_a_payment_review_is_settled_in_each_way(world: World, way: str) -> None:
    ready(world, COMPLETE, script="capture_declined")
    answer = await order(world, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await in_review(world, answer.order_number)
    await opened(world, "capture_payment")
    assert (await status(world))[0] == "payment_review"
    if way == RETRY_UPDATE:
        world.gateway.behave("PAY1", "approved")
    await act(world, way, "capture_payment", "paid by bank transfer")
    await world.handle(world.id("cart")).result()
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    is_paid = way != SKIP_UPDATE
    expected = OrderStatus.PROCESSING if is_paid else OrderStatus.PAYMENT_REVIEW
    assert found.status is expected
    assert await status(world) == ("ordered" if is_paid else "payment_review", None)


async def test_what_is_set_aside_for_an_order_that_is_paid_otherwise_is_not_forgotten(
    world: World,
) -> None:
    cart_id = ready(world, COMPLETE, script="capture_declined")
    answer = await order(world, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await in_review(world, answer.order_number)
    await opened(world, "capture_payment")
    await act(world, MARK_DONE_UPDATE, "capture_payment", "paid by bank transfer")
    await world.handle(cart_id).result()
    for what, left in (("open at the gateway, and the order is paid", 1), ("nothing open", 0)):
        await world.client.payment_changed(cart_id, "PAY1")
        assert (await world.handle(cart_id).result())["what"] == what
        assert world.store.gauges.read().payments_unsettled == left
        world.gateway.void("PAY1")
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PROCESSING


async def test_two_incidents_at_once_are_settled_one_by_one(world: World) -> None:
    cart_id = ready(world, COMPLETE)
    world.faults.fail("capture_payment", Mode.BEFORE, times=2, for_good=True)
    world.faults.fail("settle_payment", Mode.BEFORE, for_good=True)
    assert isinstance(await order(world, COMPLETE), OrderPlaced)
    await opened(world, "capture_payment")
    await world.client.payment_changed(cart_id, "PAY0")
    await opened(world, "capture_payment", "settle_payment")
    await act(world, RETRY_UPDATE, "settle_payment")
    assert await status(world) == ("incident", "capture_payment")
    await act(world, RETRY_UPDATE, "capture_payment")
    await world.handle(cart_id).result()
    assert await status(world) == ("ordered", None)
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


@pytest.mark.parametrize("way", WAYS)
async def test_a_late_payment_that_cannot_be_settled_is_an_incident(world: World, way: str) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    await world.handle(cart_id).terminate()
    world.gateway.shopper("PAY1", "authenticate")
    world.faults.fail("settle_payment", Mode.BEFORE, for_good=True)
    await world.client.payment_changed(cart_id, "PAY1")
    await opened(world, "settle_payment")
    assert await status(world) == ("incident", "settle_payment")
    if way == MARK_DONE_UPDATE:
        world.gateway.void("PAY1")
    await world.client.payment_changed(cart_id, "PAY1")  # as the sweep tells again and again
    await act(world, way, "settle_payment")
    await world.handle(cart_id).result()
    described = await world.handle(cart_id).describe()
    assert described.workflow_type == LATE_PAYMENT_TYPE
    assert described.status is WorkflowExecutionStatus.COMPLETED
    is_open = way == SKIP_UPDATE
    assert world.payment().status is (PaymentStatus.AUTHORIZED if is_open else PaymentStatus.VOIDED)


# -- other acts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["on\nfire", "x" * 2000, "4111 1111 1111 1111"])
async def test_an_abort_by_plain_text_takes_any_text(world: World, text: str) -> None:
    ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    handle: Any = world.handle(world.id("cart"))
    await handle.execute_update(ABORT_UPDATE, text)
    assert text not in await story(world)
    assert await status(world) == ("refused", "ABORTED")


async def test_an_abort_says_who_and_why(world: World) -> None:
    ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    handle: Any = world.handle(world.id("cart"))
    await handle.execute_update(ABORT_UPDATE, Abort(reason="on fire", by=WHO))
    assert "stopped by grace: on fire" in await story(world)
    assert await status(world) == ("refused", "ABORTED")
    assert world.payment().status is PaymentStatus.VOIDED
    world.assert_clean(orders=0)


async def test_an_operator_gives_a_shopper_more_time(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    cart_id = ready(patient, COMPLETE, script=SHOPPER)
    assert isinstance(await order(patient, COMPLETE), Pending)
    assert "## Waiting for the shopper" in await story(patient)
    handle: Any = patient.handle(cart_id)
    for minutes in (0, -1, 24 * 60 + 1):
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(EXTEND_HOLD_UPDATE, minutes)
    kept = await handle.execute_update(EXTEND_HOLD_UPDATE, 120, result_type=HoldExtended)
    again = await handle.execute_update(EXTEND_HOLD_UPDATE, 5, result_type=HoldExtended)
    assert again.until >= kept.until
    for _ in range(11):
        patient.clock.advance(timedelta(minutes=10))
        await own_env.sleep(timedelta(minutes=10))
        assert isinstance(await order(patient, COMPLETE), Pending)
        assert patient.store.audit.run().counts["holds_overdue"] == 0
    await own_env.sleep(timedelta(minutes=15))
    answer = await order(patient, COMPLETE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_EXPIRED


async def test_nothing_is_kept_for_a_checkout_that_waits_for_no_payment(world: World) -> None:
    call = await stuck_in(world, "unlock_cart")
    handle: Any = world.handle(world.id("cart"))
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(EXTEND_HOLD_UPDATE, 10)
    await act(world, RETRY_UPDATE, "unlock_cart")
    await call
