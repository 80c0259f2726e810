"""Does a flash sale sell exactly what there is, answer everybody, and leave other stores alone?"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from client import Answered, OrderPlaced, Pending
from commerce.domain.stores import Store
from tests.builders import cart, product
from tests.conftest import Server
from tests.server import a_server
from tests.world import DEADLINE, World, a_world

UNITS = 20
CROWD = 200
OTHERS = 20
SOLD_OUT = "Unable to place order: Some of the products are out of stock."


@pytest_asyncio.fixture(scope="module")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture(params=["sqlite", "postgresql"])
async def either_world(
    request: pytest.FixtureRequest, temporal: Client, tmp_path: Path
) -> AsyncGenerator[World]:
    """Two stores over either database, and a worker that is soon busy."""
    url = ""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        url = server.create()
    async with a_world(temporal, tmp_path, url, changed={"concurrent_checkouts": 4}) as made:
        made.store.stores.add(Store(code="other"))
        yield made


async def order(world: World, cart_id: str, store: str) -> Answered:
    """Order, and ask until there is an answer."""
    answer = await world.client.place_order(cart_id, store=store, deadline=DEADLINE)
    while isinstance(answer, Pending):
        answer = await answer.wait(DEADLINE)
    return answer


async def test_a_sale_sells_what_there_is_answers_everybody_and_lets_others_through(
    either_world: World,
) -> None:
    world = either_world
    world.store.catalog.put([product("apple", UNITS)])
    crowd = [world.id(f"sale{n}") for n in range(CROWD)]
    others = [world.id(f"other{n}") for n in range(OTHERS)]
    world.store.carts.save(*[cart(cart_id) for cart_id in crowd])
    world.store.carts.save(*[cart(each, ("pear", 1), store_code="other") for each in others])

    sale = [asyncio.create_task(order(world, cart_id, "default")) for cart_id in crowd]
    await asyncio.wait(sale, return_when=asyncio.FIRST_COMPLETED)
    elsewhere = await asyncio.gather(*[order(world, cart_id, "other") for cart_id in others])
    waiting = sum(not task.done() for task in sale)
    answers = await asyncio.gather(*sale)

    assert all(isinstance(answer, OrderPlaced) for answer in elsewhere)
    assert waiting, "who came later, of another store, was not kept waiting for all of the sale"
    outcomes = Counter(getattr(answer, "message", "order") for answer in answers)
    assert outcomes == {"order": UNITS, SOLD_OUT: CROWD - UNITS}
    await asyncio.gather(*[world.handle(cart_id).result() for cart_id in [*crowd, *others]])
    world.assert_clean(orders=UNITS + OTHERS)
    assert world.store.catalog.units()["apple"] == (0, 0)


@pytest.mark.parametrize("either_world", ["sqlite"], indirect=True)
@pytest.mark.parametrize("store", ["default", ""])
async def test_a_checkout_takes_turns_under_the_store_that_its_caller_named(
    either_world: World, store: str
) -> None:
    world = either_world
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    assert isinstance(await order(world, cart_id, store), OrderPlaced)
    await world.handle(cart_id).result()
    described = await world.handle(cart_id).describe()
    assert described.raw_description.workflow_execution_info.priority.fairness_key == store
