"""Does the client keep its promise against the real Temporal server, alone and in a crowd?"""

import asyncio
from collections import Counter
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError

from client import CheckoutClient, CheckoutUnavailableError, OrderPlaced, Refused
from commerce.adapters.codec import PayloadEncryption
from commerce.contract import workflow_id
from tests.builders import cart, product, usd
from tests.programs import free_port
from tests.server import CODEC_KEYS
from tests.world import DEADLINE, World

CROWD = 50


async def test_fifty_calls_with_one_key_get_one_order_and_equal_answers(
    either_world: World,
) -> None:
    world = either_world
    cart_id, key = world.id("cart"), world.id("K")
    world.store.carts.save(cart(cart_id))
    answers = await asyncio.gather(
        *[
            world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
            for _ in range(CROWD)
        ]
    )
    assert isinstance(answers[0], OrderPlaced)
    assert all(answer == answers[0] for answer in answers)
    world.assert_clean(orders=1)


async def test_fifty_calls_with_fifty_keys_get_one_order(
    either_world: World,
) -> None:
    world = either_world
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    answers = await asyncio.gather(
        *[world.client.place_order(cart_id, deadline=DEADLINE) for _ in range(CROWD)]
    )
    for answer in answers:
        assert isinstance(answer, OrderPlaced | Refused)
        assert answer.order_number == "000000001"
    assert any(isinstance(answer, OrderPlaced) for answer in answers)
    world.assert_clean(orders=1)


async def test_forty_carts_that_want_the_last_ten_units_become_ten_orders(
    either_world: World,
) -> None:
    world = either_world
    world.store.catalog.put([product("apple", 10)])
    carts = [world.id(f"cart{n}") for n in range(40)]
    world.store.carts.save(*[cart(cart_id) for cart_id in carts])
    answers = await asyncio.gather(
        *[world.client.place_order(cart_id, deadline=DEADLINE) for cart_id in carts]
    )
    outcomes = Counter(
        "order" if isinstance(answer, OrderPlaced) else getattr(answer, "message", "pending")
        for answer in answers
    )
    assert outcomes == {
        "order": 10,
        "Unable to place order: Some of the products are out of stock.": 30,
    }
    await asyncio.gather(*[world.handle(cart_id).result() for cart_id in carts])
    world.assert_clean(orders=10)
    assert world.store.catalog.units()["apple"] == (0, 0)


async def test_the_same_key_gets_the_same_order_after_the_history_is_deleted(world: World) -> None:
    cart_id, key = world.id("cart"), world.id("K")
    world.store.carts.save(cart(cart_id))
    first = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    await world.handle(cart_id).result()
    again = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    await delete_history(world, cart_id)
    assert await world.client.outcome(cart_id) is None
    after = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    assert isinstance(first, OrderPlaced)
    assert first == again == after
    await world.handle(cart_id).result()
    world.assert_clean(orders=1)


async def delete_history(world: World, cart_id: str) -> None:
    temporal = world.temporal
    await temporal.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id(cart_id)),
        )
    )
    with pytest.raises(RPCError, match="not found"):
        await describe_for_a_minute(world, cart_id)


async def describe_for_a_minute(world: World, cart_id: str) -> None:
    for _ in range(600):
        await world.handle(cart_id).describe()
        await asyncio.sleep(0.1)


async def test_both_operations_work_and_leave_their_attributes(
    either_world: World,
) -> None:
    world = either_world
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, ("apple", 2)))
    world.pay(cart_id, "30.00")
    answer = await world.client.complete_order(
        cart_id, "PAY1", expected_total=usd("30.00"), deadline=DEADLINE
    )
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).result()
    shown = await world.attributes(cart_id)
    assert shown["CheckoutOperation"] == "complete_order"
    assert shown["CheckoutOrderNumber"] == answer.order_number
    world.assert_clean(orders=1)


async def test_a_checkout_that_is_terminated_is_started_again_by_its_caller(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))

    async def terminate() -> None:
        await world.handle(cart_id).terminate("the test's operator")

    world.pay(cart_id, "15.00")
    world.faults.on("verify_payment", terminate)
    answer = await world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).result()
    world.assert_clean(orders=1)


async def test_a_server_that_cannot_be_reached_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    with pytest.raises(CheckoutUnavailableError, match=address):
        await CheckoutClient.connect(codec=None)


async def test_who_connects_says_what_payloads_are_encrypted_with() -> None:
    """Or says ``None``: plain text is never sent by default."""
    connect: Any = CheckoutClient.connect
    with pytest.raises(TypeError, match="codec"):
        await connect()


async def test_the_client_connects_by_temporals_environment_configuration(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    monkeypatch.setenv("TEMPORAL_ADDRESS", world.temporal.service_client.config.target_host)
    codec = PayloadEncryption.parse(CODEC_KEYS)
    connected = await CheckoutClient.connect(world.task_queue, codec=codec)
    assert isinstance(await connected.place_order(cart_id, deadline=DEADLINE), OrderPlaced)
    await world.handle(cart_id).result()
