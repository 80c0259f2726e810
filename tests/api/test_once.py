"""Is there one order, however often, at once, and by whichever mutation it is asked for?"""

import asyncio
from typing import Any

from tests.builders import product
from tests.storefront import STEPS, Answer, Storefront, a_storefront

CROWD = 20
PAY_AND_PLACE = (
    "mutation ($cart: String!) { "
    + STEPS["payment_method"]
    + " placeOrder(input: {cart_id: $cart}) { order { order_number } errors { code } } }"
)
SET_AND_PLACE = """
mutation ($cart: String!) {
  setPaymentMethodAndPlaceOrder(input: {cart_id: $cart, payment_method: {code: "checkmo"}}) {
    order { order_number } orderV2 { token }
  }
}
"""
REUSED = "The idempotency key was already used with another request."


def order_told(answer: Answer) -> str:
    """The order that an answer names: as its own, or as what the cart became already."""
    (payload,) = answer.body["data"].values()
    if payload["order"]:
        assert payload["errors"] == []
        return payload["order"]["order_number"]
    assert [each["code"] for each in payload["errors"]] == ["CART_NOT_ACTIVE"]
    beside = answer.body.get("extensions", {}).get("completeOrder")
    extensions = beside or answer.error["extensions"]
    return extensions["order_number"]


# -- again, later -------------------------------------------------------------------------------


async def test_the_same_key_gets_the_same_answer(market: Storefront) -> None:
    cart_id, key = await market.a_ready_cart(), market.world.id("same")
    first = await market.place(cart_id, Idempotency_Key=key)
    assert first.data["placeOrder"]["errors"] == []
    again = await market.place(cart_id, Idempotency_Key=key)
    assert again.body == first.body


async def test_the_same_key_gets_the_same_answer_of_complete_order(market: Storefront) -> None:
    cart_id, key = await market.a_ready_cart(), market.world.id("complete")
    payment_id = market.approved(cart_id, "15.00")
    first = await market.complete(cart_id, payment_id, Idempotency_Key=key)
    number, token = without_status(first)
    await market.world.handle(cart_id).result()
    again = await market.complete(cart_id, payment_id, Idempotency_Key=key)
    assert without_status(again) == (number, token)
    assert again.data["completeOrder"]["orderV2"]["status"] == "Processing"


def without_status(answer: Answer) -> tuple[str, str]:
    order: dict[str, Any] = answer.data["completeOrder"]["orderV2"]
    return order["number"], order["token"]


async def test_the_same_key_gets_the_same_order_though_a_payment_method_is_set_before_it(
    market: Storefront,
) -> None:
    cart_id, key = await market.a_ready_cart(), market.world.id("pay")
    variables = {"cart": cart_id}
    first = await market.post(PAY_AND_PLACE, variables, Idempotency_Key=key)
    again = await market.post(PAY_AND_PLACE, variables, Idempotency_Key=key)
    assert first.data["placeOrder"]["order"]
    assert again.status == 200
    assert again.body["data"]["placeOrder"] == first.data["placeOrder"]
    assert (again.message, again.error["path"]) == (
        "The cart isn't active.",
        ["setPaymentMethodOnCart"],
    )


async def test_the_same_key_gets_the_same_order_of_setting_and_placing(market: Storefront) -> None:
    cart_id, key = await market.a_ready_cart(), market.world.id("set-and-place")
    first, again = [
        await market.post(SET_AND_PLACE, {"cart": cart_id}, Idempotency_Key=key) for _ in range(2)
    ]
    assert first.data["setPaymentMethodAndPlaceOrder"]["order"]
    assert again.body == first.body


async def test_a_key_is_for_one_request(market: Storefront) -> None:
    cart_id, other = await market.a_ready_cart(), await market.a_ready_cart()
    key = market.world.id("one-request")
    assert (await market.place(cart_id, Idempotency_Key=key)).data
    placing = await market.place(other, Idempotency_Key=key)
    assert (placing.status, placing.body["data"]) == (200, {"placeOrder": None})
    assert (placing.message, placing.category) == (REUSED, "graphql-input")
    completing = await market.complete(cart_id, "ANY", Idempotency_Key=key)
    assert (completing.status, completing.body["data"]) == (200, {"completeOrder": None})
    assert completing.message == REUSED
    assert (await market.place(other)).data["placeOrder"]["order"]


async def test_another_shopper_learns_nothing_by_a_key(market: Storefront) -> None:
    cart_id, key = await market.a_ready_cart(), market.world.id("guests")
    assert (await market.place(cart_id, Idempotency_Key=key)).data
    stranger = await market.as_customer("eve").place(cart_id, Idempotency_Key=key)
    assert stranger.body["data"] == {"placeOrder": None}
    assert stranger.error["extensions"] == {
        "category": "graphql-input",
        "reason": "IDEMPOTENCY_KEY_REUSED",
        "retryable": False,
    }


async def test_a_key_keeps_its_refusal_and_another_key_gets_the_order(market: Storefront) -> None:
    cart_id, key = await market.a_ready_cart(without={"payment_method"}), market.world.id("refused")
    refused = await market.place(cart_id, Idempotency_Key=key)
    await market.take(cart_id, "payment_method")
    assert (await market.place(cart_id, Idempotency_Key=key)).body == refused.body
    assert (await market.place(cart_id)).data["placeOrder"]["order"]


async def test_another_key_is_told_that_the_cart_is_an_order(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    first = await market.place(cart_id, Idempotency_Key=market.world.id("first"))
    second = await market.place(cart_id, Idempotency_Key=market.world.id("second"))
    assert order_told(second) == order_told(first)
    assert second.error["extensions"]["error_code"] == "CART_NOT_ACTIVE"


# -- at once ------------------------------------------------------------------------------------


async def test_a_crowd_that_places_one_cart_under_many_keys_gets_one_order(
    shop: Storefront,
) -> None:
    cart_id = await shop.a_ready_cart()
    answers = await asyncio.gather(
        *(shop.place(cart_id, Idempotency_Key=shop.world.id(f"K{n}")) for n in range(CROWD))
    )
    assert {order_told(answer) for answer in answers} == {"000000001"}
    await shop.world.handle(cart_id).result()
    shop.world.assert_clean(orders=1)


async def test_who_asks_before_the_order_exists_gets_it_as_well(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    payment_id = market.approved(cart_id, "15.00")
    verifying, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        verifying.set()
        await goes_on.wait()

    market.world.faults.on("verify_payment", wait)
    async with asyncio.TaskGroup() as asking:
        first = asking.create_task(market.complete(cart_id, payment_id))
        await verifying.wait()
        second = asking.create_task(market.complete(cart_id, payment_id))
        await until_asked(market, cart_id, times=2)
        goes_on.set()
    (one, other) = [each.result().data["completeOrder"]["order"] for each in (first, second)]
    assert one == other


async def until_asked(market: Storefront, cart_id: str, times: int) -> None:
    """Wait until so many requests have reached the checkout of a cart."""
    async with asyncio.timeout(10):
        asked = 0
        while asked < times:
            history = await market.world.handle(cart_id).fetch_history()
            accepted = "workflow_execution_update_accepted_event_attributes"
            asked = sum(event.HasField(accepted) for event in history.events)


async def test_both_operations_at_once_become_one_order(shop: Storefront) -> None:
    cart_id = await shop.a_ready_cart()
    payment_id = shop.approved(cart_id, "15.00")
    answers = await asyncio.gather(
        *(shop.place(cart_id) for _ in range(5)),
        *(shop.complete(cart_id, payment_id) for _ in range(5)),
    )
    assert {order_told(answer) for answer in answers} == {"000000001"}
    await shop.world.handle(cart_id).result()
    order = shop.world.store.order_book.find(cart_id=cart_id)
    payment = shop.world.payment(payment_id)
    assert order is not None
    assert (payment.status == "captured") is (order.payment_id == payment_id)
    shop.world.assert_clean(orders=1)


async def test_the_last_one_is_sold_once(shop: Storefront) -> None:
    shop.world.store.catalog.put([product("last", 1)])
    cart_ids = [await shop.a_ready_cart(("last", 1)) for _ in range(5)]
    answers = await asyncio.gather(*map(shop.place, cart_ids))
    reasons = sorted(
        answer.body["errors"][0]["extensions"]["reason"] if "errors" in answer.body else "order"
        for answer in answers
    )
    assert reasons == ["OUT_OF_STOCK"] * 4 + ["order"]
    await asyncio.gather(*(shop.world.handle(each).result() for each in cart_ids))
    shop.world.assert_clean(orders=1)


# -- not known yet ------------------------------------------------------------------------------


async def test_who_cannot_wait_is_told_how_to_ask_again(market: Storefront) -> None:
    world, carts = market.world, [await market.a_ready_cart() for _ in range(2)]
    payment_id = market.approved(carts[1], "15.00")
    keys = [world.id("K-of-" + cart_id[:8]) for cart_id in carts]
    goes_on = asyncio.Event()
    world.faults.on("verify_payment", goes_on.wait)
    async with a_storefront(world, deadline_s=1) as hasty:
        completing = await hasty.complete(carts[1], payment_id, Idempotency_Key=keys[1])
        world.faults.on("create_order", goes_on.wait)
        placing = await hasty.place(carts[0], Idempotency_Key=keys[0])
    goes_on.set()

    assert placing.body["data"] == {"placeOrder": pending("UNDEFINED")}
    assert placing.message == PENDING
    assert placing.error["extensions"] == asked_again_with("UNDEFINED", keys[0])

    assert set(completing.body) == {"data", "extensions"}
    assert completing.body["data"] == {"completeOrder": pending("UNABLE_TO_COMPLETE_ORDER")}
    assert completing.body["extensions"] == {
        "completeOrder": asked_again_with("UNABLE_TO_COMPLETE_ORDER", keys[1])
    }

    assert (await market.place(carts[0], Idempotency_Key=keys[0])).data
    completed = await market.complete(carts[1], payment_id, Idempotency_Key=keys[1])
    assert completed.data["completeOrder"]["errors"] == []


PENDING = "The order is still being processed. Ask again with the same Idempotency-Key to get it."


def pending(code: str) -> dict[str, Any]:
    return {"order": None, "orderV2": None, "errors": [{"code": code, "message": PENDING}]}


def asked_again_with(code: str, key: str) -> dict[str, str]:
    return {
        "category": "graphql-input",
        "error_code": code,
        "reason": "PENDING",
        "idempotency_key": key,
    }
