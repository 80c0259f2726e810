"""A small schema to try the transport on, and the endpoint around it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from ariadne import MutationType, QueryType, make_executable_schema
from graphql import GraphQLResolveInfo
from starlette.applications import Starlette

from api.app import create_app
from api.context import Caller, Report
from api.errors import ApiError
from api.execution import Executor
from api.identity import SharedSecret, TokenIssuer, TokenVerifier
from api.limits import Limits
from commerce.domain.errors import Category

SDL = """
type Query {
  hello(name: String! = "world"): String!
  whoAmI: Caller!
  cart(cart_id: String!): Cart
  carts(filter: CartFilter, first: Int): [Cart]
  denied(category: String!): String
  broken: String
  notAnInt: Int
}
type Mutation {
  note(text: String!): String!
  wait: String!
  placeOrder(input: PlaceOrderInput): PlaceOrderOutput
  completeOrder(input: PlaceOrderInput): PlaceOrderOutput
  setPaymentMethodAndPlaceOrder(input: PlaceOrderInput): PlaceOrderOutput
}
type Caller {
  customer: String
  email: String
  store: String!
  currency: String!
  key: String
  address: String!
}
type Cart { id: ID! parent: Cart next: Cart }
type PlaceOrderOutput { order: String errors: [String] }
input PlaceOrderInput { cart_id: String! }
input CartFilter { and: [CartFilter] sku: String }
"""

SECRET = b"a secret of the development shop"
ISSUER, AUDIENCE = "https://id.shop.example", "checkout"
TOKENS = TokenVerifier(SharedSecret(SECRET), ISSUER, AUDIENCE)
A_MINUTE = timedelta(minutes=1)
SQL_TEXT = "SELECT secret FROM carts WHERE host = 'db.internal'"


def a_token(customer_id: str = "customer-7", lifetime: timedelta = A_MINUTE) -> str:
    issuer = TokenIssuer(SECRET, ISSUER, AUDIENCE)
    return issuer.issue(customer_id, "ada@example.com", "Ada", "Lovelace", lifetime)


@dataclass
class World:
    """What the resolvers saw, and the gate that ``wait`` waits at."""

    seen: list[str] = field(default_factory=list[str])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Context:
    """What the resolvers get."""

    caller: Caller
    report: Report
    world: World


Info = GraphQLResolveInfo[Context]
query, mutation = QueryType(), MutationType()


@query.field("hello")
def hello(_: None, info: Info, name: str) -> str:
    info.context.world.seen.append(name)
    if name == "nobody":
        raise ApiError("There is nobody.")
    return f"Hello {name}"


@query.field("whoAmI")
def who_am_i(_: None, info: Info) -> dict[str, str | None]:
    caller = info.context.caller
    return {
        "customer": caller.shopper.customer_id,
        "email": caller.claims.email if caller.claims else None,
        "store": caller.store_code,
        "currency": caller.currency,
        "key": caller.idempotency_key,
        "address": caller.address,
    }


@query.field("cart")
async def cart(_: None, info: Info, cart_id: str) -> dict[str, Any]:
    info.context.world.seen.append(cart_id)
    found: dict[str, Any] = {"id": cart_id}
    return found | {"parent": found, "next": found}


@query.field("denied")
def denied(_: None, _info: Info, category: str) -> None:
    raise ApiError("No.", category, {"reason": "because"})


@query.field("broken")
async def broken(_: None, _info: Info) -> None:
    raise LookupError(SQL_TEXT)


@query.field("notAnInt")
def not_an_int(_: None, _info: Info) -> str:
    return SQL_TEXT


@mutation.field("note")
async def note(_: None, info: Info, text: str) -> str:
    info.context.world.seen.append(f"{text} begins")
    await asyncio.sleep(0)
    info.context.world.seen.append(f"{text} ends")
    return text


@mutation.field("wait")
async def wait(_: None, info: Info) -> str:
    world = info.context.world
    world.arrived.set()
    await world.gate.wait()
    world.left.set()
    return "done"


@mutation.field("placeOrder")
@mutation.field("completeOrder")
@mutation.field("setPaymentMethodAndPlaceOrder")
async def place_order(
    _: None,
    info: Info,
    input: dict[str, str] | None = None,  # noqa: A002 (the schema's name)
) -> dict[str, object]:
    context = info.context
    context.world.seen.append(info.field_name)
    context.report.extras.add("seen", len(context.world.seen))
    if input is None:
        error = ApiError("Unable.", extensions={"error_code": "CART_NOT_FOUND"})
        context.report.add_error(info, error)
        return {"order": None, "errors": ["CART_NOT_FOUND"]}
    return {"order": input["cart_id"], "errors": []}


def small_executor(limits: Limits | None = None, *, development: bool = False) -> Executor:
    schema = make_executable_schema(SDL, query, mutation)
    return Executor(schema, limits, development=development)


def small_app(
    world: World, limits: Limits | None = None, *, development: bool = False, **options: Any
) -> Starlette:
    async def make_context(caller: Caller, report: Report) -> Context:
        if caller.store_code == "unknown":
            raise ApiError("Requested store is not found")
        if caller.store_code == "forbidden":
            raise ApiError("Not for you.", Category.AUTHORIZATION)
        if caller.store_code == "broken":
            raise LookupError(SQL_TEXT)
        return Context(caller, report, world)

    executor = small_executor(limits, development=development)
    options.setdefault("is_ready", lambda: True)
    return create_app(executor, TOKENS.verify, make_context, **options)


@asynccontextmanager
async def client_of(app: Starlette, **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://shop.example", headers=headers
    ) as client:
        yield client


async def ask(client: httpx.AsyncClient, query: str, **variables: object) -> httpx.Response:
    return await client.post("/graphql", json={"query": query, "variables": variables})


def only_error(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    assert len(body["errors"]) == 1, body
    return body["errors"][0]
