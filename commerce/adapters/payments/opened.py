"""The gateway that the settings name, opened."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from commerce.adapters.payments.none import NoGateway
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.payments.sandbox_webhooks import SandboxWebhooks
from commerce.ports import PaymentGateway, PaymentOrders, Webhooks
from commerce.settings import GatewayKind, Settings

SANDBOX_URL = "http://127.0.0.1:8900"


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class OpenedGateway:
    """A gateway and what goes with it.

    Attributes:
        orders: Where payments can be made; None where they cannot.
        webhooks: By the name in the address that the provider calls.
        aclose: Closes its connections.
    """

    gateway: PaymentGateway
    orders: PaymentOrders | None = None
    webhooks: Mapping[str, Webhooks] = field(default_factory=dict[str, Webhooks])
    aclose: Callable[[], Awaitable[None]] = _nothing


def open_gateway(settings: Settings) -> OpenedGateway:
    """The gateway of the settings; nothing is connected yet.

    Raises:
        ValueError: The gateway's key or its webhook secret is missing.
    """
    if settings.gateway is GatewayKind.NONE:
        return OpenedGateway(NoGateway())
    key = settings.gateway_key.get_secret_value()
    secret = settings.gateway_webhook_secret.get_secret_value()
    for name, value in (("KEY", key), ("WEBHOOK_SECRET", secret)):
        if not value:
            raise ValueError(f"CHECKOUT_GATEWAY_{name} must be set for {settings.gateway}")
    if settings.gateway is GatewayKind.STRIPE:
        return _stripe(settings)
    gateway = SandboxGateway(settings.gateway_url or SANDBOX_URL, key, settings.gateway_timeout_s)
    webhooks = {settings.gateway.value: SandboxWebhooks(secret, time.time)}
    return OpenedGateway(gateway, gateway, webhooks, gateway.aclose)


def _stripe(settings: Settings) -> OpenedGateway:
    from commerce.adapters.payments.stripe import (  # noqa: PLC0415 (few need it; it loads slowly)
        StripeGateway,
        StripeWebhooks,
    )

    gateway = StripeGateway(settings.gateway_key, settings.gateway_url, settings.gateway_timeout_s)
    webhooks = StripeWebhooks(settings.gateway_webhook_secret, time.time)
    return OpenedGateway(gateway, gateway, {settings.gateway.value: webhooks}, gateway.aclose)
