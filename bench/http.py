"""What HTTP costs: ``placeOrder`` against the same call by the Python client.

Run: ``python -m bench.http [ORDERS]``. Both by turns, one at a time, on one ``checkout dev``.
"""

import asyncio
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from temporalio.contrib.pydantic import pydantic_data_converter

from cli.data_dir import load_settings, opened_store
from cli.embedded import Ports, embedded
from client import CheckoutClient, OrderPlaced
from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.store.catalog import Product
from commerce.adapters.store.sql_store import SqlStore
from commerce.adapters.temporal import connect
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartLine, ProductKind
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice

LINES = 5
WARM_UP = 20
PORTS = Ports(temporal=7333, ui=8333, api=8100, gateway=8190)
PLACE = """
mutation ($cart: String!) {
  placeOrder(input: {cart_id: $cart}) { orderV2 { number token } errors { code message } }
}
"""
_ADDRESS = Address(
    firstname="Ada",
    lastname="Lovelace",
    street=("1100 Congress Avenue",),
    city="Austin",
    region="TX",
    postcode="78701",
    country_code="US",
    telephone="512-555-0100",
)


def _carts(store: SqlStore, count: int) -> list[str]:
    skus = [f"bench-{n}" for n in range(LINES)]
    price = Money.parse("1.00", "USD")
    store.catalog.put(
        [
            Product(sku=sku, name=sku, kind=ProductKind.SIMPLE, price=price, quantity=10**6)
            for sku in skus
        ]
    )
    carts = [
        Cart(
            id=secrets.token_hex(16),
            store_code="default",
            email="ada@example.com",
            lines=tuple(CartLine(sku=sku, quantity=1) for sku in skus),
            shipping_address=_ADDRESS,
            billing_address=_ADDRESS,
            shipping_method="flatrate",
            payment=PaymentChoice(method="checkmo"),
        )
        for _ in range(count)
    ]
    store.carts.save(*carts)
    return [cart.id for cart in carts]


async def _measure(
    carts: list[str], codec: PayloadEncryption, address: str, url: str
) -> dict[str, list[float]]:
    checkout = CheckoutClient(await connect(pydantic_data_converter, codec, address))
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:

        async def by_client(cart_id: str) -> None:
            answer = await checkout.place_order(cart_id)
            assert isinstance(answer, OrderPlaced), answer

        async def by_http(cart_id: str) -> None:
            body = {"query": PLACE, "variables": {"cart": cart_id}}
            answer = (await http.post(url, json=body)).json()
            assert answer["data"]["placeOrder"]["orderV2"]["number"], answer

        calls: dict[str, Callable[[str], Awaitable[None]]] = {"client": by_client, "http": by_http}
        seconds: dict[str, list[float]] = {name: [] for name in calls}
        for n, cart_id in enumerate(carts):
            name = list(calls)[n % len(calls)]
            started = time.perf_counter()
            await calls[name](cart_id)
            seconds[name].append(time.perf_counter() - started)
    return {name: each[WARM_UP:] for name, each in seconds.items()}


def main() -> None:
    """Print p50 and p95 of both, and the ratio of the p50s."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder, embedded(Path(folder), PORTS, print) as running:
        with opened_store(Path(folder)) as store:
            carts = _carts(store, 2 * (count + WARM_UP))
        keys = load_settings(Path(folder)).codec_keys.get_secret_value()
        codec = PayloadEncryption.parse(keys)
        seconds = asyncio.run(_measure(carts, codec, running.address, running.api_url))
    p50: dict[str, float] = {}
    for name, each in seconds.items():
        p50[name] = statistics.median(each) * 1000
        p95 = statistics.quantiles(each, n=20)[-1] * 1000
        print(f"{name:8} p50 {p50[name]:6.1f} ms   p95 {p95:6.1f} ms   ({len(each)} orders)")
    print(f"http / client, p50: {p50['http'] / p50['client']:.2f}")


if __name__ == "__main__":
    main()
