"""A storefront for tests: the GraphQL server over real HTTP, on a world's store and worker."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from api.identity import TokenIssuer
from api.server import build_app, token_issuer
from tests.builders import TOKEN_KEY
from tests.programs import free_port
from tests.world import World

ORDER_TOKEN_KEYS = "0:" + base64.b64encode(TOKEN_KEY).decode()
SECRET = "a secret of at least thirty-two bytes"
ADDRESS = {
    "firstname": "John",
    "lastname": "Doe",
    "street": ["320 N Crescent Drive", "Beverly Hills"],
    "city": "Los Angeles",
    "region": "CA",
    "region_id": 12,
    "postcode": "90210",
    "country_code": "US",
    "telephone": "123-456-0000",
}


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def data(self) -> dict[str, Any]:
        """The data, of an answer without errors."""
        assert self.status == 200, self
        assert "errors" not in self.body, self.body["errors"]
        return self.body["data"]

    @property
    def error(self) -> dict[str, Any]:
        """The only error."""
        assert len(self.body["errors"]) == 1, self.body["errors"]
        return self.body["errors"][0]

    @property
    def message(self) -> str:
        return self.error["message"]

    @property
    def category(self) -> str:
        return self.error["extensions"]["category"]


@dataclass
class Storefront:
    """Sends documents, and knows the steps to an order."""

    world: World
    url: str
    http: httpx.AsyncClient
    issuer: TokenIssuer
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def post(
        self, query: str, variables: dict[str, Any] | None = None, **headers: str
    ) -> Answer:
        """Send a document; ``Idempotency_Key="k"`` is the header Idempotency-Key."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"query": query, "variables": variables}
        answer = await self.http.post(self.url, json=body, headers={**self.headers, **named})
        return Answer(answer.status_code, answer.json(), answer.headers)

    async def get(self, query: str, **headers: str) -> Answer:
        """Send a query by GET."""
        answer = await self.http.get(self.url, params={"query": query}, headers=headers)
        return Answer(answer.status_code, answer.json(), answer.headers)

    def as_customer(self, customer_id: str = "ada") -> "Storefront":
        """The same storefront, logged in."""
        token = self.issuer.issue(
            customer_id, f"{customer_id}@example.com", "Ada", "Lovelace", timedelta(hours=1)
        )
        bearer = {"Authorization": f"Bearer {token}"}
        return Storefront(self.world, self.url, self.http, self.issuer, bearer)

    async def a_cart(self) -> str:
        """An empty cart."""
        return (await self.post("mutation { createEmptyCart }")).data["createEmptyCart"]

    async def a_ready_cart(self, *items: tuple[str, int]) -> str:
        """A cart that lacks nothing: filled by one document, as storefronts do."""
        cart_id = await self.a_cart()
        guest = "" if self.headers else 'setGuestEmailOnCart(input: {cart_id: $cart, email: $email}) { cart { id } }'
        signature = "" if self.headers else ", $email: String!"
        filled = await self.post(
            f"""mutation ($cart: String!, $items: [CartItemInput!]!, $a: CartAddressInput!{signature}) {{
            addProductsToCart(cartId: $cart, cartItems: $items) {{ user_errors {{ message }} }}
            {guest}
            setShippingAddressesOnCart(input: {{cart_id: $cart, shipping_addresses: [{{address: $a}}]}})
              {{ cart {{ id }} }}
            setBillingAddressOnCart(input: {{cart_id: $cart, billing_address: {{same_as_shipping: true}}}})
              {{ cart {{ id }} }}
            setShippingMethodsOnCart(input: {{cart_id: $cart, shipping_methods:
              [{{carrier_code: "flatrate", method_code: "flatrate"}}]}}) {{ cart {{ id }} }}
            setPaymentMethodOnCart(input: {{cart_id: $cart, payment_method: {{code: "checkmo"}}}})
              {{ cart {{ prices {{ grand_total {{ value }} }} }} }}
            }}""",
            {
                "cart": cart_id,
                "items": [
                    {"sku": sku, "quantity": n} for sku, n in items or (("apple", 1),)
                ],
                "a": ADDRESS,
                **({} if self.headers else {"email": "jdoe@example.com"}),
            },
        )
        assert filled.data["addProductsToCart"]["user_errors"] == []
        return cart_id

    async def place(self, cart_id: str, **headers: str) -> Answer:
        """Place the order of a cart."""
        return await self.post(PLACE, {"cart": cart_id}, **headers)


PLACE = """
mutation ($cart: String!) {
  placeOrder(input: {cart_id: $cart}) {
    order { order_number order_id }
    orderV2 { number token status total { grand_total { value currency } } }
    errors { code message }
  }
}
"""


@asynccontextmanager
async def a_storefront(world: World) -> AsyncGenerator[Storefront]:
    """The GraphQL server over a world, on a port of its own."""
    settings = world.settings.model_copy(
        update={
            "customer_token_secret": SecretStr(SECRET),
            "order_token_keys": SecretStr(ORDER_TOKEN_KEYS),
            "api_development": True,
            "api_deadline_s": 20,
        }
    )
    port = free_port()
    app = build_app(settings, world.store, world.client)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    issuer = token_issuer(settings)
    assert issuer is not None
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
            yield Storefront(world, f"http://127.0.0.1:{port}/graphql", http, issuer)
    finally:
        server.should_exit = True
        await serving
