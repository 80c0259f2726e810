"""Can an order be read by anybody but its shopper? S10, S12, S13 of the bar."""

import asyncio
import base64
import random
import string
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.server import build_app
from commerce.adapters.tokens import SealedTokens
from tests.builders import TOKEN_KEY
from tests.storefront import ORDER_TOKEN_KEYS, Storefront

SEED = 20_261_122
CROWD = 50
NOT_LOCATED = "We couldn't locate an order with the information provided."
LOGIN = "Please login to view the order."
NEW_KEY = "1:" + base64.b64encode(bytes(range(32, 64))).decode()

BY_TOKEN = """query ($token: String!) { guestOrderByToken(input: {token: $token}) {
  number email billing_address { lastname } } }"""
BY_DETAILS = """query ($number: String!, $email: String!, $lastname: String!) {
  guestOrder(input: {number: $number, email: $email, lastname: $lastname}) {
  number email billing_address { lastname } } }"""
DETAILS = {"email": "jdoe@example.com", "lastname": "Doe"}

Answers = set[tuple[int, str]]
"""Status and text of each answer: all of a uniform answer is the same."""


async def answers(shop: Storefront, query: str, variables: Iterable[dict[str, str]]) -> Answers:
    """What a query is answered with, whatever it is asked for."""
    told: Answers = set()
    asked = list(variables)
    for start in range(0, len(asked), CROWD):
        bodies = [{"query": query, "variables": each} for each in asked[start : start + CROWD]]
        sent = (shop.http.post(shop.url, json=body, headers=shop.headers) for body in bodies)
        told |= {(each.status_code, each.text) for each in await asyncio.gather(*sent)}
    return told


async def answers_to(shop: Storefront, tokens: Iterable[str]) -> Answers:
    return await answers(shop, BY_TOKEN, [{"token": each} for each in tokens])


def assert_not_located(told: Answers) -> None:
    """One answer for all, and it tells nothing."""
    ((status, text),) = told
    assert status == 200
    assert NOT_LOCATED in text
    assert '"data":null' in text
    assert '"category":"graphql-no-such-entity"' in text


# -- S10: tokens that are guessed ------------------------------------------------------------------


def guesses(count: int) -> Iterator[str]:
    """What might be a token: sealed by nobody, or by another key."""
    chance = random.Random(SEED)
    strangers = [SealedTokens({0: chance.randbytes(32)}) for _ in range(20)]
    for n in range(count):
        if n % 4 == 0:
            yield chance.choice(strangers).seal(f"{n % 50:09}")
        elif n % 4 == 1:
            yield "".join(chance.choices(string.printable, k=chance.randrange(80)))
        else:
            version = chance.choice(["0", "0", "0", "1", "00", "-1", "999999999", ""])
            sealed = base64.b64encode(chance.randbytes(chance.choice([37, 37, 37, 0, 12, 28, 64])))
            yield f"{version}:{chance.choice('33321')}:{sealed.decode()}"


def bit_flips(token: str) -> Iterator[str]:
    for n, char in enumerate(token):
        for bit in range(8):
            yield token[:n] + chr(ord(char) ^ 1 << bit) + token[n + 1 :]


def truncations(token: str) -> Iterator[str]:
    for n in range(len(token)):
        yield token[:n]
        yield token[n + 1 :]


def test_no_guess_opens_anything() -> None:
    tokens = SealedTokens({0: TOKEN_KEY})
    opened = [tokens.open(each) for each in guesses(10_000)]
    assert opened == [None] * 10_000
    assert tokens.open(tokens.seal("000000001")) == "000000001"


async def test_every_guess_gets_the_same_answer(market: Storefront) -> None:
    await market.an_order()
    assert_not_located(await answers_to(market, guesses(1_000)))


async def test_a_token_that_was_changed_anywhere_gets_the_same_answer(market: Storefront) -> None:
    token = (await market.an_order())["token"]
    changed = {*bit_flips(token), *truncations(token), token + "=", token + "\n", " " + token}
    changed |= {token.lower(), token.swapcase(), token.replace("0:3:", "1:3:"), token * 2}
    assert len(changed) > 500
    assert_not_located(await answers_to(market, changed - {token}))


async def test_a_token_opens_its_own_order_only(market: Storefront) -> None:
    orders = [await market.an_order() for _ in range(3)]
    for order in orders:
        answer = await market.post(BY_TOKEN, {"token": order["token"]})
        assert answer.data["guestOrderByToken"]["number"] == order["number"]
    first, second, _ = [each["token"] for each in orders]
    crossed = [first[:n] + second[n:] for n in range(len(first))]
    spliced = [each for each in crossed if each not in (first, second)]
    assert_not_located(await answers_to(market, spliced))


async def test_a_token_of_another_store_opens_nothing_there(market: Storefront) -> None:
    token = (await market.an_order())["token"]
    assert_not_located(await answers_to(market.of_new_store(), [token]))


async def test_a_customers_token_opens_nothing_to_who_is_not_asked(market: Storefront) -> None:
    order = await market.as_customer("ada-with-a-token").an_order()
    for each in (market, market.as_customer("eve")):
        answer = await each.post(BY_TOKEN, {"token": order["token"]})
        assert (answer.status, answer.message) == (403, LOGIN)
        assert order["number"] not in str(answer.body)


# -- keys that are changed -------------------------------------------------------------------------


@asynccontextmanager
async def with_keys(market: Storefront, keys: str) -> AsyncGenerator[Storefront]:
    """The same shop, whose server has other keys of order tokens."""
    changes = {"order_token_keys": SecretStr(keys)}
    settings = market.world.settings.model_copy(update=changes)
    app = build_app(settings, market.world.store, market.world.client)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        yield Storefront(market.world, "/graphql", http, market.issuer)


async def test_an_old_key_opens_for_as_long_as_it_is_kept(market: Storefront) -> None:
    order = await market.an_order()
    ask = {"number": order["number"], **DETAILS}
    tokens = [order["token"]]
    async with with_keys(market, f"{NEW_KEY},{ORDER_TOKEN_KEYS}") as rotated:
        query = BY_DETAILS.replace("{ number", "{ token number", 1).replace("  number", "  token")
        tokens.append((await rotated.post(query, ask)).data["guestOrder"]["token"])
        assert tokens[1].startswith("1:3:")
        for token in tokens:
            answer = await rotated.post(BY_TOKEN, {"token": token})
            assert answer.data["guestOrderByToken"]["number"] == order["number"]
        relabelled = [tokens[0].replace("0:", "1:", 1), tokens[1].replace("1:", "0:", 1)]
        assert_not_located(await answers_to(rotated, relabelled))
    async with with_keys(market, NEW_KEY) as forgotten:
        assert_not_located(await answers_to(forgotten, [tokens[0]]))
        assert (await forgotten.post(BY_TOKEN, {"token": tokens[1]})).data


# -- S12: details that are guessed -----------------------------------------------------------------


async def test_guessed_details_get_the_same_answer_whether_the_order_exists_or_not(
    market: Storefront,
) -> None:
    number = (await market.an_order())["number"]
    customers = (await market.as_customer("ada-with-an-order").an_order())["number"]
    emails = ["jdoe@example.com", "JDOE@example.com", "doe@example.com", "", "%", "' OR ''='"]
    lastnames = ["Doe", "doe", "DOE", "Doe ", "D", "", "%", "_oe", "Lovelace"]
    right = {(number, "jdoe@example.com", "Doe")}
    asked = {
        (each, email, lastname)
        for each in (number, customers, "999999999", f"{number} ", number.lstrip("0"), "%", "")
        for email in (*emails, "ada-with-an-order@example.com")
        for lastname in lastnames
    } - right
    asked -= {(customers, "ada-with-an-order@example.com", "Doe")}
    guessed: list[dict[str, str]] = [
        dict(zip(("number", "email", "lastname"), each, strict=True)) for each in asked
    ]
    assert len(guessed) > 400
    assert_not_located(await answers(market, BY_DETAILS, guessed))
    assert (await market.post(BY_DETAILS, {"number": number, **DETAILS})).data


async def test_numbers_alone_tell_nothing(market: Storefront) -> None:
    await market.an_order()
    everybody = [{"number": f"{n:09}", "email": "", "lastname": ""} for n in range(300)]
    assert_not_located(await answers(market, BY_DETAILS, everybody))


# -- S13: what a token tells -----------------------------------------------------------------------


async def test_a_token_has_the_documented_shape_and_tells_nothing(market: Storefront) -> None:
    orders = [await market.an_order() for _ in range(2)]
    sealed: list[bytes] = []
    for order in orders:
        version, cipher, encoded = order["token"].split(":")
        assert (version, cipher) == ("0", "3")
        sealed.append(base64.b64decode(encoded, validate=True))
        for readable in (order["number"], order["number"].lstrip("0"), "jdoe", "example", "Doe"):
            assert readable.encode() not in sealed[-1]
            assert readable not in encoded
        assert len(sealed[-1]) >= len(order["number"]) + 16, "there is room for a 128-bit tag"
    same = sum(a == b for a, b in zip(*sealed, strict=True))
    assert same < len(sealed[0]) // 3, "neighbours look alike"


async def test_tokens_are_written_nowhere(shop: Storefront) -> None:
    order = await shop.an_order()
    url = shop.world.store.database.engine.url.database
    assert url is not None
    files = [f"{url}{suffix}" for suffix in ("", "-wal")]
    written = b"".join(read(each) for each in files)
    assert order["number"].encode() in written
    assert order["token"].encode() not in written
    assert order["token"].split(":")[2][:16].encode() not in written


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


# -- customers' orders -----------------------------------------------------------------------------

OWN = """query ($filter: CustomerOrdersFilterInput, $sort: CustomerOrderSortInput,
  $scope: ScopeTypeEnum) { customer { orders(filter: $filter, sort: $sort, scope: $scope,
  pageSize: 300) { total_count items { number email } } } }"""


async def own_orders(shop: Storefront, **variables: Any) -> set[str]:
    orders = (await shop.post(OWN, variables)).data["customer"]["orders"]
    numbers = {each["number"] for each in orders["items"]}
    assert orders["total_count"] == len(numbers)
    return numbers


NAMED_LIKE_ADA = ("ada-s", "ADA", "ada ", " ada", "a", "%", "ada%", "_da", "ada' OR '1'='1", "adá")


async def test_no_customer_sees_anothers_order_however_they_ask(market: Storefront) -> None:
    ada = market.as_customer("ada")
    hers = {(await ada.an_order())["number"] for _ in range(2)} | await own_orders(ada)
    guests = (await market.an_order())["number"]
    every = {"from": "2000-01-01", "to": "2100-01-01"}
    asked: Sequence[dict[str, Any]] = (
        {},
        {"filter": {"number": {"eq": min(hers)}}},
        {"filter": {"number": {"in": [*hers, guests]}}},
        {"filter": {"number": {"match": "0"}}},
        {"filter": {"number": {"match": "' OR 1=1 --"}}},
        {"filter": {"order_date": every, "grand_total": {"from": "0", "to": "999999"}}},
        {"filter": {"status": {"in": ["Pending", "Processing", "' OR 1=1 --"]}}},
        {"scope": "GLOBAL"},
        {"scope": "WEBSITE", "sort": {"sort_field": "NUMBER", "sort_direction": "ASC"}},
    )
    for name in NAMED_LIKE_ADA:
        like_ada = market.as_customer(name)
        for variables in asked:
            assert await own_orders(like_ada, **variables) == set(), (name, variables)
    assert await own_orders(ada) == hers
    assert await own_orders(ada, filter={"number": {"in": [*hers, guests]}}) == hers


@pytest.mark.parametrize("page", [None, 1, 2_147_483_647])
async def test_a_page_that_is_not_there_is_empty(market: Storefront, page: int | None) -> None:
    query = "query ($page: Int) { customer { orders(currentPage: $page) { items { number } } } }"
    answer = await market.as_customer("ada-without-orders").post(query, {"page": page})
    assert answer.data["customer"]["orders"]["items"] == []
