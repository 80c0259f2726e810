"""A storefront for tests: the GraphQL server over real HTTP, on a world's store and worker."""

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator, Container, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr

from api.identity import TokenIssuer
from api.server import build_app, http_config, token_issuer
from commerce.domain.stores import DEFAULT_STORE, Store
from commerce.domain.taxes import TaxRate
from tests.builders import TOKEN_KEY
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


@dataclass(frozen=True)
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
        body = {"query": query, "variables": variables}
        answer = await self.http.post(self.url, json=body, headers=self._sent(headers))
        return Answer(answer.status_code, answer.json(), answer.headers)

    async def get(self, query: str, **headers: str) -> Answer:
        """Send a query by GET."""
        parameters = {"query": query}
        answer = await self.http.get(self.url, params=parameters, headers=self._sent(headers))
        return Answer(answer.status_code, answer.json(), answer.headers)

    def _sent(self, headers: dict[str, str]) -> dict[str, str]:
        return {**self.headers, **{name.replace("_", "-"): each for name, each in headers.items()}}

    # -- who and where ----------------------------------------------------------------------

    def as_customer(self, customer_id: str = "ada") -> "Storefront":
        """The same storefront, logged in."""
        token = self.issuer.issue(
            customer_id, f"{customer_id}@example.com", "Ada", "Lovelace", timedelta(hours=1)
        )
        return self.with_header(Authorization=f"Bearer {token}")

    def in_store(self, code: str) -> "Storefront":
        """The same storefront, of another store."""
        return self.with_header(Store=code)

    def with_header(self, **headers: str) -> "Storefront":
        """The same storefront, sending more headers."""
        return replace(self, headers={**self.headers, **headers})

    def of_new_store(self, *rates: TaxRate, **settings: Any) -> "Storefront":
        """The storefront of a store that nobody else uses."""
        stores = self.world.store.stores
        made = Store(code=f"store{len(stores.all())}", **settings)
        stores.add(made)
        for rate in rates:
            stores.set_tax_rate(made.code, rate)
        return self.in_store(made.code)

    def change_store(self, **changes: Any) -> None:
        """Change the settings of this storefront's store."""
        self.world.store.stores.change(self.headers.get("Store", DEFAULT_STORE), changes)

    # -- carts ------------------------------------------------------------------------------

    async def a_cart(self) -> str:
        """An empty cart."""
        return (await self.post("mutation { createEmptyCart }")).data["createEmptyCart"]

    async def a_ready_cart(self, *items: tuple[str, int], without: Container[str] = ()) -> str:
        """A cart that lacks nothing but the steps that are left out."""
        cart_id = await self.a_cart()
        await self.fill(cart_id, *items, without=without)
        return cart_id

    async def fill(
        self, cart_id: str, *items: tuple[str, int], without: Container[str] = ()
    ) -> None:
        """Take every step to an order but some, by one document, as storefronts do."""
        left_out = {"email"} if "Authorization" in self.headers else set[str]()
        steps = [name for name in STEPS if name not in without and name not in left_out]
        await self.take(cart_id, *steps, items=items)

    async def take(
        self,
        cart_id: str,
        *steps: str,
        items: Sequence[tuple[str, int]] = (),
        address: dict[str, Any] | None = None,
    ) -> None:
        """Take some of ``STEPS``: put items into a cart, say where it goes, and so on."""
        text = " ".join(STEPS[step] for step in steps)
        wanted = [{"sku": sku, "quantity": n} for sku, n in items or (("apple", 1),)]
        known = {
            "$cart: String!": cart_id,
            "$items: [CartItemInput!]!": wanted,
            "$address: CartAddressInput!": address or ADDRESS,
        }
        declared = [each for each in known if each.partition(":")[0] in text]
        taken = await self.post(
            f"mutation ({', '.join(declared)}) {{ {text} }}",
            {each[1:].partition(":")[0]: known[each] for each in declared},
        )
        assert taken.data.get("addProductsToCart", {"user_errors": []}) == {"user_errors": []}

    async def choose(self, cart_id: str, payment: str) -> None:
        """Choose a payment method."""
        document = """mutation ($cart: String!, $code: String!) { setPaymentMethodOnCart(
          input: {cart_id: $cart, payment_method: {code: $code}}) { cart { id } } }"""
        assert (await self.post(document, {"cart": cart_id, "code": payment})).data

    async def total(self, cart_id: str) -> float:
        """Show the shopper what a cart costs."""
        shown = await self.post(TOTAL, {"cart": cart_id})
        return shown.data["cart"]["prices"]["grand_total"]["value"]

    # -- orders -----------------------------------------------------------------------------

    async def place(self, cart_id: str, **headers: str) -> Answer:
        """Place the order of a cart."""
        return await self.post(PLACE, {"cart": cart_id}, **headers)

    async def complete(self, cart_id: str, payment_id: str, **headers: str) -> Answer:
        """Complete the order of a cart by a payment."""
        return await self.post(COMPLETE, {"cart": cart_id, "payment": payment_id}, **headers)

    async def an_order(self, *items: tuple[str, int]) -> dict[str, Any]:
        """The ``orderV2`` of a new cart that was placed."""
        placed = await self.place(await self.a_ready_cart(*items))
        return placed.data["placeOrder"]["orderV2"]

    def approved(self, cart: str, total: str, **changes: Any) -> str:
        """A payment for a cart that the shopper has approved; ``changes`` replace its fields."""
        payment_id = changes.pop("id", f"PAY-{cart}")
        self.world.pay(cart, total, id=payment_id, **changes)
        return payment_id


STEPS = {
    "items": "addProductsToCart(cartId: $cart, cartItems: $items) { user_errors { message } }",
    "email": """setGuestEmailOnCart(input: {cart_id: $cart, email: "jdoe@example.com"})
      { cart { id } }""",
    "shipping_address": """setShippingAddressesOnCart(input:
      {cart_id: $cart, shipping_addresses: [{address: $address}]}) { cart { id } }""",
    "billing_address": """setBillingAddressOnCart(input:
      {cart_id: $cart, billing_address: {address: $address}}) { cart { id } }""",
    "shipping_method": """setShippingMethodsOnCart(input: {cart_id: $cart, shipping_methods:
      [{carrier_code: "flatrate", method_code: "flatrate"}]}) { cart { id } }""",
    "payment_method": """setPaymentMethodOnCart(input:
      {cart_id: $cart, payment_method: {code: "checkmo"}})
      { cart { prices { grand_total { value } } } }""",
}
"""To an order; the last one shows the total."""

TOTAL = "query ($cart: String!) { cart(cart_id: $cart) { prices { grand_total { value } } } }"
PLACE = """
mutation ($cart: String!) {
  placeOrder(input: {cart_id: $cart}) {
    order { order_number order_id }
    orderV2 { number token status total { grand_total { value currency } } }
    errors { code message }
  }
}
"""


COMPLETE = """
mutation ($cart: String!, $payment: String!) {
  completeOrder(input: {cartId: $cart, id: $payment}) {
    order { order_number order_id }
    orderV2 { number token status total { grand_total { value currency } } }
    errors { code message }
  }
}
"""


@asynccontextmanager
async def a_storefront(world: World, deadline_s: int = 20) -> AsyncGenerator[Storefront]:
    """The GraphQL server over a world, on a port of its own."""
    settings = world.settings.model_copy(
        update={
            "customer_token_secret": SecretStr(SECRET),
            "order_token_keys": SecretStr(ORDER_TOKEN_KEYS),
            "api_development": True,
            "api_deadline_s": deadline_s,
        }
    )
    issuer = token_issuer(settings)
    assert issuer is not None
    app = build_app(settings, world.store, world.client)
    server = uvicorn.Server(http_config(settings, app))
    # The protocol is named, or asyncio leaves Nagle's algorithm on: 40 ms for every answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/graphql"
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
                yield Storefront(world, url, http, issuer)
        finally:
            server.should_exit = True
            await serving
