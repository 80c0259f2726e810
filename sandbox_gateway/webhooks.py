"""What happens without being asked: pending payments settle, and events go out, signed."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections import defaultdict

import httpx

from sandbox_gateway.ledger import Clock, Ledger
from sandbox_gateway.outbox import Event, Outbox

SIGNATURE_HEADER = "Sandbox-Signature"
TICK_S = 0.1
ANSWER_TIMEOUT_S = 5
MAX_DUE = 500
MAX_SENDING = 32

logger = logging.getLogger("sandbox_gateway.webhooks")


def signature(secret: str, body: bytes, at: int) -> str:
    """``t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">``."""
    signed = f"{at}.".encode() + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Sender:
    """Sends each payment's events one after another, and those of many payments at a time."""

    def __init__(self, ledger: Ledger, outbox: Outbox, clock: Clock = time.time) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._clock = clock
        self._wake = asyncio.Event()
        self._free = asyncio.Semaphore(MAX_SENDING)
        self._busy: set[tuple[str, str]] = set()

    def wake(self) -> None:
        """Something may have changed: look now, not at the next tick."""
        self._wake.set()

    async def run(self) -> None:
        """Tick until cancelled; what was not sent then is sent after the next start."""
        async with (
            httpx.AsyncClient(timeout=ANSWER_TIMEOUT_S, trust_env=False) as http,
            asyncio.TaskGroup() as group,
        ):
            while True:
                self._tick(http, group)
                try:
                    async with asyncio.timeout(TICK_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()

    def _tick(self, http: httpx.AsyncClient, group: asyncio.TaskGroup) -> None:
        try:
            self._ledger.resolve()
            due = self._outbox.due(self._clock(), MAX_DUE)
        except Exception:  # a full disk, say: whoever asks is told, and the next tick tries again
            logger.exception("the tick failed")
            return
        by_payment: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in due:
            by_payment[event.merchant, event.payment_id].append(event)
        for payment, events in by_payment.items():
            if payment not in self._busy:
                self._busy.add(payment)
                group.create_task(self._send_all(http, payment, events))

    async def _send_all(
        self, http: httpx.AsyncClient, payment: tuple[str, str], events: list[Event]
    ) -> None:
        try:
            async with self._free:
                for event in events:
                    await self._send(http, event)
        except Exception:
            logger.exception("an event of payment %s could not be sent", payment[1])
        finally:
            self._busy.discard(payment)

    async def _send(self, http: httpx.AsyncClient, event: Event) -> None:
        body = event.body.encode()
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature(event.secret, body, int(self._clock())),
        }
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                # Only the status counts, so that no more than the head is read.
                async with http.stream(
                    "POST", event.url, content=body, headers=headers
                ) as response:
                    is_received = response.is_success
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            is_received = False
        if is_received:
            self._outbox.received(event)
        elif not self._outbox.failed(event, self._clock()):
            logger.warning("an event of payment %s is given up", event.payment_id)
