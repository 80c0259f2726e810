"""Does Temporal keep ciphertext only (S20), and is everything else refused (S21)?"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.converter import PayloadCodec
from temporalio.exceptions import ApplicationError

from client import (
    CheckoutClient,
    CheckoutUnavailableError,
    OrderPlaced,
    Pending,
    RefusalReason,
    Refused,
    Shopper,
)
from commerce.adapters.codec import PayloadCodecError, PayloadEncryption, encrypted
from commerce.contract import (
    ABORT_UPDATE,
    INVALID_INPUT,
    PAYMENT_CHANGED_SIGNAL,
    workflow_id,
)
from tests.builders import EMAIL, TEXAS, cart, request
from tests.faults import Mode
from tests.payloads import decoded, failures_in, payloads_in, plain_in
from tests.server import CODEC_KEYS
from tests.world import DEADLINE, World, a_world
from workflows.payloads import checkout_data_converter

PEOPLE = (EMAIL, TEXAS.firstname, TEXAS.lastname, TEXAS.street[0], TEXAS.telephone)
BY_THE_SDK = "Activity cancelled"
"""What the SDK's core says by itself, where there is no exception of ours."""


@pytest_asyncio.fixture
async def world(temporal: Client, tmp_path: Path) -> AsyncGenerator[World]:
    async with a_world(temporal, tmp_path) as made:
        yield made


async def another_client(world: World, keys: str = "") -> Client:
    """A connection with other keys than the worker's, or with none."""
    converter = checkout_data_converter
    if keys:
        converter = encrypted(converter, PayloadEncryption.parse(keys))
    address = world.temporal.service_client.config.target_host
    return await Client.connect(address, data_converter=converter)


@dataclass
class Kept:
    """What Temporal keeps of one checkout, as it stands there."""

    history: bytes
    plain: list[str]
    failures: list[Any]
    shown: bytes
    readable: bytes
    encrypted: int


async def kept(world: World, cart_id: str) -> Kept:
    raw = await another_client(world)
    plain: list[str] = []
    failures: list[Any] = []
    history, readable, count = b"", b"", 0
    handle = raw.get_workflow_handle(workflow_id(cart_id))
    for event in (await handle.fetch_history()).events:
        history += event.SerializeToString()
        plain += plain_in(event)
        failures += failures_in(event)
        count += len(payloads_in(event))
        readable += await decoded(world.temporal, event)
    described = (await handle.describe()).raw_description
    plain += plain_in(described)
    shown = described.SerializeToString()
    async for each in raw.list_workflows(f'WorkflowId = "{handle.id}"'):
        shown += each.raw_info.SerializeToString()
        plain += plain_in(each.raw_info)
    return Kept(history, plain, failures, shown, readable, count)


@pytest.mark.parametrize("path", ["ordered", "refused", "failed", "aborted", "paid"])
async def test_nothing_can_be_read_without_the_keys(world: World, path: str) -> None:
    """Not even where the idempotency key is the cart's id, which opens the cart."""
    cart_id, customer = world.id("cart"), world.id("customer")
    changes: dict[str, Any] = {"payment": None} if path == "refused" else {}
    world.store.carts.save(cart(cart_id, customer_id=customer, **changes))
    if path == "failed":
        world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    if path == "aborted":
        world.faults.fail("create_order", Mode.BEFORE, times=1_000)
    call: dict[str, Any] = {
        "shopper": Shopper.customer(customer),
        "idempotency_key": cart_id,
        "deadline": DEADLINE,
    }
    if path == "paid":
        payment = world.pay(cart_id, "15.00", id=world.id("PAY"))
        asked = asyncio.create_task(world.client.complete_order(cart_id, payment, **call))
    else:
        asked = asyncio.create_task(world.client.place_order(cart_id, **call))
    if path == "aborted":
        await world.faults.has_failed.wait()
        await world.abort(cart_id, "they of Canary Avenue called")
    answer = await asked
    assert isinstance(answer, OrderPlaced if path in ("ordered", "paid") else Refused)
    await ended(world, cart_id)
    found = await kept(world, cart_id)
    assert found.plain == []
    assert found.encrypted > 8
    secrets = [cart_id, customer, world.id("PAY"), "Canary Avenue", "hold its stock", *PEOPLE]
    secrets += [answer.token] if isinstance(answer, OrderPlaced) else []
    for secret in secrets:
        assert secret.encode() not in found.history
        assert secret.encode() not in found.shown
    for each in found.failures:
        assert each.message in ("Encoded failure", BY_THE_SDK)
        assert each.stack_trace == ""
    assert bool(found.failures) is (path in ("failed", "aborted"))
    # with the keys: references, summaries, texts of failures, and still no people
    for readable in (cart_id, customer, "hold its stock"):
        assert readable.encode() in found.readable
    for person in PEOPLE:
        assert person.encode() not in found.readable
    if path == "aborted":
        assert b"they of Canary Avenue called" in found.readable


async def ended(world: World, cart_id: str) -> None:
    with contextlib.suppress(WorkflowFailureError):
        await world.handle(cart_id).result()


async def test_a_pending_failure_is_encrypted_and_read_with_the_keys(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=1_000)
    await world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
    await world.faults.has_failed.wait()
    pending: Any = None
    described: Any = None
    while not (pending and pending[0].HasField("last_failure")):
        described = await world.handle(cart_id).describe()
        pending = described.raw_description.pending_activities
    failure = pending[0].last_failure
    assert failure.message == "Encoded failure"
    assert plain_in(described.raw_description) == []
    back = await world.temporal.data_converter.decode_failure(failure)
    assert "Encoded failure" not in str(back)
    world.faults.heal()
    await world.handle(cart_id).terminate()


# -- what is not from here ---------------------------------------------------------------------


async def test_what_is_typed_in_plain_does_not_reach_a_run_nor_break_it(world: World) -> None:
    """An operator without the codec endpoint, or a forger without the keys."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=3)
    raw = await another_client(world)
    handle: Any = raw.get_workflow_handle(workflow_id(cart_id))
    placed = asyncio.create_task(world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE))
    await world.faults.has_failed.wait()
    await handle.signal(PAYMENT_CHANGED_SIGNAL, "PAY1")
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(ABORT_UPDATE, "because")
    assert isinstance(await placed, OrderPlaced)
    await ended(world, cart_id)
    assert await world.status(cart_id) is WorkflowExecutionStatus.COMPLETED
    world.assert_clean(orders=1)


async def test_a_checkout_that_is_started_in_plain_fails_cleanly(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    raw = await another_client(world)
    await raw.start_workflow(
        "checkout", request(cart_id), id=workflow_id(cart_id), task_queue=world.task_queue
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await world.handle(cart_id).result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == INVALID_INPUT
    world.assert_clean(orders=0)


@pytest.mark.parametrize("encoding", [b"ROT13", b"", b"AES-256-GCM"])
async def test_a_signal_that_no_key_could_open_does_not_stop_a_run(
    world: World, encoding: bytes
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("capture_payment", Mode.BEFORE, times=2)
    placed = asyncio.create_task(world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE))
    await world.faults.has_failed.wait()
    metadata = {"encoding": b"binary/encrypted", "encryption-cipher": encoding}
    await world.temporal.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=world.temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id(cart_id)),
            signal_name=PAYMENT_CHANGED_SIGNAL,
            input=Payloads(payloads=[Payload(metadata=metadata, data=b"x" * 40)]),
        )
    )
    assert isinstance(await placed, OrderPlaced)
    async with asyncio.timeout(DEADLINE.total_seconds()):
        await world.handle(cart_id).result()
    world.assert_clean(orders=1)


@pytest.mark.parametrize("keys", ["", PayloadEncryption.new_key("test")], ids=["none", "others"])
async def test_a_client_that_the_workers_cannot_read_is_told_so_at_once(
    world: World, keys: str
) -> None:
    """It has no keys, or another one under the same id."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    client = CheckoutClient(await another_client(world, keys), world.task_queue)
    with pytest.raises(CheckoutUnavailableError, match="codec keys"):
        await client.place_order(cart_id, deadline=DEADLINE)
    assert await runs(world, cart_id) <= 2
    world.assert_clean(orders=0)


async def runs(world: World, cart_id: str) -> int:
    """How many runs a cart has had, once the last of them is listed."""
    last = (await world.handle(cart_id).describe()).run_id
    while True:
        listed = world.temporal.list_workflows(f'WorkflowId = "{workflow_id(cart_id)}"')
        known = [each.run_id async for each in listed]
        if last in known:
            return len(known)
        await asyncio.sleep(0.05)


class Broken(PayloadCodec):
    """Encrypts, and cannot decrypt: it fails in a way of its own."""

    def __init__(self) -> None:
        self._encryption = PayloadEncryption.parse(CODEC_KEYS)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await self._encryption.encode(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise LookupError("canary: no key service")


@pytest.mark.parametrize("by", ["rotation", "broken", "nobody"])
async def test_an_answer_that_cannot_be_read_is_not_known(
    temporal: Client, tmp_path: Path, by: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The order may well be placed: never an error, and never a wrong answer."""
    newer = PayloadEncryption.new_key("newer")
    address = temporal.service_client.config.target_host
    keys = f"{newer},{CODEC_KEYS},plain"
    workers = encrypted(checkout_data_converter, PayloadEncryption.parse(keys, for_worker=True))
    ahead = await Client.connect(address, data_converter=workers)
    async with a_world(ahead, tmp_path) as world:
        cart_id, key = world.id("cart"), world.id("K")
        world.store.carts.save(cart(cart_id))
        behind = await another_client(world, CODEC_KEYS if by == "rotation" else "")
        if by == "broken":
            config = behind.config()
            config["data_converter"] = replace(config["data_converter"], payload_codec=Broken())
            behind = Client(**config)
        client = CheckoutClient(behind, world.task_queue)
        caplog.set_level(logging.ERROR, "checkout")
        answer = await client.place_order(
            cart_id, idempotency_key=key, deadline=timedelta(seconds=4)
        )
        assert isinstance(answer, Pending)
        with pytest.raises(CheckoutUnavailableError, match="cannot be read"):
            await client.outcome(cart_id)
        (told,) = [each for each in caplog.records if each.name == "checkout.client"]
        assert "cannot be read" in told.getMessage()
        assert "canary" not in caplog.text
        placed = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
        assert isinstance(placed, OrderPlaced)
        world.assert_clean(orders=1)


async def test_a_pending_payment_whose_state_cannot_be_read_is_pending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer can be read, and then the query's cannot: as with keys that are being rotated."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00", script="3ds_abandoned")
    codec = Forgetful()
    config = (await another_client(world, CODEC_KEYS)).config()
    config["data_converter"] = replace(config["data_converter"], payload_codec=codec)
    client = CheckoutClient(Client(**config), world.task_queue)
    answer = await client.complete_order(cart_id, "PAY1", deadline=timedelta(seconds=4))
    assert isinstance(answer, Pending)
    assert codec.decoded < 20, "it does not ask as fast as it can"
    await world.abort(cart_id, "the test ends")
    await ended(world, cart_id)


class Forgetful(Broken):
    """Opens every answer of an update, and none of a query."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded = 0

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        self.decoded += 1
        opened = await self._encryption.decode(payloads)
        if b"fingerprint" not in opened[0].data:
            raise LookupError("canary: no key service")
        return opened


async def test_a_result_is_not_read_with_other_keys(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    await world.client.place_order(cart_id, deadline=DEADLINE)
    await ended(world, cart_id)
    for keys in (PayloadEncryption.new_key("other"), PayloadEncryption.new_key("test")):
        stranger = await another_client(world, keys)
        with pytest.raises(PayloadCodecError):
            await stranger.get_workflow_handle(workflow_id(cart_id)).result()


# -- rotation ----------------------------------------------------------------------------------


async def test_a_worker_without_the_key_waits_for_one_that_has_it(
    temporal: Client, tmp_path: Path
) -> None:
    """Its tasks fail and are tried again: the run is not lost, and not failed."""
    newer = PayloadEncryption.new_key("newer")
    address = temporal.service_client.config.target_host
    (tmp_path / "behind").mkdir()
    async with a_world(temporal, tmp_path / "behind") as behind:
        cart_id = behind.id("cart")
        behind.store.carts.save(cart(cart_id))
        ahead = await another_client(behind, f"{newer},{CODEC_KEYS}")
        client = CheckoutClient(ahead, behind.task_queue)
        early = await client.place_order(cart_id, deadline=timedelta(seconds=2))
        assert isinstance(early, Pending)
        assert await behind.status(cart_id) is WorkflowExecutionStatus.RUNNING
        keys = f"{CODEC_KEYS},{newer}"
        both = encrypted(checkout_data_converter, PayloadEncryption.parse(keys, for_worker=True))
        updated = await Client.connect(address, data_converter=both)
        changed = {"task_queue": behind.task_queue}
        url = str(behind.store.database.engine.url)
        async with a_world(updated, tmp_path / "behind", url=url, changed=changed):
            answer = early
            while isinstance(answer, Pending):
                answer = await answer.wait(DEADLINE)
        assert isinstance(answer, OrderPlaced)


async def test_an_abort_while_a_step_waits_for_its_next_attempt_is_carried_out(
    world: World,
) -> None:
    """The server itself writes, in plain text, that the step had not begun when it was stopped."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.faults.fail("verify_payment", Mode.BEFORE, times=1_000)
    call = world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
    asked = asyncio.create_task(call)
    while True:
        if world.faults.failed["verify_payment"] >= 5:  # now it waits for seconds
            break
        await asyncio.sleep(0.05)
    await world.abort(cart_id, "the shopper called")
    answer = await asked
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.ABORTED
    history = await world.handle(cart_id).fetch_history()
    assert b"ACTIVITY_ID_NOT_STARTED" in b"".join(e.SerializeToString() for e in history.events)
    world.assert_clean(orders=0)
