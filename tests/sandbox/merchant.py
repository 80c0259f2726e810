"""A merchant at the sandbox gateway, for tests, and waiting for what is to happen there."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from commerce.domain.money import Money

DEADLINE_S = 30
TEN = Money(amount_minor=1000, currency="USD")


@dataclass
class Merchant:
    """A merchant's own requests: as the provider's documentation has them, with no adapter."""

    http: httpx.AsyncClient
    key: str

    async def ask(
        self, method: str, path: str, body: object = None, key: str | None = None
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.http.request(method, path, json=body, headers=headers)

    async def make(self, *, approve: bool = True, **changes: Any) -> str:
        """The id of a new payment of 10.00 USD, which the shopper has approved."""
        body = {"cart_id": "cart", "amount_minor": 1000, "currency": "USD", **changes}
        made = await self.ask("POST", "/payments", body, key=secrets.token_hex(8))
        assert made.status_code == 201, made.text
        payment_id: str = made.json()["id"]
        if approve:
            await self.shopper(payment_id, "approve")
        return payment_id

    async def shopper(self, payment_id: str, does: str) -> None:
        done = await self.ask("POST", f"/payments/{payment_id}/shopper", {"does": does})
        assert done.status_code == 200, done.text

    async def call(self, payment_id: str, call: str, key: str = "") -> dict[str, str]:
        """The answer to a call, under a key of its own unless one is given."""
        path = f"/payments/{payment_id}/{call}"
        answer = await self.ask("POST", path, key=key or secrets.token_hex(8))
        assert answer.status_code == 200, answer.text
        outcome: dict[str, str] = answer.json()
        return outcome

    async def status(self, payment_id: str) -> str:
        status: str = (await self.ask("GET", f"/payments/{payment_id}")).json()["status"]
        return status

    async def account(self, payment_id: str) -> dict[str, Any]:
        """What the ledger says of a payment."""
        report = (await self.ask("GET", f"/ledger?payment_id={payment_id}")).json()
        (account,) = report["payments"]
        return account


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + DEADLINE_S
    while not await happened():
        assert time.monotonic() < deadline, "it has not happened"
        await asyncio.sleep(0.02)
