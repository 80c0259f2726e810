"""Stopped by an operator's abort or a cancel: is everything undone, and does the caller know?"""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from client import OrderPlaced, RefusalReason, Refused
from tests.builders import cart
from tests.faults import Mode
from tests.world import DEADLINE, World

STEPS = ("hold_stock", "validate_addresses", "verify_payment")


@pytest.mark.parametrize(
    ("step", "by_cancel"),
    [*[(step, False) for step in STEPS], ("verify_payment", True)],
)
async def test_a_stopped_checkout_is_undone_and_its_cart_can_be_ordered_again(
    world: World, step: str, by_cancel: bool
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail(step, Mode.AFTER, times=1000)
    call = asyncio.create_task(world.client.place_order(cart_id, deadline=DEADLINE))
    await world.faults.has_failed.wait()
    if by_cancel:
        await world.handle(cart_id).cancel()
        await world.handle(cart_id).cancel()
    else:
        await world.abort(cart_id, "the shop is on fire")
    answer = await call
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.retryable) == (RefusalReason.ABORTED, True)
    world.assert_clean(orders=0)
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


async def test_a_cancel_after_the_order_does_not_stop_its_announcement(
    env: WorkflowEnvironment, world: World
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("announce_order", Mode.BEFORE, times=3)
    answer = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).cancel()
    await world.handle(cart_id).result()
    assert world.store.audit.run().counts["events_unannounced"] == 0


async def test_an_abort_needs_a_reason_and_a_checkout_without_outcome(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("announce_order", Mode.BEFORE, times=1)
    await world.client.place_order(cart_id, deadline=DEADLINE)
    for reason in ("", "   ", "too late"):
        with pytest.raises(WorkflowUpdateFailedError):
            await world.abort(cart_id, reason)
