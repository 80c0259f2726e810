"""The real Temporal server for tests, tuned as ``checkout dev`` tunes it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.converter import DataConverter

from cli.embedded import temporal_arguments
from cli.ports import free_ports
from commerce.adapters.codec import PayloadEncryption, encrypted
from tests.programs import program
from workflows.payloads import checkout_data_converter

ATTEMPTS = 3
CODEC_KEYS = PayloadEncryption.new_key("test")
ENCRYPTED = encrypted(checkout_data_converter, PayloadEncryption.parse(CODEC_KEYS, for_worker=True))

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
async def a_server(directory: Path, converter: DataConverter = ENCRYPTED) -> AsyncGenerator[Client]:
    """A connection to a server that lives as long as the block; payloads are encrypted."""
    server, address = await _started(directory)
    try:
        yield await connected(address, converter)
    finally:
        server.terminate()
        await server.wait()


async def _started(directory: Path) -> tuple[asyncio.subprocess.Process, str]:
    """A server that listens. Ports are free when they are asked for: another may be faster."""
    for _ in range(ATTEMPTS):
        port, ui_port = free_ports(2)
        arguments = temporal_arguments(port, ui_port, directory / "temporal.db")
        with (directory / "server.log").open("ab") as log:
            server = await asyncio.create_subprocess_exec(
                program("temporal"), *arguments, *_DELETE_SOON, stdout=log, stderr=log
            )
        while server.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return server, f"127.0.0.1:{port}"
    raise AssertionError(f"no Temporal server: {(directory / 'server.log').read_text()}")


async def connected(address: str, converter: DataConverter = ENCRYPTED) -> Client:
    """Connect as soon as the server answers."""
    for _ in range(300):
        try:
            return await Client.connect(address, data_converter=converter)
        except RuntimeError:
            await asyncio.sleep(0.1)
    raise AssertionError(f"no Temporal server at {address}")
