"""Is a request with a card number refused, wherever in it and however it is written? S15."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.app import NOTED
from tests.api.small_schema import World, ask, client_of, small_app
from tests.storefront import Answer

PAN = "4111111111111111"
WRITTEN = (
    PAN,
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u00a01111\u00a01111\u00a01111",
    "\uff14\uff11\uff11\uff11" + PAN[4:],
    "card4111111111111111x",
    "378282246310005",
)
REFUSED = {
    "errors": [
        {
            "message": "The request must not contain card numbers.",
            "extensions": {"category": "graphql-input"},
        }
    ]
}


def assert_refused(answer: Answer | httpx.Response) -> None:
    """Refused as a whole; that the answer is just this says that nothing is repeated."""
    body = answer.body if isinstance(answer, Answer) else answer.json()
    status = answer.status if isinstance(answer, Answer) else answer.status_code
    assert (status, body) == (400, REFUSED), body


# -- everywhere in a request -------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app(world)) as client:
        yield client


@pytest.mark.parametrize("pan", WRITTEN)
@pytest.mark.parametrize(
    "document",
    [
        '{ hello(name: "{}") }',
        '{ hello(name: """\n  {}\n""") }',
        'query Q($n: String = "{}") { hello(name: $n) }',
        "{ hello } # {}",
        '{ hello(name: "a") @include(if: "{}") }',
        '{ carts(filter: {and: [{sku: "x"}, {and: {}}]}) { id } } # {}',
        '{ hello(name: """\n    4111\n    1111\n    1111\n    1111 {}\n""") }',
        "{ hello ",
        '{ hello(name: "{}") ',
        '"{}"',
        '{ cart(cart_id: {sku: "x", other: "{}"}) { id } }',
        '{ hello(name: "x" # {}\n) }',
    ],
)
async def test_a_document_with_one_is_refused(
    client: httpx.AsyncClient, world: World, document: str, pan: str
) -> None:
    if "{}" not in document:
        document += f'(name: "{pan}'  # the text never ends
    text = document.replace("{}", pan)
    assert_refused(await ask(client, text))
    assert_refused(await client.get("/graphql", params={"query": text}))
    assert world.seen == []


@pytest.mark.parametrize(
    "document",
    [
        f"{{ hello(name: {PAN}) }}",
        f"{{ hello(name: {PAN}.0) }}",
        f"{{ hello(name: 4.{PAN[1:]}e15) }}",
        f"{{ hello(name: -{PAN}) }}",
        f"{{ hello(name: x{PAN}) }}",
        f"{{ x{PAN}: hello }}",
        f"{{ x{PAN} }}",
        f"{{ ...F{PAN} }}",
        f"query x{PAN} {{ hello }}",
        f"query ($x{PAN}: String) {{ hello }}",
        f"{{ hello(name: $x{PAN}) }}",
        f"{{ carts(filter: {{sku: $x{PAN}}}) {{ id }} }}",
        f"{{ carts(filter: {{sku: x{PAN}}}) {{ id }} }}",
        f"{{ hello(x{PAN}: 1) }}",
        f'{{ hello(name: "{PAN[:8]}\\u0031\\u{{31}}\\u00311{PAN[12:]}") }}',
        f'query ($sku: String = "{PAN}") {{ hello(name: $sku) }}',
        f'{{ hello @skip(if: false, sku: "a", if: "{PAN}") }}',
    ],
)
async def test_numbers_and_names_are_texts_as_well(
    client: httpx.AsyncClient, document: str
) -> None:
    assert_refused(await ask(client, document))
    assert_refused(await client.get("/graphql", params={"query": document}))


@pytest.mark.parametrize(
    "variables",
    [
        {"n": PAN},
        {"n": int(PAN)},
        {"n": float(PAN)},
        {"n": [[{"a": {"b": PAN}}]]},
        {"n": {PAN: 1}},
        {f"x{PAN}": 1},
        {"sku": PAN},
        {"n": {"sku": {"x": PAN}}},
        {"n": {"sku": [{"skus": "a", "x": [PAN]}]}},
        {"n": {"product_sku": PAN}},
        {"unused": PAN},
        [PAN],
        PAN,
        int(PAN),
    ],
)
async def test_variables_with_one_are_refused(
    client: httpx.AsyncClient, world: World, variables: Any
) -> None:
    query = "query ($n: String!, $sku: String) { hello(name: $n) b: hello(name: $sku) }"
    body = {"query": query, "variables": variables}
    assert_refused(await client.post("/graphql", json=body))
    asked = {"query": query, "variables": json.dumps(variables)}
    assert_refused(await client.get("/graphql", params=asked))
    assert world.seen == []


@pytest.mark.parametrize("gap", ["\n", "\t", "\u00a0", "\u2011"])
@pytest.mark.parametrize("ensure_ascii", [False, True])
async def test_escaped_spaces_hide_nothing(
    client: httpx.AsyncClient, gap: str, ensure_ascii: bool
) -> None:
    body = {
        "query": "query ($n: String!) { hello(name: $n) }",
        "variables": {"n": gap.join([PAN[:4], PAN[4:8], PAN[8:12], PAN[12:]])},
    }
    content = json.dumps(body, ensure_ascii=ensure_ascii)
    typed = {"Content-Type": "application/json"}
    assert_refused(await client.post("/graphql", content=content.encode(), headers=typed))


@pytest.mark.parametrize(
    "digits",
    [
        "\\\\u0034" + "\\\\u0031" * 15,
        "\\u005cu0034" + "\\u005cu0031" * 15,
        "\\\\\\u00750034" + "\\\\u\\u003003\\u0031" * 15,
        "\\\\u{34}" + "\\\\u{000031}" * 15,
        "4\\\\u00201" + "\\\\u200b1" * 14,
        "\\u0034" + "\\u0031" * 15,
    ],
)
async def test_no_escape_of_json_or_graphql_hides_one(
    client: httpx.AsyncClient, world: World, digits: str
) -> None:
    content = f'{{"query": "{{ hello(name: \\"{digits}\\") }}"}}'
    typed = {"Content-Type": "application/json"}
    assert_refused(await client.post("/graphql", content=content, headers=typed))
    assert world.seen == []


@pytest.mark.parametrize(
    "rest", [{"operationName": PAN}, {"extensions": {"a": [PAN]}}, {PAN: "a"}, {"id": int(PAN)}]
)
async def test_parameters_beside_the_known_ones_are_read_as_well(
    client: httpx.AsyncClient, rest: dict[str, Any]
) -> None:
    body = {"query": "{ hello }", **rest}
    assert_refused(await client.post("/graphql", json=body))
    assert_refused(await client.get("/graphql", params=body))
    assert_refused(await client.post("/graphql", json=[body]))


async def test_a_parameter_that_is_named_like_one_is_not_named(client: httpx.AsyncClient) -> None:
    assert_refused(await client.get("/graphql", params=[(PAN, "a"), (PAN, "b")]))


@pytest.mark.parametrize("name", NOTED)
async def test_a_header_with_one_is_refused(client: httpx.AsyncClient, name: str) -> None:
    for sent in ([(name, PAN)], [(name, "a"), (name, f"key-{PAN}")]):
        body = {"query": "{ whoAmI { key } }"}
        assert_refused(await client.post("/graphql", json=body, headers=sent))


# -- product numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ('{ carts(filter: {sku: "{}"}) { id } }', None),
        ("query ($s: String) { carts(filter: {sku: $s}) { id } }", {"s": "{}"}),
        ("query ($f: CartFilter) { carts(filter: $f) { id } }", {"f": {"sku": "{}"}}),
        (
            "query ($f: CartFilter) { carts(filter: $f) { id } }",
            {"f": {"and": [{"sku": "a"}, {"sku": "{}"}]}},
        ),
    ],
)
async def test_a_product_number_may_look_like_one(
    client: httpx.AsyncClient, query: str, variables: Any
) -> None:
    given = json.loads(json.dumps(variables).replace("{}", PAN))
    body = {"query": query.replace("{}", PAN), "variables": given}
    response = await client.post("/graphql", json=body)
    assert response.status_code == 200, response.json()
    asked = {**body, "variables": json.dumps(given)}
    assert (await client.get("/graphql", params=asked)).status_code == 200


async def test_a_variable_that_is_given_for_more_than_a_product_number_is_read(
    client: httpx.AsyncClient,
) -> None:
    query = "query ($s: String!) { carts(filter: {sku: $s}) { id } hello(name: $s) }"
    assert_refused(await ask(client, query, s=PAN))


@pytest.mark.parametrize("value", [0.30000000000000004, 12.340000000000002, 1e300, 2.5])
async def test_a_quantity_is_none_however_long(client: httpx.AsyncClient, value: float) -> None:
    answer = await ask(client, f"{{ carts(first: {value}) {{ id }} }}", n=value)
    assert answer.json() != REFUSED


@pytest.mark.parametrize(
    "part",
    [
        "\\",
        "1 " * 12 + "x",
        "1" * 12 + "x",
        "1" + "\\" * 50,
        "1\\n" * 12 + "x",
        "4 ",
        "4111111111112,",
    ],
)
async def test_a_very_long_request_is_read_to_its_end(client: httpx.AsyncClient, part: str) -> None:
    """In quadratic time it would not be."""
    text = part * (100_000 // len(part))
    for body in ({"query": text}, {"query": "{ hello }", "variables": {"a": text}}):
        assert (await client.post("/graphql", json=body)).json() != REFUSED
