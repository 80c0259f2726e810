"""A storefront at Stripe: makes payments, and does what a shopper does with them in the browser."""

from collections.abc import Mapping
from typing import Any

import httpx

from commerce.domain.money import Money

SUCCEEDS = "4242424242424242"
DECLINES = "4000000000000341"
NEEDS_3D_SECURE = "4000002500003155"
DECLINES_AFTER_3D_SECURE = "4000008400001629"

SECRET_KEY = "sk_test_of_localstripe"

MADE, OK, DECLINED = 200, 200, 402


class Storefront:
    """Talks to localstripe as Stripe's own scripts do, without the adapter under test."""

    def __init__(self, url: str) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def pay(self, cart_id: str, amount: Money, card: str = SUCCEEDS) -> str:
        """Make a payment for a cart and confirm it; its id, whatever came of it."""
        payment_id = await self.make(cart_id, amount)
        await self.confirm(payment_id, card)
        return payment_id

    async def make(self, cart_id: str, amount: Money, **fields: str) -> str:
        """Make a payment that the shopper has not confirmed; its id."""
        about = {
            "amount": str(amount.amount_minor),
            "currency": amount.currency.lower(),
            "capture_method": "manual",
            "metadata[cart_id]": cart_id,
        }
        return (await self.post("/v1/payment_intents", about | fields))["id"]

    async def choose(self, payment_id: str, card: str) -> None:
        """Enter a card, and stop before the button."""
        method = {
            "type": "card",
            "card[number]": card,
            "card[exp_month]": "12",
            "card[exp_year]": "2040",
            "card[cvc]": "123",
        }
        method_id = (await self.post("/v1/payment_methods", method))["id"]
        await self.post(f"/v1/payment_intents/{payment_id}", {"payment_method": method_id})

    async def confirm(self, payment_id: str, card: str = SUCCEEDS) -> None:
        """Pay with a card: it is authorized, declined, or needs 3-D Secure."""
        await self.choose(payment_id, card)
        await self.post(f"/v1/payment_intents/{payment_id}/confirm", {}, OK, DECLINED)

    async def authenticate(self, payment_id: str, *, success: bool) -> None:
        """Answer the bank's 3-D Secure page, rightly or not."""
        secret = (await self.get(payment_id))["client_secret"]
        about = {"client_secret": secret, "success": str(success).lower()}
        await self.post(f"/v1/payment_intents/{payment_id}/_authenticate", about, OK, DECLINED)

    async def get(self, payment_id: str) -> dict[str, Any]:
        """The PaymentIntent as localstripe knows it."""
        answer = await self._http.get(f"/v1/payment_intents/{payment_id}")
        assert answer.status_code == OK, answer.text
        return answer.json()

    async def taken(self, payment_id: str) -> list[int]:
        """What localstripe's account says was taken for a payment, each time, in minor units."""
        charge = (await self.get(payment_id))["latest_charge"]
        newest = (await self._http.get("/v1/balance_transactions?limit=100")).json()["data"]
        return [each["amount"] for each in newest if each["source"] == charge["id"]]

    async def subscribe(self, webhook_url: str, secret: str) -> None:
        """Have every event sent, about a second after it happens, to one address."""
        about = {"url": webhook_url, "secret": secret}
        answer = await self._http.post("/_config/webhooks/checkout", data=about)
        assert answer.status_code == OK, answer.text

    async def post(self, path: str, about: Mapping[str, str], *expected: int) -> dict[str, Any]:
        answer = await self._http.post(path, data=about)
        assert answer.status_code in (expected or (MADE,)), answer.text
        return answer.json()
