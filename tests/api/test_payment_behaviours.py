"""However a payment behaves at the provider: what does a storefront see, over HTTP and webhooks?"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from client import Operation
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.domain.orders import OrderStatus
from tests.builders import usd
from tests.storefront import Answer, Storefront

BUTTONS = "payment_services_paypal_smart_buttons"
CHOOSE = """
mutation ($cart: String!, $method: PaymentMethodInput!) {
  setPaymentMethodOnCart(input: {cart_id: $cart, payment_method: $method}) { cart { id } }
}
"""
ORDERS = {
    "approved": {},
    "timed out with effect": {"faults": [{"call": "authorize", "mode": "time_out_after"}]},
    "duplicate webhooks": {"authorize": "pending_shopper", "webhooks": "duplicated"},
    "webhooks in reverse": {"authorize": "pending_shopper", "webhooks": "reversed"},
    "no webhooks": {"authorize": "pending_shopper", "webhooks": "none"},
    "reviewed": {"authorize": "pending_gateway"},
}


@pytest_asyncio.fixture(scope="module")
async def online(market: Storefront) -> AsyncGenerator[Storefront]:
    """A store that takes online payments, and is told by webhooks."""
    settings = market.world.settings
    gateway = SandboxGateway(settings.gateway_url, settings.gateway_key.get_secret_value())
    url = market.url.replace("/graphql", "/webhooks/sandbox")
    await gateway.set_webhook(url, settings.gateway_webhook_secret.get_secret_value())
    yield market.of_new_store(payment_methods=("checkmo", BUTTONS))
    await gateway.aclose()


async def order(shop: Storefront, operation: Operation, cart_id: str, payment: str) -> Answer:
    key = {"Idempotency_Key": f"key-of-{cart_id}"}
    if operation is Operation.COMPLETE_ORDER:
        return await shop.complete(cart_id, payment, **key)
    return await shop.place(cart_id, **key)


def payload(answer: Answer, operation: Operation) -> dict[str, Any]:
    name = "completeOrder" if operation is Operation.COMPLETE_ORDER else "placeOrder"
    return answer.body["data"][name]


async def a_cart_and_its_payment(
    shop: Storefront, operation: Operation, script: dict[str, Any]
) -> tuple[str, str]:
    cart_id = await shop.a_ready_cart()
    payment = shop.world.gateway.pay(cart_id, usd("15.00"), script=script)
    if operation is Operation.PLACE_ORDER:
        method = {"code": BUTTONS, BUTTONS: {"paypal_order_id": payment}}
        answer = await shop.post(CHOOSE, {"cart": cart_id, "method": method})
        assert "errors" not in answer.body
    return cart_id, payment


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("behaviour", ORDERS)
async def test_the_order_comes_once_and_is_paid_once(
    online: Storefront, operation: Operation, behaviour: str
) -> None:
    script = ORDERS[behaviour]
    cart_id, payment = await a_cart_and_its_payment(online, operation, script)
    answer = await order(online, operation, cart_id, payment)
    if "authorize" in script:
        assert "The payment is still pending." in payload(answer, operation)["errors"][0]["message"]
        assert "PAYMENT_PENDING" in str(answer.body)
        await asyncio.to_thread(online.world.gateway.shopper, payment, "authenticate")
        if behaviour == "no webhooks":
            await online.world.client.payment_changed(cart_id, payment)
        await online.world.handle(cart_id).result()
        answer = await order(online, operation, cart_id, payment)
    number = payload(answer, operation)["orderV2"]["number"]
    await online.world.handle(cart_id).result()
    paid = online.world.payment(payment)
    assert (paid.authorizations, paid.captures, paid.voids, paid.refunds) == (1, 1, 0, 0)
    assert paid.open_minor == 0
    found = online.world.store.order_book.find(number=number)
    assert found is not None
    assert (found.payment_id, found.totals.grand_total) == (payment, usd("15.00"))


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("reason", ["decline", "insufficient_funds"])
async def test_a_decline_is_told_in_the_documented_channels(
    online: Storefront, operation: Operation, reason: str
) -> None:
    script = {"authorize": reason}
    cart_id, payment = await a_cart_and_its_payment(online, operation, script)
    answer = await order(online, operation, cart_id, payment)
    (error,) = payload(answer, operation)["errors"]
    complete = operation is Operation.COMPLETE_ORDER
    prefix = "Unable to complete order: " if complete else "Unable to place order: "
    assert error["message"].startswith(f"{prefix}The payment was declined.")
    assert error["code"] == ("UNABLE_TO_COMPLETE_ORDER" if complete else "UNABLE_TO_PLACE_ORDER")
    told = (
        answer.body["extensions"]["completeOrder"]
        if complete
        else answer.body["errors"][0]["extensions"]
    )
    assert told["reason"] == "PAYMENT_DECLINED"
    assert told["decline"] == ("declined" if reason == "decline" else reason)
    assert ("errors" in answer.body) is not complete
    assert online.world.payment(payment).authorizations == 0


@pytest.mark.parametrize("status", OrderStatus)
async def test_an_order_is_shown_in_every_status(online: Storefront, status: OrderStatus) -> None:
    order = await online.an_order()
    with online.world.store.database.transaction() as tx:
        tx.execute(
            text("UPDATE orders SET status = :status WHERE number = :number"),
            {"status": status.value, "number": order["number"]},
        )
    query = "query ($token: String!) { guestOrderByToken(input: {token: $token}) { status state } }"
    shown = (await online.post(query, {"token": order["token"]})).data["guestOrderByToken"]
    assert shown["status"] == status.label


async def test_an_order_in_payment_review_is_answered_again_under_its_key(
    online: Storefront,
) -> None:
    script = {"capture": "decline"}
    cart_id, payment = await a_cart_and_its_payment(online, Operation.COMPLETE_ORDER, script)
    first = await order(online, Operation.COMPLETE_ORDER, cart_id, payment)
    number = payload(first, Operation.COMPLETE_ORDER)["orderV2"]["number"]
    status = ""
    while status != OrderStatus.PAYMENT_REVIEW:
        found = online.world.store.order_book.find(number=number)
        assert found is not None
        status = found.status
        await asyncio.sleep(0.05)
    again = await order(online, Operation.COMPLETE_ORDER, cart_id, payment)
    assert payload(again, Operation.COMPLETE_ORDER)["orderV2"]["number"] == number
    await asyncio.to_thread(online.world.gateway.behave, payment, "approved")
    await online.world.client.payment_changed(cart_id, payment)
    await online.world.handle(cart_id).result()
