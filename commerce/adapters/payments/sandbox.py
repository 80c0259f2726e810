"""The in-process sandbox gateway: real behaviour, no money. For development and tests."""

import secrets
import string

from commerce.adapters.store.sandbox_payments import SandboxPayments
from commerce.domain.payments import Payment

_ID_ALPHABET = string.digits + string.ascii_uppercase


def new_payment_id() -> str:
    """An id in the shape of PayPal's: 17 characters of ``[0-9A-Z]``."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(17))


class CaptureError(Exception):
    """The gateway did not capture the payment."""


class SandboxGateway:
    """The gateway port over the sandbox's own payments."""

    def __init__(self, payments: SandboxPayments) -> None:
        self._payments = payments

    def look_up(self, payment_id: str) -> Payment | None:
        """The payment, None when the gateway does not know it."""
        return self._payments.find(payment_id)

    def capture(self, payment: Payment, idempotency_key: str) -> None:
        """Take the money, once per key.

        Raises:
            CaptureError: The payment cannot be captured any more.
        """
        if not self._payments.capture(payment.id, idempotency_key):
            raise CaptureError("the sandbox payment cannot be captured")


class NoGateway:
    """No gateway is configured: no payment is known."""

    def look_up(self, payment_id: str) -> Payment | None:
        """None: every payment id is invalid."""
        return None

    def capture(self, payment: Payment, idempotency_key: str) -> None:
        """Never reached, for no payment is ever verified.

        Raises:
            CaptureError: Always.
        """
        raise CaptureError("no payment gateway is configured")
