"""A real ``checkout dev`` for tests, and the command line beside it."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from temporalio.client import Client

from cli.data_dir import find_running, load_settings
from cli.ports import free_ports
from client import CheckoutClient
from commerce.adapters.codec import PayloadEncryption, encrypted
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.store.sql_store import SqlStore, open_store
from tests.server import connected
from workflows.payloads import checkout_data_converter

PROGRAM = "from cli import main; main()"


@dataclass
class Dev:
    """What a test sees of it."""

    process: asyncio.subprocess.Process
    data_dir: Path
    output: list[str]
    store: SqlStore

    @property
    def running(self) -> Any:
        return find_running(self.data_dir)

    def pid(self, child: str) -> int:
        """The process id of the worker, the Temporal server or the GraphQL server."""
        names = {
            "worker": "worker",
            "server": "start-dev",
            "api": "api",
            "gateway": "sandbox_gateway",
        }
        named = names[child]
        children = psutil.Process(self.process.pid).children()
        return next(each.pid for each in children if named in each.cmdline())

    def gateway(self) -> SandboxGateway:
        """Its sandbox gateway, as the merchant that it knows."""
        key = load_settings(self.data_dir).gateway_key.get_secret_value()
        return SandboxGateway(self.running.gateway_url, key)

    async def client(self) -> CheckoutClient:
        return CheckoutClient(await self.temporal())

    async def temporal(self) -> Client:
        """A connection with its keys."""
        keys = load_settings(self.data_dir).codec_keys.get_secret_value()
        converter = encrypted(checkout_data_converter, PayloadEncryption.parse(keys))
        return await connected(self.running.temporal_address, converter)


async def checkout(*arguments: str) -> tuple[int | None, str]:
    """Run a command; its status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@asynccontextmanager
async def a_dev(data_dir: Path) -> AsyncGenerator[Dev]:
    """``checkout dev`` on free ports, ready; killed at the end if it still runs."""
    names = ("temporal", "ui", "api", "gateway")
    found = zip(names, free_ports(len(names)), strict=True)
    ports = [f"--{name}-port={port}" for name, port in found]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "dev", "--data-dir", str(data_dir), *ports,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    output: list[str] = []
    try:
        async for line in process.stdout:
            output.append(line.decode())
            if "ready" in output[-1]:
                break
        store = open_store(load_settings(data_dir))
        try:
            yield Dev(process, data_dir, output, store)
        finally:
            store.database.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
