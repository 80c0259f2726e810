"""Is ``placeOrder`` answered as its page and section 3 of the contract say, in both channels?"""

import asyncio
from typing import Any

import pytest

from tests.api.unready import GENERAL, NOWHERE, SERVER_ERROR, UNPAID, UNREADY, Unready
from tests.builders import product
from tests.faults import Mode
from tests.storefront import PLACE, STEPS, Answer, Storefront

REQUEST_OF_THE_PAGE = """mutation {
  placeOrder(
    input: {
      cart_id: "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"
    }
  ) {
    order {
      order_number
    }
  }
}
"""
RESPONSE_OF_THE_PAGE = {"data": {"placeOrder": {"order": {"order_number": "000000006"}}}}
CART_OF_THE_PAGE = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"

NOTHING = {"order": None, "orderV2": None}
ALL_UNREADY = {**UNREADY, **UNPAID}


def refused(answer: Answer) -> tuple[str, str, dict[str, Any]]:
    """Code, message and extensions of a refusal, which both channels must tell alike."""
    assert answer.status == 200, answer
    payload: dict[str, Any] = answer.body["data"]["placeOrder"]
    (told,) = payload.pop("errors")
    assert payload == NOTHING
    error = answer.error
    assert (error["message"], error["path"]) == (told["message"], ["placeOrder"])
    assert error["locations"] == [{"line": 3, "column": 3}]
    assert error["extensions"]["error_code"] == told["code"]
    assert set(answer.body) == {"data", "errors"}
    return told["code"], told["message"], error["extensions"]


def refused_outside(answer: Answer, status: int = 200) -> str:
    """The message of a refusal that only the top level tells."""
    assert (answer.status, answer.body["data"]) == (status, {"placeOrder": None}), answer
    assert "error_code" not in answer.error["extensions"]
    return answer.message


def number_of(answer: Answer) -> str:
    return answer.data["placeOrder"]["order"]["order_number"]


# -- the page -----------------------------------------------------------------------------------


async def test_the_request_of_the_page_gets_the_response_of_the_page(shop: Storefront) -> None:
    await asyncio.gather(*(shop.an_order() for _ in range(5)))
    make = f'mutation {{ createEmptyCart(input: {{cart_id: "{CART_OF_THE_PAGE}"}}) }}'
    assert (await shop.post(make)).data == {"createEmptyCart": CART_OF_THE_PAGE}
    await shop.fill(CART_OF_THE_PAGE)
    answer = await shop.post(REQUEST_OF_THE_PAGE)
    assert (answer.status, answer.body) == (200, RESPONSE_OF_THE_PAGE)


async def test_a_cart_becomes_its_order(shop: Storefront) -> None:
    cart_id = await shop.a_ready_cart(("apple", 2))
    placed = (await shop.place(cart_id)).data["placeOrder"]
    assert placed["errors"] == []
    assert placed["order"] == {"order_number": "000000001", "order_id": "000000001"}
    assert placed["orderV2"]["number"] == "000000001"
    assert placed["orderV2"]["status"] == "Pending"
    assert placed["orderV2"]["total"]["grand_total"] == {"value": 30.0, "currency": "USD"}
    await shop.world.handle(cart_id).result()
    shop.world.assert_clean(orders=1)


async def test_a_customers_cart_needs_no_email_address(market: Storefront) -> None:
    ada = market.as_customer("ada-who-orders")
    assert number_of(await ada.place(await ada.a_ready_cart()))


@pytest.mark.parametrize("name", ALL_UNREADY)
async def test_a_refusal_is_told_in_both_channels(market: Storefront, name: str) -> None:
    unready: Unready = ALL_UNREADY[name]
    storefront, cart_id = await unready.make(market)
    prefix = "Unable to place order: " if unready.code == GENERAL else ""
    assert refused(await storefront.place(cart_id)) == (
        unready.code,
        prefix + unready.text.replace("{}", cart_id),
        unready.extensions(unready.code),
    )


async def test_a_refused_cart_can_be_ordered_once_the_cause_is_gone(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(without={"payment_method"})
    refused(await market.place(cart_id))
    await market.choose(cart_id, payment="checkmo")
    assert number_of(await market.place(cart_id))


async def test_what_breaks_inside_is_told_as_the_documented_server_error(
    market: Storefront,
) -> None:
    cart_id = await market.a_ready_cart()
    market.world.faults.fail("lock_cart", Mode.BEFORE, for_good=True)
    code, message, extensions = refused(await market.place(cart_id))
    assert (code, message) == (GENERAL, f"Unable to place order: {SERVER_ERROR}")
    assert (extensions["reason"], extensions["retryable"]) == ("SERVER_ERROR", True)
    assert number_of(await market.place(cart_id))


async def test_an_order_once_placed_is_named_to_who_places_it_again(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    number = number_of(await market.place(cart_id))
    code, message, extensions = refused(await market.place(cart_id))
    assert (code, message) == ("CART_NOT_ACTIVE", "The cart isn't active.")
    assert extensions == {
        "category": "graphql-input",
        "error_code": "CART_NOT_ACTIVE",
        "reason": "CART_NOT_ACTIVE",
        "retryable": False,
        "order_number": number,
    }


async def test_an_order_is_not_named_to_a_stranger(market: Storefront) -> None:
    ada = market.as_customer("ada-whose-order-it-is")
    cart_id = await ada.a_ready_cart()
    assert number_of(await ada.place(cart_id))
    for stranger in (market, market.as_customer("eve")):
        code, _, extensions = refused(await stranger.place(cart_id))
        assert code == "CART_NOT_ACTIVE"
        assert "order_number" not in extensions


# -- which refusal ------------------------------------------------------------------------------


async def test_what_is_missing_is_told_one_by_one_in_the_documented_order(
    market: Storefront,
) -> None:
    cart_id = await market.a_cart()
    reasons: list[str] = []
    for step in STEPS_IN_ORDER:
        reasons.append(refused(await market.place(cart_id))[2]["reason"])
        await market.take(cart_id, step)
    assert reasons == [
        "GUEST_EMAIL_MISSING",
        "CART_EMPTY",
        "SHIPPING_ADDRESS_MISSING",
        "SHIPPING_METHOD_MISSING",
        "BILLING_ADDRESS_INVALID",
        "PAYMENT_METHOD_MISSING",
    ]
    assert number_of(await market.place(cart_id))


STEPS_IN_ORDER = (
    "email",
    "items",
    "shipping_address",
    "shipping_method",
    "billing_address",
    "payment_method",
)


async def test_a_product_that_is_sold_out_is_told_before_what_is_missing(
    market: Storefront,
) -> None:
    catalog = market.world.store.catalog
    catalog.put([product("quince", 1)])
    cart_id = await market.a_cart()
    await market.take(cart_id, "email", "items", items=[("quince", 1)])
    catalog.put([product("quince", 0)])
    assert refused(await market.place(cart_id))[2]["reason"] == "OUT_OF_STOCK"


async def test_a_wrong_store_is_told_before_a_wrong_owner_and_that_before_what_is_missing(
    market: Storefront,
) -> None:
    cart_id = await market.as_customer("ada").a_cart()
    answer = await market.of_new_store().place(cart_id)
    assert refused(answer)[2]["reason"] == "WRONG_STORE"
    assert refused_outside(await market.place(cart_id), 403).startswith("The current user cannot")


# -- at the top level only ----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ['(input: {cart_id: ""})', "", "(input: null)"])
async def test_an_empty_cart_id_is_told_at_the_top_level_only(
    market: Storefront, arguments: str
) -> None:
    answer = await market.post(f"mutation {{ placeOrder{arguments} {{ errors {{ code }} }} }}")
    assert refused_outside(answer) == 'Required parameter "cart_id" is missing'
    assert answer.category == "graphql-input"
    assert answer.error["extensions"]["reason"] == "CART_ID_MISSING"


@pytest.mark.parametrize(("owner", "asking"), [("ada", None), (None, "ada"), ("ada", "eve")])
async def test_somebody_elses_cart_is_refused_with_a_status(
    market: Storefront, owner: str | None, asking: str | None
) -> None:
    owning = market.as_customer(f"{owner}-{asking}") if owner else market
    cart_id = await owning.a_ready_cart()
    answer = await (market.as_customer(asking) if asking else market).place(cart_id)
    message = f'The current user cannot perform operations on cart "{cart_id}"'
    assert refused_outside(answer, 403) == message
    assert answer.category == "graphql-authorization"
    assert number_of(await owning.place(cart_id))


async def test_guests_are_refused_with_a_status_once_the_store_wants_customers_only(
    market: Storefront,
) -> None:
    store = market.of_new_store()
    cart_id = await store.a_ready_cart()
    store.change_store(guest_checkout=False)
    answer = await store.place(cart_id)
    assert refused_outside(answer, 403) == (
        "Guest checkout is not allowed. Register a customer account or login with existing one."
    )
    assert answer.category == "graphql-authorization"
    customer = store.as_customer()
    assert number_of(await customer.place(await customer.a_ready_cart()))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            "mutation { placeOrder(input: {}) { errors { code } } }",
            "Field PlaceOrderInput.cart_id of required type String! was not provided.",
        ),
        (
            "mutation { placeOrder(input: {cart_id: null}) { errors { code } } }",
            'Expected value of type "String!", found null.',
        ),
        (
            'mutation { placeOrder(input: {cart_id: "X", id: "Y"}) { errors { code } } }',
            'Field "id" is not defined by type "PlaceOrderInput".',
        ),
        (
            'mutation { placeOrder(input: {cart_id: "X"}) { number } }',
            'Cannot query field "number" on type "PlaceOrderOutput".',
        ),
    ],
)
async def test_a_document_that_is_not_valid_is_refused_as_a_whole(
    market: Storefront, document: str, message: str
) -> None:
    answer = await market.post(document)
    assert (answer.status, set(answer.body)) == (400, {"errors"})
    assert (answer.message, answer.category) == (message, "graphql-input")


# -- documents ----------------------------------------------------------------------------------


async def test_a_refusal_is_told_under_the_name_that_the_document_gives(
    market: Storefront,
) -> None:
    answer = await market.post(PLACE.replace("placeOrder", "mine: placeOrder"), {"cart": NOWHERE})
    assert answer.error["path"] == ["mine"]
    assert answer.body["data"]["mine"]["errors"] == [
        {"code": "CART_NOT_FOUND", "message": answer.message}
    ]


async def test_a_document_that_does_not_ask_for_errors_is_told_them_nevertheless(
    market: Storefront,
) -> None:
    document = """mutation ($cart: String!) {
      placeOrder(input: {cart_id: $cart}) { order { order_number } } }"""
    answer = await market.post(document, {"cart": NOWHERE})
    assert answer.body["data"] == {"placeOrder": {"order": None}}
    assert answer.message == f'Could not find a cart with ID "{NOWHERE}"'
    assert answer.error["extensions"]["error_code"] == "CART_NOT_FOUND"


async def test_mutations_of_one_document_run_in_their_order(market: Storefront) -> None:
    place = "placeOrder(input: {cart_id: $cart}) { order { order_number } }"
    pay = STEPS["payment_method"]
    cart_id = await market.a_ready_cart(without={"payment_method"})
    too_early = await market.post(
        f"mutation ($cart: String!) {{ {place} {pay} }}", {"cart": cart_id}
    )
    assert too_early.body["data"]["placeOrder"] == {"order": None}
    assert too_early.error["extensions"]["reason"] == "PAYMENT_METHOD_MISSING"
    assert too_early.body["data"]["setPaymentMethodOnCart"]
    cart_id = await market.a_ready_cart(without={"payment_method"})
    in_time = await market.post(f"mutation ($cart: String!) {{ {pay} {place} }}", {"cart": cart_id})
    assert number_of(in_time)


async def test_one_document_places_one_order(market: Storefront) -> None:
    cart_ids = [await market.a_ready_cart() for _ in range(2)]
    place = [
        f'p{n}: placeOrder(input: {{cart_id: "{cart_id}"}}) {{ order {{ order_number }} }}'
        for n, cart_id in enumerate(cart_ids)
    ]
    answer = await market.post(f"mutation {{ {' '.join(place)} }}")
    assert (answer.status, set(answer.body)) == (400, {"errors"})
    for cart_id in cart_ids:
        assert number_of(await market.place(cart_id))


ONE_ORDER_TWICE = """
mutation ($cart: String!) { placeOrder(input: {cart_id: $cart}) {
  known: orderV2 { __typename id number order_number increment_id token }
  read: orderV2 { __typename id number order_number increment_id token email }
  spread: orderV2 { number ...Mail }
} }
fragment Mail on CustomerOrder { email }
"""


async def test_what_the_answer_has_is_what_the_store_has(market: Storefront) -> None:
    told = (await market.post(ONE_ORDER_TWICE, {"cart": await market.a_ready_cart()})).data
    read = told["placeOrder"]["read"]
    email = read.pop("email")
    assert told["placeOrder"]["known"] == read
    assert told["placeOrder"]["spread"] == {"number": read["number"], "email": email}


async def test_what_the_answer_has_is_not_read(
    shop: Storefront, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.world.store.order_book, "find", None)
    ask = "mutation ($cart: String!) {{ placeOrder(input: {{cart_id: $cart}}) {{ orderV2 {} }} }}"
    told = await shop.post(ask.format("{ number token }"), {"cart": await shop.a_ready_cart()})
    assert told.data["placeOrder"]["orderV2"]["token"]
    told = await shop.post(ask.format("{ email }"), {"cart": await shop.a_ready_cart()})
    assert told.category == "internal"


# -- payment method and order in one mutation -----------------------------------------------------


SET_AND_PLACE = """
mutation ($cart: String!, $code: String!) {
  setPaymentMethodAndPlaceOrder(input: {cart_id: $cart, payment_method: {code: $code}}) {
    order { order_number }
    orderV2 { number payment_methods { type } }
    errors { code message }
  }
}
"""


async def test_a_payment_method_is_set_and_the_order_placed_at_once(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(without={"payment_method"})
    variables = {"cart": cart_id, "code": "checkmo"}
    placed = (await market.post(SET_AND_PLACE, variables)).data["setPaymentMethodAndPlaceOrder"]
    assert placed["orderV2"]["payment_methods"] == [{"type": "checkmo"}]
    again = await market.post(SET_AND_PLACE, variables)
    assert again.body["data"]["setPaymentMethodAndPlaceOrder"]["errors"] == [
        {"code": "CART_NOT_ACTIVE", "message": "The cart isn't active."}
    ]
    assert again.error["extensions"]["order_number"] == placed["order"]["order_number"]


async def test_a_payment_method_that_cannot_be_set_places_no_order(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    for code, message in (
        ("banktransfer", "The requested Payment Method is not available."),
        ("", 'Required parameter "code" for "payment_method" is missing.'),
    ):
        answer = await market.post(SET_AND_PLACE, {"cart": cart_id, "code": code})
        assert answer.body["data"] == {"setPaymentMethodAndPlaceOrder": None}
        assert (answer.message, answer.category) == (message, "graphql-input")
    assert number_of(await market.place(cart_id))


@pytest.mark.parametrize(
    "arguments", ['(input: {cart_id: "", payment_method: {code: ""}})', "", "(input: null)"]
)
async def test_setting_and_placing_lacks_its_cart_id_first(
    market: Storefront, arguments: str
) -> None:
    document = f"mutation {{ setPaymentMethodAndPlaceOrder{arguments} {{ errors {{ code }} }} }}"
    answer = await market.post(document)
    assert answer.body["data"] == {"setPaymentMethodAndPlaceOrder": None}
    assert answer.message == 'Required parameter "cart_id" is missing'


async def test_setting_and_placing_is_refused_in_both_channels_for_what_the_order_lacks(
    market: Storefront,
) -> None:
    cart_id = await market.a_ready_cart(without={"shipping_method"})
    answer = await market.post(SET_AND_PLACE, {"cart": cart_id, "code": "checkmo"})
    told = {"code": "UNABLE_TO_PLACE_ORDER", "message": answer.message}
    assert answer.body["data"]["setPaymentMethodAndPlaceOrder"]["errors"] == [told]
    assert answer.message.startswith("Unable to place order: The shipping method is missing.")
