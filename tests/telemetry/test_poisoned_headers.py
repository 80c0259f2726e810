"""Does a checkout that is traced survive the headers that anybody may send with a signal?"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio
from opentelemetry import propagate
from temporalio.api.common.v1 import Header, Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client

from client import OrderPlaced
from commerce.adapters.telemetry.traces import Tracing
from commerce.contract import PAYMENT_CHANGED_SIGNAL, workflow_id
from tests.builders import cart
from tests.faults import Mode
from tests.server import ENCRYPTED, a_server
from tests.world import DEADLINE, World, a_world


@pytest_asyncio.fixture
async def traced_world(tmp_path: Path) -> AsyncGenerator[World]:
    textmap = propagate.get_global_textmap()
    tracing = Tracing("worker", tmp_path / "spans.jsonl", to_collector=False)
    try:
        async with a_server(tmp_path) as server:
            address = server.service_client.config.target_host
            client = await Client.connect(
                address, data_converter=ENCRYPTED, plugins=tracing.plugins
            )
            async with a_world(client, tmp_path) as made:
                yield made
    finally:
        tracing.close()
        propagate.set_global_textmap(textmap)


async def test_a_signal_with_a_poisoned_header_does_not_stop_a_run(traced_world: World) -> None:
    world = traced_world
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=2)
    placed = asyncio.create_task(world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE))
    await world.faults.has_failed.wait()
    [payment] = await ENCRYPTED.encode(["PAY1"])
    for data in (b"5", b'"x"', b"{", b'{"traceparent": 5}', b'{"baggage": "a=\\ud800"}'):
        bad = Payload(metadata={"encoding": b"json/plain"}, data=data)
        await world.temporal.workflow_service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=world.temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=workflow_id(cart_id)),
                signal_name=PAYMENT_CHANGED_SIGNAL,
                input=Payloads(payloads=[payment]),
                header=Header(fields={"_tracer-data": bad}),
            )
        )
    assert isinstance(await placed, OrderPlaced)
    async with asyncio.timeout(DEADLINE.total_seconds()):
        await world.handle(cart_id).result()
    world.assert_clean(orders=1)
