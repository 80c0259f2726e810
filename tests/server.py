"""The real Temporal server for tests, tuned as ``checkout dev`` tunes it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from cli.embedded import temporal_arguments
from tests.programs import free_port, program
from workflows.payloads import checkout_data_converter

# A history is deleted once its queues have moved past it: every 30 s unless told otherwise.
_DELETE_SOON = [
    argument
    for queue in ("transfer", "visibility")
    for argument in (
        "--dynamic-config-value",
        f'history.{queue}ProcessorUpdateAckInterval="1s"',
    )
]


@asynccontextmanager
async def a_server(directory: Path) -> AsyncGenerator[Client]:
    """A connection to a server that lives as long as the block."""
    port = free_port()
    arguments = temporal_arguments(port, free_port(), directory / "temporal.db")
    with (directory / "server.log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            program("temporal"), *arguments, *_DELETE_SOON, stdout=log, stderr=log
        )
    try:
        yield await connected(f"127.0.0.1:{port}")
    finally:
        server.terminate()
        await server.wait()


async def connected(address: str) -> Client:
    """Connect as soon as the server answers."""
    for _ in range(300):
        try:
            return await Client.connect(address, data_converter=checkout_data_converter)
        except RuntimeError:
            await asyncio.sleep(0.1)
    raise AssertionError(f"no Temporal server at {address}")
