"""No gateway is configured: no payment is known."""

from commerce.domain.payments import GatewayOutcome, Payment, PaymentInvalid


class NoGateway:
    """The gateway port with nobody behind it: every payment id is invalid."""

    async def look_up(self, payment_id: str) -> Payment | PaymentInvalid:
        """Invalid."""
        return PaymentInvalid()

    async def authorize(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Invalid; never reached, for no payment is ever looked up."""
        return PaymentInvalid()

    async def capture(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """As ``authorize``."""
        return PaymentInvalid()

    async def void(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """As ``authorize``."""
        return PaymentInvalid()

    async def refund(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """As ``authorize``."""
        return PaymentInvalid()
