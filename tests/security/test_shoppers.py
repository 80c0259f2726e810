"""Does a shopper get no further than their own carts? S8, S9, S17, S22 of the bar."""

import asyncio
import base64
import json
import random
import string
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from client import Refused, Shopper
from commerce.adapters.store.models import AnswerRow, CartRow, OrderRow
from commerce.contract import LockedCart
from commerce.domain.carts import Cart, CartStatus
from commerce.domain.errors import RefusalReason
from commerce.settings import Settings
from tests.api.test_cart_access import DOCUMENTS
from tests.builders import checkout, product
from tests.store.conftest import at
from tests.storefront import SECRET, STEPS, TOTAL, Answer, Storefront, a_storefront

SEED = 20_261_122
CROWD = 50
GUESSED_ORDERS = 100
LETTERS_AND_DIGITS = string.ascii_letters + string.digits
NOT_OWNER = 'The current user cannot perform operations on cart "{}"'
WRONG_STORE = 'Wrong store code specified for cart "{}"'
OF_GUESTS_ONLY = "The request is not allowed for logged in customers"
REUSED = "The idempotency key was already used with another request."

PASSING = {
    "mergeCarts": """mutation ($cart: String!) {
      mergeCarts(source_cart_id: $cart) { id } }""",
    "mergeCarts, into it": """mutation ($cart: String!) {
      mergeCarts(source_cart_id: "nowhere", destination_cart_id: $cart) { id } }""",
    "assignCustomerToGuestCart": """mutation ($cart: String!) {
      assignCustomerToGuestCart(cart_id: $cart) { id } }""",
}
CHECKOUTS = {
    "placeOrder": "(input: {cart_id: $cart})",
    "completeOrder": "(input: {cartId: $cart, id: $payment})",
    "setPaymentMethodAndPlaceOrder": (
        '(input: {cart_id: $cart, payment_method: {code: "banktransfer"}})'
    ),
}
STRANGERS = ("a guest", "another customer", "a customer with a guest's", "another store")


def known_to(market: Storefront, stranger: str) -> tuple[Storefront, Storefront, str]:
    """The owner of a cart, a stranger, and what the stranger is told of it."""
    ada, eve = market.as_customer("ada-of-security"), market.as_customer("eve-of-security")
    return {
        "a guest": (ada, market, NOT_OWNER),
        "another customer": (ada, eve, NOT_OWNER),
        "a customer with a guest's": (market, eve, NOT_OWNER),
        "another store": (market, market.of_new_store(), WRONG_STORE),
    }[stranger]


def content(market: Storefront, cart_id: str) -> tuple[Cart, CartStatus]:
    found = market.world.store.carts.find(cart_id)
    assert found is not None
    return found


async def has_run(market: Storefront, cart_id: str) -> bool:
    """Whether there ever was a checkout of this cart."""
    try:
        await market.world.status(cart_id)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


def counted(market: Storefront) -> dict[str, int]:
    """How many rows there are of what a request could leave behind."""
    with market.world.store.database.reading() as tx:
        return {
            each.__tablename__: tx.scalars(select(func.count()).select_from(each)).one()
            for each in (CartRow, OrderRow, AnswerRow)
        }


# -- S8: somebody else's cart --------------------------------------------------------------------


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_changes_nothing_and_starts_nothing(
    market: Storefront, stranger: str
) -> None:
    owner, asking, message = known_to(market, stranger)
    cart_id = await owner.a_ready_cart()
    before = content(market, cart_id)
    for name, document in DOCUMENTS.items():
        answer = await asking.post(document, {"cart": cart_id})
        if name == "setGuestEmailOnCart" and "Authorization" in asking.headers:
            assert answer.message == OF_GUESTS_ONLY
        else:
            assert answer.message == message.format(cart_id), name
        data: dict[str, Any] = answer.body.get("data") or {}
        assert set(data.values()) <= {None}
    assert content(market, cart_id) == before
    assert not await has_run(market, cart_id)


@pytest.mark.parametrize("name", PASSING)
async def test_a_customers_cart_passes_to_nobody(market: Storefront, name: str) -> None:
    ada, eve = market.as_customer("ada-keeps"), market.as_customer("eve-takes")
    cart_id = await ada.a_ready_cart()
    before = content(market, cart_id)
    for stranger in (eve, market):
        answer = await stranger.post(PASSING[name], {"cart": cart_id})
        assert answer.body["data"] is None
        assert answer.status in (200, 403)
    assert content(market, cart_id) == before
    assert not await has_run(market, cart_id)


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("name", CHECKOUTS)
async def test_a_stranger_orders_nothing(market: Storefront, stranger: str, name: str) -> None:
    """The step that locks the cart looks whose it is: a run starts, is refused, and leaves it."""
    owner, asking, message = known_to(market, stranger)
    cart_id = await owner.a_ready_cart()
    payment_id = market.approved(cart_id, "15.00")
    before = content(market, cart_id)
    variables = "$payment: String!" if "$payment" in CHECKOUTS[name] else ""
    document = f"""mutation ($cart: String!{variables and ", "}{variables}) {{
      {name}{CHECKOUTS[name]} {{ orderV2 {{ number token email }} errors {{ message }} }} }}"""
    answer = await asking.post(document, {"cart": cart_id, "payment": payment_id})

    assert message.format(cart_id) in json.dumps(answer.body).replace('\\"', '"')
    assert "jdoe@example.com" not in str(answer.body)
    payload: dict[str, Any] = answer.body["data"][name] or {}
    assert payload.get("orderV2") is None
    assert content(market, cart_id) == before
    payment = market.world.payment(payment_id)
    assert payment.status == "approved"
    if await has_run(market, cart_id):
        assert await market.world.status(cart_id) is WorkflowExecutionStatus.COMPLETED
    assert (await owner.place(cart_id)).data["placeOrder"]["orderV2"]["number"]


async def test_who_asks_while_the_owner_orders_learns_nothing_of_the_order(
    market: Storefront,
) -> None:
    ada, eve = market.as_customer("ada-orders"), market.as_customer("eve-asks")
    cart_id = await ada.a_ready_cart()
    creating, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        creating.set()
        await goes_on.wait()

    market.world.faults.on("create_order", wait)
    key = market.world.id("owners")
    async with asyncio.timeout(30), asyncio.TaskGroup() as asking:
        owners = asking.create_task(ada.place(cart_id, Idempotency_Key=key))
        await creating.wait()
        strangers = [
            asking.create_task(eve.place(cart_id)),
            asking.create_task(market.place(cart_id)),
            asking.create_task(eve.place(cart_id, Idempotency_Key=key)),
        ]
        async with a_storefront(market.world, deadline_s=1) as hasty:
            pending = await hasty.as_customer("eve-asks").place(cart_id)
        goes_on.set()
    order = owners.result().data["placeOrder"]["orderV2"]
    for answer in (*[each.result() for each in strangers], pending):
        assert order["number"] not in str(answer.body)
        assert order["token"] not in str(answer.body)
        assert "@example.com" not in str(answer.body)
        assert "errors" in answer.body


# -- S22: past the GraphQL server ----------------------------------------------------------------


@pytest.mark.parametrize("shopper", [Shopper.guest(), Shopper.customer("eve")], ids=repr)
async def test_a_call_that_passes_the_server_by_is_refused_as_well(
    market: Storefront, shopper: Shopper
) -> None:
    ada = market.as_customer("ada-behind")
    cart_id = await ada.a_ready_cart()
    before = content(market, cart_id)
    answered = await market.world.client.place_order(cart_id, shopper=shopper)
    assert isinstance(answered, Refused)
    assert answered.reason is RefusalReason.NOT_CART_OWNER
    assert content(market, cart_id) == before


# -- S9: carts that are not there ----------------------------------------------------------------

IMPOSSIBLE = ("0" * 65, "' OR 1=1 --", "../cart", "\u202e", "a b", "%", "\ud7ff", "1\n")


async def test_ids_that_are_guessed_find_nothing_and_leave_nothing(market: Storefront) -> None:
    """A run starts for each id that a cart could have, and ends where the cart is looked for."""
    chance = random.Random(SEED)
    guesses = ["".join(chance.choices(LETTERS_AND_DIGITS, k=32)) for _ in range(1_000)]
    await market.a_ready_cart()
    before = counted(market)

    looked = await at_once([market.post(TOTAL, {"cart": each}) for each in guesses])
    placed = await at_once(
        [market.place(each) for each in (*guesses[:GUESSED_ORDERS], *IMPOSSIBLE)]
    )
    for cart_id, answer in zip(guesses, looked, strict=True):
        assert (answer.status, answer.body["data"]) == (200, {"cart": None})
        assert answer.message == f'Could not find a cart with ID "{cart_id}"'
    for answer in placed:
        assert answer.error["extensions"]["error_code"] == "CART_NOT_FOUND"
        assert answer.body["data"]["placeOrder"]["orderV2"] is None
    assert counted(market) == before
    for cart_id in (*guesses[GUESSED_ORDERS:][:20], *IMPOSSIBLE):
        assert not await has_run(market, cart_id)


async def at_once(requests: Sequence[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Send them, a crowd at a time."""
    answers: list[Answer] = []
    for start in range(0, len(requests), CROWD):
        answers += await asyncio.gather(*requests[start : start + CROWD])
    return answers


# -- S17: a key that was used --------------------------------------------------------------------


@pytest.mark.parametrize("changed", ["cart", "operation", "shopper", "store"])
async def test_a_key_that_was_used_does_nothing_else(market: Storefront, changed: str) -> None:
    first, second = [await market.a_ready_cart() for _ in range(2)]
    payment_id, key = market.approved(second, "15.00"), market.world.id(f"key-{changed}")
    assert (await market.place(first, Idempotency_Key=key)).data["placeOrder"]["orderV2"]
    before = counted(market)
    answer = {
        "cart": lambda: market.place(second, Idempotency_Key=key),
        "operation": lambda: market.complete(second, payment_id, Idempotency_Key=key),
        "shopper": lambda: market.as_customer("eve").place(first, Idempotency_Key=key),
        "store": lambda: market.in_store("default").place(first, Idempotency_Key=key),
    }[changed]
    told = await answer()
    assert (told.message, told.status) == (REUSED, 200)
    assert "number" not in str(told.body["data"])
    assert counted(market) == before
    payment = market.world.payment(payment_id)
    assert payment.status == "approved"
    assert (await market.complete(second, payment_id)).data["completeOrder"]["orderV2"]


async def test_one_key_for_many_carts_at_once_orders_one(market: Storefront) -> None:
    carts = [await market.a_ready_cart() for _ in range(8)]
    key = market.world.id("for-many")
    answers = await asyncio.gather(*(market.place(each, Idempotency_Key=key) for each in carts))
    ordered = [each for each in answers if "errors" not in each.body]
    assert len(ordered) == 1
    assert {each.message for each in answers if each is not ordered[0]} == {REUSED}
    statuses = sorted(content(market, each)[1] for each in carts)
    assert statuses == [CartStatus.ACTIVE] * 7 + [CartStatus.CONVERTED]


# -- who is who ----------------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def token(key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """A token of Ada's; changes replace its claims, None leaves one out."""
    claims: dict[str, Any] = {
        "iss": Settings.model_fields["customer_issuer"].default,
        "aud": Settings.model_fields["customer_audience"].default,
        "sub": "ada",
        "exp": datetime.now(UTC) + HOUR,
        **changes,
    }
    known = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(known, key, algorithm)


FORGED = {
    "issuer": token(iss="https://idp.evil.example"),
    "no issuer": token(iss=None),
    "audience": token(aud="backoffice"),
    "no audience": token(aud=None),
    "expired": token(exp=datetime.now(UTC) - timedelta(seconds=1)),
    "no expiry": token(exp=None),
    "not yet": token(nbf=datetime.now(UTC) + HOUR),
    "nobody": token(sub=None),
    "an empty name": token(sub=""),
    "a long name": token(sub="a" * 65),
    "a control character": token(sub="ada\u0000"),
    "another secret": token("x" * len(SECRET)),
    "another algorithm": token(Ed25519PrivateKey.generate(), "EdDSA"),
    "no algorithm": token("", "none"),
    "a nested header": base64.urlsafe_b64encode(b"[" * 4_000).decode() + ".e30.e30",
    "too long": token(sub="ada", pad="x" * 9_000),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_token_that_proves_nothing_is_refused_uniformly(
    market: Storefront, forged: str
) -> None:
    before = counted(market)
    answer = await market.with_header(Authorization=f"Bearer {FORGED[forged]}").post(
        "mutation { createEmptyCart }"
    )
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.body == {
        "errors": [
            {
                "message": "The customer token is invalid or has expired.",
                "extensions": {"category": "graphql-authentication"},
            }
        ]
    }
    assert counted(market) == before


async def test_a_token_that_is_right_in_all_of_this_is_taken(market: Storefront) -> None:
    ada = market.with_header(Authorization=f"Bearer {token()}")
    assert (await ada.post("mutation { createEmptyCart }")).data


@pytest.mark.parametrize(
    ("header", "value", "message"),
    [
        ("Store", "nowhere", "Requested store is not found"),
        ("Store", "default' OR ''='", "Requested store is not found"),
        ("Content-Currency", "EUR", "Please correct the target currency"),
        ("Content-Currency", "usd", "Please correct the target currency"),
    ],
)
async def test_a_wrong_store_or_currency_stops_the_request_before_a_checkout(
    market: Storefront, header: str, value: str, message: str
) -> None:
    cart_id = await market.a_ready_cart()
    answer = await market.with_header(**{header: value}).place(cart_id)
    assert (answer.status, answer.message) == (200, message)
    assert "data" not in answer.body
    assert not await has_run(market, cart_id)


# -- what the shopper was shown ------------------------------------------------------------------

PAY_AND_PLACE = f"""mutation ($cart: String!) {{
  {STEPS["payment_method"]} placeOrder(input: {{cart_id: $cart}}) {{ orderV2 {{ number }} }} }}"""


async def test_a_total_that_only_the_answer_of_the_order_shows_is_not_ordered(
    market: Storefront,
) -> None:
    catalog = market.world.store.catalog
    catalog.put([product("plum", None, price="10.00")])
    cart_id = await market.a_ready_cart(("plum", 1))
    assert await market.total(cart_id) == 15.0
    catalog.put([product("plum", None, price="99.00")])
    refused = await market.post(PAY_AND_PLACE, {"cart": cart_id})
    assert refused.error["extensions"]["reason"] == "TOTAL_CHANGED"
    shown = refused.body["data"]["setPaymentMethodOnCart"]["cart"]["prices"]["grand_total"]
    assert shown["value"] == 104.0
    assert (await market.post(PAY_AND_PLACE, {"cart": cart_id})).data["placeOrder"]["orderV2"]


async def test_a_total_that_was_computed_but_not_asked_for_is_not_shown(market: Storefront) -> None:
    catalog = market.world.store.catalog
    catalog.put([product("fig", None, price="10.00")])
    cart_id = await market.a_ready_cart(("fig", 1))
    catalog.put([product("fig", None, price="99.00")])
    without_total = """query ($cart: String!) { cart(cart_id: $cart) {
      prices { discounts { label } applied_taxes { label } } } }"""
    assert (await market.post(without_total, {"cart": cart_id})).data
    assert (await market.place(cart_id)).error["extensions"]["reason"] == "TOTAL_CHANGED"
    assert await market.total(cart_id) == 104.0
    assert (await market.place(cart_id)).data["placeOrder"]["orderV2"]


# -- an edit while a checkout's lock runs out ----------------------------------------------------


async def test_an_edit_that_waits_until_a_lock_has_run_out_ends_its_hold(shop: Storefront) -> None:
    world, cart_id = shop.world, await shop.a_ready_cart(("apple", 100))
    run = checkout(cart_id)
    locked = world.store.carts.lock(run)
    assert isinstance(locked, LockedCart)
    snapshot = world.store.carts.snapshot(run, locked.digest)
    assert world.store.stock.hold(run, snapshot) is None
    world.clock.advance(world.settings.hold_ttl - timedelta(seconds=30))
    document = DOCUMENTS["setPaymentMethodOnCart"]
    assert "is locked" in (await shop.post(document, {"cart": cart_id})).message

    with at(world.store.database, "FROM carts", lambda: world.clock.advance(HOUR)):
        assert (await shop.post(document, {"cart": cart_id})).data
    world.assert_clean(orders=0)
    assert world.store.catalog.units()["apple"] == (100, 0)
