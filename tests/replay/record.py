"""Record the histories that every change of the workflow is held against.

One per path through the workflow, by real runs. A recorded history is never edited: a change that
breaks its replay is patched (CONTRIBUTING.md, "Changing a running workflow").
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from client import OrderPlaced, Pending
from commerce.contract import (
    ABORT_UPDATE,
    EXTEND_HOLD_UPDATE,
    INCIDENTS_QUERY,
    MARK_DONE_UPDATE,
    RETRY_UPDATE,
    SKIP_UPDATE,
    SWEEP_TYPE,
    ExtendHold,
    Incidents,
    StepAct,
    workflow_id,
)
from commerce.domain.payments import PaymentMethod
from tests.builders import cart
from tests.faults import Mode
from tests.server import a_server
from tests.world import DEADLINE, World, a_world
from workflows.payloads import checkout_data_converter

HISTORIES = Path(__file__).parent / "histories"


async def place(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name), ("apple", 2), ("pear", 1)))
    await world.client.place_order(world.id(name), deadline=DEADLINE)


async def complete(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00")
    await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)


async def refused_at_lock(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name), email=None))
    await world.client.place_order(world.id(name), deadline=DEADLINE)


async def refused_at_hold(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name), ("apple", 1_000)))
    await world.client.place_order(world.id(name), deadline=DEADLINE)


async def refused_and_undone(world: World, name: str) -> None:
    """Since version 4 only a run that did not hear of its lock can be refused its stock so late."""
    world.faults.fail("lock_cart", Mode.AFTER)
    world.faults.on("hold_stock", lambda: world.store.stock.end_newest("apple", 0))
    await place(world, name)


async def payment_refused(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    await world.client.complete_order(world.id(name), "UNKNOWN", deadline=DEADLINE)


async def joined(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.faults.fail("create_order", Mode.BEFORE, times=2)
    calls = [world.client.place_order(world.id(name), deadline=DEADLINE) for _ in range(3)]
    await asyncio.gather(*calls)


async def retried(world: World, name: str) -> None:
    """Since version 4 a run that did not hear of its lock holds and checks in steps."""
    world.faults.fail("lock_cart", Mode.AFTER)
    world.faults.fail("hold_stock", Mode.AFTER, times=2)
    await place(world, name)


async def found(world: World, name: str) -> None:
    """An order of an earlier run, which is announced by a step."""
    world.faults.fail("create_order", Mode.AFTER)

    def terminate() -> Awaitable[None]:
        return world.handle(world.id(name)).terminate()

    world.faults.on("create_order", lambda: world.faults.on("create_order", terminate))
    world.faults.fail("announce_order", Mode.AFTER)
    await complete(world, name)


async def failed_for_good(world: World, name: str) -> None:
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    await place(world, name)


async def aborted(world: World, name: str) -> None:
    world.faults.fail("create_order", Mode.BEFORE, times=1_000)
    call = asyncio.create_task(place(world, name))
    await world.faults.has_failed.wait()
    await world.abort(world.id(name), "recorded")
    await call


async def cancelled(world: World, name: str) -> None:
    world.faults.fail("create_order", Mode.BEFORE, times=1_000)
    call = asyncio.create_task(place(world, name))
    await world.faults.has_failed.wait()
    await world.handle(world.id(name)).cancel()
    await call


async def placed_online(world: World, name: str) -> None:
    methods = ["checkmo", PaymentMethod.SMART_BUTTONS]
    world.store.stores.change("default", {"payment_methods": methods})
    choice = {"method": PaymentMethod.SMART_BUTTONS, "payment_id": "PAY1"}
    world.store.carts.save(cart(world.id(name), payment=choice))
    world.pay(world.id(name), "15.00")
    await world.client.place_order(world.id(name), deadline=DEADLINE)


async def declined(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="declined")
    await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)


async def pending(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="3ds_abandoned")
    told = await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    assert isinstance(told, Pending)
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(world.id(name), "PAY1")
    await told.wait(DEADLINE)


async def voided(world: World, name: str) -> None:
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    await complete(world, name)


async def payment_review(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="capture_declined")
    answer = await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    in_review = 0
    while not in_review:
        await asyncio.sleep(0.1)
        in_review = world.store.audit.run().counts["orders_in_payment_review"]
    world.gateway.behave("PAY1", "approved")
    await world.client.payment_changed(world.id(name), "PAY1")


async def late_payment(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="3ds_abandoned")
    await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    await world.handle(world.id(name)).terminate()
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(world.id(name), "PAY1")


async def stuck(world: World, name: str, step: str) -> "asyncio.Task[None]":
    """A checkout that waits for an operator because a step fails for good; its caller's call."""
    world.faults.fail(step, Mode.BEFORE, for_good=True)
    call = asyncio.create_task(voided(world, name))
    await has_incident(world, name)
    return call


async def has_incident(world: World, name: str) -> None:
    handle: Any = world.handle(world.id(name))
    found = Incidents()
    while not found.open:
        await asyncio.sleep(0.1)
        with contextlib.suppress(RPCError):  # it has not begun
            found = await handle.query(INCIDENTS_QUERY, result_type=Incidents)


async def act(world: World, name: str, way: str, step: str) -> None:
    handle: Any = world.handle(world.id(name))
    await handle.execute_update(way, StepAct(step=step, reason="recorded", by="recorder"))


async def incident_retried(world: World, name: str) -> None:
    world.faults.fail("lock_cart", Mode.AFTER)
    call = await stuck(world, name, "release_stock")
    await act(world, name, RETRY_UPDATE, "release_stock")
    await call


async def incident_skipped(world: World, name: str) -> None:
    call = await stuck(world, name, "void_payment")
    await act(world, name, SKIP_UPDATE, "void_payment")
    await call


async def incident_done_by_hand(world: World, name: str) -> None:
    call = await stuck(world, name, "void_payment")
    await act(world, name, MARK_DONE_UPDATE, "void_payment")
    await call


async def review_done_by_hand(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="capture_declined")
    await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    await has_incident(world, name)
    await act(world, name, MARK_DONE_UPDATE, "capture_payment")


async def capture_unanswered(world: World, name: str) -> None:
    """In version 2 after three days, and a payment review."""
    world.faults.fail("capture_payment", Mode.BEFORE, for_good=True)
    await complete(world, name)
    await has_incident(world, name)
    await act(world, name, RETRY_UPDATE, "capture_payment")


async def aborted_with_any_text(world: World, name: str) -> None:
    """In version 2 there was no other way to say why."""
    world.faults.fail("create_order", Mode.BEFORE, times=1_000)
    call = asyncio.create_task(place(world, name))
    await world.faults.has_failed.wait()
    handle: Any = world.handle(world.id(name))
    await handle.execute_update(ABORT_UPDATE, "on\nfire")
    await call


async def hold_extended(world: World, name: str) -> None:
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="3ds_abandoned")
    told = await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    assert isinstance(told, Pending)
    handle: Any = world.handle(world.id(name))
    await handle.execute_update(EXTEND_HOLD_UPDATE, ExtendHold(minutes=30, by="recorder"))
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(world.id(name), "PAY1")
    await told.wait(DEADLINE)


async def swept(world: World, name: str) -> None:
    """What a terminated checkout has left; the sweep's own history is recorded."""
    world.store.carts.save(cart(world.id(name)))
    world.pay(world.id(name), "15.00", script="3ds_abandoned")
    await world.client.complete_order(world.id(name), "PAY1", deadline=DEADLINE)
    await world.handle(world.id(name)).terminate()
    world.clock.advance(timedelta(hours=1))
    await world.temporal.execute_workflow(
        SWEEP_TYPE, id=workflow_id(world.id(name)), task_queue=world.task_queue
    )


PATHS: tuple[Callable[[World, str], Awaitable[None]], ...] = (
    place,
    complete,
    refused_at_lock,
    refused_at_hold,
    refused_and_undone,
    payment_refused,
    joined,
    retried,
    found,
    failed_for_good,
    aborted,
    cancelled,
    placed_online,
    declined,
    pending,
    voided,
    payment_review,
    late_payment,
    incident_retried,
    incident_skipped,
    incident_done_by_hand,
    review_done_by_hand,
    capture_unanswered,
    aborted_with_any_text,
    hold_extended,
    swept,
)


async def record(version: str) -> None:
    """Run every path on the real server and save its history as ``<version>-<path>.json``."""
    with tempfile.TemporaryDirectory() as directory:
        async with a_server(Path(directory), checkout_data_converter) as temporal:
            for path in PATHS:
                name = path.__name__
                (Path(directory) / name).mkdir()
                async with a_world(temporal, Path(directory) / name) as world:
                    await path(world, name)
                    handle = world.handle(world.id(name))
                    with contextlib.suppress(WorkflowFailureError):  # one path fails on purpose
                        await handle.result()
                    history = await handle.fetch_history()
                file = HISTORIES / f"{version}-{name}.json"
                file.write_text(
                    json.dumps(_anonymous(json.loads(history.to_json())), indent=1) + "\n"
                )


def _anonymous(value: Any) -> Any:
    """Without what names the machine that recorded it; replay needs neither."""
    if isinstance(value, list):
        return [_anonymous(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        named = ("identity", "stackTrace")
        if fields.get("kind") == "TASK_QUEUE_KIND_STICKY":
            fields = {**fields, "name": "sticky"}
        return {key: _anonymous(item) for key, item in fields.items() if key not in named}
    return value


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
