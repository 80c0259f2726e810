"""Who gets plain text from the codec server? Over real HTTP, with real Temporal behind it."""

import base64
import json
import logging
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload

from api.codec import BODY_BYTES, CodecTokenError
from api.server import build_app, codec_server
from commerce.adapters.codec import CodecKeyError, PayloadEncryption
from tests.builders import cart
from tests.server import CODEC_KEYS
from tests.storefront import ORDER_TOKEN_KEYS, Storefront
from tests.world import DEADLINE

TOKEN = "a token of more than thirty-two characters"
UI = "https://temporal.example.com"
PLAIN = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(b'"12 Canary Street"').decode(),
}
OPERATORS = Ed25519PrivateKey.generate()


def operators_token(**changes: Any) -> str:
    claims: dict[str, Any] = {
        "iss": "https://id.example.com",
        "aud": "temporal-ui",
        "sub": "operator|7",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        **changes,
    }
    return jwt.encode(claims, OPERATORS, algorithm="EdDSA", headers={"kid": "op"})


@pytest.fixture(scope="module")
def operators_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    public = OKPAlgorithm.to_jwk(OPERATORS.public_key(), as_dict=True)
    file = tmp_path_factory.mktemp("keys") / "operators.json"
    file.write_text(json.dumps({"keys": [{**public, "kid": "op"}]}))
    return file


def a_server(shop: Storefront, **changes: Any) -> httpx.AsyncClient:
    """The GraphQL server of a shop with other settings."""
    ours = {
        "codec_keys": SecretStr(CODEC_KEYS),
        "codec_token": SecretStr(TOKEN),
        "codec_origins": UI,
        "order_token_keys": SecretStr(ORDER_TOKEN_KEYS),
    }
    settings = shop.world.settings.model_copy(update={**ours, **changes})
    app = build_app(settings, shop.world.store, shop.world.client)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test")


@pytest_asyncio.fixture
async def http(market: Storefront, operators_keys: Path) -> AsyncGenerator[httpx.AsyncClient]:
    made = a_server(
        market,
        operator_token_keys=operators_keys,
        operator_issuer="https://id.example.com",
        operator_audience="temporal-ui",
    )
    async with made as client:
        yield client


async def ask(
    http: httpx.AsyncClient,
    operation: str,
    *payloads: dict[str, Any],
    token: str | None = TOKEN,
    **headers: str,
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    body = {"payloads": list(payloads)}
    return await http.post(f"/codec/{operation}", json=body, headers=sent)


async def encoded(http: httpx.AsyncClient) -> dict[str, Any]:
    return (await ask(http, "encode", PLAIN)).json()["payloads"][0]


async def test_a_round_trip(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "encode", PLAIN, PLAIN, X_Namespace="default")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    sealed = answer.json()["payloads"]
    assert b"Canary" not in answer.content
    assert base64.b64decode(sealed[0]["metadata"]["encoding"]) == b"binary/encrypted"
    back = await ask(http, "decode?preserveStorageRefs=true", *sealed)
    assert back.json() == {"payloads": [PLAIN, PLAIN]}
    assert (await ask(http, "decode")).json() == {"payloads": []}


async def test_it_reads_what_a_checkout_wrote(http: httpx.AsyncClient, market: Storefront) -> None:
    world = market.world
    cart_id = world.id("codec")
    world.store.carts.save(cart(cart_id))
    await world.client.place_order(cart_id, deadline=DEADLINE)
    history = await world.handle(cart_id).fetch_history()
    [given] = history.events[0].workflow_execution_started_event_attributes.input.payloads
    as_json = {
        "metadata": {k: base64.b64encode(v).decode() for k, v in given.metadata.items()},
        "data": base64.b64encode(given.data).decode(),
    }
    [opened] = (await ask(http, "decode", as_json)).json()["payloads"]
    assert json.loads(base64.b64decode(opened["data"]))["cart_id"] == cart_id


async def test_what_was_never_encrypted_is_shown_as_it_is(http: httpx.AsyncClient) -> None:
    assert (await ask(http, "decode", PLAIN)).json() == {"payloads": [PLAIN]}


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", "\u00e9" * 40])
@pytest.mark.parametrize("operation", ["encode", "decode"])
async def test_without_the_token_nobody_gets_anything(
    http: httpx.AsyncClient, operation: str, token: str | None
) -> None:
    sealed = await encoded(http)
    headers = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
    answer = await http.post(f"/codec/{operation}", json={"payloads": [sealed]}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "payloads" not in answer.json()


async def test_the_token_counts_in_its_header_alone(http: httpx.AsyncClient) -> None:
    sealed = await encoded(http)
    for path in (f"/codec/{TOKEN}/decode", f"/codec/decode?token={TOKEN}"):
        answer = await http.post(path, json={"payloads": [sealed]})
        assert answer.status_code in (401, 404)
    basic = {"Authorization": f"Basic {TOKEN}"}
    answer = await http.post("/codec/decode", json={"payloads": [sealed]}, headers=basic)
    assert answer.status_code == 401
    twice = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer x")]
    answer = await http.post("/codec/decode", json={"payloads": [sealed]}, headers=twice)
    assert answer.status_code == 401


async def test_operators_come_in_by_their_own_tokens(http: httpx.AsyncClient) -> None:
    sealed = await encoded(http)
    assert (await ask(http, "decode", sealed, token=operators_token())).status_code == 200


async def test_the_log_tells_which_kind_of_token_it_was(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    sealed = await encoded(http)
    with caplog.at_level(logging.INFO, "checkout.codec"):
        await ask(http, "decode", sealed, sealed)
        await ask(http, "decode", sealed, token=operators_token())
        await ask(http, "decode", sealed, token="x" * 40)
    assert [each.getMessage() for each in caplog.records if each.name == "checkout.codec"] == [
        "decode of 2 payloads by shared token",
        "decode of 1 payloads by operator token",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.com"},
        {"aud": "storefront"},
        {"exp": 1},
        {"sub": "x" * 65},
    ],
)
async def test_other_tokens_of_the_identity_provider_do_not(
    http: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    token = operators_token(**changes)
    assert (await ask(http, "decode", await encoded(http), token=token)).status_code == 401


async def test_a_customers_token_does_not(http: httpx.AsyncClient, market: Storefront) -> None:
    token = market.as_customer().headers["Authorization"].removeprefix("Bearer ")
    assert (await ask(http, "decode", await encoded(http), token=token)).status_code == 401


async def test_a_page_of_another_origin_gets_nothing(http: httpx.AsyncClient) -> None:
    sealed = await encoded(http)
    for origin in ("https://evil.example.com", "null", UI.upper(), f"{UI}.evil.com"):
        answer = await ask(http, "decode", sealed, Origin=origin)
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_page_of_the_ui_may_ask(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "decode", await encoded(http), Origin=UI)
    assert answer.headers["Access-Control-Allow-Origin"] == UI


async def preflight(http: httpx.AsyncClient, path: str, origin: str) -> httpx.Response:
    return await http.options(
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-namespace,authorization",
        },
    )


async def test_preflights_know_the_two_worlds_apart(market: Storefront) -> None:
    shop_page = "https://shop.example.com"
    async with a_server(market, api_origins=shop_page) as http:
        for path, origin in (("/codec/decode", UI), ("/graphql", shop_page)):
            allowed = await preflight(http, path, origin)
            assert allowed.headers["Access-Control-Allow-Origin"] == origin
        for path, origin in (("/codec/decode", shop_page), ("/graphql", UI)):
            refused = await preflight(http, path, origin)
            assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'"payloads"',
        b'{"payloads": {}}',
        b'{"payloads": [1]}',
        b'{"payloads": [{"data": "not base64!"}]}',
        b'{"payloads": [{"metadata": {"encoding": 5}}]}',
        b'{"other": []}',
        b"[" * 100_000,
        b'{"payloads": [' + b'{"externalPayloads": [' * 5_000,
        b"\xff",
    ],
)
async def test_a_body_of_another_shape_is_one_clear_error(
    http: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = await http.post("/codec/decode", content=body, headers=headers)
    assert answer.status_code == 400
    assert "payloads" in answer.json()["errors"][0]["message"]


async def test_a_body_that_is_too_long_is_refused(http: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = await http.post("/codec/decode", content=b" " * (BODY_BYTES + 1), headers=headers)
    assert answer.status_code == 413


async def test_one_that_was_tampered_with_is_refused_and_not_repeated(
    http: httpx.AsyncClient,
) -> None:
    other = PayloadEncryption.parse(PayloadEncryption.new_key("test"))
    [wrong] = await other.encode([Payload(data=b"12 Canary Street")])
    sealed = {
        "metadata": {k: base64.b64encode(v).decode() for k, v in wrong.metadata.items()},
        "data": base64.b64encode(wrong.data).decode(),
    }
    answer = await ask(http, "decode", PLAIN, sealed)
    assert answer.status_code == 400
    assert answer.json() == {"error": "a payload was not sealed under key 'test'"}


async def test_other_addresses_and_methods_are_none(http: httpx.AsyncClient) -> None:
    assert (await ask(http, "reveal", PLAIN)).status_code == 404
    assert (await http.get("/codec/decode")).status_code == 405


async def test_it_is_off_unless_somebody_is_named(market: Storefront) -> None:
    async with a_server(market, codec_token=SecretStr("")) as http:
        assert (await ask(http, "decode", PLAIN, token="")).status_code == 404


def test_settings_that_would_let_anybody_in_are_refused(
    market: Storefront, operators_keys: Path
) -> None:
    settings = market.world.settings.model_copy(update={"codec_keys": SecretStr(CODEC_KEYS)})
    short = settings.model_copy(update={"codec_token": SecretStr("x" * 31)})
    with pytest.raises(CodecTokenError, match="CHECKOUT_CODEC_TOKEN"):
        codec_server(short)
    anyone = settings.model_copy(update={"operator_token_keys": operators_keys})
    with pytest.raises(ValueError, match="CHECKOUT_OPERATOR_ISSUER"):
        codec_server(anyone)
    ours = {"issuer": "https://id.example.com", "audience": "shop"}
    both = {
        f"{who}_{name}": value for who in ("customer", "operator") for name, value in ours.items()
    }
    keys = {"operator_token_keys": operators_keys, "customer_token_keys": operators_keys}
    alike = settings.model_copy(update={**both, **keys})
    with pytest.raises(ValueError, match="CHECKOUT_OPERATOR_AUDIENCE"):
        codec_server(alike)
    for name in both:
        assert codec_server(alike.model_copy(update={name: "another"}))
    keyless = settings.model_copy(
        update={"codec_token": SecretStr(TOKEN), "codec_keys": SecretStr("")}
    )
    with pytest.raises(CodecKeyError, match="CHECKOUT_CODEC_KEYS"):
        codec_server(keyless)
