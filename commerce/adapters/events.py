"""Announcing orders: one JSON line in the log, until a broker or mailer is plugged in."""

import logging

from commerce.contract import OrderEvent

_logger = logging.getLogger("checkout.orders")


class LogOrderEvents:
    """The order events port: logs each event, without personal data."""

    def publish(self, event: OrderEvent) -> None:
        """Log the event."""
        _logger.info("order placed: %s", event.model_dump_json())
