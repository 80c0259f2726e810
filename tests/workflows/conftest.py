"""One time-skipping server for all workflow tests; a store and a worker for each."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from commerce.contract import SEARCH_ATTRIBUTES
from tests.programs import program
from tests.world import World, a_world
from workflows.payloads import checkout_data_converter


@asynccontextmanager
async def a_time_skipping_server() -> AsyncGenerator[WorkflowEnvironment]:
    """With a clock of its own, which skips while none of its workflows has anything to do."""
    started = await WorkflowEnvironment.start_time_skipping(
        data_converter=checkout_data_converter,
        test_server_existing_path=program("temporal-test-server"),
    )
    async with started:
        types = {
            name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{kind.upper()}")
            for name, kind in SEARCH_ATTRIBUTES.items()
        }
        await started.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=started.client.namespace,
                search_attributes=types,
            )
        )
        yield started


@pytest_asyncio.fixture(scope="session")
async def env() -> AsyncGenerator[WorkflowEnvironment]:
    async with a_time_skipping_server() as started:
        yield started


@pytest_asyncio.fixture
async def own_env() -> AsyncGenerator[WorkflowEnvironment]:
    """One test's own: what other tests left running does not hold up its clock."""
    async with a_time_skipping_server() as started:
        yield started


@pytest_asyncio.fixture
async def world(env: WorkflowEnvironment, tmp_path: Path) -> AsyncGenerator[World]:
    async with a_world(env.client, tmp_path) as made:
        yield made
