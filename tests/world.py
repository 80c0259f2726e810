"""A whole checkout for a test: a store, a worker with faults, and the thin client."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from client import CheckoutClient
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.opened import open_gateway
from commerce.adapters.payments.sandbox import LedgerPayment
from commerce.adapters.relay import OutboxRelay
from commerce.adapters.store.schema import upgrade
from commerce.adapters.store.sql_store import SqlStore
from commerce.adapters.tokens import SealedTokens
from commerce.contract import ABORT_UPDATE, workflow_id
from commerce.settings import GatewayKind, Settings
from tests.builders import build, product, undurable, usd
from tests.faults import Faults
from tests.payments import HANG_S, Gateway
from worker import build_worker
from workflows.runner import strict_runner

DEADLINE = timedelta(seconds=20)


class ShiftedClock:
    """The wall clock, put forward by as much as a test says."""

    def __init__(self) -> None:
        self._shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._shift

    def advance(self, by: timedelta) -> None:
        self._shift += by


@dataclass
class World:
    """What a test sees."""

    temporal: Client
    task_queue: str
    store: SqlStore
    clock: ShiftedClock
    faults: Faults
    client: CheckoutClient
    settings: Settings
    gateway: Gateway
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex)

    def id(self, name: str) -> str:
        """A cart id or an idempotency key that no other test uses: the server is shared."""
        return f"{name}-{self.suffix}"

    def handle(self, cart_id: str) -> WorkflowHandle[Any, Any]:
        return self.temporal.get_workflow_handle(workflow_id(cart_id))

    async def status(self, cart_id: str) -> WorkflowExecutionStatus | None:
        return (await self.handle(cart_id).describe()).status

    async def attributes(self, cart_id: str) -> dict[str, Any]:
        """The search attributes of the cart's checkout."""
        found: Any = (await self.handle(cart_id).describe()).typed_search_attributes
        return {pair.key.name: pair.value for pair in found}

    async def abort(self, cart_id: str, reason: str) -> None:
        """An operator's abort."""
        handle: Any = self.handle(cart_id)
        await handle.execute_update(ABORT_UPDATE, reason)

    def pay(self, for_cart: str, total: str, **changes: Any) -> str:
        """A payment that the shopper approved at the sandbox gateway; its id."""
        paid: dict[str, Any] = {"cart_id": for_cart, "amount": usd(total), "id": "PAY1", **changes}
        return self.gateway.pay(**paid)

    def payment(self, payment_id: str = "PAY1") -> LedgerPayment:
        """What the gateway's own ledger says of a payment."""
        return self.gateway.payment(payment_id)

    async def announced(self, within: timedelta = DEADLINE) -> None:
        """Until a relay has told of every order."""
        async with asyncio.timeout(within.total_seconds()):
            while self.store.gauges.read().events_unannounced:  # noqa: ASYNC110 (a store)
                await asyncio.sleep(0.02)

    def assert_clean(self, orders: int) -> None:
        """The audit is clean, nothing is left locked or held, and there are so many orders."""
        report = self.store.audit.run()
        assert report.violations == ()
        assert report.counts["orders"] == orders
        assert report.counts["holds_open"] == 0
        assert report.counts["carts_locked"] == 0


@asynccontextmanager
async def a_world(
    temporal: Client,
    directory: Path,
    url: str = "",
    gateway_timeout_s: float = 4,
    gateway_hang_s: float = HANG_S,
    changed: dict[str, Any] | None = None,
    **worker_options: Any,
) -> AsyncGenerator[World]:
    """A store with apples (100) and pears (100), and a worker of its own.

    It pays at the sandbox gateway, unless the settings that are ``changed`` name another.
    """
    clock = ShiftedClock()
    database = undurable(url or f"sqlite:///{directory}/store.db", clock)
    upgrade(database)
    store = build(database)
    store.catalog.put([product("apple"), product("pear")])
    gateway = Gateway(gateway_hang_s)
    settings = Settings(
        data_dir=directory,
        order_token_keys=SecretStr(SealedTokens.new_key()),
        gateway=GatewayKind.SANDBOX,
        gateway_url=gateway.url,
        gateway_key=SecretStr(gateway.key),
        gateway_webhook_secret=SecretStr(secrets.token_hex(32)),
        gateway_timeout_s=gateway_timeout_s,
        task_queue=f"test-{uuid.uuid4().hex}",
        shutdown_grace_s=2,
    )
    settings = settings.model_copy(update=changed or {})
    faults = Faults()
    client = CheckoutClient(temporal, settings.task_queue)
    opened = open_gateway(settings)
    strict: Any = {"interceptors": [faults], "runner": strict_runner()}
    options = {**strict, **worker_options}
    relay = OutboxRelay(store.orders, LogOrderEvents())
    with relay:
        async with build_worker(temporal, settings, store, opened.gateway, relay, **options):
            yield World(
                temporal, settings.task_queue, store, clock, faults, client, settings, gateway
            )
    await opened.aclose()
    gateway.close()
    database.close()
