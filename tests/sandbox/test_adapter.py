"""What does the adapter make of a provider's answers, good, bad and absent?"""

import asyncio
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from commerce.adapters.payments.none import NoGateway
from commerce.adapters.payments.sandbox import (
    SandboxError,
    SandboxGateway,
    new_payment_id,
)
from commerce.adapters.payments.sandbox_webhooks import SandboxWebhooks
from commerce.domain.money import Money
from commerce.domain.payments import (
    DeclineReason,
    GatewayOutcome,
    Payment,
    PaymentApproved,
    PaymentDeclined,
    PaymentInvalid,
    PaymentPending,
    PaymentStatus,
    PaymentUnknown,
    WaitsFor,
)
from commerce.ports import PaymentGateway, PaymentOrders, WebhookError, Webhooks
from tests.programs import free_port
from tests.sandbox.merchant import TEN

PAYMENT = Payment(id="P1", cart_id="cart", amount=TEN, status=PaymentStatus.APPROVED)
AS_SENT: dict[str, Any] = {
    "id": "P1",
    "cart_id": "cart",
    "amount_minor": 1000,
    "currency": "USD",
    "status": "approved",
    "waits_for": None,
    "decline": None,
}
CALLS = ("authorize", "capture", "void", "refund")


@dataclass
class Rogue:
    """A provider that answers anything."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    paths: list[str] = field(default_factory=list[str])

    async def answer(self, request: Request) -> Response:
        self.paths.append(request.scope["raw_path"].decode())
        if request.url.path == "/scripts":
            return Response(b'{"declined": "no"}')
        return Response(self.body, self.status, self.headers)


@pytest.fixture(scope="session")
async def only_rogue() -> AsyncIterator[Rogue]:
    rogue = Rogue()
    app = Starlette(routes=[Route("/{path:path}", rogue.answer, methods=["GET", "POST", "PUT"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        rogue.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield rogue
        server.should_exit = True
        await serving


@pytest.fixture
def rogue(only_rogue: Rogue) -> Rogue:
    """As good as new."""
    only_rogue.status, only_rogue.body = 200, b""
    only_rogue.headers.clear()
    only_rogue.paths.clear()
    return only_rogue


@pytest.fixture
async def at_rogue(rogue: Rogue) -> AsyncIterator[SandboxGateway]:
    gateway = SandboxGateway(rogue.url, "the key")
    yield gateway
    await gateway.aclose()


async def call(gateway: PaymentGateway, name: str) -> GatewayOutcome:
    outcome: GatewayOutcome = await getattr(gateway, name)(PAYMENT, "key")
    return outcome


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"outcome": "approved"}, PaymentApproved()),
        ({"outcome": "approved", "new": 1}, PaymentApproved()),
        ({"outcome": "declined", "reason": "declined"}, PaymentDeclined()),
        (
            {"outcome": "declined", "reason": "insufficient_funds"},
            PaymentDeclined(reason=DeclineReason.INSUFFICIENT_FUNDS),
        ),
        (
            {"outcome": "declined", "reason": "expired"},
            PaymentDeclined(reason=DeclineReason.EXPIRED),
        ),
        (
            {"outcome": "pending", "waits_for": "shopper"},
            PaymentPending(waits_for=WaitsFor.SHOPPER),
        ),
        (
            {"outcome": "pending", "waits_for": "gateway"},
            PaymentPending(waits_for=WaitsFor.GATEWAY),
        ),
        ({"outcome": "invalid"}, PaymentInvalid()),
        ({"outcome": "declined"}, PaymentUnknown()),
        ({"outcome": "pending"}, PaymentUnknown()),
        ({"outcome": "pending", "waits_for": "nobody"}, PaymentUnknown()),
        ({"outcome": "approved?"}, PaymentUnknown()),
        ({}, PaymentUnknown()),
        ([], PaymentUnknown()),
    ],
)
async def test_every_outcome(
    rogue: Rogue, at_rogue: SandboxGateway, body: object, outcome: GatewayOutcome
) -> None:
    rogue.body = json.dumps(body).encode()
    for name in CALLS:
        assert await call(at_rogue, name) == outcome
    assert rogue.paths == [f"/payments/P1/{name}" for name in CALLS]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, PaymentInvalid()) for status in (400, 404, 405, 409, 413, 422)),
        *((status, PaymentUnknown()) for status in (401, 403)),
        *((status, PaymentUnknown()) for status in (204, 302, 307, 408, 429, 500, 502, 503, 504)),
    ],
)
async def test_every_status(
    rogue: Rogue, at_rogue: SandboxGateway, status: int, expected: GatewayOutcome
) -> None:
    rogue.status = status
    rogue.body = b"" if status == 204 else json.dumps(AS_SENT).encode()
    if 300 <= status < 400:
        rogue.headers["Location"] = "/elsewhere"
    for name in CALLS:
        assert await call(at_rogue, name) == expected
    assert await at_rogue.look_up("P1") == expected
    assert await at_rogue.create("cart", TEN, "", "key") == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"null", b"[" * 60_000, b" " * 70_000, b"{" + b" " * 10**7]
)
async def test_a_body_that_says_nothing(
    rogue: Rogue, at_rogue: SandboxGateway, body: bytes
) -> None:
    rogue.body = body
    for name in CALLS:
        assert await call(at_rogue, name) == PaymentUnknown()
    assert await at_rogue.look_up("P1") == PaymentUnknown()
    assert await at_rogue.create("cart", TEN, "", "key") == PaymentUnknown()


@pytest.mark.parametrize(
    "change",
    [
        {"id": "P2"},
        {"currency": "XXX"},
        {"currency": 1},
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": "1000"},
        {"amount_minor": 10.5},
        {"amount_minor": 10**20},
        {"status": "paid"},
        {"waits_for": "nobody"},
        {"decline": "because"},
        {"cart_id": None},
    ],
    ids=str,
)
async def test_a_payment_that_cannot_be_believed(
    rogue: Rogue, at_rogue: SandboxGateway, change: dict[str, Any]
) -> None:
    rogue.body = json.dumps({**AS_SENT, **change}).encode()
    assert await at_rogue.look_up("P1") == PaymentUnknown()


async def test_a_payment_as_it_stands(rogue: Rogue, at_rogue: SandboxGateway) -> None:
    rogue.body = json.dumps({**AS_SENT, "status": "pending", "waits_for": "shopper"}).encode()
    assert await at_rogue.look_up("P1") == PAYMENT.model_copy(
        update={"status": PaymentStatus.PENDING, "waits_for": WaitsFor.SHOPPER}
    )


@pytest.mark.parametrize(
    "change", [{"cart_id": "other"}, {"amount_minor": 1}, {"currency": "EUR"}], ids=str
)
async def test_a_payment_made_of_something_else(
    rogue: Rogue, at_rogue: SandboxGateway, change: dict[str, Any]
) -> None:
    rogue.body = json.dumps({**AS_SENT, **change}).encode()
    assert await at_rogue.create("cart", TEN, "", "key") == PaymentUnknown()
    with pytest.raises(SandboxError, match="did not answer"):
        await at_rogue.make("cart", TEN)


@pytest.mark.parametrize("payment_id", ["a/b", "../ledger", "a?b=c", "a b#c", "ü", "%2e"])
async def test_an_id_stays_one_part_of_the_path(
    rogue: Rogue, at_rogue: SandboxGateway, payment_id: str
) -> None:
    rogue.body = json.dumps({**AS_SENT, "id": payment_id}).encode()
    found = await at_rogue.look_up(payment_id)
    assert isinstance(found, Payment)
    (path,) = rogue.paths
    assert path.startswith("/payments/")
    assert path.count("/") == 2


@pytest.mark.parametrize("payment_id", ["", ".", ".."])
async def test_an_id_that_is_no_part_of_a_path_is_not_sent(
    rogue: Rogue, at_rogue: SandboxGateway, payment_id: str
) -> None:
    payment = PAYMENT.model_copy(update={"id": payment_id})
    assert await at_rogue.look_up(payment_id) == PaymentInvalid()
    assert await at_rogue.capture(payment, "key") == PaymentInvalid()
    assert rogue.paths == []


async def test_nobody_at_the_address() -> None:
    gateway = SandboxGateway(f"http://127.0.0.1:{free_port()}", "key")
    for name in CALLS:
        assert await call(gateway, name) == PaymentUnknown()
    assert await gateway.look_up("P1") == PaymentUnknown()
    assert await gateway.create("cart", TEN, "", "key") == PaymentUnknown()
    with pytest.raises(SandboxError, match="did not answer"):
        await gateway.ledger()
    await gateway.aclose()


async def test_a_key_that_cannot_be_sent_is_not_shown() -> None:
    for key in ("", "sécret", "sec\nret"):
        with pytest.raises(ValueError, match="gateway key") as raised:
            SandboxGateway("http://127.0.0.1", key)
        assert not key or key not in str(raised.value)


def test_it_belongs_to_whatever_loop_runs(gateway_url: str) -> None:
    gateway = SandboxGateway(gateway_url, "of two loops")

    async def make() -> str:
        try:
            return (await gateway.make("cart", TEN)).id
        finally:
            await gateway.aclose()

    assert len({asyncio.run(make()) for _ in range(2)}) == 2


# -- against the real one -----------------------------------------------------------------------


async def test_a_source_that_names_a_script_is_how_the_payment_behaves(
    gateway: SandboxGateway,
) -> None:
    for source, outcome in (
        ("declined", PaymentDeclined()),
        ("PRODUCT_PAGE", PaymentApproved()),
        ("", PaymentApproved()),
    ):
        made = await gateway.create("cart", TEN, source, f"key-{source}")
        assert isinstance(made, Payment)
        assert (made.cart_id, made.amount, made.status) == ("cart", TEN, PaymentStatus.CREATED)
        assert await gateway.create("cart", TEN, source, f"key-{source}") == made
        approved = await gateway.approve(made.id)
        assert await gateway.authorize(approved, f"authorize-{source}") == outcome


async def test_a_payment_of_the_same_key_for_something_else(gateway: SandboxGateway) -> None:
    assert isinstance(await gateway.create("cart", TEN, "", "key"), Payment)
    other = Money(amount_minor=1, currency="USD")
    assert await gateway.create("cart", other, "", "key") == PaymentInvalid()


async def test_the_tools_make_and_approve(gateway: SandboxGateway) -> None:
    payment_id = new_payment_id()
    made = await gateway.make("cart", TEN, payment_id=payment_id, approve=False)
    assert (made.id, made.status) == (payment_id, PaymentStatus.CREATED)
    assert (await gateway.approve(payment_id)).status is PaymentStatus.APPROVED
    with pytest.raises(SandboxError, match="409"):
        await gateway.approve(payment_id)
    with pytest.raises(SandboxError, match="409"):
        await gateway.make("cart", TEN, payment_id=payment_id)
    assert (await gateway.ledger(cart_id="cart")).payments == (await gateway.ledger()).payments


async def test_no_gateway_knows_no_payment() -> None:
    none = NoGateway()
    assert await none.look_up("P1") == PaymentInvalid()
    for name in CALLS:
        assert await call(none, name) == PaymentInvalid()


def test_they_are_what_the_ports_ask_for(gateway_url: str) -> None:
    gateway = SandboxGateway(gateway_url, "key")
    _gateways: list[PaymentGateway] = [gateway, NoGateway()]
    _orders: PaymentOrders = gateway
    _webhooks: Webhooks = SandboxWebhooks("secret", lambda: 0)


# -- webhooks -----------------------------------------------------------------------------------

NOW = 1_700_000_000
BODY = b'{"id": "evt_1", "type": "payment.captured", "payment_id": "P1", "status": "captured"}'


def signed(body: bytes = BODY, at: object = NOW, secret: str = "secret") -> str:
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


def read(header: str, body: bytes = BODY, secret: str = "secret") -> tuple[str, str]:
    webhooks = SandboxWebhooks(secret, lambda: NOW)
    event = webhooks.read(body, {"sandbox-signature": header})
    return event.id, event.payment_id


@pytest.mark.parametrize("at", [NOW - 300, NOW, NOW + 300])
def test_a_webhook_of_now(at: int) -> None:
    assert read(signed(at=at)) == ("evt_1", "P1")


def test_one_signature_of_several_is_enough() -> None:
    assert read(signed().replace("v1=", "v1=00,v0=x,v1=")) == ("evt_1", "P1")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v1=ü",
        signed(secret="other"),
        signed(body=BODY + b" "),
        signed(at=NOW - 301),
        signed(at=NOW + 301),
        signed(at=f"-{NOW}"),
        signed(at=f"{NOW}.0"),
        signed(at="1" * 5000),
        signed(at="\u0661"),
        signed().replace("v1", "v0"),
        signed() + f",t={NOW}",
        signed().replace(str(NOW), str(NOW + 1)),
    ],
)
def test_a_webhook_that_is_not_believed(header: str) -> None:
    with pytest.raises(WebhookError):
        read(header)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"id": "", "payment_id": "P1"}',
        b'{"id": "a\\u0000", "payment_id": "P"}',
    ],
)
def test_a_webhook_that_is_no_event(body: bytes) -> None:
    with pytest.raises(WebhookError, match="no event"):
        read(signed(body), body)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(WebhookError):
        read(signed(secret=""), secret="")
