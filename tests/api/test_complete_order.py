"""Is ``completeOrder`` answered as its page and section 14 of the contract say?"""

import asyncio
import re
from typing import Any

import pytest

from commerce.domain.payments import PaymentStatus
from tests.api.unready import GENERAL, NOWHERE, SERVER_ERROR, UNREADY, Unready
from tests.builders import usd
from tests.faults import Mode
from tests.storefront import COMPLETE, Answer, Storefront

CART_OF_THE_PAGE = "AJCY8dhIfuch9LcDHAxEkw7oG3DjGdKt"
PAYMENT_OF_THE_PAGE = "88455624KT013492F"
REQUEST_OF_THE_PAGE = """mutation {
  completeOrder(input: {
    cartId: "AJCY8dhIfuch9LcDHAxEkw7oG3DjGdKt"
    id: "88455624KT013492F"
  }) {
    orderV2 {
      number
      token
    }
    errors {
      message
      code
    }
  }
}
"""
TOKEN = re.compile(r"0:3:[0-9A-Za-z+/]{40,}={0,2}")
INVALID = {
    "code": "PAYMENT_ID_INVALID",
    "message": "The provided payment or transaction ID is invalid.",
}
CODES = {
    "UNABLE_TO_PLACE_ORDER": "UNABLE_TO_COMPLETE_ORDER",
    "UNDEFINED": "UNABLE_TO_COMPLETE_ORDER",
}


def refused(answer: Answer) -> tuple[dict[str, str], dict[str, Any]]:
    """The error of the payload, and what the extensions say beside it; nothing at the top level."""
    assert (answer.status, set(answer.body)) == (200, {"data", "extensions"}), answer
    payload: dict[str, Any] = answer.body["data"]["completeOrder"]
    (told,) = payload.pop("errors")
    assert payload == {"order": None, "orderV2": None}
    assert set(answer.body["extensions"]) == {"completeOrder"}
    return told, answer.body["extensions"]["completeOrder"]


def refused_outside(answer: Answer, status: int = 200) -> str:
    """The message of a refusal that only the top level tells."""
    assert (answer.status, answer.body["data"]) == (status, {"completeOrder": None}), answer
    return answer.message


def number_of(answer: Answer) -> str:
    return answer.data["completeOrder"]["order"]["order_number"]


# -- the page -----------------------------------------------------------------------------------


async def test_the_request_of_the_page_gets_the_response_of_the_page(shop: Storefront) -> None:
    shop.change_store(order_prefix="0")
    await asyncio.gather(*(shop.an_order() for _ in range(11)))
    make = f'mutation {{ createEmptyCart(input: {{cart_id: "{CART_OF_THE_PAGE}"}}) }}'
    assert (await shop.post(make)).data == {"createEmptyCart": CART_OF_THE_PAGE}
    await shop.fill(CART_OF_THE_PAGE)
    shop.world.pay(CART_OF_THE_PAGE, "15.00", id=PAYMENT_OF_THE_PAGE)
    answer = await shop.post(REQUEST_OF_THE_PAGE)
    token = answer.data["completeOrder"]["orderV2"].pop("token")
    assert TOKEN.fullmatch(token)
    assert answer.body == {
        "data": {"completeOrder": {"orderV2": {"number": "0000000012"}, "errors": []}}
    }


async def test_the_order_is_paid_by_the_payment_and_its_token_opens_it(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(("apple", 2), without={"payment_method"})
    payment_id = market.approved(cart_id, "30.00")
    completed = (await market.complete(cart_id, payment_id)).data["completeOrder"]
    await market.world.handle(cart_id).result()
    opened = await market.post(
        """query ($token: String!) { guestOrderByToken(input: {token: $token}) {
          number status payment_methods { name type } total { grand_total { value } } } }""",
        {"token": completed["orderV2"]["token"]},
    )
    assert opened.data["guestOrderByToken"] == {
        "number": completed["order"]["order_number"],
        "status": "Processing",
        "payment_methods": [{"name": "Paid online", "type": "gateway"}],
        "total": {"grand_total": {"value": 30.0}},
    }
    assert status_of(market, payment_id) is PaymentStatus.CAPTURED


def status_of(market: Storefront, payment_id: str) -> PaymentStatus:
    payment = market.world.payment(payment_id)
    return payment.status


# -- in the payload only ------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNREADY)
async def test_a_refusal_is_told_in_the_payload_only(market: Storefront, name: str) -> None:
    unready: Unready = UNREADY[name]
    storefront, cart_id = await unready.make(market)
    prefix = "Unable to complete order: " if unready.code == GENERAL else ""
    code = CODES.get(unready.code, unready.code)
    assert refused(await storefront.complete(cart_id, "ANY")) == (
        {"code": code, "message": prefix + unready.text.replace("{}", cart_id)},
        unready.extensions(code),
    )


async def test_an_order_once_completed_is_named_to_who_completes_it_again(
    market: Storefront,
) -> None:
    cart_id = await market.a_ready_cart()
    payment_id = market.approved(cart_id, "15.00")
    number = number_of(await market.complete(cart_id, payment_id))
    told, extensions = refused(await market.complete(cart_id, payment_id))
    assert told == {"code": "CART_NOT_ACTIVE", "message": "The cart isn't active."}
    assert extensions["order_number"] == number


async def test_what_an_operator_stops_is_told_as_the_documented_server_error(
    market: Storefront,
) -> None:
    cart_id = await market.a_ready_cart()
    payment_id = market.approved(cart_id, "15.00")

    async def stop() -> None:
        aborting.append(asyncio.create_task(market.world.abort(cart_id, "the test says so")))

    aborting: list[asyncio.Task[None]] = []
    market.world.faults.fail("verify_payment", Mode.BEFORE, times=100)
    market.world.faults.on("verify_payment", stop)
    told, extensions = refused(await market.complete(cart_id, payment_id))
    market.world.faults.heal()
    await aborting[0]
    assert told == {
        "code": "UNABLE_TO_COMPLETE_ORDER",
        "message": f"Unable to complete order: {SERVER_ERROR}",
    }
    assert (extensions["reason"], extensions["retryable"]) == ("ABORTED", True)
    assert number_of(await market.complete(cart_id, payment_id))


async def test_the_extensions_stand_under_the_name_that_the_document_gives(
    market: Storefront,
) -> None:
    document = COMPLETE.replace("completeOrder", "mine: completeOrder")
    answer = await market.post(document, {"cart": NOWHERE, "payment": "ANY"})
    assert list(answer.body["extensions"]) == ["mine"]
    assert answer.body["data"]["mine"]["errors"][0]["code"] == "CART_NOT_FOUND"


async def test_the_type_of_the_error_is_told(market: Storefront) -> None:
    document = COMPLETE.replace("code message", "__typename code message")
    answer = await market.post(document, {"cart": NOWHERE, "payment": "ANY"})
    assert answer.data["completeOrder"]["errors"][0]["__typename"] == "CompleteOrderError"


# -- payments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "ANOTHER"},
        {"cart_id": "another-cart"},
        {"amount": usd("14.99")},
        {"amount": usd("15.01")},
        {"amount": usd("15.00").model_copy(update={"currency": "EUR"})},
        {"status": PaymentStatus.CREATED},
        {"status": PaymentStatus.CAPTURED},
        {"status": PaymentStatus.VOIDED},
    ],
    ids=str,
)
async def test_a_payment_that_is_not_just_for_this_cart_is_invalid_and_stays_as_it_is(
    market: Storefront, changes: dict[str, Any]
) -> None:
    cart_id = await market.a_ready_cart()
    if "id" in changes:
        changes["id"] += cart_id
    made = market.approved(cart_id, "15.00", **changes)
    before = market.world.payment(made)
    told, extensions = refused(await market.complete(cart_id, f"PAY-{cart_id}"))
    assert told == INVALID
    assert extensions == {
        "category": "graphql-input",
        "error_code": "PAYMENT_ID_INVALID",
        "reason": "PAYMENT_ID_INVALID",
        "retryable": False,
    }
    assert market.world.payment(made) == before
    assert (await market.place(cart_id)).data


@pytest.mark.parametrize("payment_id", ["", " ", "no such id", "ü", "x" * 256])
async def test_an_id_that_no_payment_has_is_invalid(market: Storefront, payment_id: str) -> None:
    cart_id = await market.a_ready_cart()
    assert refused(await market.complete(cart_id, payment_id))[0] == INVALID


async def test_a_payment_pays_for_one_order(market: Storefront) -> None:
    first = await market.a_ready_cart()
    payment_id = market.approved(first, "15.00")
    assert number_of(await market.complete(first, payment_id))
    second = await market.a_ready_cart()
    assert refused(await market.complete(second, payment_id))[0] == INVALID


async def test_a_customer_cannot_use_another_customers_payment(market: Storefront) -> None:
    ada, eve = market.as_customer("ada-who-pays"), market.as_customer("eve-who-does-not")
    cart_ids = await ada.a_ready_cart(), await eve.a_ready_cart()
    payment_id = market.approved(cart_ids[0], "15.00")
    assert refused(await eve.complete(cart_ids[1], payment_id))[0] == INVALID
    assert number_of(await ada.complete(cart_ids[0], payment_id))


# -- at the top level only ----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ['(input: {cartId: "", id: "ANY"})', "", "(input: null)"])
async def test_an_empty_cart_id_is_told_at_the_top_level_only(
    market: Storefront, arguments: str
) -> None:
    answer = await market.post(f"mutation {{ completeOrder{arguments} {{ errors {{ code }} }} }}")
    assert refused_outside(answer) == 'Required parameter "cart_id" is missing'
    assert answer.category == "graphql-input"


@pytest.mark.parametrize(("owner", "asking"), [("ada", None), (None, "ada"), ("ada", "eve")])
async def test_somebody_elses_cart_is_refused_with_a_status(
    market: Storefront, owner: str | None, asking: str | None
) -> None:
    owning = market.as_customer(f"{owner}-{asking}-pays") if owner else market
    cart_id = await owning.a_ready_cart()
    payment_id = market.approved(cart_id, "15.00")
    stranger = market.as_customer(asking) if asking else market
    answer = await stranger.complete(cart_id, payment_id)
    message = f'The current user cannot perform operations on cart "{cart_id}"'
    assert refused_outside(answer, 403) == message
    assert answer.category == "graphql-authorization"
    assert number_of(await owning.complete(cart_id, payment_id))


async def test_guests_are_refused_with_a_status_once_the_store_wants_customers_only(
    market: Storefront,
) -> None:
    store = market.of_new_store()
    cart_id = await store.a_ready_cart()
    store.change_store(guest_checkout=False)
    answer = await store.complete(cart_id, store.approved(cart_id, "15.00"))
    assert refused_outside(answer, 403) == (
        "Guest checkout is not allowed. Register a customer account or login with existing one."
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            'mutation { completeOrder(input: {cartId: "X"}) { errors { code } } }',
            "Field CompleteOrderInput.id of required type String! was not provided.",
        ),
        (
            'mutation { completeOrder(input: {id: "X"}) { errors { code } } }',
            "Field CompleteOrderInput.cartId of required type String! was not provided.",
        ),
        (
            'mutation { completeOrder(input: {cart_id: "X", id: "Y"}) { errors { code } } }',
            'Field "cart_id" is not defined by type "CompleteOrderInput". Did you mean "cartId"?',
        ),
    ],
)
async def test_a_document_that_is_not_valid_is_refused_as_a_whole(
    market: Storefront, document: str, message: str
) -> None:
    answer = await market.post(document)
    assert (answer.status, set(answer.body)) == (400, {"errors"})
    assert message in [error["message"] for error in answer.body["errors"]]
