"""Are errors told as clients match them, and are documents prepared once?"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

import api.execution
from api.execution import DocumentCache
from api.limits import Limits, parse_within
from tests.api.small_schema import (
    World,
    ask,
    client_of,
    only_error,
    small_app,
    small_executor,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app(world)) as client:
        yield client


# -- errors ------------------------------------------------------------------------------------


async def test_an_error_can_stand_beside_the_data_of_its_field(client: httpx.AsyncClient) -> None:
    response = await ask(client, "mutation { mine: placeOrder { order errors } }")
    assert response.status_code == 200
    assert list(response.json()) == ["data", "errors", "extensions"]
    assert response.json() == {
        "data": {"mine": {"order": None, "errors": ["CART_NOT_FOUND"]}},
        "errors": [
            {
                "message": "Unable.",
                "locations": [{"line": 1, "column": 12}],
                "path": ["mine"],
                "extensions": {"category": "graphql-input", "error_code": "CART_NOT_FOUND"},
            }
        ],
        "extensions": {"seen": 1},
    }


async def test_what_one_request_reports_is_not_in_the_next(client: httpx.AsyncClient) -> None:
    await ask(client, "mutation { placeOrder { order } }")
    assert (await ask(client, "{ hello }")).json() == {"data": {"hello": "Hello world"}}


@pytest.mark.parametrize(
    ("category", "status"),
    [
        ("graphql-input", 200),
        ("graphql-no-such-entity", 200),
        ("graphql-already-exists", 200),
        ("graphql-authentication", 401),
        ("graphql-authorization", 403),
    ],
)
async def test_the_first_error_decides_the_status(
    client: httpx.AsyncClient, category: str, status: int
) -> None:
    response = await ask(client, "query Q($c: String!) { hello denied(category: $c) }", c=category)
    assert response.status_code == status
    assert response.json() == {
        "data": {"hello": "Hello world", "denied": None},
        "errors": [
            {
                "message": "No.",
                "locations": [{"line": 1, "column": 30}],
                "path": ["denied"],
                "extensions": {"category": category, "reason": "because"},
            }
        ],
    }


async def test_a_second_error_does_not_decide_the_status(client: httpx.AsyncClient) -> None:
    document = (
        '{ a: denied(category: "graphql-input") b: denied(category: "graphql-authorization") }'
    )
    assert (await ask(client, document)).status_code == 200


async def test_a_field_that_must_not_be_null_leaves_no_data(client: httpx.AsyncClient) -> None:
    response = await ask(client, '{ hello(name: "nobody") }')
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert only_error(response)["path"] == ["hello"]


INPUT = "mutation M($input: PlaceOrderInput!) { placeOrder(input: $input) { order } }"


@pytest.mark.parametrize(
    ("document", "variables", "text"),
    [
        (
            "{ cart { id } }",
            {},
            'Field "cart" argument "cart_id" of type "String!" is required but not provided.',
        ),
        (
            "mutation { placeOrder(input: {}) { order } }",
            {},
            "Field PlaceOrderInput.cart_id of required type String! was not provided.",
        ),
        (
            '{ cart(cart_id: "1", nope: 2) { id } }',
            {},
            'Unknown argument "nope" on field "cart" of type "Query".',
        ),
        ("{ nope }", {}, 'Cannot query field "nope" on type "Query".'),
        (
            '{ cart(cart_id: "1") }',
            {},
            'Field "cart" of type "Cart" must have a sub selection.',
        ),
        (
            "{ hello { id } }",
            {},
            'Field "hello" of type "String!" must not have a sub selection.',
        ),
        (
            "{ hello @include }",
            {},
            'Directive "@include" argument "if" of type "Boolean!" is required but not provided.',
        ),
        (
            "{ cart(cart_id: null) { id } }",
            {},
            'Expected value of type "String!", found null.',
        ),
        (
            "{ cart(cart_id: 1) { id } }",
            {},
            "String cannot represent a non string value: 1",
        ),
        (
            '{ carts(filter: {id: "O\'Brien"}) { id } }',
            {},
            'Field "id" is not defined by type "CartFilter".',
        ),
        ("{ ...F }", {}, 'Unknown fragment "F".'),
        (INPUT, {}, 'Variable "$input" of required type "PlaceOrderInput!" was not provided.'),
        (
            INPUT,
            {"input": None},
            'Variable "$input" of non-null type "PlaceOrderInput!" must not be null.',
        ),
        (
            INPUT,
            {"input": {}},
            'Variable "$input" got invalid value; '
            'Field "cart_id" of required type "String!" was not provided.',
        ),
        (
            INPUT,
            {"input": {"cart_id": None}},
            'Variable "$input" got invalid value at "input.cart_id"; '
            'Expected non-nullable type "String!" not to be null.',
        ),
        (
            INPUT,
            {"input": {"cart_id": 7}},
            'Variable "$input" got invalid value at "input.cart_id"; '
            "String cannot represent a non string value: 7",
        ),
        (
            INPUT,
            {"input": "O'Brien's 'cart'"},
            'Variable "$input" got invalid value; Expected type "PlaceOrderInput" to be an object.',
        ),
    ],
)
async def test_the_texts_are_those_that_clients_match(
    client: httpx.AsyncClient, document: str, variables: dict[str, object], text: str
) -> None:
    response = await ask(client, document, **variables)
    assert response.status_code == 400
    error = only_error(response)
    assert error["message"] == text
    assert error["extensions"] == {"category": "graphql-input"}
    assert error["locations"]
    assert "data" not in response.json()


async def test_a_null_that_only_execution_finds_is_the_clients_error(
    client: httpx.AsyncClient,
) -> None:
    document = 'query Q($id: String = "x") { cart(cart_id: $id) { id } }'
    response = await ask(client, document, id=None)
    assert response.json()["data"] == {"cart": None}
    error = only_error(response)
    assert error["message"] == 'Argument "cart_id" of non-null type "String!" must not be null.'
    assert error["extensions"] == {"category": "graphql-input"}


async def test_validation_stops_after_so_many_errors(client: httpx.AsyncClient) -> None:
    names = " ".join(f"nope{n}" for n in range(200))
    errors = (await ask(client, f"{{ {names} }}")).json()["errors"]
    assert len(errors) == Limits().errors + 1
    assert "Validation aborted" in errors[-1]["message"]


async def test_coercion_stops_after_so_many_errors(client: httpx.AsyncClient) -> None:
    document = "query Q($f: CartFilter) { carts(filter: $f) { id } }"
    response = await ask(client, document, f={f"nope{n}": 1 for n in range(200)})
    assert response.status_code == 400
    assert len(response.json()["errors"]) == Limits().errors + 1


async def test_a_bug_of_the_transport_is_masked_too(world: World) -> None:
    def not_ready() -> bool:
        raise LookupError("db.internal")

    async with client_of(small_app(world, is_ready=not_ready)) as client:
        response = await client.get("/health/ready")
    assert response.status_code == 500
    assert only_error(response)["message"] == "Internal server error"


# -- documents that come again -----------------------------------------------------------------


async def test_a_document_is_validated_once(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[object] = []
    validate = api.execution.validate

    def counted(*arguments: object) -> object:
        validated.append(arguments)
        return validate(*arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(api.execution, "validate", counted)
    document = "query Q($n: String!) { hello(name: $n) }"
    for name in ("Ada", "Bob"):
        response = await ask(client, document, n=name)
        assert response.json() == {"data": {"hello": f"Hello {name}"}}
    assert len(validated) == 1
    assert (await ask(client, "{ nope }")).status_code == 400
    assert (await ask(client, "{ nope }")).status_code == 400
    assert len(validated) == 3


def test_the_least_recently_used_documents_are_forgotten_first() -> None:
    cache = DocumentCache(max_documents=2, max_chars=1000)
    texts = ["{ a }", "{ b }", "{ c }"]
    for text in texts[:2]:
        cache.put(text, parse_within(Limits(), text))
    assert cache.get(texts[0])
    cache.put(texts[2], parse_within(Limits(), texts[2]))
    assert [cache.get(text) is not None for text in texts] == [True, False, True]


def test_the_cache_is_bounded_by_the_length_of_its_texts() -> None:
    cache = DocumentCache(max_documents=10, max_chars=12)
    texts = ["{ a }", "{ b }", "{ c }", "{ " + "d " * 10 + "}"]
    for text in texts[:3]:
        cache.put(text, parse_within(Limits(), text))
    assert [cache.get(text) is not None for text in texts[:3]] == [False, True, True]
    cache.put(texts[3], parse_within(Limits(), texts[3]))
    assert [cache.get(text) is not None for text in texts] == [False] * 4


async def test_one_executor_serves_many_requests_at_a_time(world: World) -> None:
    async with client_of(small_app(world)) as client:
        document = "query Q($n: String!) { hello(name: $n) whoAmI { key } }"

        async def one(number: int) -> None:
            response = await client.post(
                "/graphql",
                json={"query": document, "variables": {"n": str(number)}},
                headers={"Idempotency-Key": f"key-{number}"},
            )
            assert response.json()["data"] == {
                "hello": f"Hello {number}",
                "whoAmI": {"key": f"key-{number}"},
            }

        await asyncio.gather(*(one(number) for number in range(50)))


def test_an_executor_has_the_limits_it_was_given() -> None:
    limits = Limits(depth=3)
    assert small_executor(limits).limits is limits
