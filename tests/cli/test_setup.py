"""Does ``checkout setup`` make a namespace ready, however often, and say what is in its way?"""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleOverlapPolicy
from temporalio.service import OperatorService, RPCError, RPCStatusCode

from cli.app import main
from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.setup import SetupError, setup
from commerce.adapters.store.database import Database
from commerce.adapters.store.schema import upgrade
from commerce.adapters.tokens import SealedTokens
from commerce.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID, SWEEP_TYPE
from commerce.settings import Settings
from tests.server import a_server

SETTINGS = Settings(sweep_interval_s=3600, task_queue="queue")


@pytest_asyncio.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def fresh(server: Client) -> Client:
    """A connection to a namespace in which nothing is registered."""
    name = f"fresh-{uuid.uuid4().hex}"
    retention = Duration(seconds=86_400)
    await server.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    target = server.service_client.config.target_host
    client = await Client.connect(target, namespace=name)
    async with asyncio.timeout(30):
        while True:  # the server needs a moment to learn of it
            try:
                await attributes(client)
            except RPCError:
                await asyncio.sleep(0.1)
            else:
                return client


async def attributes(client: Client) -> dict[str, str]:
    found = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    kinds = {name: IndexedValueType.Name(kind) for name, kind in found.custom_attributes.items()}
    return {
        name: kind.rpartition("_")[2].title()
        for name, kind in kinds.items()
        if name.startswith("Checkout")
    }


async def schedule(client: Client) -> Any:
    return (await client.get_schedule_handle(SWEEP_SCHEDULE_ID).describe()).schedule


async def test_a_fresh_namespace_is_made_ready_and_a_repeat_changes_nothing(fresh: Client) -> None:
    assert set(await setup(fresh, SETTINGS)) == set(SEARCH_ATTRIBUTES)
    assert await attributes(fresh) == dict(SEARCH_ATTRIBUTES)
    made = await schedule(fresh)
    assert isinstance(made.action, ScheduleActionStartWorkflow)
    assert (made.action.workflow, made.action.task_queue) == (SWEEP_TYPE, "queue")
    assert made.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert [each.every for each in made.spec.intervals] == [timedelta(hours=1)]
    assert made.state.note
    assert await setup(fresh, SETTINGS) == ()
    again = await schedule(fresh)
    assert (again.spec, again.policy, again.state) == (made.spec, made.policy, made.state)


async def test_several_at_once_are_one(fresh: Client) -> None:
    added = await asyncio.gather(*[setup(fresh, SETTINGS) for _ in range(4)])
    assert set().union(*added) == set(SEARCH_ATTRIBUTES)
    assert await attributes(fresh) == dict(SEARCH_ATTRIBUTES)
    assert (await schedule(fresh)).action.workflow == SWEEP_TYPE


async def test_new_settings_are_taken_over_and_a_paused_sweep_stays_paused(fresh: Client) -> None:
    await setup(fresh, SETTINGS)
    await fresh.get_schedule_handle(SWEEP_SCHEDULE_ID).pause(note="an operator looks into it")
    other = SETTINGS.model_copy(update={"sweep_interval_s": 60, "task_queue": "other"})
    await setup(fresh, other)
    changed = await schedule(fresh)
    assert changed.action.task_queue == "other"
    assert [each.every for each in changed.spec.intervals] == [timedelta(minutes=1)]
    assert (changed.state.paused, changed.state.note) == (True, "an operator looks into it")


async def test_only_what_is_missing_is_registered(fresh: Client) -> None:
    await register(fresh, "CheckoutStatus", "KEYWORD")
    assert set(await setup(fresh, SETTINGS)) == set(SEARCH_ATTRIBUTES) - {"CheckoutStatus"}
    assert await attributes(fresh) == dict(SEARCH_ATTRIBUTES)


async def test_a_name_that_has_another_type_is_a_clear_error(fresh: Client) -> None:
    await register(fresh, "CheckoutTotal", "KEYWORD")
    with pytest.raises(SetupError, match="CheckoutTotal has the type Keyword, not Int: remove it"):
        await setup(fresh, SETTINGS)
    assert (await schedule(fresh)).action.workflow == SWEEP_TYPE


async def register(client: Client, name: str, kind: str) -> None:
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind}")},
        )
    )


@pytest.mark.parametrize("status", [RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED])
async def test_where_there_is_no_operator_service_it_says_what_to_do(
    fresh: Client, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode
) -> None:
    async def refuse(*_: object) -> None:
        raise RPCError("not here", status, b"")

    monkeypatch.setattr(OperatorService, "list_search_attributes", refuse)
    with pytest.raises(SetupError, match=r'tcld .* --sa "CheckoutTotal=Int".*no-search-attributes'):
        await setup(fresh, SETTINGS)
    assert await setup(fresh, SETTINGS, attributes=False) == ()
    assert (await schedule(fresh)).action.workflow == SWEEP_TYPE


# -- the command ------------------------------------------------------------------------------


async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> Result:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    arguments = ["setup", "--data-dir", str(tmp_path)]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def test_the_command_connects_as_temporals_variables_say(
    fresh: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "TEMPORAL_ADDRESS": fresh.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": fresh.namespace,
        "CHECKOUT_SWEEP_INTERVAL_S": "3600",
    }
    done = await run(tmp_path, monkeypatch, **variables)
    assert done.exit_code == 0, done.output
    assert done.output.count("registered") == len(SEARCH_ATTRIBUTES)
    assert await attributes(fresh) == dict(SEARCH_ATTRIBUTES)
    again = await run(tmp_path, monkeypatch, **variables)
    assert (again.exit_code, again.output) == (0, "the sweep runs every 3600 s\n")


async def test_what_is_in_the_way_is_one_line(
    fresh: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(fresh, "CheckoutTotal", "KEYWORD")
    done = await run(
        tmp_path,
        monkeypatch,
        TEMPORAL_ADDRESS=fresh.service_client.config.target_host,
        TEMPORAL_NAMESPACE=fresh.namespace,
    )
    assert done.exit_code == 2
    assert "CheckoutTotal has the type Keyword" in done.output


async def test_a_server_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await run(tmp_path, monkeypatch, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert done.exit_code == 2
    assert "cannot reach Temporal at 127.0.0.1:1" in done.output


async def a_worker(client: Client, directory: Path, namespace: str) -> asyncio.subprocess.Process:
    """A worker's process, whose store has its schema."""
    database = Database(Settings(data_dir=directory).store_url)
    upgrade(database)
    database.close()
    clean = {name: each for name, each in os.environ.items() if not name.startswith("CHECKOUT_")}
    settings = {
        "CHECKOUT_DATA_DIR": str(directory),
        "CHECKOUT_ORDER_TOKEN_KEYS": SealedTokens.new_key(),
        "CHECKOUT_CODEC_KEYS": PayloadEncryption.new_key(),
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": namespace,
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker"),
        env=clean | settings,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_worker_in_a_namespace_that_is_not_there_says_so(
    server: Client, tmp_path: Path
) -> None:
    worker = await a_worker(server, tmp_path, "nowhere")
    _, said = await worker.communicate()
    assert (worker.returncode, len(said.splitlines())) == (2, 1)
    assert "TEMPORAL_NAMESPACE 'nowhere'" in json.loads(said)["message"]


async def test_without_search_attributes_worker_and_commands_name_the_command_that_makes_them(
    fresh: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await a_worker(fresh, tmp_path, fresh.namespace)
    assert worker.stderr
    warned = json.loads(await worker.stderr.readline())
    worker.terminate()
    await worker.communicate()
    assert warned["level"] == "WARNING"
    assert "run 'checkout setup'" in warned["message"]
    monkeypatch.setenv("TEMPORAL_ADDRESS", fresh.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", fresh.namespace)
    monkeypatch.setenv("CHECKOUT_CODEC_KEYS", PayloadEncryption.new_key())
    for command in (("stuck",), ("retry", "000000001", "void_payment")):
        arguments = [*command, "--data-dir", str(tmp_path / "elsewhere")]
        said = await asyncio.to_thread(CliRunner().invoke, main, arguments)
        assert (said.exit_code, len(said.stderr.strip().splitlines())) == (2, 1)
        assert "run 'checkout setup'" in said.stderr
