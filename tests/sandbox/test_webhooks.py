"""Do webhooks go out, signed, as the script says, until they are received?"""

import asyncio
import json
import secrets
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.payments.sandbox_webhooks import SandboxWebhooks
from sandbox_gateway.book import Book
from sandbox_gateway.ledger import Ledger, Wanted
from sandbox_gateway.outbox import FIRST_RETRY_S, QUIET_S, Outbox
from sandbox_gateway.rules import Act
from sandbox_gateway.scripts import Call, Script, Sending
from tests.gateway import running_gateway
from tests.sandbox.merchant import TEN, Merchant, until

SECRET = "the webhooks' secret"


@dataclass
class Receiver:
    """Receives webhooks; ``failures`` are the statuses that it answers first."""

    url: str = ""
    failures: list[int] = field(default_factory=list[int])
    refused: int = 0
    received: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        event = SandboxWebhooks(SECRET, time.time).read(body, request.headers)
        said = json.loads(body)
        assert (event.id, event.payment_id) == (said["id"], said["payment_id"])
        if self.failures:
            self.refused += 1
            return Response(status_code=self.failures.pop(0))
        self.received.append(said)
        return Response(status_code=204)

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.received]

    async def until_there_are(self, count: int) -> None:
        async def are_there() -> bool:
            return len(self.received) >= count

        await until(are_there)
        assert len(self.received) == count


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.receive, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        receiver.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield receiver
        server.should_exit = True
        await serving


async def test_every_change_is_told_and_signed(gateway: SandboxGateway, receiver: Receiver) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    payment = await gateway.make("cart", TEN)
    for number, call in enumerate((gateway.authorize, gateway.capture, gateway.refund)):
        await call(payment, f"key-{number}")
        await call(payment, f"key-{number}")
    await receiver.until_there_are(4)
    told = ["payment.approved", "payment.authorized", "payment.captured", "payment.refunded"]
    assert receiver.types == told
    assert len({each["id"] for each in receiver.received}) == 4
    assert {each["payment_id"] for each in receiver.received} == {payment.id}
    assert all(each["type"] == f"payment.{each['status']}" for each in receiver.received)


async def test_a_pending_payment_tells_when_it_settles_though_nobody_asks(
    gateway: SandboxGateway, receiver: Receiver
) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    script = {"authorize": "pending_gateway", "then": "decline", "after_s": 0.2}
    payment = await gateway.make("cart", TEN, script=script)
    await gateway.authorize(payment, "a")
    await receiver.until_there_are(3)
    assert receiver.types == ["payment.approved", "payment.pending", "payment.declined"]


async def test_duplicated_webhooks_come_three_times(
    gateway: SandboxGateway, receiver: Receiver
) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    payment = await gateway.make("cart", TEN, script="duplicate_webhooks")
    await gateway.authorize(payment, "a")
    await receiver.until_there_are(6)
    assert set(Counter(each["id"] for each in receiver.received).values()) == {3}


async def test_reversed_webhooks_all_come(gateway: SandboxGateway, receiver: Receiver) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    payment = await gateway.make("cart", TEN, script="out_of_order_webhooks")
    await gateway.authorize(payment, "a")
    await gateway.capture(payment, "c")
    await receiver.until_there_are(3)
    assert set(receiver.types) == {"payment.captured", "payment.authorized", "payment.approved"}


@dataclass
class Clock:
    now: float = 1000

    def __call__(self) -> float:
        return self.now


def test_reversed_webhooks_are_held_back_and_go_newest_first(tmp_path: Path) -> None:
    clock, book = Clock(), Book(tmp_path / "ledger.db")
    ledger, outbox = Ledger(book, clock), Outbox(book)
    outbox.set_webhook("merchant", "http://localhost", SECRET)
    reversed_ = Script(webhooks=Sending.REVERSED)
    payment = ledger.make("merchant", "m", Wanted("cart", 1000, "USD", reversed_))
    ledger.act("merchant", payment.id, Act.APPROVE)
    for call in (Call.AUTHORIZE, Call.CAPTURE):
        clock.now += QUIET_S * 0.9
        assert outbox.due(clock.now, 10) == []
        ledger.call("merchant", payment.id, call, call)
    clock.now += QUIET_S
    types = [json.loads(event.body)["type"] for event in outbox.due(clock.now, 10)]
    assert types == ["payment.captured", "payment.authorized", "payment.approved"]
    book.close()


def test_a_webhook_is_given_up_after_eight_attempts(tmp_path: Path) -> None:
    clock, book = Clock(), Book(tmp_path / "ledger.db")
    ledger, outbox = Ledger(book, clock), Outbox(book)
    outbox.set_webhook("merchant", "http://localhost", SECRET)
    payment = ledger.make("merchant", "m", Wanted("cart", 1000, "USD", Script()))
    ledger.act("merchant", payment.id, Act.APPROVE)
    waits: list[float] = []
    while due := outbox.due(clock.now, 10):
        (event,) = due
        if not outbox.failed(event, clock.now):
            break
        waits.append(FIRST_RETRY_S * 2 ** len(waits))
        assert outbox.due(clock.now + waits[-1] * 0.9, 10) == []
        clock.now += waits[-1] * 1.1
    assert len(waits) == 7
    assert outbox.due(clock.now + 1000, 10) == []
    book.close()


async def test_a_payment_may_tell_nothing(gateway: SandboxGateway, receiver: Receiver) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    silent = await gateway.make("cart", TEN, script={"webhooks": "none"})
    await gateway.authorize(silent, "a")
    telling = await gateway.make("cart", TEN, approve=True)
    await receiver.until_there_are(1)
    assert receiver.received[0]["payment_id"] == telling.id


async def test_a_webhook_is_sent_until_it_is_received(
    gateway: SandboxGateway, receiver: Receiver
) -> None:
    receiver.failures = [500, 302, 404]
    await gateway.set_webhook(receiver.url, SECRET)
    payment = await gateway.make("cart", TEN)
    await receiver.until_there_are(1)
    assert receiver.refused == 3
    assert receiver.received[0]["payment_id"] == payment.id


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[/", "http://" + "x" * 300])
async def test_a_webhook_that_leads_nowhere_holds_up_nobody(
    gateway_url: str, gateway: SandboxGateway, receiver: Receiver, url: str
) -> None:
    lost = SandboxGateway(gateway_url, secrets.token_hex(8))
    await lost.set_webhook(url, SECRET)
    await lost.make("cart", TEN)
    await lost.aclose()
    await gateway.set_webhook(receiver.url, SECRET)
    await gateway.make("cart", TEN)
    await receiver.until_there_are(1)


async def test_what_was_not_received_survives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    file = tmp_path / "ledger.db"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with running_gateway(file=file) as url:
            gateway = SandboxGateway(url, "merchant")
            await gateway.set_webhook(f"http://127.0.0.1:{nobody.getsockname()[1]}/", SECRET)
            payment = await gateway.make("cart", TEN)
            await gateway.aclose()
    with running_gateway(file=file) as url:
        gateway = SandboxGateway(url, "merchant")
        await gateway.set_webhook(receiver.url, SECRET)
        await receiver.until_there_are(1)
        await gateway.aclose()
    assert receiver.received[0]["payment_id"] == payment.id


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "file:///etc/passwd", "x" * 3000])
async def test_a_webhook_that_is_no_url(merchant: Merchant, url: str) -> None:
    answer = await merchant.ask("PUT", "/webhook", {"url": url, "secret": SECRET})
    assert answer.status_code == 400


async def test_merchants_are_told_of_their_own_payments_only(
    gateway: SandboxGateway, merchant: Merchant, receiver: Receiver, gateway_url: str
) -> None:
    await gateway.set_webhook(receiver.url, SECRET)
    async with httpx.AsyncClient(base_url=gateway_url, trust_env=False) as http:
        await Merchant(http, secrets.token_hex(8)).make()
    own = await merchant.make()
    await receiver.until_there_are(1)
    assert receiver.received[0]["payment_id"] == own
