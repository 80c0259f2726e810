"""One ``checkout dev`` that traces, with a day of trouble behind it."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.builders import EMAIL, cart, product, usd
from tests.dev import Dev, a_dev
from tests.telemetry.scraped import exports, scrape

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CART_ID = "canary-cart-of-the-trace"
KEY = "canary-idempotency-key"
PAYMENT_ID = "PAY-canary"
PLACE = """
mutation Place($cart: String!) {
  placeOrder(input: {cart_id: $cart}) { orderV2 { number token email } errors { code message } }
}
"""
COMPLETE = """
mutation Complete($cart: String!, $payment: String!) {
  completeOrder(input: {cartId: $cart, id: $payment}) { orderV2 { number } errors { code } }
}
"""
PATIENCE_S = 60


@dataclass
class Traced:
    """The development server after the day.

    Attributes:
        spans: The file that they are exported to.
        answer: What the traced ``placeOrder`` answered.
    """

    dev: Dev
    spans: Path
    answer: dict[str, Any]

    def logs(self, process: str) -> str:
        return (self.dev.data_dir / f"{process}.log").read_text()

    def metrics(self) -> dict[str, str]:
        return {name: scrape(url) for name, url in self.dev.running.metrics.items()}


@pytest_asyncio.fixture(scope="session")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    spans = folder / "spans.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHECKOUT_TRACE_FILE", str(spans))
        async with a_dev(folder / "data") as dev:
            dev.store.catalog.put([product("apple")])
            async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http:
                answer = await _a_day(dev, http)
            yield Traced(dev, spans, answer)


async def _a_day(dev: Dev, http: httpx.AsyncClient) -> dict[str, Any]:
    """An order, a refusal, a payment while the gateway hangs, and calls of nothing we know."""
    url: str = dev.running.api_url
    dev.store.carts.save(
        cart(CART_ID), cart("wants-too-much", ("apple", 1000)), cart("paid-late", ("apple", 1))
    )
    headers = {
        "Idempotency-Key": KEY,
        "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01",
        "tracestate": f"shopper={EMAIL.replace('@', '-')}",
        "baggage": f"email={EMAIL}",
    }
    body = {"query": PLACE, "variables": {"cart": CART_ID}}
    answered = await http.post(f"{url}?email={EMAIL}", json=body, headers=headers)
    body = {"query": PLACE, "variables": {"cart": "wants-too-much"}}
    await http.post(url, json=body)
    await http.post(url, json={"query": "{ nothing }"})
    await http.post(url, json={"query": "{ storeConfig { store_code } countries { id } }"})
    await http.get(url.replace("/graphql", f"/{EMAIL}"))
    await _pay_while_the_gateway_hangs(dev, http)
    await _look_while_temporal_hangs(dev, http)
    return answered.json()


async def _look_while_temporal_hangs(dev: Dev, http: httpx.AsyncClient) -> None:
    os.kill(dev.pid("server"), signal.SIGSTOP)
    looked = 200  # as long as a thread of it goes on
    try:
        async with asyncio.timeout(PATIENCE_S):
            while looked != 503:
                ready = dev.running.api_url.replace("/graphql", "/health/ready")
                looked = (await http.get(ready)).status_code
    finally:
        os.kill(dev.pid("server"), signal.SIGCONT)


async def _pay_while_the_gateway_hangs(dev: Dev, http: httpx.AsyncClient) -> None:
    gateway = dev.gateway()
    await gateway.make("paid-late", usd("15.00"), payment_id=PAYMENT_ID)
    await gateway.aclose()
    variables = {"cart": "paid-late", "payment": PAYMENT_ID}
    os.kill(dev.pid("gateway"), signal.SIGSTOP)
    try:
        body = {"query": COMPLETE, "variables": variables}
        call = asyncio.ensure_future(http.post(dev.running.api_url, json=body))
        await exports(dev.running.metrics["worker"], "temporal_activity_execution_failed_total")
    finally:
        os.kill(dev.pid("gateway"), signal.SIGCONT)
    assert (await call).json()["data"]["completeOrder"]["orderV2"]["number"]
