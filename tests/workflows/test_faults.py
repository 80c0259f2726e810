"""Whatever step fails, before its effect or after: one order, or none and all undone?"""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from client import Operation, OrderPlaced, RefusalReason, Refused
from commerce.domain.payments import PaymentStatus
from tests.builders import cart, product
from tests.faults import Mode, in_steps, no_relay
from tests.world import DEADLINE, World
from workflows import policies

__all__ = ["no_relay"]
BEFORE_ORDER = ("lock_cart", "hold_stock", "validate_addresses", "verify_payment", "create_order")
APART = ("hold_stock", "validate_addresses", "verify_payment")
"""Steps of their own only where the lock does not do what they do."""

AFTER_ORDER = ("capture_payment", "announce_order")
NOT_OF_A_CHECKOUT = (
    "mark_done",
    "look_for_leftovers",
    "expire_holds",
    "tell_leftover_payments",
    "announce_leftover_orders",
)
UNDOS = ("release_stock", "unlock_cart")
SOLD_OUT = ("apple", 101)
NOT_WHAT_WAS_PAID: dict[str, Any] = {"lines": [{"sku": "apple", "quantity": 2}]}
PLACE, COMPLETE = Operation


def ready(world: World, **changes: Any) -> str:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, **changes))
    world.pay(cart_id, "15.00")
    return cart_id


def order(world: World, cart_id: str, operation: Operation) -> Awaitable[Any]:
    key = world.id("key")
    if operation is PLACE:
        return world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    return world.client.complete_order(cart_id, "PAY1", idempotency_key=key, deadline=DEADLINE)


@pytest.fixture
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps apart, for a test that asks about one of them."""
    if request.getfixturevalue("step") in APART:
        in_steps(monkeypatch)


CASES = [
    pytest.param(operation, step, mode, id=f"{operation}-{step}-{mode}")
    for operation in Operation
    for step in (*BEFORE_ORDER, "capture_payment")
    for mode in Mode
    if operation is COMPLETE or step != "capture_payment"
]


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(("operation", "step", "mode"), CASES)
async def test_a_step_that_fails_for_a_while_is_retried_to_one_order(
    world: World, operation: Operation, step: str, mode: Mode
) -> None:
    cart_id = ready(world)
    world.faults.fail(step, mode, times=2)
    answer = await order(world, cart_id, operation)
    assert isinstance(answer, OrderPlaced)
    assert await world.handle(cart_id).result()
    assert (world.faults.failed[step], world.faults.tried[step]) == (2, 3)
    captured = operation is COMPLETE
    expected = PaymentStatus.CAPTURED if captured else PaymentStatus.APPROVED
    assert world.payment().status is expected
    world.assert_clean(orders=1)
    assert await order(world, cart_id, operation) == answer


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("mode", Mode)
async def test_an_order_of_an_earlier_run_is_announced_by_the_run_that_finds_it(
    no_relay: None, world: World, operation: Operation, mode: Mode
) -> None:
    cart_id = ready(world)
    first = await order(world, cart_id, operation)
    await world.handle(cart_id).result()
    await world.client.place_order(cart_id, deadline=DEADLINE)
    assert world.faults.tried["announce_order"] == 0
    world.faults.fail("announce_order", mode, times=2)
    assert isinstance(first, OrderPlaced)
    assert await order(world, cart_id, operation) == first
    await world.handle(cart_id).result()
    assert world.faults.tried["announce_order"] == 3
    assert world.store.gauges.read().events_unannounced == 0
    world.assert_clean(orders=1)


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("step", BEFORE_ORDER)
async def test_a_step_that_fails_for_good_is_undone_and_red(
    world: World, step: str, mode: Mode
) -> None:
    cart_id = ready(world)
    world.faults.fail(step, mode, for_good=True)
    answer = await order(world, cart_id, PLACE)
    if (step, mode) == ("create_order", Mode.AFTER):
        assert isinstance(answer, OrderPlaced)
        await world.handle(cart_id).result()
        assert await world.status(cart_id) is WorkflowExecutionStatus.COMPLETED
        world.assert_clean(orders=1)
        return
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.retryable) == (RefusalReason.SERVER_ERROR, True)
    assert answer.message.startswith("Unable to place order: A server error stopped")
    world.assert_clean(orders=0)
    with pytest.raises(WorkflowFailureError):
        await world.handle(cart_id).result()
    assert await world.status(cart_id) is WorkflowExecutionStatus.FAILED
    again = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(again, OrderPlaced)
    world.assert_clean(orders=1)


@pytest.mark.parametrize("mode", Mode)
async def test_a_step_is_not_tried_for_ever_before_there_is_an_order(
    world: World, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = policies.LOCK_CART
    thrice = replace(step, retry=replace(step.retry, maximum_attempts=3))
    monkeypatch.setattr(policies, "LOCK_CART", thrice)
    cart_id = ready(world)
    world.faults.fail(step.name, mode, times=1_000)
    answer = await order(world, cart_id, PLACE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SERVER_ERROR
    assert world.faults.tried[step.name] == 3
    world.assert_clean(orders=0)


def test_only_the_steps_before_the_order_have_a_last_attempt() -> None:
    table: list[Any] = [each for each in vars(policies).values() if type(each) is policies.Step]
    limited = {step.name for step in table if step.retry.maximum_attempts > 0}
    assert limited == {*BEFORE_ORDER, *NOT_OF_A_CHECKOUT, "extend_hold"}
    incidents = {step.name for step in table if step.schedule_to_close == policies.INCIDENT_AFTER}
    others = {"void_payment", "settle_payment", "review_payment"}
    assert incidents == {*UNDOS, *AFTER_ORDER, *others}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("step", UNDOS)
async def test_an_undo_that_fails_is_retried_until_it_works(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, mode: Mode
) -> None:
    cart_id = ready(world, **NOT_WHAT_WAS_PAID)
    if step == "release_stock":
        in_steps(monkeypatch)
    world.faults.fail(step, mode, times=2)
    answer = await order(world, cart_id, COMPLETE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_ID_INVALID
    assert world.faults.failed[step] == 2
    world.assert_clean(orders=0)


def undone(world: World) -> dict[str, int]:
    return {step: world.faults.tried[step] for step in UNDOS if world.faults.tried[step]}


async def test_only_what_was_done_is_undone(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, SOLD_OUT))
    for refused in (cart_id, world.id("unknown")):
        assert isinstance(await world.client.place_order(refused, deadline=DEADLINE), Refused)
        assert undone(world) == {}
    ready(world, **NOT_WHAT_WAS_PAID)
    assert isinstance(await order(world, cart_id, COMPLETE), Refused)
    assert undone(world) == {"unlock_cart": 1}


async def test_only_what_was_done_is_undone_though_it_is_done_in_steps(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_steps(monkeypatch)
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, SOLD_OUT))
    answer = await order(world, cart_id, PLACE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.INSUFFICIENT_STOCK
    assert undone(world) == {"unlock_cart": 1}
    ready(world, **NOT_WHAT_WAS_PAID)
    assert isinstance(await world.client.complete_order(cart_id, "PAY1"), Refused)
    assert undone(world) == {"unlock_cart": 2, "release_stock": 1}


async def test_a_cart_whose_lock_expired_and_was_edited_meanwhile_is_refused(world: World) -> None:
    cart_id = ready(world)

    def edit() -> None:
        world.clock.advance(world.settings.hold_ttl)
        world.store.carts.save(cart(cart_id, ("pear", 3)))

    world.faults.on("create_order", edit)
    answer = await order(world, cart_id, PLACE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.CART_CHANGED
    world.assert_clean(orders=0)
    edited = world.store.carts.find(cart_id)
    assert edited is not None
    assert edited[0].lines[0].sku == "pear"


@pytest.mark.parametrize("left", [0, 1])
async def test_a_hold_that_expired_is_taken_again_if_stock_is_still_there(
    world: World, left: int
) -> None:
    cart_id, other = ready(world), world.id("other")
    world.store.carts.save(cart(other, ("apple", 100 - left)))

    async def sell_to_another() -> None:
        world.clock.advance(world.settings.hold_ttl)
        assert isinstance(await world.client.place_order(other, deadline=DEADLINE), OrderPlaced)

    world.faults.on("create_order", sell_to_another)
    answer = await order(world, cart_id, PLACE)
    if left:
        assert isinstance(answer, OrderPlaced)
    else:
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.OUT_OF_STOCK
    await world.handle(other).result()
    world.assert_clean(orders=1 + left)


async def test_prices_that_change_after_the_lock_do_not_change_the_order(world: World) -> None:
    cart_id = ready(world)

    def dearer() -> None:
        world.store.catalog.put([product("apple", price="99.00")])

    world.faults.on("verify_payment", dearer)
    answer = await order(world, cart_id, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    assert str(answer.total) == "15.00 USD"
