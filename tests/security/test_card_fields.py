"""Is a card number in any field of the schema refused, and then found nowhere? S15."""

import json
import logging
from collections.abc import Iterator
from typing import Any, cast

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
    is_required_input_field,
)

from api.cards import PRODUCT_NUMBERS
from api.resolvers import build_schema
from tests.builders import product
from tests.security.test_card_numbers import PAN, WRITTEN, assert_refused
from tests.storefront import ADDRESS, Storefront

NOT_THE_SERVERS = ("httpcore", "httpx", "uvicorn.access")
"""The test's own client, and the access log, which is off in a server; pytest hears it anyway."""


def logged(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    """What was logged with this text in it."""
    ours = [each for each in caplog.records if not each.name.startswith(NOT_THE_SERVERS)]
    lines = [f"{each.getMessage()} {each.exc_text or ''}" for each in ours]
    return [line for line in lines if text in line]


SCHEMA = build_schema()


def paths(type_: Any, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to every text in a value of this type; a type is not looked for inside itself."""
    named = cast(Any, get_named_type(type_))
    if isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            if named.name not in seen:
                for inner in paths(field.type, (*seen, named.name)):
                    yield (name, *inner)
    elif named.name in ("String", "ID"):
        yield ()


def value_at(type_: Any, path: tuple[str, ...], text: str) -> Any:
    """A value of this type with the text at the path, and no more than it must have."""
    if isinstance(type_, GraphQLNonNull):
        return value_at(cast(Any, type_).of_type, path, text)
    if isinstance(type_, GraphQLList):
        return [value_at(cast(Any, type_).of_type, path, text)]
    if isinstance(type_, GraphQLInputObjectType):
        return {
            name: value_at(
                field.type,
                path[1:] if path[:1] == (name,) else ("-",),
                text,
            )
            for name, field in type_.fields.items()
            if path[:1] == (name,) or is_required_input_field(field)
        }
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    usual = {"Int": 1, "Float": 1.0, "Boolean": False}
    return usual.get(str(type_), text if path == () else "text")


def literal(value: Any, type_: Any) -> str:
    """The value as a document writes it."""
    named = cast(Any, get_named_type(type_))
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        fields = (f"{n}: {literal(each, named.fields[n].type)}" for n, each in inner.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list):
        return f"[{', '.join(literal(each, type_) for each in cast('list[Any]', value))}]"
    return str(value) if isinstance(named, GraphQLEnumType) else json.dumps(value)


def requests(operation: str, root: GraphQLObjectType) -> Iterator[tuple[str, Any]]:
    """Documents with a card number at every place, as a variable and written into the document.

    Fields of other types than the root are asked for as if they were its own: nothing is executed.
    """
    for name, field in root.fields.items():
        selection = "{ __typename }" if is_composite_type(get_named_type(field.type)) else ""
        types: dict[str, Any] = {n: each.type for n, each in field.args.items()}
        places = [(at, path) for at in types for path in paths(types[at])]
        for at, path in places:
            if (at, *path)[-1] in PRODUCT_NUMBERS:
                continue
            values = {
                n: value_at(each, path if n == at else ("-",), PAN)
                for n, each in types.items()
                if n == at or isinstance(each, GraphQLNonNull)
            }
            declared = ", ".join(f"${n}: {types[n]}" for n in values)
            given = ", ".join(f"{n}: ${n}" for n in values)
            yield f"{operation} ({declared}) {{ {name}({given}) {selection} }}", values
            written = ", ".join(f"{n}: {literal(each, types[n])}" for n, each in values.items())
            yield f"{operation} {{ {name}({written}) {selection} }}", None


def roots(operation: str) -> list[GraphQLObjectType]:
    """The root of mutations, or every other object type."""
    objects = [each for each in SCHEMA.type_map.values() if isinstance(each, GraphQLObjectType)]
    return [each for each in objects if (each is SCHEMA.mutation_type) == (operation == "mutation")]


@pytest.mark.parametrize("operation", ["query", "mutation"])
async def test_no_text_field_takes_one(
    market: Storefront, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    refused = 0
    with caplog.at_level(logging.DEBUG):
        for text, variables in [
            each for root in roots(operation) for each in requests(operation, root)
        ]:
            assert_refused(await market.post(text, variables))
            parameters = {"query": text, "variables": json.dumps(variables)}
            got = await market.http.get(market.url, params=parameters)
            assert_refused(got)
            refused += 1
    assert refused >= (40 if operation == "query" else 500)
    assert logged(caplog, PAN) == []


# -- the main attack: a card number for a payment ------------------------------------------------


async def test_a_card_number_is_no_payment_and_is_kept_nowhere(
    shop: Storefront, caplog: pytest.LogCaptureFixture
) -> None:
    cart_id = await shop.a_ready_cart()
    with caplog.at_level(logging.DEBUG):
        for pan in WRITTEN:
            assert_refused(await shop.complete(cart_id, pan))
            assert_refused(await shop.complete(pan, "PAY1"))
            assert_refused(await shop.place(pan))
            assert_refused(await shop.place(cart_id, Idempotency_Key=f"key-{PAN}"))
            assert_refused(await shop.place(cart_id, Store=PAN))
            address = {**ADDRESS, "firstname": pan}
            document = """mutation ($cart: String!, $address: CartAddressInput!) {
              setBillingAddressOnCart(input: {cart_id: $cart, billing_address:
                {address: $address}}) { cart { id } } }"""
            assert_refused(await shop.post(document, {"cart": cart_id, "address": address}))
            coupon = """mutation ($cart: String!, $code: String!) {
              applyCouponToCart(input: {cart_id: $cart, coupon_code: $code}) { cart { id } } }"""
            assert_refused(await shop.post(coupon, {"cart": cart_id, "code": pan}))
    assert (await shop.place(cart_id)).data["placeOrder"]["errors"] == []
    assert logged(caplog, PAN) == []
    assert bytes_of(shop, PAN) == []
    assert bytes_of(shop, cart_id) != [], "what is stored is found"
    history = await shop.world.handle(cart_id).fetch_history()
    assert PAN not in history.to_json()
    shop.world.assert_clean(orders=1)


def bytes_of(shop: Storefront, text: str) -> list[str]:
    """The files of the store that have this text in them."""
    files = list(shop.world.settings.data_dir.glob("store.db*"))
    assert files
    return [file.name for file in files if text.encode() in file.read_bytes()]


async def test_a_product_number_that_looks_like_one_can_be_bought(market: Storefront) -> None:
    market.world.store.catalog.put([product("4006381333931", 10), product(PAN, 10)])
    for sku in ("4006381333931", PAN):
        cart_id = await market.a_ready_cart((sku, 2))
        assert (await market.place(cart_id)).data["placeOrder"]["errors"] == []
