"""Who is measured against whom: each turns one cart into what its caller waits for."""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from bench.baseline_worker import READY
from bench.baselines import FLOOR, FLOOR_UPDATE, NAIVE
from bench.children import child, python
from bench.stage import Stage, server_metrics
from cli.embedded import temporal_program
from cli.ports import LOOPBACK, require_free
from client import OrderPlaced
from commerce.adapters.temporal import connect
from commerce.contract import WORKFLOW_TYPE, CheckoutRequest, workflow_id
from commerce.domain.carts import Shopper
from commerce.domain.errors import Operation

SERVER = "Temporal server"
WORKER = "worker"
DATABASE = "PostgreSQL"
"""Names of processes, beside those of the stage."""

_PLACE = """
mutation ($cart: String!) {
  placeOrder(input: {cart_id: $cart}) { orderV2 { number token } errors { code message } }
}
"""
_COMPLETE = """
mutation ($cart: String!, $payment: String!) {
  completeOrder(input: {cartId: $cart, id: $payment}) {
    orderV2 { number token } errors { code message }
  }
}
"""


class Who(StrEnum):
    """The contenders, as tables name them."""

    FLOOR = "floor"
    OFFLINE = "place_order, client"
    OFFLINE_HTTP = "placeOrder, HTTP"
    ONLINE = "complete_order, client"
    ONLINE_HTTP = "completeOrder, HTTP"
    NAIVE_TUNED = "naive saga, tuned server"
    NAIVE_AS_IT_COMES = "naive saga, as it comes"


PAID_ONLINE = (Who.ONLINE, Who.ONLINE_HTTP)


@dataclass(frozen=True)
class Basket:
    """A cart to be ordered, with its payment at the gateway where it is paid online."""

    cart_id: str
    payment_id: str = ""


@dataclass(frozen=True)
class Contender:
    """One way to order.

    Attributes:
        order: Ends when the caller has the answer.
        client: Finds its runs.
        workflow_type: Of its runs.
        run_of: The id of a cart's run.
        pids: Of the processes that do the work, but for the caller.
        metrics: Where its Temporal server counts.
        share: The part of the others' orders that it gets in a block, for it is slow.
    """

    who: Who
    order: Callable[[Basket], Awaitable[None]]
    client: Client
    workflow_type: str
    run_of: Callable[[str], str]
    pids: Mapping[str, int]
    metrics: str
    share: float = 1.0


@asynccontextmanager
async def contenders(stage: Stage, first_port: int) -> AsyncGenerator[list[Contender]]:
    """All of them, on one stage.

    Args:
        stage: What runs of the product.
        first_port: It takes this one and the next.
    """
    folder = stage.data_dir
    with ExitStack() as running:

        def serve(workflow_type: str, address: str) -> int:
            log = folder / f"{workflow_type}-{address.rpartition(':')[2]}.log"
            program = python("bench.baseline_worker", workflow_type, address, str(folder))
            return running.enter_context(child(program, log, READY))

        ours = stage.running.address
        plain = f"{LOOPBACK}:{first_port}"
        log = folder / "temporal-as-it-comes.log"
        command = _as_it_comes(first_port, folder)
        plain_server = running.enter_context(child(command, log, "/metrics"))
        base = {name: pid for name, pid in stage.pids.items() if name in (SERVER, DATABASE)}
        here = await connect(pydantic_data_converter, None, ours)
        there = await connect(pydantic_data_converter, None, plain)
        floor = {SERVER: base[SERVER], WORKER: serve(FLOOR, ours)}
        tuned = base | {WORKER: serve(NAIVE, ours)}
        as_it_comes = base | {SERVER: plain_server, WORKER: serve(NAIVE, plain)}
        metrics = stage.server_metrics
        plain_metrics = server_metrics(log)
        yield [
            Contender(Who.FLOOR, _floor(here), here, FLOOR, _floor_id, floor, metrics),
            *_ours(stage),
            Contender(Who.NAIVE_TUNED, _naive(here), here, NAIVE, _naive_id, tuned, metrics),
            Contender(
                Who.NAIVE_AS_IT_COMES,
                _naive(there),
                there,
                NAIVE,
                _naive_id,
                as_it_comes,
                plain_metrics,
                share=0.3,
            ),
        ]


def _ours(stage: Stage) -> list[Contender]:
    async def place(basket: Basket) -> None:
        answer = await stage.checkout.place_order(basket.cart_id)
        assert isinstance(answer, OrderPlaced), answer

    async def complete(basket: Basket) -> None:
        answer = await stage.checkout.complete_order(basket.cart_id, basket.payment_id)
        assert isinstance(answer, OrderPlaced), answer

    async def send(field: str, document: str, variables: dict[str, str]) -> None:
        body = {"query": document, "variables": variables}
        answer = (await stage.http.post(stage.running.api_url, json=body)).json()
        assert answer["data"][field]["orderV2"]["number"], answer

    async def place_by_http(basket: Basket) -> None:
        await send("placeOrder", _PLACE, {"cart": basket.cart_id})

    async def complete_by_http(basket: Basket) -> None:
        variables = {"cart": basket.cart_id, "payment": basket.payment_id}
        await send("completeOrder", _COMPLETE, variables)

    calls = {
        Who.OFFLINE: place,
        Who.OFFLINE_HTTP: place_by_http,
        Who.ONLINE: complete,
        Who.ONLINE_HTTP: complete_by_http,
    }
    where = (stage.temporal, WORKFLOW_TYPE, workflow_id, stage.pids, stage.server_metrics)
    return [Contender(who, call, *where) for who, call in calls.items()]


def _as_it_comes(port: int, folder: Path) -> list[str]:
    """The development server as its manual starts it, with a file."""
    for each in (port, port + 1):
        require_free(each)
    where = ["--ip", LOOPBACK, "--port", str(port), "--ui-port", str(port + 1)]
    file = str(folder / "temporal-as-it-comes.db")
    return [temporal_program(), "server", "start-dev", *where, "--db-filename", file]


def _floor_id(cart_id: str) -> str:
    return f"floor-{cart_id}"


def _floor(client: Client) -> Callable[[Basket], Awaitable[None]]:
    untyped: Any = client  # the types of its update-with-start are partly unknown

    async def order(basket: Basket) -> None:
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            FLOOR,
            basket.cart_id,
            id=_floor_id(basket.cart_id),
            task_queue=FLOOR,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )
        key = uuid.uuid4().hex
        await untyped.execute_update_with_start_workflow(
            FLOOR_UPDATE, basket.cart_id, id=key, start_workflow_operation=start
        )

    return order


def _naive_id(cart_id: str) -> str:
    return f"naive-{cart_id}"


def _naive(client: Client) -> Callable[[Basket], Awaitable[None]]:
    async def order(basket: Basket) -> None:
        request = CheckoutRequest(
            operation=Operation.PLACE_ORDER,
            cart_id=basket.cart_id,
            shopper=Shopper.guest(),
            idempotency_key=uuid.uuid4().hex,
            asked_at=datetime.now(UTC),
        )
        run: WorkflowHandle[Any, Any] = await client.start_workflow(
            NAIVE, request, id=_naive_id(basket.cart_id), task_queue=NAIVE
        )
        placed = await _result(run)
        assert placed["order_number"], placed

    return order


async def _result(run: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """Of a run, however often the server, overloaded as it comes, gives up waiting for it."""
    while True:
        try:
            return await run.result()
        except RPCError as error:
            if error.status is not RPCStatusCode.DEADLINE_EXCEEDED:
                raise
