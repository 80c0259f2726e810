"""Is a hostile request refused before it costs or tells anything? S1-S6 and S25 of the bar."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from graphql import get_introspection_query

from api.limits import CHECKOUT_FIELDS, Limits
from tests.api.small_schema import SQL_TEXT, World, ask, client_of, only_error, small_app

LIMITS = Limits()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app(world)) as client:
        yield client


async def is_alive(client: httpx.AsyncClient) -> bool:
    response = await ask(client, "{ hello }")
    return response.json() == {"data": {"hello": "Hello world"}}


# -- S1: documents that are too large ----------------------------------------------------------


def nested(depth: int) -> str:
    """A query of so many fields inside fields."""
    return '{ cart(cart_id: "1") ' + "{ parent " * (depth - 2) + "{ id }" + "}" * (depth - 2) + "}"


def nested_by_fragments(depth: int) -> str:
    """The same depth, one field in each fragment."""
    links = " ".join(
        f"fragment F{n} on Cart {{ parent {{ ...F{n + 1} }} }}" for n in range(2, depth)
    )
    return f'{{ cart(cart_id: "1") {{ ...F2 }} }} {links} fragment F{depth} on Cart {{ id }}'


def doubled(times: int) -> str:
    """Fragments that each spread the next twice: 2 to the power of ``times`` fields."""
    links = " ".join(
        f"fragment F{n} on Cart {{ parent {{ ...F{n + 1} }} next {{ ...F{n + 1} }} }}"
        for n in range(times)
    )
    return f'{{ cart(cart_id: "1") {{ ...F0 }} }} {links} fragment F{times} on Cart {{ id }}'


def side_by_side(times: int) -> str:
    """The same, without depth."""
    links = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(times))
    return f"{{ ...F0 }} {links} fragment F{times} on Query {{ hello }}"


def fields(count: int) -> str:
    return f"{{ {'hello ' * count} }}"


CART = """cart(cart_id: "1") {
  __typename id
  parent { id parent { id } next { id } }
  next { id parent { id } next { id } }
}"""
FIFTEEN_HUNDRED_FIELDS = "{ " + " ".join(f"a{n}: {CART}" for n in range(100)) + " }"


def spread_fields(count: int) -> str:
    """``count`` fields, most of them in a fragment that is spread twice."""
    half = (count - 2) // 2
    return (
        f'{{ a: cart(cart_id: "1") {{ ...F }} b: cart(cart_id: "1") {{ ...F }} }}'
        f" fragment F on Cart {{ {'id ' * half} }}"
    )


def aliases(count: int) -> str:
    return "{ " + " ".join(f"a{n}: hello" for n in range(count)) + " }"


def directives(count: int) -> str:
    """No single place may have a repeatable directive twice, so each has a field of its own."""
    return "{ " + " ".join("hello @include(if: true)" for _ in range(count)) + " }"


@pytest.mark.parametrize(
    "document",
    [
        nested(LIMITS.depth),
        FIFTEEN_HUNDRED_FIELDS,
        aliases(LIMITS.aliases),
        directives(LIMITS.directives),
    ],
    ids=["depth", "fields", "aliases", "directives"],
)
async def test_a_document_at_the_limit_is_executed(
    client: httpx.AsyncClient, document: str
) -> None:
    response = await ask(client, document)
    assert response.status_code == 200, response.text
    assert "errors" not in response.json()


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        (nested(LIMITS.depth + 1), "depth should be 20"),
        (nested_by_fragments(LIMITS.depth + 1), "depth should be 20"),
        (doubled(60), "depth should be 20"),
        (doubled(18), "fields should be 1500"),
        (side_by_side(600), "fields should be 1500"),
        (fields(LIMITS.fields + 1), "fields should be 1500"),
        (FIFTEEN_HUNDRED_FIELDS[:-1] + "hello }", "fields should be 1500"),
        (spread_fields(LIMITS.fields + 2), "fields should be 1500"),
        (f"{{ hello }} fragment Unused on Query {fields(1_500)}", "fields should be 1500"),
        (aliases(LIMITS.aliases + 1), "aliases should be 100"),
        (directives(LIMITS.directives + 1), "directives should be 100"),
        ("query Q " + "@a " * 4_000 + "{ hello }", "directives should be 100"),
        ("query Q($a: Int " + "@a " * 101 + ") { hello }", "directives should be 100"),
        ("type T " + "@a " * 101 + "{ a: Int }", "directives should be 100"),
        (fields(LIMITS.tokens - 1), "more than 10000 tokens"),
        ("#\n" * (LIMITS.tokens + 1) + "{ hello }", "more than 10000 comments"),
    ],
    ids=lambda value: f"{value[:40]}" if isinstance(value, str) else None,
)
async def test_a_document_beyond_a_limit_is_refused(
    client: httpx.AsyncClient, world: World, document: str, limit: str
) -> None:
    response = await ask(client, document)
    assert response.status_code == 400
    error = only_error(response)
    assert limit in error["message"]
    assert error["extensions"] == {"category": "graphql-input"}
    assert world.seen == []


async def test_the_limits_are_the_applications(world: World) -> None:
    limits = Limits(depth=2, fields=3, aliases=1, directives=1)
    async with client_of(small_app(world, limits)) as client:
        assert (await ask(client, nested(2))).status_code == 200
        assert (await ask(client, nested(3))).status_code == 400
        assert (await ask(client, fields(3))).status_code == 200
        assert (await ask(client, fields(4))).status_code == 400


@pytest.mark.parametrize(
    "document",
    [
        "{ ...A } fragment A on Query { ...A }",
        "{ ...A } fragment A on Query { ...B hello } fragment B on Query { ...A ...A }",
        "{ hello } fragment A on Query { ...B } fragment B on Query { ...A }",
    ],
)
async def test_fragments_in_a_circle_are_refused(client: httpx.AsyncClient, document: str) -> None:
    response = await ask(client, document)
    assert response.status_code == 400
    assert "within itself" in only_error(response)["message"]


async def test_a_fragment_cannot_hide_behind_another_of_its_name(
    client: httpx.AsyncClient,
) -> None:
    document = f"{{ ...F }} fragment F on Query {fields(1_500)} fragment F on Query {{ hello }}"
    response = await ask(client, document)
    assert response.status_code == 400
    assert only_error(response)["message"] == 'There can be only one fragment named "F".'


async def test_comparing_fields_that_may_conflict_is_bounded(
    client: httpx.AsyncClient, world: World
) -> None:
    repeated = 'cart(cart_id: "1") { parent { id } next { id } } ' * 280
    response = await ask(client, f"{{ {repeated} }}")
    assert response.status_code == 400
    assert only_error(response)["message"] == "Validation aborted."
    assert world.seen == []


# -- S2: nesting -------------------------------------------------------------------------------

DEEP = 5_000


@pytest.mark.parametrize(
    "document",
    [
        "{ a " * DEEP + "}" * DEEP,
        "{ a " * DEEP,
        "{ ... " * DEEP + "{ hello }" + "}" * DEEP,
        "{ ... on Query " * 199 + "{ hello nope }" + "}" * 199,
        "{ hello(name: " + "[" * DEEP + "]" * DEEP + ") }",
        "{ hello(name: " + "{a:" * DEEP + "1" + "}" * DEEP + ") }",
        "query Q($a: " + "[" * DEEP + "Int" + "]" * DEEP + ") { hello }",
        "query Q($a: Int = " + "[" * DEEP + "]" * DEEP + ") { hello }",
        "{ ...F0 }"
        + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(1_200))
        + " fragment F1200 on Query { hello }",
    ],
    ids=lambda value: f"{value[:30]}",
)
async def test_nesting_is_refused_and_the_process_lives(
    client: httpx.AsyncClient, document: str
) -> None:
    response = await ask(client, document)
    assert response.status_code == 400
    assert response.json()["errors"]
    assert await is_alive(client)


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"and":[', "]}"), ('{"a":', "}")], ids=str
)
@pytest.mark.parametrize("depth", [150, DEEP])
async def test_nested_variables_are_refused_and_the_process_lives(
    client: httpx.AsyncClient, opening: str, closing: str, depth: int
) -> None:
    nest = opening * depth + "1" + closing * depth
    document = "query Q($f: CartFilter) { carts(filter: $f) { id } }"
    body = f'{{"query": {json.dumps(document)}, "variables": {{"f": {nest}}}}}'
    response = await post(client, body.encode())
    assert response.status_code == 400
    assert await is_alive(client)


# -- S3: many attempts in one request ----------------------------------------------------------

ORDER = 'placeOrder(input: {cart_id: "1"}) { order }'


async def test_a_batch_is_refused(client: httpx.AsyncClient, world: World) -> None:
    one = {"query": f"mutation {{ {ORDER} }}"}
    for batch in ([one], [one, one], []):
        response = await client.post("/graphql", json=batch)
        assert response.status_code == 400
        assert "batches are not supported" in only_error(response)["message"]
    assert world.seen == []


@pytest.mark.parametrize(
    "document",
    [
        f"mutation {{ a: {ORDER} b: {ORDER} }}",
        f"mutation {{ {ORDER} completeOrder {{ order }} }}",
        f"mutation {{ {ORDER} setPaymentMethodAndPlaceOrder {{ order }} }}",
        f"mutation {{ {ORDER} ... on Mutation {{ ... {{ b: {ORDER} }} }} }}",
        f"mutation {{ {ORDER} ...F }} fragment F on Mutation {{ b: {ORDER} }}",
        f"mutation {{ ...F ...G }} fragment F on Mutation {{ a: {ORDER} }}"
        f" fragment G on Mutation {{ ... on Mutation {{ b: {ORDER} }} }}",
        f"mutation {{ ...F b: {ORDER} }} fragment F on Mutation {{ ...G }}"
        f" fragment G on Mutation {{ {ORDER} }}",
    ],
)
async def test_two_checkouts_in_one_document_are_refused(
    client: httpx.AsyncClient, world: World, document: str
) -> None:
    response = await ask(client, document)
    assert response.status_code == 400
    message = only_error(response)["message"]
    assert all(name in message for name in CHECKOUT_FIELDS)
    assert world.seen == []


async def test_one_checkout_may_share_its_document_with_other_mutations(
    client: httpx.AsyncClient, world: World
) -> None:
    document = f"""
        mutation {{ note(text: "a") ...F more: note(text: "b") }}
        fragment F on Mutation {{ mine: {ORDER} }}
    """
    assert (await ask(client, document)).json()["data"]["mine"] == {"order": "1"}
    assert world.seen.count("placeOrder") == 1


# -- S4: what production tells about the schema ------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        "{ __schema { queryType { name } } }",
        '{ __type(name: "Query") { name } }',
        get_introspection_query(input_value_deprecation=True),
    ],
    ids=["schema", "type", "all"],
)
async def test_production_does_not_describe_itself(world: World, document: str) -> None:
    async with client_of(small_app(world)) as client:
        response = await ask(client, document)
        assert response.status_code == 400
        assert "introspection has been disabled" in response.json()["errors"][0]["message"]
        assert (await ask(client, "{ __typename }")).json() == {"data": {"__typename": "Query"}}
    async with client_of(small_app(world, development=True)) as client:
        assert (await ask(client, document)).status_code == 200


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ helo }", {}),
        ('{ hello(nam: "a") }', {}),
        ("{ hello ...F } fragment F on Quer { hello }", {}),
        ("query Q($f: CartFilter) { carts(filter: $f) { id } }", {"f": {"skuu": "1"}}),
        ('{ carts(filter: {skuu: "1"}) { id } }', {}),
    ],
)
async def test_hints_are_for_development(
    world: World, document: str, variables: dict[str, object]
) -> None:
    async with client_of(small_app(world)) as client:
        response = await ask(client, document, **variables)
        assert response.status_code == 400
        assert "did you mean" not in response.text.lower()
    async with client_of(small_app(world, development=True)) as client:
        response = await ask(client, document, **variables)
        assert response.status_code == 400
        assert "Did you mean" in response.text


async def test_a_missing_selection_is_no_hint_either(client: httpx.AsyncClient) -> None:
    response = await ask(client, '{ cart(cart_id: "1") }')
    assert "did you mean" not in response.text.lower()


# -- S5: requests that a foreign page can make a browser send ----------------------------------


async def test_a_mutation_by_get_is_refused(client: httpx.AsyncClient, world: World) -> None:
    response = await client.get("/graphql", params={"query": f"mutation {{ {ORDER} }}"})
    assert response.status_code == 405
    assert world.seen == []


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "text/plain; application/json",
        "application/jsonp",
        "application/json/x",
    ],
)
async def test_a_body_of_another_type_is_refused(
    client: httpx.AsyncClient, world: World, content_type: str | None
) -> None:
    content = json.dumps({"query": f"mutation {{ {ORDER} }}"}).encode()
    headers = {"Content-Type": content_type} if content_type else {}
    response = await client.post("/graphql", content=content, headers=headers)
    assert response.status_code == 415
    assert only_error(response)["extensions"] == {"category": "graphql-input"}
    assert world.seen == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "https://shop.example.evil.example", "http://["]
)
@pytest.mark.parametrize("origins", [(), ("https://shop.example",)], ids=["none", "one"])
async def test_a_page_of_another_origin_is_refused(
    world: World, origin: str, origins: tuple[str, ...]
) -> None:
    async with client_of(small_app(world, origins=origins), Origin=origin) as client:
        response = await ask(client, f"mutation {{ {ORDER} }}")
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers
        preflight = await client.options(
            "/graphql", headers={"Access-Control-Request-Method": "POST"}
        )
        assert preflight.status_code == 400
        assert "access-control-allow-origin" not in preflight.headers
    assert world.seen == []


async def test_a_page_of_our_own_origin_is_not(world: World) -> None:
    async with client_of(small_app(world), Origin="http://shop.example") as client:
        assert await is_alive(client)


# -- S6: bytes ---------------------------------------------------------------------------------


async def post(client: httpx.AsyncClient, body: bytes) -> httpx.Response:
    return await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})


def padded(size: int) -> bytes:
    body = b'{"query":"{ hello }","pad":""}'
    return body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"')


async def test_a_body_has_a_size(client: httpx.AsyncClient, world: World) -> None:
    assert len(padded(LIMITS.body_bytes)) == LIMITS.body_bytes
    assert (await post(client, padded(LIMITS.body_bytes))).status_code == 200
    world.seen.clear()
    response = await post(client, padded(LIMITS.body_bytes + 1))
    assert response.status_code == 413
    assert only_error(response)["message"] == "The request must not be larger than 262144 bytes."
    assert world.seen == []


async def test_a_body_that_does_not_end_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * LIMITS.body_bytes:
            sent += 1024
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    response = await client.post("/graphql", content=endless(), headers=headers)
    assert response.status_code == 413
    assert sent < 2 * LIMITS.body_bytes


async def test_a_query_string_has_a_size(world: World) -> None:
    async with client_of(small_app(world, Limits(body_bytes=100))) as client:
        response = await client.get("/graphql", params={"query": "{ hello }", "pad": "x" * 100})
    assert response.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b'{"query":"{ hello }\xff"}',
        b'{"query":"{ hello }","pad":"\xed\xa0\x80"}',
        b'{"query":"{ hello }","variables":{"n":"\\ud800"}}',
        b'{"query":"{ hello }","variables":{"n":"\\udc00\\ud800"}}',
        b'{"query":"{ hello(name: \\"\\\\ud800\\") }"}',
        b'{"query":"{ hello }\\u0000"}',
        b'{"query":"{ hello(name: \\"\\\\u0000\\") }"}',
        b'{"query":"{ hello(name: \\"\\\\u{0}\\") }"}',
        b'{"query":"{ hello }","variables":{"n":["a",{"b":"\\u0000"}]}}',
        b'{"query":"{ hello }","variables":{"\\u0000":1}}',
        b'{"query":"{ hello }","operationName":"\\u0000"}',
        '{"query":"{ hello }"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"query":"{ hello }"}',
        b'{"query":"{ hello }","variables":{"n":' + b"9" * 5_000 + b"}}",
    ],
)
async def test_text_that_is_no_text_is_refused(
    client: httpx.AsyncClient, world: World, body: bytes
) -> None:
    response = await post(client, body)
    assert response.status_code == 400
    assert only_error(response)["extensions"] == {"category": "graphql-input"}
    assert world.seen == []


@pytest.mark.parametrize(
    "text",
    ["a\nb\r\x1b[2J\x7f", "\u202egnp.exe", "\u2028\ufeff", "'; DROP TABLE carts; --", "{{7*7}}"],
)
async def test_strange_text_is_taken_literally(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level(logging.INFO, "checkout")
    response = await ask(client, "query Q($n: String!) { hello(name: $n) }", n=text)
    assert response.json() == {"data": {"hello": f"Hello {text}"}}
    assert all(byte >= 0x20 for byte in response.content)
    refused = await ask(client, "query Q($n: Int!) { hello(name: $n) }", n=text)
    assert refused.status_code == 400
    assert [record for record in caplog.records if record.name.startswith("checkout")] == []


# -- S25: what an error tells ------------------------------------------------------------------


@pytest.mark.parametrize("field", ["broken", "notAnInt"])
async def test_a_bug_is_masked_and_logged_once_with_its_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    response = await ask(client, f"{{ hello mine: {field} }}")
    assert response.status_code == 200
    assert response.json()["data"] == {"hello": "Hello world", "mine": None}
    told: dict[str, Any] = only_error(response)
    correlation_id = told["extensions"]["correlation_id"]
    assert told == {
        "message": "Internal server error",
        "locations": [{"line": 1, "column": 9}],
        "path": ["mine"],
        "extensions": {"category": "internal", "correlation_id": correlation_id},
    }
    assert len(correlation_id) == 32
    [record] = [each for each in caplog.records if each.name == "checkout.api"]
    assert record.getMessage() == f"mine failed, correlation id {correlation_id}"
    assert record.exc_info is not None
    assert SQL_TEXT in str(record.exc_info[1])


async def test_a_context_that_cannot_be_made_is_masked(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(small_app(world), Store="broken") as client:
        response = await ask(client, "{ hello }")
    assert response.status_code == 500
    told = only_error(response)
    assert told["message"] == "Internal server error"
    assert told["extensions"]["category"] == "internal"
    [record] = [each for each in caplog.records if each.name == "checkout.api"]
    assert told["extensions"]["correlation_id"] in record.getMessage()
    assert "data" not in response.json()


async def test_every_request_has_its_own_id(client: httpx.AsyncClient) -> None:
    errors = [only_error(await ask(client, "{ broken }")) for _ in range(2)]
    assert len({error["extensions"]["correlation_id"] for error in errors}) == 2


async def test_no_answer_tells_how_it_was_made(client: httpx.AsyncClient) -> None:
    for document in ("{ broken }", "{ notAnInt }", "{ nope }", "{", "{ broken notAnInt hello }"):
        answer = (await ask(client, document)).text
        for secret in ("Traceback", "LookupError", "GraphQLError", ".py", SQL_TEXT, "db.internal"):
            assert secret not in answer
