"""Do operators see what waits for them, and do their commands settle it?"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.service import RPCError

import cli.operate
import cli.stuck
from cli.advice import ADVICE, PAYMENT_REVIEW, advice, told_of
from cli.app import main
from cli.sweeps import LastSweep
from client import OrderPlaced, Pending
from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.setup import setup
from commerce.contract import SWEEP_SCHEDULE_ID, Incident, workflow_id
from commerce.domain.leftovers import SweepReport
from commerce.domain.orders import OrderStatus
from tests.builders import cart
from tests.dev import a_dev, checkout
from tests.faults import Mode
from tests.payloads import decoded
from tests.programs import free_port
from tests.server import CODEC_KEYS, a_server
from tests.world import DEADLINE, World, a_world
from workflows import policies

ABANDONED = "3ds_abandoned"
NO_CAPTURE = "capture_declined"


@pytest_asyncio.fixture(scope="module")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def world(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World]:
    """A world that the commands find by their environment."""
    commands_find(monkeypatch, temporal, tmp_path)
    async with a_world(temporal, tmp_path) as made:
        yield made
        with suppress(RPCError):  # what is left running would keep every later look waiting
            await made.handle(made.id("cart")).terminate()


def commands_find(patch: pytest.MonkeyPatch, temporal: Client, data_dir: Path) -> None:
    patch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    patch.setenv("CHECKOUT_CODEC_KEYS", CODEC_KEYS)
    patch.setenv("CHECKOUT_DATA_DIR", str(data_dir))


async def run(*arguments: str, by: str = "grace") -> Result:
    """A command, while the worker works on."""
    command = ["--by", by] if arguments[0] != "stuck" else []
    runner = CliRunner()
    return await asyncio.to_thread(
        runner.invoke, main, [*arguments, *command], env={"COLUMNS": "200"}
    )


async def stuck(named: str = "") -> Any:
    """What ``checkout stuck`` says in JSON of one run; of everything when none is named."""
    said = json.loads((await run("stuck", "--json")).output)
    if not named:
        return said
    runs = {
        each["workflow_id"]: (kind, each)
        for kind in ("incidents", "running_too_long", "ended_badly")
        for each in said[kind]
    }
    return runs.get(workflow_id(named), ("", {}))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Visibility is a little behind."""
    async with asyncio.timeout(DEADLINE.total_seconds()):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.05)


async def until_stuck(cart_id: str, step: str) -> None:
    async def is_stuck() -> bool:
        _, found = await stuck(cart_id)
        return step in {each["step"] for each in found.get("open", ())}

    await until(is_stuck)


async def pays(world: World, script: str) -> Any:
    """A cart that is paid at the gateway by a payment with a script."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00", script=script)
    return await world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)


async def is_refused(world: World, *failing: str) -> asyncio.Task[Any]:
    """A checkout that is refused, and whose undos fail for good at first; its caller.

    It has not heard that its cart is locked with its stock, and so has every undo.
    """
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("lock_cart", Mode.AFTER)
    for step in failing:
        world.faults.fail(step, Mode.BEFORE, for_good=True)
    call = world.client.complete_order(cart_id, "UNKNOWN", deadline=DEADLINE)
    return asyncio.create_task(call)


def assert_one_line_error(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (("retry",), "settled"),
        (("skip", "--reason", "the hold ends by itself"), "skipped"),
        (("mark-done", "--reason", "done in the store"), "noted as done by hand"),
    ],
)
async def test_an_incident_is_listed_and_settled(
    world: World, act: tuple[str, ...], told: str
) -> None:
    caller = await is_refused(world, "release_stock")
    cart_id = world.id("cart")
    await until_stuck(cart_id, "release_stock")
    listed = await run("stuck")
    assert listed.exit_code == 1
    for way in ("retry", "skip", "mark-done"):
        assert f"checkout {way} {workflow_id(cart_id)} release_stock" in listed.output
    name, *options = act
    settled = await run(name, cart_id, "release-stock", *options)
    assert settled.exit_code == 0, settled.output
    assert told in settled.output
    assert (await caller).reason == "PAYMENT_ID_INVALID"
    await world.handle(cart_id).result()
    assert "grace" in await acts(world, cart_id)


async def acts(world: World, cart_id: str) -> str:
    """What stands in the inputs of updates; the history names nobody in plain text."""
    history = await world.handle(cart_id).fetch_history()
    said: list[bytes] = []
    for each in history.events:
        assert b"grace" not in each.SerializeToString()
        if each.HasField("workflow_execution_update_accepted_event_attributes"):
            sent = each.workflow_execution_update_accepted_event_attributes.accepted_request
            said.append(await decoded(world.temporal, sent))
            assert sent.meta.identity in (world.temporal.identity, "checkout-cli")
    return b" ".join(said).decode(errors="replace")


async def test_a_retry_that_fails_again_says_so_and_exits_with_one(world: World) -> None:
    placed = await pays(world, NO_CAPTURE)
    assert isinstance(placed, OrderPlaced)
    await until_stuck(world.id("cart"), "capture_payment")
    _, found = await stuck(world.id("cart"))
    assert found["status"] == "payment_review"
    assert (found["order_number"], found["total"]) == (placed.order_number, "15.00 USD")
    again = await run("retry", placed.order_number, "capture_payment", "--reason", "they say so")
    assert again.exit_code == 1, again.output
    assert "still open" in again.output
    assert "CannotBeCaptured" in again.output
    world.gateway.behave("PAY1", "approved")
    world.gateway.capture("PAY1")
    assert (await run("retry", placed.order_number, "capture_payment")).exit_code == 0
    await world.handle(world.id("cart")).result()
    order = world.store.order_book.find(number=placed.order_number)
    assert order
    assert order.status is OrderStatus.PROCESSING


async def test_an_abort_undoes_and_says_when_that_takes_long(world: World) -> None:
    assert isinstance(await pays(world, ABANDONED), Pending)
    world.faults.fail("void_payment", Mode.BEFORE, for_good=True)
    cart_id = world.id("cart")
    aborted = await run("abort", cart_id, "ordered by phone", "--wait", "1")
    assert aborted.exit_code == 1, aborted.output
    assert "taken" in aborted.output
    assert "still open: void_payment failed" in aborted.output
    await until_stuck(cart_id, "void_payment")
    assert (await run("retry", workflow_id(cart_id), "void_payment")).exit_code == 0
    assert (await world.handle(cart_id).result())["reason"] == "ABORTED"
    assert_one_line_error(await run("abort", cart_id, "again"), "is over (completed)")


async def test_an_abort_is_told_how_it_ended(world: World) -> None:
    assert isinstance(await pays(world, ABANDONED), Pending)
    aborted = await run("abort", world.id("cart"), "ordered by phone")
    assert aborted.exit_code == 0, aborted.output
    assert "aborted and undone" in aborted.output
    assert "grace" in await acts(world, world.id("cart"))


async def test_a_hold_is_extended_for_a_pending_payment_only(world: World) -> None:
    assert isinstance(await pays(world, ABANDONED), Pending)
    extended = await run("extend-hold", world.id("cart"), "90")
    assert extended.exit_code == 0, extended.output
    assert "kept until" in extended.output
    world.gateway.behave("PAY1", NO_CAPTURE)
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(world.id("cart"), "PAY1")
    await until_stuck(world.id("cart"), "capture_payment")
    assert_one_line_error(await run("extend-hold", world.id("cart"), "90"), "no payment is pending")
    assert_one_line_error(await run("abort", world.id("cart"), "x"), "has its outcome already")


async def test_what_cannot_be_done_is_one_line(world: World) -> None:
    await is_refused(world, "unlock_cart")
    cart_id = world.id("cart")
    await until_stuck(cart_id, "unlock_cart")
    unknown = workflow_id("no such cart")
    typed = "no cart, order or workflow 'no such cart' has a checkout"
    assert_one_line_error(await run("abort", "no such cart", "x"), typed)
    assert_one_line_error(await run("retry", unknown, "void_payment"), unknown)
    no_step = await run("retry", cart_id, "fly")
    assert_one_line_error(no_step, "no open incident of 'fly'", "unlock_cart")
    assert_one_line_error(await run("skip", cart_id, "unlock_cart", "--reason", " "), "say why")
    for empty in ("", " "):
        assert_one_line_error(await run("abort", cart_id, empty), "say why")
    anonymous = await run("retry", cart_id, "unlock_cart", by="")
    assert_one_line_error(anonymous, "say who")
    assert_one_line_error(await run("abort", cart_id, "x" * 501), "reason")
    assert_one_line_error(await run("abort", cart_id, "card 4111 1111 1111 1111"), "reason")
    for wrong in (
        ("skip", cart_id, "unlock_cart"),
        ("extend-hold", cart_id, "0"),
        ("extend-hold", cart_id, "1441"),
        ("extend-hold", cart_id, "soon"),
        ("retry", cart_id, "unlock_cart", "--wait", "0"),
    ):
        assert (await run(*wrong)).exit_code == 2, wrong
    assert (await run("retry", cart_id, "unlock_cart")).exit_code == 0


async def test_an_order_is_found_by_its_number_without_a_store(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = await pays(world, NO_CAPTURE)
    await until_stuck(world.id("cart"), "capture_payment")
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(tmp_path / "elsewhere"))
    told = await run(
        "mark-done", placed.order_number, "capture_payment", "--reason", "paid in cash"
    )
    assert told.exit_code == 0, told.output
    await world.handle(world.id("cart")).result()
    order = world.store.order_book.find(number=placed.order_number)
    assert order
    assert order.status is OrderStatus.PROCESSING


async def test_what_failed_for_good_is_listed_for_a_day_and_is_not_stuck(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("lock_cart", Mode.BEFORE, for_good=True)
    await world.client.place_order(cart_id, deadline=DEADLINE)

    async def is_listed() -> bool:
        kind, found = await stuck(cart_id)
        return kind == "ended_badly" and "failed for good" in found["note"]

    await until(is_listed)


async def test_without_a_worker_it_says_so(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands_find(monkeypatch, temporal, tmp_path)
    monkeypatch.setattr(cli.stuck, "QUERY_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(cli.operate, "RPC_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(cli.stuck, "TOO_LONG", timedelta())
    async with a_world(temporal, tmp_path) as world:
        await is_refused(world, "release_stock")
        cart_id = world.id("cart")
        await until_stuck(cart_id, "release_stock")
    _, found = await stuck(cart_id)
    assert "no worker answers" in found["note"]
    assert_one_line_error(await run("retry", cart_id, "release_stock"), "no worker answers")
    waiting = await temporal.start_workflow(
        "checkout", id=workflow_id(world.id("other")), task_queue=world.task_queue
    )

    async def is_listed() -> bool:
        return (await stuck(world.id("other")))[0] == "running_too_long"

    await until(is_listed)
    assert (await stuck(world.id("other")))[1]["note"] == "no worker"
    await waiting.terminate()
    await temporal.get_workflow_handle(workflow_id(cart_id)).terminate()


async def test_nothing_is_stuck_once_the_sweep_has_its_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server(tmp_path) as temporal, a_world(temporal, tmp_path) as world:
        commands_find(monkeypatch, temporal, tmp_path)
        without = await run("stuck")
        assert without.exit_code == 1
        assert "run 'checkout setup'" in without.output
        await setup(temporal, world.settings)
        schedule = temporal.get_schedule_handle(SWEEP_SCHEDULE_ID)
        await schedule.trigger()

        async def has_swept() -> bool:
            return (await stuck())["sweep"]["report"] is not None

        await until(has_swept)
        clean = await run("stuck")
        assert (clean.exit_code, clean.output) == (0, "nothing is stuck\n")
        gone = workflow_id("gone")
        await (await temporal.start_workflow("checkout", id=gone, task_queue="none")).terminate()

        async def has_ended_badly() -> bool:
            return (await stuck("gone"))[0] == "ended_badly"

        await until(has_ended_badly)
        ended = await run("stuck")
        assert (ended.exit_code, gone in ended.output) == (0, True)
        assert ended.output.endswith("nothing else is stuck\n")
        await schedule.pause(note="the gateway moves")
        paused = await run("stuck")
        assert paused.exit_code == 1
        assert "paused: the gateway moves" in paused.output
        await schedule.unpause()
        world.faults.fail("look_for_leftovers", Mode.BEFORE, for_good=True)
        # The schedule may not know yet that the sweep before is over, and would skip this one.
        await schedule.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)

        async def has_failed() -> bool:
            return "failed" in (await stuck())["sweep"]["trouble"]

        await until(has_failed)


async def test_with_other_keys_it_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await is_refused(world, "unlock_cart")
    await until_stuck(world.id("cart"), "unlock_cart")
    monkeypatch.setenv("CHECKOUT_CODEC_KEYS", PayloadEncryption.new_key("other"))
    _, found = await stuck(world.id("cart"))
    assert (found["reason"], found["open"]) == ("unlock_cart", [])
    assert "'test' is not in CHECKOUT_CODEC_KEYS" in found["note"]
    assert_one_line_error(await run("retry", world.id("cart"), "unlock_cart"), "'test' is not in")
    for keys in ("nonsense", ""):
        monkeypatch.setenv("CHECKOUT_CODEC_KEYS", keys)
        assert_one_line_error(await run("stuck"), "CHECKOUT_CODEC_KEYS")
    monkeypatch.setenv("CHECKOUT_CODEC_KEYS", CODEC_KEYS)
    assert (await run("retry", world.id("cart"), "unlock_cart")).exit_code == 0


async def test_a_server_that_is_not_there_is_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    for arguments in (("stuck",), ("retry", "cart", "void_payment"), ("abort", "cart", "x")):
        assert_one_line_error(await run(*arguments), "cannot reach Temporal")


async def test_they_find_the_checkout_dev_that_runs_on_the_data(tmp_path: Path) -> None:
    async with a_dev(tmp_path) as dev:
        status, said = await checkout("stuck", "--data-dir", str(tmp_path))
        assert (status, said) == (0, "nothing is stuck\n")
        status, said = await checkout("retry", "cart", "void_payment", "--data-dir", str(tmp_path))
        assert (status, len(said.strip().splitlines())) == (2, 1)
        assert "no cart, order or workflow 'cart' has a checkout" in said
        assert dev.running


def test_every_step_that_can_become_an_incident_has_its_advice() -> None:
    table: list[Any] = [each for each in vars(policies).values() if type(each) is policies.Step]
    must = {each.name for each in table if each.schedule_to_close == policies.INCIDENT_AFTER}
    assert set(ADVICE) == {*must, PAYMENT_REVIEW}


def test_what_the_sweep_cannot_settle_wants_a_look() -> None:
    assert not LastSweep(report=SweepReport(payments_told=1)).wants_a_look
    unsettled = LastSweep(report=SweepReport(payments_unsettled=2))
    assert unsettled.wants_a_look
    assert "2 payments stay open" in unsettled.lines[0]
    assert "1 payment stays open" in LastSweep(report=SweepReport(payments_unsettled=1)).lines[0]


def test_an_incident_is_told_in_a_line() -> None:
    since = "2026-01-01T00:00:00Z"
    incident = Incident.model_validate({"step": "new_step", "since": since, "tries": 1})
    assert told_of(incident) == "new_step failed since 2026-01-01 00:00:00 UTC, tried again once"
    assert advice(incident).retry == "try again now"
