"""Stopped by an operator's abort or a cancel: is everything undone, and does the caller know?"""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from client import Answered, Operation, OrderPlaced, RefusalReason, Refused
from commerce.domain.payments import PaymentStatus
from tests.builders import cart
from tests.faults import Mode, in_steps, no_relay
from tests.world import DEADLINE, World

__all__ = ["no_relay"]
APART = ("hold_stock", "validate_addresses", "verify_payment")
PLACE, COMPLETE = Operation


def ask(world: World, cart_id: str, operation: Operation) -> "asyncio.Task[Answered]":
    if operation is PLACE:
        call = world.client.place_order(cart_id, deadline=DEADLINE)
    else:
        call = world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
    return asyncio.create_task(call)


@pytest.mark.parametrize(
    ("operation", "step", "by_cancel"),
    [
        (PLACE, "lock_cart", False),
        (PLACE, "lock_cart", True),
        *[(PLACE, step, False) for step in APART],
        (COMPLETE, "verify_payment", False),
        (COMPLETE, "verify_payment", True),
    ],
)
async def test_a_stopped_checkout_is_undone_and_its_cart_can_be_ordered_again(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
    step: str,
    by_cancel: bool,
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    if operation is PLACE and step in APART:
        in_steps(monkeypatch)
    world.faults.fail(step, Mode.AFTER, times=1000)
    call = ask(world, cart_id, operation)
    await world.faults.has_failed.wait()
    if by_cancel:
        await world.handle(cart_id).cancel()
        await world.handle(cart_id).cancel()
    else:
        await world.abort(cart_id, "the shop is on fire")
    answer = await call
    assert isinstance(answer, Refused)
    paid = operation is COMPLETE
    assert (answer.reason, answer.retryable) == (RefusalReason.ABORTED, not paid)
    world.assert_clean(orders=0)
    assert world.payment().status is (PaymentStatus.VOIDED if paid else PaymentStatus.APPROVED)
    assert await world.handle(cart_id).result()
    assert await world.status(cart_id) is WorkflowExecutionStatus.COMPLETED
    world.faults.heal()
    assert isinstance(await world.client.place_order(cart_id, deadline=DEADLINE), OrderPlaced)
    world.assert_clean(orders=1)


async def test_a_stop_that_comes_while_the_order_is_created_comes_too_late(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("create_order", Mode.AFTER, times=1)
    stopped: list[asyncio.Task[None]] = []
    world.faults.on(
        "create_order", lambda: stopped.append(asyncio.create_task(world.abort(cart_id, "late")))
    )
    answer = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    await asyncio.gather(*stopped, return_exceptions=True)
    world.assert_clean(orders=1)


async def test_a_cancel_after_the_order_does_not_stop_its_capture(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=3)
    assert isinstance(await ask(world, cart_id, COMPLETE), OrderPlaced)
    await world.handle(cart_id).cancel()
    await world.handle(cart_id).result()
    assert world.payment().status is PaymentStatus.CAPTURED
    world.assert_clean(orders=1)


async def test_a_cancel_does_not_stop_the_announcement_of_an_order_that_was_found(
    no_relay: None, world: World
) -> None:
    cart_id, key = world.id("cart"), world.id("key")
    world.store.carts.save(cart(cart_id))
    first = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    await world.handle(cart_id).result()
    await world.client.place_order(cart_id, deadline=DEADLINE)
    world.faults.fail("announce_order", Mode.BEFORE, times=3)
    again = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    assert isinstance(first, OrderPlaced)
    assert again == first
    assert world.store.gauges.read().events_unannounced == 1
    await world.handle(cart_id).cancel()
    await world.handle(cart_id).result()
    assert world.store.gauges.read().events_unannounced == 0


async def test_an_abort_needs_a_reason_and_a_checkout_without_outcome(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=1000)
    assert isinstance(await ask(world, cart_id, COMPLETE), OrderPlaced)
    for reason in ("", "   ", "too late"):
        with pytest.raises(WorkflowUpdateFailedError):
            await world.abort(cart_id, reason)
    world.faults.heal()
    await world.handle(cart_id).result()
