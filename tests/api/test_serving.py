"""Is what was begun over a real socket also finished?"""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx
import pytest
import uvicorn

from api.server import http_config
from commerce.settings import Settings
from tests.api.small_schema import (
    World,
    ask,
    client_of,
    small_app,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app(world)) as client:
        yield client


# -- over a real socket ------------------------------------------------------------------------


class Server(uvicorn.Server):
    """Tells when it begins to stop."""

    def __init__(self, world: World) -> None:
        super().__init__(uvicorn.Config(small_app(world), log_config=None, lifespan="off"))
        self.stopping = asyncio.Event()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        await super().shutdown(sockets)


@asynccontextmanager
async def served(world: World) -> AsyncGenerator[tuple[str, Server]]:
    """The endpoint behind uvicorn. The socket listens already: no need to wait for the server."""
    server = Server(world)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        running = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{port}", server
        finally:
            world.gate.set()
            server.should_exit = True
            await running


async def test_it_answers_over_a_socket(world: World) -> None:
    async with served(world) as (url, _), httpx.AsyncClient(base_url=url) as client:
        assert (await ask(client, "{ hello }")).json() == {"data": {"hello": "Hello world"}}
        query = quote("{ hello }")
        assert (await client.get(f"/graphql?query={query}")).status_code == 200
        assert (await client.head("/health/live")).status_code == 200
        told = (await ask(client, "{ whoAmI { address } }")).json()["data"]["whoAmI"]
        assert told["address"] == "127.0.0.1"


async def test_a_request_in_flight_is_answered_when_the_server_stops(world: World) -> None:
    async with served(world) as (url, server), httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.post(f"{url}/graphql", json={"query": "mutation{wait}"}))
        await world.arrived.wait()
        server.should_exit = True
        await server.stopping.wait()
        assert not asked.done()
        world.gate.set()
        response = await asked
        assert response.json() == {"data": {"wait": "done"}}


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


def http_post(body: bytes, length: int) -> bytes:
    head = f"POST /graphql HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + body


async def test_a_mutation_is_finished_though_its_client_is_gone(world: World) -> None:
    async with served(world) as (url, _):
        _, writer = await connect(url)
        body = b'{"query":"mutation{wait}"}'
        writer.write(http_post(body, len(body)))
        await world.arrived.wait()
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await ask(client, "{ hello }")).status_code == 200
        world.gate.set()
        async with asyncio.timeout(10):
            await world.left.wait()


async def test_a_client_that_leaves_within_its_body_is_no_incident(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with served(world) as (url, _):
        _, writer = await connect(url)
        writer.write(http_post(b'{"query":', 100))
        await writer.drain()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await ask(client, "{ hello }")).status_code == 200
        writer.close()
        await writer.wait_closed()
    assert [record.getMessage() for record in caplog.records] == []


def test_a_connection_that_rests_is_kept_for_longer_than_by_those_who_connect(world: World) -> None:
    """Who waits for 60 seconds, as proxies do, sends nothing into a connection that closes."""
    assert http_config(Settings(), small_app(world)).timeout_keep_alive > 60
