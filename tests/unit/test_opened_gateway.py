"""Is the gateway that the settings name opened, or is it said what is missing?"""

import pytest
from pydantic import SecretStr

from commerce.adapters.payments.none import NoGateway
from commerce.adapters.payments.opened import open_gateway
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.payments.sandbox_webhooks import SandboxWebhooks
from commerce.adapters.payments.stripe import StripeGateway, StripeWebhooks
from commerce.settings import GatewayKind, Settings

KEY, SECRET = SecretStr("sk_test_key"), SecretStr("whsec_secret")
OPENED = {
    GatewayKind.SANDBOX: (SandboxGateway, SandboxWebhooks),
    GatewayKind.STRIPE: (StripeGateway, StripeWebhooks),
}


async def test_without_a_gateway_there_are_no_payments_and_no_webhooks() -> None:
    opened = open_gateway(Settings(gateway=GatewayKind.NONE))
    assert isinstance(opened.gateway, NoGateway)
    assert (opened.orders, opened.webhooks) == (None, {})
    await opened.aclose()


@pytest.mark.parametrize("kind", OPENED)
async def test_a_gateway_brings_its_payments_and_its_webhooks(kind: GatewayKind) -> None:
    opened = open_gateway(
        Settings(gateway=kind, gateway_key=KEY, gateway_webhook_secret=SECRET, gateway_url="")
    )
    gateway, webhooks = OPENED[kind]
    assert isinstance(opened.gateway, gateway)
    assert opened.orders is opened.gateway
    assert {name: type(each) for name, each in opened.webhooks.items()} == {kind.value: webhooks}
    await opened.aclose()


@pytest.mark.parametrize("kind", OPENED)
@pytest.mark.parametrize(
    ("missing", "name"),
    [
        ({"gateway_key": SecretStr("")}, "CHECKOUT_GATEWAY_KEY"),
        ({"gateway_webhook_secret": SecretStr("")}, "CHECKOUT_GATEWAY_WEBHOOK_SECRET"),
    ],
)
def test_what_is_missing_is_named_in_one_line(
    kind: GatewayKind, missing: dict[str, SecretStr], name: str
) -> None:
    given = {"gateway_key": KEY, "gateway_webhook_secret": SECRET, **missing}
    settings = Settings.model_validate({"gateway": kind, **given})
    with pytest.raises(ValueError, match=rf"^{name} must be set for {kind}$"):
        open_gateway(settings)
