"""The sandbox gateway as tests use it: payments made by shoppers, and the ledger that audits."""

import atexit
import functools
import secrets
from contextlib import ExitStack
from typing import Any

import httpx

from commerce.adapters.payments.sandbox import Ledger, LedgerPayment, new_payment_id
from commerce.domain.money import Money
from commerce.domain.payments import PaymentStatus
from tests.gateway import running_gateway

HANG_S = 20
_STEPS = {
    PaymentStatus.CREATED: (),
    PaymentStatus.APPROVED: ("shopper",),
    PaymentStatus.AUTHORIZED: ("shopper", "authorize"),
    PaymentStatus.CAPTURED: ("shopper", "authorize", "capture"),
    PaymentStatus.VOIDED: ("shopper", "void"),
}


@functools.cache
def gateway_url(hang_s: float) -> str:
    """The one gateway of this process that hangs so long; every user is a merchant of its own."""
    running = ExitStack()
    atexit.register(running.close)
    return running.enter_context(running_gateway(hang_s=hang_s))


class Gateway:
    """A merchant of the sandbox gateway, with the shoppers who pay there."""

    def __init__(self, hang_s: float = HANG_S) -> None:
        self.url = gateway_url(hang_s)
        self.key = secrets.token_hex(16)
        headers = {"Authorization": f"Bearer {self.key}"}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def pay(
        self,
        cart_id: str,
        amount: Money,
        *,
        id: str = "",  # noqa: A002 (as a payment calls it)
        status: PaymentStatus = PaymentStatus.APPROVED,
        script: str | dict[str, Any] = "approved",
    ) -> str:
        """A payment that got as far as ``status``; its id."""
        body = {
            "cart_id": cart_id,
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "id": id or new_payment_id(),
            "script": script,
        }
        made = self._post("/payments", body)
        for step in _STEPS[status]:
            self._post(f"/payments/{made['id']}/{step}", {"does": "approve"})
        return made["id"]

    def shopper(self, payment_id: str, does: str) -> None:
        """The shopper approves, authenticates or declines; a review is authenticated, too."""
        self._post(f"/payments/{payment_id}/shopper", {"does": does})

    def capture(self, payment_id: str) -> None:
        """Captured by hand, in the gateway's back office."""
        self._post(f"/payments/{payment_id}/capture", {})

    def void(self, payment_id: str) -> None:
        """Voided by hand, in the gateway's back office."""
        self._post(f"/payments/{payment_id}/void", {})

    def behave(self, payment_id: str, script: str | dict[str, Any]) -> None:
        """From now on the payment behaves by another script."""
        answer = self._http.put(f"/payments/{payment_id}/script", json={"script": script})
        answer.raise_for_status()

    def ledger(self, **which: str) -> Ledger:
        """What the gateway itself says of payments: ``payment_id`` or ``cart_id`` are given."""
        return Ledger.model_validate(self._get("/ledger", which))

    def payment(self, payment_id: str = "PAY1") -> LedgerPayment:
        """What the ledger says of one payment."""
        (payment,) = self.ledger(payment_id=payment_id).payments
        return payment

    def _get(self, path: str, which: dict[str, str]) -> Any:
        answer = self._http.get(path, params=which)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        key = {"Idempotency-Key": secrets.token_hex(8)}
        answer = self._http.post(path, json=body, headers=key)
        answer.raise_for_status()
        return answer.json()
