"""Does the ledger hold when the process is killed, and does the process end when it is told?"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.domain.payments import Payment, PaymentApproved, PaymentUnknown
from tests.programs import free_port
from tests.sandbox.merchant import TEN, until

PAYMENTS = 40
KILLS = 3


class Process:
    """``python -m sandbox_gateway``, as it is run."""

    def __init__(self, file: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._file = file
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._spawn()
        await until(self._answers)

    def _spawn(self) -> None:
        command = [sys.executable, "-m", "sandbox_gateway", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--data", str(self._file)], stderr=subprocess.DEVNULL
        )

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "it ended"
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                return (await http.get(f"{self.url}/health")).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """Its exit code."""
        assert self._process is not None
        os.kill(self._process.pid, how)
        return self._process.wait(30)

    def clean_up(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "ledger.db")
    yield process
    process.clean_up()


async def test_killed_under_load_it_moves_no_money_twice(process: Process) -> None:
    await process.start()
    gateway = SandboxGateway(process.url, "merchant", timeout_s=2)
    payments = [await gateway.make("cart", TEN) for _ in range(PAYMENTS)]
    order = random.Random(20)
    answered = 0

    async def persist(payment: Payment, number: int) -> None:
        """Authorize and capture, as often as it takes; three at a time do this for a payment."""
        nonlocal answered
        for call in (gateway.authorize, gateway.capture):
            outcome = await call(payment, f"{payment.id}-{call.__name__}")
            while isinstance(outcome, PaymentUnknown):
                await asyncio.sleep(0.01)
                outcome = await call(payment, f"{payment.id}-{call.__name__}")
            assert isinstance(outcome, PaymentApproved), (number, outcome)
            answered += 1

    asked = [(payment, number) for payment in payments for number in range(3)]
    order.shuffle(asked)
    limit = asyncio.Semaphore(12)

    async def persist_in_turn(payment: Payment, number: int) -> None:
        async with limit:
            await persist(payment, number)

    work = asyncio.gather(*(persist_in_turn(*each) for each in asked))
    for kill in range(1, KILLS + 1):

        async def is_time(kill: int = kill) -> bool:
            return work.done() or answered >= kill * len(asked) * 2 // (KILLS + 1)

        await until(is_time)
        assert not work.done(), "it was over before it was killed"
        process.end()
        await process.start()
    await work
    report = await gateway.ledger()
    await gateway.aclose()
    assert {(each.authorizations, each.captures) for each in report.payments} == {(1, 1)}
    assert report.totals["USD"].captured_minor == PAYMENTS * TEN.amount_minor
    assert report.totals["USD"].open_minor == 0


async def test_it_ends_when_told_though_a_call_hangs(process: Process) -> None:
    await process.start()
    gateway = SandboxGateway(process.url, "merchant", timeout_s=60)
    faults = [{"call": "authorize", "mode": "time_out_after"}]
    payment = await gateway.make("cart", TEN, script={"faults": faults})
    hanging = asyncio.create_task(gateway.authorize(payment, "a"))

    async def has_taken_effect() -> bool:
        return bool((await gateway.ledger(payment.id)).payments[0].authorizations)

    await until(has_taken_effect)
    assert not hanging.done()
    ending = asyncio.to_thread(process.end, signal.SIGTERM)
    assert await asyncio.wait_for(ending, 15) in (0, -signal.SIGTERM)
    assert await hanging == PaymentUnknown()
    await gateway.aclose()


async def test_payments_and_scripts_survive_a_restart(process: Process) -> None:
    await process.start()
    gateway = SandboxGateway(process.url, "merchant")
    payment = await gateway.make("cart", TEN, script="capture_server_error")
    await gateway.authorize(payment, "a")
    assert await gateway.capture(payment, "c") == PaymentUnknown()
    process.end()
    await process.start()
    assert await gateway.authorize(payment, "a") == PaymentApproved()
    assert await gateway.capture(payment, "c") == PaymentUnknown()
    assert await gateway.capture(payment, "c") == PaymentApproved()
    await gateway.aclose()
