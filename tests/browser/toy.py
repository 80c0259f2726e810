"""A small GraphQL server with the steps from a cart to an order, to try the explorer on."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from ariadne import MutationType, QueryType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.explorer import ExplorerHttp405
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.explorer import explorer_routes, page, wants_html

SCHEMA = """
type Query { ready: Boolean }

type Mutation {
  createGuestCart: CartOutput
  addProductsToCart(cartId: String!, cartItems: [Item!]!): CartOutput
  setGuestEmailOnCart(input: Email): CartOutput
  setShippingAddressesOnCart(input: ShippingAddresses): CartOutput
  setBillingAddressOnCart(input: BillingAddress): CartOutput
  setShippingMethodsOnCart(input: ShippingMethods): CartOutput
  setPaymentMethodOnCart(input: PaymentMethod): CartOutput
  "Converts the cart into an order."
  placeOrder(input: PlaceOrderInput): PlaceOrderOutput
}

type CartOutput { cart: Cart, user_errors: [Problem!]! }
type Cart { id: ID!, email: String, prices: Prices }
type Prices { grand_total: Money }
type Money { value: Float, currency: String }
type Problem { code: String, message: String! }
type PlaceOrderOutput { order: Order, errors: [Problem!]! }
type Order { order_number: String! }

input Item { sku: String!, quantity: Float! }
input Email { cart_id: String!, email: String! }
input ShippingAddresses { cart_id: String!, shipping_addresses: [ShippingAddress]! }
input ShippingAddress { address: Address! }
input Address {
  firstname: String!, lastname: String!, street: [String]!, city: String!, region: String,
  postcode: String, country_code: String!, telephone: String
}
input BillingAddress { cart_id: String!, billing_address: SameAddress! }
input SameAddress { same_as_shipping: Boolean }
input ShippingMethods { cart_id: String!, shipping_methods: [ShippingMethod]! }
input ShippingMethod { carrier_code: String!, method_code: String! }
input PaymentMethod { cart_id: String!, payment_method: PaymentCode! }
input PaymentCode { code: String! }
input PlaceOrderInput { cart_id: String! }
"""

CART = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"
NUMBER = "000000006"

query = QueryType()
mutation = MutationType()


@query.field("ready")
def ready(*_: Any) -> bool:
    return True


@mutation.field("createGuestCart")
@mutation.field("addProductsToCart")
@mutation.field("setGuestEmailOnCart")
@mutation.field("setShippingAddressesOnCart")
@mutation.field("setBillingAddressOnCart")
@mutation.field("setShippingMethodsOnCart")
@mutation.field("setPaymentMethodOnCart")
def change_cart(*_: Any, **__: Any) -> Any:
    total = {"value": 11.2, "currency": "USD"}
    return {"cart": {"id": CART, "prices": {"grand_total": total}}, "user_errors": []}


@mutation.field("placeOrder")
def place_order(*_: Any, input: Any) -> Any:  # noqa: A002 (the schema's word)
    if input["cart_id"] == CART:
        return {"order": {"order_number": NUMBER}, "errors": []}
    return {"order": None, "errors": [{"code": "CART_NOT_FOUND", "message": "no such cart"}]}


graphql = GraphQL(
    make_executable_schema(SCHEMA, query, mutation),
    explorer=ExplorerHttp405(),  # or Ariadne shows its own, which loads from elsewhere
    execute_get_queries=True,
)


async def endpoint(request: Request) -> Response:
    return await (page(request) if wants_html(request) else graphql.handle_request(request))


app = Starlette(routes=[Route("/graphql", endpoint, methods=["GET", "POST"]), *explorer_routes()])


@contextmanager
def toy_server() -> Generator[str]:
    """The URL of the endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            thread.join()
