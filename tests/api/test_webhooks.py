"""Is a webhook believed if and only if it is the provider's, and dealt with once?"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from api.limits import Limits
from api.server import build_app
from api.webhooks import Receiver
from client import CheckoutUnavailableError
from commerce.adapters.payments.opened import open_gateway
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.store.payments import IN_HAND
from commerce.adapters.store.schema import upgrade
from commerce.contract import Checkout
from commerce.domain.payments import PaymentMethod
from commerce.settings import GatewayKind, Settings
from sandbox_gateway.webhooks import SIGNATURE_HEADER, signature
from tests.api.small_schema import World, client_of, small_app
from tests.builders import TestClock, build, checkout, undurable, usd
from tests.store.conftest import Shop
from tests.storefront import Storefront

SECRET = "the secret that webhooks are signed with"
URL = "/webhooks/sandbox"
TOLERANCE_S = 300
SETTINGS = Settings(
    gateway=GatewayKind.SANDBOX,
    gateway_key=SecretStr("the merchant's key"),
    gateway_webhook_secret=SecretStr(SECRET),
)


@dataclass
class Told:
    """Stands where Temporal is called: who was told of what."""

    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    fails: Exception | None = None

    async def payment_changed(self, cart_id: str, payment_id: str) -> None:
        await asyncio.sleep(0)
        if self.fails:
            raise self.fails
        self.calls.append((cart_id, payment_id))


@dataclass
class Endpoint:
    """The endpoint over a real store; the last stage, Temporal, is watched."""

    shop: Shop
    told: Told
    http: httpx.AsyncClient

    async def send(self, event: Any, url: str = URL, **headers: str) -> httpx.Response:
        """Send an event as the provider does, signed now unless ``headers`` say otherwise."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = {SIGNATURE_HEADER: signature(SECRET, body, int(time.time())), **headers}
        return await self.http.post(url, content=body, headers=signed)

    def is_new(self, event_id: str) -> bool:
        return self.shop.store.seen_events.is_new("sandbox", event_id)

    def paying(self, cart_id: str, run: str = "run") -> Checkout:
        """A checkout that has claimed PAY-<cart id>."""
        choice = {"method": PaymentMethod.SMART_BUTTONS, "payment_id": f"PAY-{cart_id}"}
        self.shop.save(cart_id, payment=choice)
        made = checkout(cart_id, run=run)
        self.shop.claim(made)
        self.shop.clock.advance(IN_HAND)
        return made


@pytest_asyncio.fixture
async def endpoint(tmp_path: Path) -> AsyncGenerator[Endpoint]:
    clock = TestClock()
    database = undurable(f"sqlite:///{tmp_path}/store.db", clock)
    upgrade(database)
    shop, told = Shop(build(database), clock), Told()
    shop.stock(apple=100)
    opened = open_gateway(SETTINGS)
    receiver = Receiver(
        opened.webhooks, shop.store.claims, shop.store.seen_events, told.payment_changed
    )
    async with client_of(small_app(World(), receiver=receiver)) as http:
        yield Endpoint(shop, told, http)
    await opened.aclose()
    database.close()


def event(cart_id: str = "cart", event_id: str = "evt-1") -> dict[str, str]:
    return {"id": event_id, "payment_id": f"PAY-{cart_id}"}


# -- dealt with --------------------------------------------------------------------------------


async def test_the_checkout_that_claimed_the_payment_is_told(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    response = await endpoint.send(event())
    assert (response.status_code, response.content) == (200, b"")
    assert endpoint.told.calls == [("cart", "PAY-cart")]
    assert not endpoint.is_new("evt-1")


async def test_a_duplicate_is_not_told_again(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    for _ in range(3):
        assert (await endpoint.send(event())).status_code == 200
    assert endpoint.told.calls == [("cart", "PAY-cart")]
    await endpoint.send(event(event_id="evt-2"))
    assert len(endpoint.told.calls) == 2


async def test_duplicates_at_the_same_time_are_all_taken(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    sent = await asyncio.gather(*(endpoint.send(event()) for _ in range(8)))
    assert {each.status_code for each in sent} == {200}
    assert set(endpoint.told.calls) == {("cart", "PAY-cart")}
    assert not endpoint.is_new("evt-1")


def let_go(endpoint: Endpoint) -> None:
    endpoint.shop.store.claims.let_go(endpoint.paying("cart"))


def captured(endpoint: Endpoint) -> None:
    made = endpoint.paying("cart")
    orders = endpoint.shop.store.orders
    orders.mark_captured(endpoint.shop.order(made).order_number)


def nobody(_endpoint: Endpoint) -> None:
    """A payment that no checkout has claimed."""


def just_claimed(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    endpoint.shop.clock.advance(-IN_HAND)


def just_ordered(endpoint: Endpoint) -> None:
    ordered(endpoint)
    endpoint.shop.clock.advance(-IN_HAND)


@pytest.mark.parametrize("prepare", [let_go, captured, nobody, just_claimed, just_ordered])
async def test_what_concerns_nobody_is_noted_only(
    endpoint: Endpoint, prepare: Callable[[Endpoint], None]
) -> None:
    prepare(endpoint)
    assert (await endpoint.send(event())).status_code == 200
    assert endpoint.told.calls == []
    assert not endpoint.is_new("evt-1")


def given_up(endpoint: Endpoint) -> None:
    endpoint.shop.store.claims.give_up(endpoint.paying("cart"))


def ordered(endpoint: Endpoint) -> None:
    endpoint.shop.order(endpoint.paying("cart"))
    endpoint.shop.clock.advance(IN_HAND)


def waiting(endpoint: Endpoint) -> None:
    made = endpoint.paying("cart")
    endpoint.shop.clock.advance(-IN_HAND)
    endpoint.shop.store.carts.extend(made, endpoint.shop.lock(made).digest)


def just_in_review(endpoint: Endpoint) -> None:
    """Whoever captures it at the provider must be heard: the run asks only after an hour."""
    orders = endpoint.shop.store.orders
    orders.mark_for_review(endpoint.shop.order(endpoint.paying("cart")).order_number)


@pytest.mark.parametrize("prepare", [given_up, ordered, waiting, just_in_review])
async def test_money_that_must_be_taken_or_given_back_concerns_somebody(
    endpoint: Endpoint, prepare: Callable[[Endpoint], None]
) -> None:
    prepare(endpoint)
    assert (await endpoint.send(event())).status_code == 200
    assert endpoint.told.calls == [("cart", "PAY-cart")]


@pytest.mark.parametrize(
    "error", [CheckoutUnavailableError("Temporal is away"), TimeoutError(), OSError("no route")]
)
async def test_what_cannot_be_passed_on_is_to_be_sent_again(
    endpoint: Endpoint, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.paying("cart")
    endpoint.told.fails = error
    response = await endpoint.send(event())
    assert (response.status_code, response.json()) == (
        503,
        {"error": "Please send it again later."},
    )
    assert endpoint.is_new("evt-1")
    assert "event evt-1 of sandbox is not dealt with" in caplog.text
    endpoint.told.fails = None
    assert (await endpoint.send(event())).status_code == 200
    assert endpoint.told.calls == [("cart", "PAY-cart")]


async def test_without_the_store_it_is_to_be_sent_again(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    with endpoint.shop.store.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE payment_claims RENAME TO away")
    assert (await endpoint.send(event())).status_code == 503
    with endpoint.shop.store.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO payment_claims")
    assert (await endpoint.send(event())).status_code == 200
    assert endpoint.told.calls == [("cart", "PAY-cart")]


# -- refused -----------------------------------------------------------------------------------

BODY = json.dumps(event()).encode()


def signed(secret: str = SECRET, body: bytes = BODY, late_s: int = 0) -> str:
    return signature(secret, body, int(time.time()) - late_s)


FORGERIES: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "nothing signed": lambda: "v1=",
    "no signature": lambda: signed().partition(",")[0],
    "another secret": lambda: signed(secret="another secret"),
    "no secret": lambda: signed(secret=""),
    "another body": lambda: signed(body=BODY + b" "),
    "another time": lambda: signed().replace("t=", "t=1"),
    "too short": lambda: f"t={int(time.time())},v1=0",
    "no time": lambda: f"t=,{signed().partition(',')[2]}",
    "a long time": lambda: f"t={'9' * 400},v1=00",
    "another version": lambda: signed().replace("v1=", "v0="),
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_forged_webhook_is_refused(endpoint: Endpoint, name: str) -> None:
    endpoint.paying("cart")
    forged = {SIGNATURE_HEADER: FORGERIES[name]()}
    assert_refused(endpoint, await endpoint.send(BODY, **forged))


@pytest.mark.parametrize("late_s", [TOLERANCE_S + 60, -TOLERANCE_S - 60, 10**9])
async def test_a_stale_one_and_one_from_the_future_are_refused(
    endpoint: Endpoint, late_s: int
) -> None:
    endpoint.paying("cart")
    header = signed(late_s=late_s)
    assert_refused(endpoint, await endpoint.send(BODY, **{SIGNATURE_HEADER: header}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        b'{"id": "evt-1"}',
        b'{"id": "", "payment_id": "PAY-cart"}',
        json.dumps({"id": "x" * 256, "payment_id": "PAY-cart"}).encode(),
        json.dumps({"id": "a\nb", "payment_id": "PAY-cart"}).encode(),
        json.dumps({"id": 1, "payment_id": []}).encode(),
        b"[" * 10_000,
    ],
)
async def test_what_is_signed_and_no_event_is_refused(endpoint: Endpoint, body: bytes) -> None:
    endpoint.paying("cart")
    assert_refused(endpoint, await endpoint.send(body))


def assert_refused(endpoint: Endpoint, response: httpx.Response) -> None:
    assert response.status_code == 400
    (why,) = response.json().values()
    assert 0 < len(why) < 80
    assert "\n" not in response.text
    assert SECRET not in response.text
    assert endpoint.told.calls == []
    assert endpoint.is_new("evt-1")


async def test_it_needs_no_more_than_its_signature(endpoint: Endpoint) -> None:
    endpoint.paying("cart")
    headers = {"Origin": "https://evil.example", "Authorization": "Bearer x", "Store": "none"}
    assert (await endpoint.send(event(), **headers)).status_code == 200
    assert endpoint.told.calls == [("cart", "PAY-cart")]


@pytest.mark.parametrize(
    "path", ["/webhooks/stripe", "/webhooks/none", "/webhooks/", "/webhooks", f"{URL}/x"]
)
async def test_a_gateway_that_is_not_ours_is_not_found(endpoint: Endpoint, path: str) -> None:
    assert (await endpoint.send(event(), path)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_webhooks_are_posted(endpoint: Endpoint, method: str) -> None:
    assert (await endpoint.http.request(method, URL)).status_code == 405


async def test_a_body_beyond_the_limit_is_not_read(endpoint: Endpoint) -> None:
    response = await endpoint.send(b" " * (Limits().body_bytes + 1))
    assert response.status_code == 413
    assert endpoint.told.calls == []


async def test_without_a_gateway_there_are_no_webhooks(market: Storefront) -> None:
    world = market.world
    settings = world.settings.model_copy(update={"gateway": GatewayKind.NONE})
    async with client_of(build_app(settings, world.store, world.client)) as http:
        for name in GatewayKind:
            assert (await http.post(f"/webhooks/{name}")).status_code == 404


# -- from the provider to the order ------------------------------------------------------------


async def test_the_provider_s_webhook_makes_the_order(market: Storefront) -> None:
    world, settings = market.world, market.world.settings
    gateway = SandboxGateway(settings.gateway_url, settings.gateway_key.get_secret_value())
    url = market.url.replace("/graphql", URL)
    await gateway.set_webhook(url, settings.gateway_webhook_secret.get_secret_value())
    cart_id = await market.a_ready_cart()
    script = {"authorize": "pending_shopper", "webhooks": "duplicated"}
    payment_id = world.gateway.pay(cart_id, usd("15.00"), script=script)
    pending = await market.complete(cart_id, payment_id, Idempotency_Key=f"key-{cart_id}")
    told = pending.body["extensions"]["completeOrder"]
    assert told["reason"] == "PAYMENT_PENDING"

    await gateway.shopper(payment_id, "authenticate")
    await world.handle(cart_id).result()
    answer = await market.complete(cart_id, payment_id, Idempotency_Key=f"key-{cart_id}")
    assert answer.data["completeOrder"]["errors"] == []
    assert world.payment(payment_id).captures == 1
    await gateway.aclose()
