"""A shopper of the demo: fills a cart and orders, through GraphQL, as a storefront does."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import httpx

from api.identity import TokenIssuer
from api.present.values import part
from cli.demo_day import Attempt
from commerce.domain.addresses import Address
from commerce.domain.money import Money
from commerce.domain.payments import PaymentMethod
from commerce.domain.shipping import ShippingMethod

TIMEOUT_S = 90
_ONLINE = PaymentMethod.SMART_BUTTONS.value
_TOKEN_LIFETIME = timedelta(hours=4)

_CREATE = "mutation ($input: createEmptyCartInput) { createEmptyCart(input: $input) }"
_FILL = """
mutation (
  $cart: String!, $items: [CartItemInput!]!, $email: String!, $guest: Boolean!,
  $ships: Boolean!, $shipping: [ShippingAddressInput]!,
  $bills: Boolean!, $billing: BillingAddressInput!,
  $sends: Boolean!, $methods: [ShippingMethodInput]!,
  $pays: Boolean!, $payment: PaymentMethodInput!
) {
  addProductsToCart(cartId: $cart, cartItems: $items) { user_errors { code message } }
  setGuestEmailOnCart(input: {cart_id: $cart, email: $email}) @include(if: $guest) {
    cart { email }
  }
  setShippingAddressesOnCart(input: {cart_id: $cart, shipping_addresses: $shipping})
    @include(if: $ships) { cart { id } }
  setBillingAddressOnCart(input: {cart_id: $cart, billing_address: $billing})
    @include(if: $bills) { cart { id } }
  setShippingMethodsOnCart(input: {cart_id: $cart, shipping_methods: $methods})
    @include(if: $sends) { cart { id } }
  setPaymentMethodOnCart(input: {cart_id: $cart, payment_method: $payment})
    @include(if: $pays) { cart { id } }
}
"""
_SHOW = "query ($cart: String!) { cart(cart_id: $cart) { prices { grand_total { value } } } }"
_CREATE_PAYMENT = """
mutation ($cart: String!, $method: String!, $source: String!) {
  createPaymentOrder(
    input: {cartId: $cart, location: CHECKOUT, methodCode: $method, paymentSource: $source}
  ) { id }
}
"""
_CHOOSE_PAYMENT = """
mutation ($cart: String!, $method: PaymentMethodInput!) {
  setPaymentMethodOnCart(input: {cart_id: $cart, payment_method: $method}) { cart { id } }
}
"""
_ORDER = "number token total { grand_total { value } }"
_PLACE = f"""
mutation ($cart: String!) {{
  placeOrder(input: {{cart_id: $cart}}) {{ orderV2 {{ {_ORDER} }} errors {{ code message }} }}
}}
"""
_COMPLETE = f"""
mutation ($cart: String!, $payment: String!) {{
  completeOrder(input: {{cartId: $cart, id: $payment}}) {{
    orderV2 {{ {_ORDER} }} errors {{ code message }}
  }}
}}
"""


@dataclass
class Ordered:
    """What a checkout was answered with: an order, or why not."""

    number: str = ""
    total: Money | None = None
    code: str = ""
    reason: str = ""
    order_number: str = ""


@dataclass
class Storefront:
    """The GraphQL endpoint, as the demo's shoppers use it."""

    url: str
    issuer: TokenIssuer
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
    )

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Self]:
        """Close the connections at the end."""
        async with self.http:
            yield self

    async def fill(self, attempt: Attempt) -> list[str]:
        """Make the cart and put everything on it; what was refused on the way."""
        cart = attempt.cart
        store = {"Store": cart.store_code}
        made = await self._post(cart.customer_id, store, _CREATE, {"input": {"cart_id": cart.id}})
        errors = [error["message"] for error in made.get("errors", [])]
        if errors:
            return errors
        filled = await self._post(cart.customer_id, store, _FILL, _variables(attempt))
        refused = [error["message"] for error in filled.get("errors", [])]
        added = part(part(filled, "data"), "addProductsToCart")
        return refused + [error["message"] for error in added.get("user_errors", [])]

    async def look(self, attempt: Attempt) -> Money:
        """The total that the shopper is shown."""
        variables = {"cart": attempt.cart.id}
        answer = await self._post(attempt.cart.customer_id, {}, _SHOW, variables)
        value = answer["data"]["cart"]["prices"]["grand_total"]["value"]
        return _money(value, attempt)

    async def make_payment(self, attempt: Attempt) -> str:
        """A payment for the shopper to approve at the gateway; its id."""
        variables = {"cart": attempt.cart.id, "method": _ONLINE, "source": attempt.script}
        made = await self._post(attempt.cart.customer_id, {}, _CREATE_PAYMENT, variables)
        return made["data"]["createPaymentOrder"]["id"]

    async def choose_payment(self, attempt: Attempt) -> None:
        """Put the payment on the cart, for ``placeOrder`` to use it."""
        method = {"code": _ONLINE, _ONLINE: {"paypal_order_id": attempt.payment_id}}
        variables = {"cart": attempt.cart.id, "method": method}
        await self._post(attempt.cart.customer_id, {}, _CHOOSE_PAYMENT, variables)

    async def order(self, attempt: Attempt, key: str) -> Ordered:
        """Check the cart out."""
        operation = "completeOrder" if attempt.at_gateway else "placeOrder"
        variables = {"cart": "" if attempt.without_id else attempt.cart.id}
        if attempt.at_gateway:
            variables["payment"] = attempt.payment_id
        headers = {"Idempotency-Key": key}
        if attempt.store_code:
            headers["Store"] = attempt.store_code
        document = _COMPLETE if attempt.at_gateway else _PLACE
        answer = await self._post(attempt.shopper.customer_id, headers, document, variables)
        payload = part(part(answer, "data"), operation)
        order = part(payload, "orderV2")
        if order:
            total = _money(order["total"]["grand_total"]["value"], attempt)
            return Ordered(number=order["number"], total=total)
        beside = part(part(answer, "extensions"), operation)
        told = beside or answer["errors"][0]["extensions"]
        code = payload["errors"][0]["code"] if payload else ""
        return Ordered(
            code=code, reason=told.get("reason", ""), order_number=told.get("order_number", "")
        )

    async def _post(
        self,
        customer_id: str | None,
        headers: dict[str, str],
        document: str,
        variables: dict[str, Any],
    ) -> dict[str, Any]:
        if customer_id:
            token = self.issuer.issue(
                customer_id, f"{customer_id}@example.com", "Robin", "Example", _TOKEN_LIFETIME
            )
            headers = {**headers, "Authorization": f"Bearer {token}"}
        body = {"query": document, "variables": variables}
        answer = await self.http.post(self.url, json=body, headers=headers)
        return answer.json()


def _money(value: float, attempt: Attempt) -> Money:
    return Money.parse(f"{value:.2f}", attempt.total.currency)


def _variables(attempt: Attempt) -> dict[str, Any]:
    cart = attempt.cart
    method = {"carrier_code": "", "method_code": ""}
    if cart.shipping_method:
        chosen = ShippingMethod(cart.shipping_method)
        method = {"carrier_code": chosen.value, "method_code": chosen.names.method_code}
    payment = cart.payment
    return {
        "cart": cart.id,
        "items": [{"sku": line.sku, "quantity": line.quantity} for line in cart.lines],
        "email": cart.email or "",
        "guest": cart.customer_id is None and cart.email is not None,
        "ships": cart.shipping_address is not None and not attempt.virtual,
        "shipping": [{"address": _address(cart.shipping_address)}],
        "bills": cart.billing_address is not None,
        "billing": {"address": _address(cart.billing_address)},
        "sends": cart.shipping_method is not None and not attempt.virtual,
        "methods": [method],
        "pays": payment is not None and not attempt.script,
        "payment": {
            "code": payment.method if payment else "",
            "purchase_order_number": payment.purchase_order_number if payment else None,
        },
    }


def _address(address: Address | None) -> dict[str, Any]:
    given = address or Address()
    return {
        "firstname": given.firstname,
        "lastname": given.lastname,
        "street": list(given.street),
        "city": given.city,
        "region": given.region or None,
        "postcode": given.postcode or None,
        "country_code": given.country_code,
        "telephone": given.telephone,
    }
