"""Can a storefront have a payment made, follow it, and order with it?"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from commerce.domain.carts import Cart
from commerce.domain.payments import ONLINE_METHODS, PaymentChoice, PaymentMethod, PaymentStatus
from commerce.settings import GatewayKind
from tests.builders import product, usd
from tests.storefront import Answer, Storefront, a_storefront

BUTTONS, FIELDS = PaymentMethod.SMART_BUTTONS.value, PaymentMethod.HOSTED_FIELDS.value
CREATE = """mutation ($cart: String!, $code: String!, $source: String!) {
  createPaymentOrder(input: {cartId: $cart, location: CHECKOUT, methodCode: $code,
    paymentSource: $source, vaultIntent: false}) {
    id mp_order_id status amount currency_code } }"""
GET = """query ($cart: String!, $id: String!) { getPaymentOrder(cartId: $cart, id: $id) {
  id mp_order_id status payment_source_details { card { last_digits } } } }"""
SYNC = """mutation ($cart: String!, $id: String!) {
  syncPaymentOrder(input: {cartId: $cart, id: $id}) }"""
PAY = """mutation ($cart: String!, $method: PaymentMethodInput!) {
  setPaymentMethodOnCart(input: {cart_id: $cart, payment_method: $method}) { cart {
    available_payment_methods { code title }
    selected_payment_method { code title purchase_order_number } } } }"""
ORDERED = """query ($token: String!) { guestOrderByToken(input: {token: $token}) {
  payment_methods { name type } } }"""
UNAVAILABLE = {
    "message": "The payment provider does not answer. Please try again later.",
    "extensions": {
        "category": "graphql-input",
        "reason": "PAYMENT_PROVIDER_UNAVAILABLE",
        "retryable": True,
    },
}


@pytest.fixture
def online(market: Storefront) -> Storefront:
    """A store that takes checks, and online payments by two methods."""
    return market.of_new_store(payment_methods=("checkmo", BUTTONS, FIELDS))


async def create(shop: Storefront, cart_id: str, code: str = BUTTONS, **headers: str) -> Answer:
    return await shop.post(CREATE, {"cart": cart_id, "code": code, "source": "paypal"}, **headers)


async def created(shop: Storefront, cart_id: str, **headers: str) -> str:
    return (await create(shop, cart_id, **headers)).data["createPaymentOrder"]["id"]


async def get(shop: Storefront, cart_id: str, payment_id: str) -> Answer:
    return await shop.post(GET, {"cart": cart_id, "id": payment_id})


async def sync(shop: Storefront, cart_id: str, payment_id: str) -> Answer:
    return await shop.post(SYNC, {"cart": cart_id, "id": payment_id})


async def pay(shop: Storefront, cart_id: str, code: str, **more: Any) -> Answer:
    return await shop.post(PAY, {"cart": cart_id, "method": {"code": code, **more}})


def cart_of(shop: Storefront, cart_id: str) -> Cart:
    """The cart as it is stored."""
    found = shop.world.store.carts.find(cart_id)
    assert found is not None
    return found[0]


def not_found(payment_id: str) -> str:
    return f'Could not find a payment order with ID "{payment_id}"'


# -- making one --------------------------------------------------------------------------------


async def test_a_payment_is_made_over_the_total_of_the_cart(online: Storefront) -> None:
    cart_id = await online.a_ready_cart(("apple", 2))
    made = (await create(online, cart_id)).data["createPaymentOrder"]
    payment = online.world.payment(made["id"])
    assert made == {
        "id": payment.id,
        "mp_order_id": payment.id,
        "status": "CREATED",
        "amount": 30.0,
        "currency_code": "USD",
    }
    assert (payment.cart_id, payment.amount_minor, payment.currency) == (cart_id, 3000, "USD")
    assert payment.status is PaymentStatus.CREATED


async def test_its_amount_is_a_total_that_the_shopper_was_shown(shop: Storefront) -> None:
    shop.change_store(payment_methods=["checkmo", BUTTONS])
    cart_id = await shop.a_ready_cart(("apple", 1), without={"payment_method"})
    payment_id = await created(shop, cart_id)
    assert cart_of(shop, cart_id).shown_total == usd("15.00")
    shop.world.gateway.shopper(payment_id, "approve")
    shop.world.store.catalog.put([product("apple", price="11.00")])
    answer = await shop.complete(cart_id, payment_id)
    assert answer.body["extensions"]["completeOrder"]["reason"] == "TOTAL_CHANGED"
    assert shop.world.payment(payment_id).authorizations == 0


async def test_the_same_key_gets_the_same_payment(online: Storefront) -> None:
    cart_id, other_cart = await online.a_ready_cart(), await online.a_ready_cart()
    first = await created(online, cart_id, Idempotency_Key="k")
    assert await created(online, cart_id, Idempotency_Key="k") == first
    others = [
        await created(online, cart_id, Idempotency_Key="l"),
        await created(online, other_cart, Idempotency_Key="k"),
        await created(online, cart_id),
        await created(online, cart_id),
    ]
    assert len({first, *others}) == 5
    await online.take(cart_id, "items")
    assert await created(online, cart_id, Idempotency_Key="k") not in {first, *others}


async def test_two_requests_at_once_with_one_key_make_one_payment(online: Storefront) -> None:
    cart_id = await online.a_ready_cart()
    made = await asyncio.gather(
        *(created(online, cart_id, Idempotency_Key="k" * 255) for _ in range(5))
    )
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    "code", ["checkmo", "free", "", "card", PaymentMethod.APPLE_PAY.value, FIELDS.upper()]
)
async def test_only_online_methods_of_the_store_take_payments(
    online: Storefront, code: str
) -> None:
    answer = await create(online, await online.a_ready_cart(), code)
    assert answer.message == "The requested Payment Method is not available."


async def test_a_cart_with_nothing_to_pay_has_no_payment(online: Storefront) -> None:
    free, empty = await online.a_cart(), await online.a_cart()
    await online.take(free, "items", items=[("gift", 1)])
    for cart_id in (free, empty):
        answer = await create(online, cart_id)
        assert answer.message == "The cart has no total that could be paid."


async def test_payments_are_for_carts_of_the_caller(online: Storefront) -> None:
    customer = online.as_customer()
    own, guests = await customer.a_ready_cart(), await online.a_ready_cart()
    payment_id = await created(customer, own)
    assert (await get(customer, own, payment_id)).data
    for asking, cart_id in ((online, own), (customer, guests), (online.as_customer("eve"), own)):
        for answer in (
            await create(asking, cart_id),
            await get(asking, cart_id, payment_id),
            await sync(asking, cart_id, payment_id),
        ):
            message = f'The current user cannot perform operations on cart "{cart_id}"'
            assert (answer.status, answer.message) == (403, message)
    ledger = online.world.gateway.ledger(cart_id=own)
    assert len(ledger.payments) == 1


@pytest.mark.parametrize("ask", [create, get, sync])
async def test_payments_are_for_carts_that_exist(online: Storefront, ask: Any) -> None:
    def asked(cart_id: str) -> Any:
        return ask(online, cart_id) if ask is create else ask(online, cart_id, "P")

    assert (await asked("")).message == 'Required parameter "cartId" is missing'
    for cart_id in ("nowhere", "a b"):
        answer = await asked(cart_id)
        assert answer.message == f'Could not find a cart with ID "{cart_id}"'
    placed = await online.a_ready_cart()
    assert (await online.place(placed)).data
    assert (await asked(placed)).message == "The cart isn't active."


# -- following one -----------------------------------------------------------------------------


async def test_a_payment_is_followed_from_created_to_approved(online: Storefront) -> None:
    cart_id = await online.a_ready_cart()
    payment_id = await created(online, cart_id)
    shown = {"id": payment_id, "mp_order_id": payment_id, "payment_source_details": None}
    assert (await get(online, cart_id, payment_id)).data == {
        "getPaymentOrder": {**shown, "status": "CREATED"}
    }
    assert (await sync(online, cart_id, payment_id)).data == {"syncPaymentOrder": False}
    online.world.gateway.shopper(payment_id, "approve")
    assert (await get(online, cart_id, payment_id)).data == {
        "getPaymentOrder": {**shown, "status": "APPROVED"}
    }
    assert (await sync(online, cart_id, payment_id)).data == {"syncPaymentOrder": True}


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        (PaymentStatus.AUTHORIZED, True),
        (PaymentStatus.CAPTURED, False),
        (PaymentStatus.VOIDED, False),
    ],
)
async def test_every_status_is_told(online: Storefront, status: PaymentStatus, ready: bool) -> None:
    cart_id = await online.a_ready_cart()
    payment_id = online.world.gateway.pay(cart_id, usd("15.00"), status=status)
    shown = (await get(online, cart_id, payment_id)).data["getPaymentOrder"]
    assert shown["status"] == status.value.upper()
    assert (await sync(online, cart_id, payment_id)).data == {"syncPaymentOrder": ready}


async def test_whether_a_payment_exists_for_another_cart_is_not_told(online: Storefront) -> None:
    cart_id, elsewhere = await online.a_ready_cart(), await online.a_ready_cart()
    for payment_id in (await created(online, elsewhere), "9SA28234K9340625D"):
        for answer in (
            await get(online, cart_id, payment_id),
            await sync(online, cart_id, payment_id),
        ):
            assert answer.message == not_found(payment_id)
            assert answer.category == "graphql-no-such-entity"


@pytest.mark.parametrize(
    ("payment_id", "told"),
    [
        ("", ""),
        ("..", ".."),
        ("../ledger", "../ledger"),
        ("a?b#c", "a?b#c"),
        ("a\nb", "a?b"),
        ("\u00e9\ud7ff", None),
        ("x" * 256, f"{'x' * 64}\u2026"),
    ],
)
async def test_no_id_reaches_anything_else_at_the_provider(
    online: Storefront, payment_id: str, told: str | None
) -> None:
    cart_id = await online.a_ready_cart()
    for answer in (await get(online, cart_id, payment_id), await sync(online, cart_id, payment_id)):
        assert answer.category == "graphql-no-such-entity"
        assert told is None or answer.message == not_found(told)


# -- ordering with one -------------------------------------------------------------------------


async def test_complete_order_takes_the_payment(online: Storefront) -> None:
    cart_id = await online.a_ready_cart(without={"payment_method"})
    payment_id = await created(online, cart_id)
    online.world.gateway.shopper(payment_id, "approve")
    assert (await online.complete(cart_id, payment_id)).data["completeOrder"]["errors"] == []


@pytest.mark.parametrize("field", ["paypal_order_id", "payments_order_id"])
async def test_place_order_takes_the_payment_that_was_set_on_the_cart(
    online: Storefront, field: str
) -> None:
    cart_id = await online.a_ready_cart(without={"payment_method"})
    payment_id = await created(online, cart_id)
    online.world.gateway.shopper(payment_id, "approve")
    chosen = (await pay(online, cart_id, FIELDS, **{FIELDS: {field: payment_id}})).data
    assert chosen["setPaymentMethodOnCart"]["cart"] == {
        "available_payment_methods": [
            {"code": "checkmo", "title": "Check / Money order"},
            {"code": BUTTONS, "title": "PayPal"},
            {"code": FIELDS, "title": "Credit Card"},
        ],
        "selected_payment_method": {
            "code": FIELDS,
            "title": "Credit Card",
            "purchase_order_number": None,
        },
    }
    placed = (await online.place(cart_id)).data["placeOrder"]
    order = (await online.post(ORDERED, {"token": placed["orderV2"]["token"]})).data
    assert order["guestOrderByToken"]["payment_methods"] == [
        {"name": "Credit Card", "type": FIELDS}
    ]
    assert online.world.payment(payment_id).authorizations == 1


@pytest.mark.parametrize("code", sorted(ONLINE_METHODS))
async def test_an_online_method_needs_the_payment_of_its_own_object(
    market: Storefront, code: str
) -> None:
    online = market.of_new_store(payment_methods=(code,))
    cart_id = await online.a_ready_cart(without={"payment_method"})
    missing = 'Required parameter "paypal_order_id" for "payment_method" is missing.'
    other = BUTTONS if code != BUTTONS else FIELDS
    empty, elsewhere = {"paypal_order_id": ""}, {"paypal_order_id": "P"}
    for more in (None, {code: None}, {code: empty}, {other: elsewhere}):
        answer = await pay(online, cart_id, code, **(more or {}))
        reason = answer.error["extensions"]["reason"]
        assert (answer.message, reason) == (missing, "PAYMENT_PARAMETER_MISSING")
    for payment_id in ("x" * 256, "a\nb"):
        answer = await pay(online, cart_id, code, **{code: {"paypal_order_id": payment_id}})
        assert answer.message == '"paypal_order_id" is invalid. Enter and try again.'
    chosen = await pay(online, cart_id, code, **{code: {"paypal_order_id": "x" * 255}})
    cart = chosen.data["setPaymentMethodOnCart"]["cart"]
    assert cart["selected_payment_method"]["title"] == PaymentMethod(code).label


async def test_an_offline_method_has_no_payment(online: Storefront) -> None:
    cart_id = await online.a_ready_cart()
    assert (await pay(online, cart_id, "checkmo", **{BUTTONS: {"paypal_order_id": "P"}})).data
    assert cart_of(online, cart_id).payment == PaymentChoice(method="checkmo")


@pytest.mark.parametrize(
    ("script", "waits_for"),
    [({"authorize": "pending_shopper"}, "shopper"), ({"authorize": "pending_gateway"}, "gateway")],
)
async def test_a_pending_payment_says_whose_turn_it_is(
    online: Storefront, script: dict[str, Any], waits_for: str
) -> None:
    cart_id = await online.a_ready_cart()
    payment_id = online.world.gateway.pay(cart_id, usd("15.00"), script=script)
    assert (await pay(online, cart_id, BUTTONS, **{BUTTONS: {"paypal_order_id": payment_id}})).data
    answer = await online.place(cart_id, Idempotency_Key=f"key-of-{cart_id}")
    message = (
        "The payment is still pending. Ask again with the same Idempotency-Key to get the order."
    )
    assert answer.body["data"]["placeOrder"]["errors"] == [
        {"code": "UNDEFINED", "message": message}
    ]
    assert answer.error["extensions"] == {
        "category": "graphql-input",
        "error_code": "UNDEFINED",
        "reason": "PAYMENT_PENDING",
        "waits_for": waits_for,
        "idempotency_key": f"key-of-{cart_id}",
    }
    locked = await create(online, cart_id)
    assert locked.message == "The cart is locked for processing. Please try again later."
    online.world.gateway.shopper(payment_id, "authenticate")
    await settled(online, cart_id, payment_id)
    again = await online.place(cart_id, Idempotency_Key=f"key-of-{cart_id}")
    assert again.data["placeOrder"]["errors"] == []


async def test_a_pending_payment_under_complete_order(online: Storefront) -> None:
    cart_id = await online.a_ready_cart()
    script = {"authorize": "pending_shopper"}
    payment_id = online.world.gateway.pay(cart_id, usd("15.00"), script=script)
    answer = await online.complete(cart_id, payment_id, Idempotency_Key=f"key-of-{cart_id}")
    (told,) = answer.body["data"]["completeOrder"]["errors"]
    extensions = answer.body["extensions"]["completeOrder"]
    assert told["code"] == "UNABLE_TO_COMPLETE_ORDER"
    assert (extensions["reason"], extensions["waits_for"]) == ("PAYMENT_PENDING", "shopper")
    online.world.gateway.shopper(payment_id, "decline")
    await settled(online, cart_id, payment_id)
    again = await online.complete(cart_id, payment_id, Idempotency_Key=f"key-of-{cart_id}")
    declined = again.body["extensions"]["completeOrder"]
    assert (declined["reason"], declined["decline"]) == ("PAYMENT_DECLINED", "declined")


async def settled(shop: Storefront, cart_id: str, payment_id: str) -> None:
    """Tell the checkout that its payment has changed, and wait until it has ended."""
    await shop.world.client.payment_changed(cart_id, payment_id)
    await shop.world.handle(cart_id).result()


# -- without the provider ----------------------------------------------------------------------


@pytest_asyncio.fixture(params=[GatewayKind.NONE, GatewayKind.SANDBOX])
async def offline(request: pytest.FixtureRequest, online: Storefront) -> AsyncGenerator[Storefront]:
    """The same store at a server whose provider is nobody, or does not answer."""
    nowhere = {"gateway": request.param, "gateway_url": "http://127.0.0.1:9"}
    settings = online.world.settings.model_copy(update=nowhere)
    async with a_storefront(replace(online.world, settings=settings)) as made:
        yield made.in_store(online.headers["Store"])


async def test_without_a_provider_no_payment_is_made_and_it_may_be_tried_again(
    offline: Storefront,
) -> None:
    answer = await create(offline, await offline.a_ready_cart())
    assert (answer.status, answer.body["data"]) == (200, {"createPaymentOrder": None})
    told = {name: answer.error[name] for name in ("message", "extensions")}
    assert told == UNAVAILABLE


async def test_a_provider_that_is_away_is_not_one_without_the_payment(
    offline: Storefront,
) -> None:
    cart_id = await offline.a_ready_cart()
    for answer in (await get(offline, cart_id, "P"), await sync(offline, cart_id, "P")):
        if offline.world.settings.gateway is GatewayKind.NONE:
            assert answer.message == not_found("P")
        else:
            assert answer.message == UNAVAILABLE["message"]
