"""Does ``checkout dev`` run everything, survive the death of its worker, and stop cleanly?"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from cli.data_dir import find_running, load_settings
from client import CheckoutClient, OrderPlaced, Refused
from commerce.adapters.store.sql_store import SqlStore, open_store
from tests.builders import cart, product
from tests.programs import free_port
from tests.server import connected
from tests.world import DEADLINE

CARTS = 80


@dataclass
class Dev:
    process: asyncio.subprocess.Process
    data_dir: Path
    output: list[str]
    store: SqlStore

    @property
    def running(self) -> Any:
        return find_running(self.data_dir)

    def pid(self, child: str) -> int:
        """The process id of the worker or of the Temporal server."""
        worker_pid: int = self.running.worker_pid
        others = [each.pid for each in psutil.Process(self.process.pid).children()]
        return worker_pid if child == "worker" else next(p for p in others if p != worker_pid)

    async def client(self) -> CheckoutClient:
        return CheckoutClient(await connected(self.running.temporal_address))


async def checkout(*arguments: str) -> tuple[int | None, str]:
    command = "from cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest_asyncio.fixture(scope="module")
async def dev(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dev]:
    data_dir = tmp_path_factory.mktemp("dev")
    command = "from cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, "dev", "--data-dir", str(data_dir),
        "--temporal-port", str(free_port()), "--ui-port", str(free_port()),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    output: list[str] = []
    async for line in process.stdout:
        output.append(line.decode())
        if "ready" in output[-1]:
            break
    store = open_store(load_settings(data_dir))
    yield Dev(process, data_dir, output, store)
    store.database.close()
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_it_says_where_everything_is(dev: Dev) -> None:
    said = "".join(dev.output)
    assert dev.running.ui_url in said
    assert dev.running.temporal_address in said
    assert str(dev.running.worker_pid) in said


async def test_a_second_one_on_the_same_data_is_refused(dev: Dev) -> None:
    status, output = await checkout("dev", "--data-dir", str(dev.data_dir))
    assert (status, len(output.strip().splitlines())) == (2, 1)
    assert "running" in output


async def test_the_demo_uses_the_one_that_runs(dev: Dev) -> None:
    status, output = await checkout(
        "demo", "--data-dir", str(dev.data_dir), "--baskets", "140", "--concurrency", "8"
    )
    assert status == 0, output
    assert "NOT AS DOCUMENTED" not in output
    assert "NOT conserved" not in output
    for code in ("CART_NOT_FOUND", "GUEST_EMAIL_MISSING", "PAYMENT_ID_INVALID", "conserved"):
        assert code in output


@pytest.mark.parametrize("victim", ["worker", "server"])
async def test_every_cart_is_answered_though_a_process_is_killed(dev: Dev, victim: str) -> None:
    """Killed twice under load and started again: one order or one documented refusal each."""
    units = CARTS * 3 // 4
    dev.store.catalog.put([product(f"scarce-{victim}", units)])
    carts = [f"{victim}-killed-{n}" for n in range(CARTS)]
    dev.store.carts.save(*[cart(cart_id, (f"scarce-{victim}", 1)) for cart_id in carts])
    client = await dev.client()
    before = dev.store.audit.run().counts["orders"]
    turn = asyncio.Semaphore(8)
    answered = 0

    async def one(cart_id: str) -> Any:
        nonlocal answered
        async with turn:
            answer = await client.place_order(cart_id, deadline=DEADLINE * 3)
        answered += 1
        if answered in (CARTS // 4, CARTS // 2):
            os.kill(dev.pid(victim), signal.SIGKILL)
        return answer

    answers = await asyncio.gather(*[one(cart_id) for cart_id in carts])
    orders = [answer for answer in answers if isinstance(answer, OrderPlaced)]
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    assert (len(orders), len(refusals)) == (units, CARTS - units)
    assert {answer.reason for answer in refusals} == {"OUT_OF_STOCK"}
    assert len({answer.order_number for answer in orders}) == units
    status, output = await checkout("audit", "--json", "--data-dir", str(dev.data_dir))
    report = json.loads(output)
    assert (status, report["violations"]) == (0, [])
    assert report["counts"]["orders"] - before == units
    assert report["counts"]["holds_open"] == 0


async def test_it_stops_cleanly_and_leaves_nobody_behind(dev: Dev) -> None:
    children = psutil.Process(dev.process.pid).children(recursive=True)
    assert len(children) == 2
    dev.process.send_signal(signal.SIGINT)
    assert await dev.process.wait() == 0
    assert not any(child.is_running() for child in children)
    assert dev.running is None
