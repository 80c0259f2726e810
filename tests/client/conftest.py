"""The real Temporal server, once for all tests of the client."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.conftest import Server
from tests.server import a_server
from tests.world import World, a_world


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def either_world(
    request: pytest.FixtureRequest, temporal: Client, tmp_path: Path
) -> AsyncGenerator[World]:
    """The same code over either database."""
    url = ""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        url = server.create()
    async with a_world(temporal, tmp_path, url) as made:
        yield made


@pytest_asyncio.fixture
async def world(temporal: Client, tmp_path: Path) -> AsyncGenerator[World]:
    async with a_world(temporal, tmp_path) as made:
        yield made
