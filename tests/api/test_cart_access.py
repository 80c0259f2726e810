"""Who may see and change which cart, and when? And how do carts pass from guests to customers?"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.api.unready import NOWHERE
from tests.storefront import Storefront

AUTHORIZATION, INPUT = "graphql-authorization", "graphql-input"
NO_SUCH_ENTITY = "graphql-no-such-entity"
NOT_ACTIVE = "The cart isn't active."
NOT_LOGGED_IN = "The current customer isn't authorized."
LOCKED = "The cart is locked for processing. Please try again later."

_ADDRESS = """{firstname: "A", lastname: "B", street: ["1 Main St"], city: "Austin", region: "TX",
  postcode: "78701", country_code: "US", telephone: "1"}"""
_PLACE = '{country_code: US, postcode: "78701", region: {region_code: "TX"}}'
_ITEM = '{data: {sku: "pear", quantity: 1}}'
EDITS = {
    "addProductsToCart": '(cartId: $cart, cartItems: [{sku: "pear", quantity: 1}])',
    "addSimpleProductsToCart": f"(input: {{cart_id: $cart, cart_items: [{_ITEM}]}})",
    "addVirtualProductsToCart": f"(input: {{cart_id: $cart, cart_items: [{_ITEM}]}})",
    "addConfigurableProductsToCart": f"(input: {{cart_id: $cart, cart_items: [{_ITEM}]}})",
    "updateCartItems": "(input: {cart_id: $cart, cart_items: [{cart_item_id: 1, quantity: 9}]})",
    "removeItemFromCart": "(input: {cart_id: $cart, cart_item_id: 1})",
    "setGuestEmailOnCart": '(input: {cart_id: $cart, email: "eve@example.com"})',
    "setShippingAddressesOnCart": (
        f"(input: {{cart_id: $cart, shipping_addresses: [{{address: {_ADDRESS}}}]}})"
    ),
    "setBillingAddressOnCart": (
        f"(input: {{cart_id: $cart, billing_address: {{address: {_ADDRESS}}}}})"
    ),
    "setShippingMethodsOnCart": """(input: {cart_id: $cart,
      shipping_methods: [{carrier_code: "flatrate", method_code: "flatrate"}]})""",
    "setPaymentMethodOnCart": '(input: {cart_id: $cart, payment_method: {code: "checkmo"}})',
}
LOOKS = {
    "estimateTotals": f"(input: {{cart_id: $cart, address: {_PLACE}}})",
    "applyCouponToCart": '(input: {cart_id: $cart, coupon_code: "TEN"})',
    "applyCouponsToCart": '(input: {cart_id: $cart, coupon_codes: ["TEN"]})',
    "removeCouponFromCart": "(input: {cart_id: $cart})",
    "setGiftOptionsOnCart": """(input:
      {cart_id: $cart, gift_receipt_included: false, printed_card_included: false})""",
}
DOCUMENTS = {
    **{
        name: f"mutation ($cart: String!) {{ {name}{arguments} {{ cart {{ id }} }} }}"
        for name, arguments in {**EDITS, **LOOKS}.items()
    },
    "cart": "query ($cart: String!) { cart(cart_id: $cart) { id } }",
    "setCartAsInactive": "mutation ($cart: String!) { setCartAsInactive(cartId: $cart) { error } }",
    "estimateShippingMethods": f"""mutation ($cart: String!) {{
      estimateShippingMethods(input: {{cart_id: $cart, address: {_PLACE}}})
      {{ carrier_code }} }}""",
}
"""Everything that needs a cart but does not order it."""

WHOLE_CART = """query ($cart: String!) { cart(cart_id: $cart) {
  id email items { uid quantity product { sku } } billing_address { lastname }
  shipping_addresses { lastname selected_shipping_method { carrier_code } }
  selected_payment_method { code }
} }"""

Told = tuple[int, str, str]
"""HTTP status, category and message of an error."""


async def told(
    storefront: Storefront, cart_id: str, names: Iterable[str] = DOCUMENTS
) -> dict[str, Told]:
    """What each of the operations is refused with."""
    answers: dict[str, Told] = {}
    for name in names:
        answer = await storefront.post(DOCUMENTS[name], {"cart": cart_id})
        assert "errors" in answer.body, name
        assert answer.error["path"] == [name]
        answers[name] = (answer.status, answer.category, answer.message)
    return answers


def all_told(told: Told, names: Iterable[str] = DOCUMENTS) -> dict[str, Told]:
    return dict.fromkeys(names, told)


async def seen(storefront: Storefront, cart_id: str) -> dict[str, Any]:
    """The cart, as its owner sees it."""
    return (await storefront.post(WHOLE_CART, {"cart": cart_id})).data["cart"]


async def items(storefront: Storefront, cart_id: str) -> dict[str, float]:
    """Quantities by SKU."""
    cart = await seen(storefront, cart_id)
    return {item["product"]["sku"]: item["quantity"] for item in cart["items"]}


# -- which cart ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cart_id", [NOWHERE, "1", "no id", "ü", "x" * 65, "' OR ''='"])
async def test_a_cart_that_is_not_there_is_named(market: Storefront, cart_id: str) -> None:
    named = cart_id if len(cart_id) < 65 else "x" * 64 + "…"
    message = f'Could not find a cart with ID "{named}"'
    assert await told(market, cart_id) == all_told((200, NO_SUCH_ENTITY, message))


async def test_an_empty_id_is_a_missing_parameter(market: Storefront) -> None:
    message = 'Required parameter "cart_id" is missing'
    assert await told(market, "") == all_told((200, INPUT, message))


async def test_an_input_that_is_left_out_lacks_its_cart(market: Storefront) -> None:
    message = 'Required parameter "cart_id" is missing'
    for name in (*EDITS, *LOOKS):
        if name in ("addProductsToCart", "estimateTotals"):
            continue  # the schema wants their arguments
        for arguments in ("", "(input: null)"):
            answer = await market.post(f"mutation {{ {name}{arguments} {{ cart {{ id }} }} }}")
            assert (answer.message, answer.category) == (message, INPUT), name


async def test_an_order_is_no_cart_any_more(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    assert (await market.place(cart_id)).data
    assert await told(market, cart_id) == all_told((200, NO_SUCH_ENTITY, NOT_ACTIVE))


async def test_a_cart_is_not_there_in_another_store(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    before = await seen(market, cart_id)
    message = f'Wrong store code specified for cart "{cart_id}"'
    assert await told(market.of_new_store(), cart_id) == all_told((200, INPUT, message))
    assert await seen(market, cart_id) == before


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Store": "nowhere"}, "Requested store is not found"),
        ({"Store": "no store"}, "Requested store is not found"),
        ({"Content-Currency": "EUR"}, "Please correct the target currency"),
    ],
)
async def test_a_store_that_is_not_there_is_told_before_anything_is_done(
    market: Storefront, headers: dict[str, str], message: str
) -> None:
    answer = await market.with_header(**headers).post("mutation { createEmptyCart }")
    assert (answer.status, set(answer.body)) == (200, {"errors"})
    assert (answer.message, answer.category) == (message, INPUT)
    assert (await market.post("mutation { createEmptyCart }", Content_Currency="USD")).data


# -- whose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("owner", "asking"), [("ada", None), (None, "ada"), ("ada", "eve")])
async def test_nobody_sees_or_changes_somebody_elses_cart(
    market: Storefront, owner: str | None, asking: str | None
) -> None:
    owning = market.as_customer(f"{owner}-sees") if owner else market
    cart_id = await owning.a_ready_cart()
    before = await seen(owning, cart_id)
    stranger = market.as_customer(asking) if asking else market
    message = f'The current user cannot perform operations on cart "{cart_id}"'
    expected = all_told((403, AUTHORIZATION, message))
    if asking:
        not_for_customers = "The request is not allowed for logged in customers"
        expected["setGuestEmailOnCart"] = (200, INPUT, not_for_customers)
    assert await told(stranger, cart_id) == expected
    assert await seen(owning, cart_id) == before


async def test_two_customers_have_two_carts(market: Storefront) -> None:
    query = "{ customerCart { id items { quantity } } }"
    ada, eve = [market.as_customer(name) for name in ("ada-with-a-cart", "eve-with-a-cart")]
    carts = [(await each.post(query)).data["customerCart"]["id"] for each in (ada, eve)]
    assert carts[0] != carts[1]
    await ada.take(carts[0], "items")
    assert (await ada.post(query)).data["customerCart"]["items"] == [{"quantity": 1.0}]
    assert (await eve.post(query)).data["customerCart"]["items"] == []


async def test_guests_have_no_customers_cart(market: Storefront) -> None:
    answer = await market.post("{ customerCart { id } }")
    assert (answer.status, answer.body["data"]) == (403, None)
    assert (answer.message, answer.category) == (NOT_LOGGED_IN, AUTHORIZATION)


async def test_a_customer_has_one_cart_in_each_store_until_it_is_ordered(
    market: Storefront,
) -> None:
    ada = market.as_customer("ada-with-one-cart")

    async def own(store: Storefront) -> str:
        return (await store.post("{ customerCart { id } }")).data["customerCart"]["id"]

    first = await ada.a_cart()
    assert {await own(ada), await own(ada), await ada.a_cart()} == {first}
    other = market.of_new_store().as_customer("ada-with-one-cart")
    assert await own(other) != first
    await ada.fill(first)
    assert (await ada.place(first)).data
    assert await own(ada) != first


async def test_a_customer_who_asks_many_times_at_once_gets_one_cart(market: Storefront) -> None:
    ada = market.as_customer("ada-in-a-hurry")
    assert len(set(await asyncio.gather(*(ada.a_cart() for _ in range(8))))) == 1


async def test_a_customers_cart_knows_their_email_address(market: Storefront) -> None:
    ada = market.as_customer("ada")
    cart = (await ada.post("{ customerCart { email } }")).data["customerCart"]
    assert cart == {"email": "ada@example.com"}


async def test_a_customer_cannot_take_the_id_of_somebody_elses_cart(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    eve = market.as_customer("eve-who-takes-ids")
    answer = await eve.post(f'mutation {{ createEmptyCart(input: {{cart_id: "{cart_id}"}}) }}')
    assert answer.message == f'Cart with ID "{cart_id}" already exists.'
    assert answer.category == "graphql-already-exists"
    assert (await eve.post("{ customerCart { id } }")).data["customerCart"]["id"] != cart_id
    assert await items(market, cart_id) == {"apple": 1.0}


# -- guests, where the store wants none -----------------------------------------------------------


async def test_where_guests_cannot_order_they_may_fill_carts_but_not_prepare_them(
    market: Storefront,
) -> None:
    store = market.of_new_store(guest_checkout=False)
    cart_id = await store.a_cart()
    await store.take(cart_id, "items")
    message = (
        "Guest checkout is not allowed. Register a customer account or login with existing one."
    )
    preparing = [name for name in EDITS if name.startswith("set")]
    assert len(preparing) == 5
    expected = all_told((403, AUTHORIZATION, message), preparing)
    assert await told(store, cart_id, preparing) == expected
    customer = store.as_customer()
    await customer.fill(await customer.a_cart())


# -- while it is ordered ------------------------------------------------------------------------


@asynccontextmanager
async def being_ordered(market: Storefront, cart_id: str) -> AsyncGenerator[None]:
    """A checkout of the cart runs; its order is there afterwards."""
    verifying, goes_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        verifying.set()
        await goes_on.wait()

    market.world.faults.on("verify_payment", wait)
    payment_id = market.approved(cart_id, f"{await market.total(cart_id):.2f}")
    completing = asyncio.create_task(market.complete(cart_id, payment_id))
    await verifying.wait()
    try:
        yield
    finally:
        goes_on.set()
        assert (await completing).data["completeOrder"]["errors"] == []


async def test_a_cart_that_is_being_ordered_can_be_seen_but_not_changed(
    market: Storefront,
) -> None:
    cart_id = await market.a_ready_cart()
    before = await seen(market, cart_id)
    async with being_ordered(market, cart_id):
        expected = all_told((200, INPUT, LOCKED), EDITS)
        assert await told(market, cart_id, EDITS) == expected
        assert await seen(market, cart_id) == before
        assert await market.total(cart_id) == 15.0


async def test_a_cart_that_is_being_ordered_passes_to_nobody(market: Storefront) -> None:
    ada = market.as_customer("ada-who-waits")
    cart_id = await market.a_ready_cart()
    async with being_ordered(market, cart_id):
        for document in (MERGE, ASSIGN):
            answer = await ada.post(document, {"cart": cart_id})
            assert answer.message == LOCKED


# -- from a guest to a customer -----------------------------------------------------------------

MERGE = "mutation ($cart: String!) { mergeCarts(source_cart_id: $cart) { id email } }"
MERGE_INTO = """mutation ($cart: String!, $into: String) {
  mergeCarts(source_cart_id: $cart, destination_cart_id: $into) { id } }"""
ASSIGN = "mutation ($cart: String!) { assignCustomerToGuestCart(cart_id: $cart) { id email } }"


async def a_guests_cart(market: Storefront) -> str:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items", items=[("apple", 2), ("pear", 3)])
    return cart_id


async def test_a_guests_cart_is_merged_into_the_customers_own_and_ends(market: Storefront) -> None:
    ada = market.as_customer("ada-who-merges")
    own, guests = await ada.a_cart(), await a_guests_cart(market)
    await ada.take(own, "items", items=[("apple", 1)])
    answer = await ada.post(MERGE_INTO, {"cart": guests, "into": own})
    assert answer.data == {"mergeCarts": {"id": own}}
    assert await items(ada, own) == {"apple": 3.0, "pear": 3.0}
    assert (await told(market, guests, ["cart"]))["cart"][2] == NOT_ACTIVE


async def test_the_destination_of_a_merge_is_the_customers_own_if_left_out(
    market: Storefront,
) -> None:
    ada = market.as_customer("ada-without-a-cart")
    guests = await a_guests_cart(market)
    merged = (await ada.post(MERGE, {"cart": guests})).data["mergeCarts"]
    assert merged == {"id": await ada.a_cart(), "email": "ada-without-a-cart@example.com"}
    assert merged["id"] != guests
    assert await items(ada, merged["id"]) == {"apple": 2.0, "pear": 3.0}


async def test_a_merge_needs_two_carts_that_may_be_merged(market: Storefront) -> None:
    ada, eve = market.as_customer("ada-merges"), market.as_customer("eve-merges")
    own, guests, hers = await ada.a_cart(), await a_guests_cart(market), await eve.a_cart()
    elsewhere = await a_guests_cart(market.of_new_store())
    not_ones = 'The current user cannot perform operations on cart "{}"'
    not_found = f'Could not find a cart with ID "{NOWHERE}"'
    for source, destination, expected in (
        ("", own, (200, INPUT, 'Required parameter "source_cart_id" is missing')),
        (guests, "", (200, INPUT, 'The parameter "destination_cart_id" cannot be empty')),
        (own, own, (200, INPUT, "A cart cannot be merged into itself.")),
        (NOWHERE, own, (200, NO_SUCH_ENTITY, not_found)),
        (guests, NOWHERE, (200, NO_SUCH_ENTITY, not_found)),
        (hers, own, (403, AUTHORIZATION, not_ones.format(hers))),
        (guests, hers, (403, AUTHORIZATION, not_ones.format(hers))),
        (own, guests, (403, AUTHORIZATION, not_ones.format(own))),
        (elsewhere, own, (200, INPUT, f'Wrong store code specified for cart "{elsewhere}"')),
    ):
        answer = await ada.post(MERGE_INTO, {"cart": source, "into": destination})
        assert (answer.status, answer.category, answer.message) == expected
        assert answer.body["data"] is None
    assert await items(market, guests) == {"apple": 2.0, "pear": 3.0}
    assert await items(ada, own) == {}


async def test_a_guests_cart_becomes_the_customers_own(market: Storefront) -> None:
    ada, guests = market.as_customer("ada-who-takes"), await a_guests_cart(market)
    taken = (await ada.post(ASSIGN, {"cart": guests})).data["assignCustomerToGuestCart"]
    assert taken == {"id": guests, "email": "ada-who-takes@example.com"}
    assert await ada.a_cart() == guests
    assert await items(ada, guests) == {"apple": 2.0, "pear": 3.0}
    message = f'The current user cannot perform operations on cart "{guests}"'
    assert await told(market, guests, ["cart"]) == {"cart": (403, AUTHORIZATION, message)}
    await ada.fill(guests)
    assert (await ada.place(guests)).data


async def test_what_the_customer_chose_before_goes_into_the_guests_cart(
    market: Storefront,
) -> None:
    ada, guests = market.as_customer("ada-with-both"), await a_guests_cart(market)
    own = await ada.a_cart()
    await ada.take(own, "items", items=[("apple", 1)])
    assert (await ada.post(ASSIGN, {"cart": guests})).data
    assert await ada.a_cart() == guests
    assert await items(ada, guests) == {"apple": 3.0, "pear": 3.0}
    assert (await told(ada, own, ["cart"]))["cart"][2] == NOT_ACTIVE


async def test_only_a_guests_cart_can_be_taken(market: Storefront) -> None:
    ada, eve = market.as_customer("ada-takes"), market.as_customer("eve-takes")
    hers = await eve.a_cart()
    for cart_id, expected in (
        ("", (200, INPUT, 'Required parameter "cart_id" is missing')),
        (NOWHERE, (200, NO_SUCH_ENTITY, f'Could not find a cart with ID "{NOWHERE}"')),
        (
            hers,
            (403, AUTHORIZATION, f'The current user cannot perform operations on cart "{hers}"'),
        ),
    ):
        answer = await ada.post(ASSIGN, {"cart": cart_id})
        assert (answer.status, answer.category, answer.message) == expected


async def test_guests_neither_merge_nor_take(market: Storefront) -> None:
    guests = await a_guests_cart(market)
    for document in (MERGE, ASSIGN):
        answer = await market.post(document, {"cart": guests})
        assert (answer.status, answer.category) == (403, AUTHORIZATION)
        assert answer.message == NOT_LOGGED_IN
