"""The GraphQL server over real HTTP, with a real Temporal server behind it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.server import a_server
from tests.storefront import Storefront, a_storefront
from tests.world import a_world


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def shop(temporal: Client, tmp_path: Path) -> AsyncGenerator[Storefront]:
    """A store with apples and pears (100 each, 10.00) and its GraphQL server."""
    async with a_world(temporal, tmp_path) as world, a_storefront(world) as made:
        yield made
