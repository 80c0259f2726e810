"""The GraphQL server over real HTTP, with a real Temporal server behind it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from commerce.domain.carts import ProductKind
from tests.builders import product
from tests.server import a_server
from tests.storefront import Storefront, a_storefront
from tests.world import a_world

PLENTY = 1_000_000


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def shop(temporal: Client, tmp_path: Path) -> AsyncGenerator[Storefront]:
    """A store with apples and pears (100 each, 10.00) and its GraphQL server: one test's own."""
    async with a_world(temporal, tmp_path) as world, a_storefront(world) as made:
        yield made


@pytest_asyncio.fixture(scope="session")
async def market(
    temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Storefront]:
    """The same for many tests, with more products; what a test changes in it is its own."""
    async with a_world(temporal, tmp_path_factory.mktemp("market")) as world:
        world.store.catalog.put(
            [
                product("apple", PLENTY),
                product("pear", PLENTY),
                product("few", 3),
                product("sold-out", 0),
                product("dear", None, price="9999999.99"),
                product("euro-only", PLENTY, currency="EUR"),
                product("ebook", None, kind=ProductKind.VIRTUAL),
                product("gift", None, price="0.00", kind=ProductKind.VIRTUAL),
            ]
        )
        async with a_storefront(world) as made:
            yield made
        report = world.store.audit.run()
        assert report.violations == ()
        assert (report.counts["holds_open"], report.counts["carts_locked"]) == (0, 0)
