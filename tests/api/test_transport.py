"""Does the endpoint speak HTTP as storefronts expect?"""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.small_schema import (
    World,
    a_token,
    ask,
    client_of,
    only_error,
    small_app,
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(small_app(world)) as client:
        yield client


# -- what is answered --------------------------------------------------------------------------


async def test_a_query_by_post_is_answered(client: httpx.AsyncClient) -> None:
    response = await ask(client, "query Q($n: String!) { hello(name: $n) }", n="Zoë")
    assert response.status_code == 200
    assert response.content == '{"data":{"hello":"Hello Zoë"}}'.encode()
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_query_by_get_is_answered(client: httpx.AsyncClient) -> None:
    document = "query A($n: String!) { hello(name: $n) } query B { hello }"
    parameters = {"query": document, "variables": '{"n":"Ada"}', "operationName": "A", "_": "17"}
    response = await client.get("/graphql", params=parameters)
    assert response.json() == {"data": {"hello": "Hello Ada"}}
    head = await client.head("/graphql", params=parameters)
    assert head.status_code == 200


@pytest.mark.parametrize("empty", [{"variables": ""}, {"variables": "null"}, {"operationName": ""}])
async def test_empty_parameters_are_no_parameters(
    client: httpx.AsyncClient, empty: dict[str, str]
) -> None:
    response = await client.get("/graphql", params={"query": "{ hello }", **empty})
    assert response.json() == {"data": {"hello": "Hello world"}}


async def test_a_mutation_by_get_is_refused(client: httpx.AsyncClient, world: World) -> None:
    document = "query A { hello } mutation B { placeOrder { order } }"
    response = await client.get("/graphql", params={"query": document, "operationName": "B"})
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert only_error(response)["extensions"] == {"category": "graphql-input"}
    assert world.seen == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused(client: httpx.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql")
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]
    assert only_error(response)["message"] == "Method Not Allowed"


async def test_an_unknown_path_is_answered_in_json(client: httpx.AsyncClient) -> None:
    response = await client.get("/rest/V1/carts")
    assert response.status_code == 404
    assert only_error(response)["message"] == "Not Found"


@pytest.mark.parametrize("explorer", [False, True])
async def test_a_browser_gets_the_explorer_only_where_it_is_switched_on(
    world: World, explorer: bool
) -> None:
    async with client_of(small_app(world, explorer=explorer), Accept="text/html") as client:
        opened = await client.get("/graphql")
        assert opened.headers["content-type"].startswith("text/html") is explorer
        script = await client.get("/graphql/explorer/explorer.js")
        assert script.status_code == (200 if explorer else 404)
        asked = await client.get("/graphql", params={"query": "{ hello }"})
        assert asked.json() == {"data": {"hello": "Hello world"}}


async def test_the_fields_of_a_mutation_run_one_after_the_other(
    client: httpx.AsyncClient, world: World
) -> None:
    await ask(client, 'mutation { a: note(text: "a") b: note(text: "b") c: note(text: "c") }')
    assert world.seen == [f"{text} {what}" for text in "abc" for what in ("begins", "ends")]


@pytest.mark.parametrize(
    ("asked", "name", "problem"),
    [
        ("query A { hello } query B { hello }", None, "Must provide operation name"),
        ("query A { hello }", "C", 'Unknown operation named "C".'),
        ("fragment F on Query { hello }", None, 'Fragment "F" is never used.'),
        ("subscription { hello }", None, "The subscription operation is not supported"),
        ("query A { hello ", None, "Syntax Error: Expected Name, found <EOF>."),
    ],
)
async def test_a_request_without_an_operation_to_run_is_refused(
    client: httpx.AsyncClient, asked: str, name: str | None, problem: str
) -> None:
    response = await client.post("/graphql", json={"query": asked, "operationName": name})
    assert response.status_code == 400
    assert problem in only_error(response)["message"]
    assert "data" not in response.json()


# -- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "The body must be JSON in UTF-8."),
        (b'{"query": "{ hello }"', "The body must be JSON in UTF-8."),
        (b"null", "The body must be one JSON object"),
        (b"{}", "query: Field required"),
        (b'{"query": ""}', "query: String should have at least 1 character"),
        (b'{"query": 1}', "query: Input should be a valid string"),
        (b'{"query": "{ hello }", "variables": []}', "variables: Input should be a valid dict"),
        (b'{"query": "{ hello }", "variables": "{}"}', "variables: Input should be a valid dict"),
        (b'{"query": "{ hello }", "operationName": 1}', "operationName: Input should be a valid s"),
        (b'{"query": "{ hello }", "variables": {"a": NaN}}', "The body must be JSON in UTF-8."),
        (b'{"query": "{ hello }", "variables": {"a": 1e999}}', "numbers beyond range"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    client: httpx.AsyncClient, body: bytes, problem: str
) -> None:
    response = await client.post(
        "/graphql", content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400
    assert problem in only_error(response)["message"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "query: Field required"),
        ("query=%7Bhello%7D&query=%7Bhello%7D", "query: must not be given more than once."),
        ("query=%7Bhello%7D&variables=%7B", "variables must be JSON in UTF-8."),
        ("query=%7Bhello%7D&variables=[]", "variables: Input should be a valid dictionary"),
        ("query=%FF", "The query string must be UTF-8"),
        ("query=%00", "must not contain NUL"),
    ],
)
async def test_a_query_string_that_is_no_request_is_refused(
    client: httpx.AsyncClient, query: str, problem: str
) -> None:
    response = await client.get(f"/graphql?{query}")
    assert response.status_code == 400
    assert problem in only_error(response)["message"]


async def test_what_a_client_adds_to_a_request_is_passed_over(client: httpx.AsyncClient) -> None:
    extensions = {"persistedQuery": {"version": 1}}
    response = await client.post(
        "/graphql",
        content=json.dumps({"query": "{ hello }", "extensions": extensions, "more": 1}),
        headers={"Content-Type": 'application/json; charset="UTF-8"'},
    )
    assert response.json() == {"data": {"hello": "Hello world"}}


# -- who is calling ----------------------------------------------------------------------------

WHO = "{ whoAmI { customer email store currency key address } }"


async def test_a_request_without_headers_is_a_guest(client: httpx.AsyncClient) -> None:
    told = (await ask(client, WHO)).json()["data"]["whoAmI"]
    assert told == {
        "customer": None,
        "email": None,
        "store": "",
        "currency": "",
        "key": None,
        "address": "127.0.0.1",
    }


async def test_the_headers_say_who_is_calling(world: World) -> None:
    headers = {
        "Authorization": f"Bearer {a_token()}",
        "Store": "de_DE",
        "Content-Currency": "EUR",
        "Idempotency-Key": "!" + "k" * 253 + "~",
    }
    async with client_of(small_app(world), **headers) as client:
        told = (await ask(client, WHO)).json()["data"]["whoAmI"]
    assert told["customer"] == "customer-7"
    assert told["email"] == "ada@example.com"
    assert (told["store"], told["currency"]) == ("de_DE", "EUR")
    assert told["key"] == headers["Idempotency-Key"]


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "bearer  "])
async def test_an_empty_bearer_is_a_guest(world: World, value: str) -> None:
    async with client_of(small_app(world), Authorization=value) as client:
        response = await ask(client, WHO)
    assert response.json()["data"]["whoAmI"]["customer"] is None


@pytest.mark.parametrize("value", ["Bearer x", "Basic YTpi", "Basic TOKEN", "Bearer a b", "token"])
async def test_credentials_that_prove_nothing_fail_the_whole_request(
    world: World, value: str
) -> None:
    value = value.replace("TOKEN", a_token())
    async with client_of(small_app(world), Authorization=value) as client:
        response = await ask(client, "{ hello }")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "errors": [
            {
                "message": "The customer token is invalid or has expired.",
                "extensions": {"category": "graphql-authentication"},
            }
        ]
    }
    assert world.seen == []


@pytest.mark.parametrize("key", ["", "k" * 256, "a key", "clé", "a\tb"])
async def test_a_malformed_idempotency_key_is_refused(world: World, key: str) -> None:
    async with client_of(small_app(world)) as client:
        response = await client.post(
            "/graphql",
            json={"query": "{ hello }"},
            headers=[(b"Idempotency-Key", key.encode("latin-1"))],
        )
    assert response.status_code == 400
    assert only_error(response)["message"].startswith("Idempotency-Key: ")
    assert world.seen == []


@pytest.mark.parametrize("name", ["Idempotency-Key", "Store", "Content-Currency", "Authorization"])
async def test_a_header_that_decides_must_not_be_given_twice(
    client: httpx.AsyncClient, name: str
) -> None:
    response = await client.post(
        "/graphql", json={"query": "{ hello }"}, headers=[(name, ""), (name, "")]
    )
    assert response.status_code == 400
    assert only_error(response)["message"] == f"{name}: must not be given more than once."


@pytest.mark.parametrize("store", ["unknown", "de de", "x" * 33, "störe"])
async def test_an_unknown_store_is_an_error_of_graphql(
    client: httpx.AsyncClient, store: str, world: World
) -> None:
    response = await client.post(
        "/graphql",
        json={"query": "{ hello }"},
        headers=[(b"Store", store.encode("latin-1"))],
    )
    assert response.status_code == 200
    assert response.json() == {
        "errors": [
            {
                "message": "Requested store is not found",
                "extensions": {"category": "graphql-input"},
            }
        ]
    }
    assert world.seen == []


async def test_a_context_that_is_refused_has_its_status(world: World) -> None:
    async with client_of(small_app(world), Store="forbidden") as client:
        assert (await ask(client, "{ hello }")).status_code == 403


async def test_a_context_is_made_only_for_a_valid_document(world: World) -> None:
    async with client_of(small_app(world), Store="broken") as client:
        assert (await ask(client, "{ nothing }")).status_code == 400


# -- health and other origins ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_says_alive_and_ready(world: World, method: str) -> None:
    ready = True

    async def ask_store() -> bool:
        return ready

    def ask_now() -> bool:
        return ready

    for is_ready in (ask_store, ask_now):
        ready = True
        async with client_of(small_app(world, is_ready=is_ready)) as client:
            assert (await client.request(method, "/health/live")).status_code == 200
            assert (await client.request(method, "/health/ready")).status_code == 200
            ready = False
            assert (await client.request(method, "/health/ready")).status_code == 503
            assert (await client.request(method, "/health/live")).status_code == 200


SHOP = "https://shop.example"
STOREFRONT_HEADERS = "authorization,content-currency,content-type,idempotency-key,store,x-recaptcha"


async def test_a_storefront_that_is_known_may_call_from_a_browser(world: World) -> None:
    asks = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": STOREFRONT_HEADERS,
    }
    async with client_of(small_app(world, origins=[SHOP])) as client:
        preflight = await client.options("/graphql", headers=asks)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == SHOP
        response = await client.post(
            "/graphql", json={"query": "{ hello }"}, headers={"Origin": SHOP}
        )
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == SHOP


async def test_any_origin_may_be_let_in(world: World) -> None:
    async with client_of(small_app(world, origins=["*"]), Origin="https://other.example") as client:
        assert (await ask(client, "{ hello }")).status_code == 200
