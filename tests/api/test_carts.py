"""Are carts made and filled as section 5 of the contract documents it?"""

import asyncio
import re
from typing import Any

import pytest

from tests.storefront import Answer, Storefront

NOT_FOUND = 'Could not find a product with SKU "{}"', "PRODUCT_NOT_FOUND"
TOO_FEW = "The requested qty is not available", "INSUFFICIENT_STOCK"
SOLD_OUT = "This product is out of stock", "INSUFFICIENT_STOCK"
NOT_FOR_SALE = "Product that you are trying to add is not available.", "NOT_SALABLE"
NO_QUANTITY = "The product quantity should be greater than 0", "UNDEFINED"
NOT_WHOLE = "The product quantity should be a whole number", "INVALID_PARAMETER_VALUE"
TOO_MUCH = "The most you may purchase is 1000000.", "INSUFFICIENT_STOCK"
WITH_OPTIONS = "Products with options are not sold here.", "INVALID_PARAMETER_VALUE"

ADD = """
mutation ($cart: String!, $items: [CartItemInput!]!) {
  addProductsToCart(cartId: $cart, cartItems: $items) {
    cart { total_quantity items { uid quantity product { sku } } }
    user_errors { code message }
  }
}
"""
ADD_ALL = """
mutation ($cart: String!, $items: [SimpleProductCartItemInput]!) {
  addSimpleProductsToCart(input: {cart_id: $cart, cart_items: $items}) {
    cart { items { uid quantity product { sku } } }
  }
}
"""
UPDATE = """
mutation ($cart: String!, $items: [CartItemUpdateInput]!) {
  updateCartItems(input: {cart_id: $cart, cart_items: $items}) {
    cart { items { uid quantity product { sku } } }
    errors { code message }
  }
}
"""
REMOVE = """
mutation ($cart: String!, $id: Int, $uid: ID) {
  removeItemFromCart(input: {cart_id: $cart, cart_item_id: $id, cart_item_uid: $uid}) {
    cart { items { uid quantity product { sku } } }
  }
}
"""
EMAIL = """
mutation ($cart: String!, $email: String!) {
  setGuestEmailOnCart(input: {cart_id: $cart, email: $email}) { cart { email } }
}
"""
UIDS = {1: "MQ==", 2: "Mg==", 3: "Mw=="}


def lines(answer: Answer) -> dict[str, tuple[str, float]]:
    """SKU to uid and quantity."""
    (payload,) = answer.data.values()
    return {
        item["product"]["sku"]: (item["uid"], item["quantity"]) for item in payload["cart"]["items"]
    }


def problems(answer: Answer) -> list[tuple[str, str]]:
    """Message and code of what is reported beside the cart."""
    (payload,) = answer.data.values()
    told: list[dict[str, str]] = payload.get("user_errors", payload.get("errors"))
    return [(each["message"], each["code"]) for each in told]


async def add(shop: Storefront, cart_id: str, *items: dict[str, Any]) -> Answer:
    return await shop.post(ADD, {"cart": cart_id, "items": list(items)})


def item(sku: str, quantity: float, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, **more}


# -- making -------------------------------------------------------------------------------------


async def test_a_new_cart_has_an_id_of_32_letters_and_digits(market: Storefront) -> None:
    ids = [await market.a_cart() for _ in range(5)]
    made = await market.post("mutation { createGuestCart { cart { id items { uid } } } }")
    assert made.data["createGuestCart"]["cart"].pop("items") == []
    ids.append(made.data["createGuestCart"]["cart"]["id"])
    assert all(re.fullmatch("[0-9A-Za-z]{32}", cart_id) for cart_id in ids)
    assert len(set(ids)) == len(ids)


MAKE = {
    "createEmptyCart": "mutation ($id: String) { createEmptyCart(input: {cart_id: $id}) }",
    "createGuestCart": """mutation ($id: ID) {
      createGuestCart(input: {cart_uid: $id}) { cart { id } } }""",
}


@pytest.mark.parametrize("name", MAKE)
async def test_a_cart_can_be_made_with_an_id_of_ones_own_once(
    market: Storefront, name: str
) -> None:
    cart_id = name.ljust(32, "0")
    made = (await market.post(MAKE[name], {"id": cart_id})).data[name]
    assert made in (cart_id, {"cart": {"id": cart_id}})
    again = await market.post(MAKE[name], {"id": cart_id})
    assert again.body["data"] == {name: None}
    assert again.message == f'Cart with ID "{cart_id}" already exists.'
    assert again.category == "graphql-already-exists"


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("cart_id", ["", "x" * 31, "x" * 33, "x" * 31 + "-", "ü" * 32])
async def test_an_id_of_another_length_or_alphabet_is_refused(
    market: Storefront, name: str, cart_id: str
) -> None:
    answer = await market.post(MAKE[name], {"id": cart_id})
    assert (answer.status, answer.body["data"]) == (200, {name: None})
    assert answer.message == "Cart ID length should to be 32 symbols."
    assert answer.category == "graphql-input"


async def test_a_customer_makes_no_guests_cart(market: Storefront) -> None:
    answer = await market.as_customer().post(MAKE["createGuestCart"])
    assert answer.message == "Use 'Query.customerCart' for logged in customer."
    assert answer.category == "graphql-input"


# -- adding what can be had -----------------------------------------------------------------------


async def test_products_become_lines_and_the_same_product_one_line(market: Storefront) -> None:
    cart_id = await market.a_cart()
    first = await add(market, cart_id, item("apple", 1), item("ebook", 2), item("apple", 3.0))
    assert problems(first) == []
    assert lines(first) == {"apple": (UIDS[1], 4.0), "ebook": (UIDS[2], 2.0)}
    second = await add(market, cart_id, item("pear", 1), item("apple", 1))
    assert lines(second) == {
        "apple": (UIDS[1], 5.0),
        "ebook": (UIDS[2], 2.0),
        "pear": (UIDS[3], 1.0),
    }
    assert second.data["addProductsToCart"]["cart"]["total_quantity"] == 8.0


@pytest.mark.parametrize(
    ("wanted", "message", "code"),
    [
        (item("plane", 1), NOT_FOUND[0].replace("{}", "plane"), NOT_FOUND[1]),
        (item("", 1), NOT_FOUND[0].replace("{}", ""), NOT_FOUND[1]),
        (item("x" * 65, 1), NOT_FOUND[0].replace("{}", "x" * 64 + "…"), NOT_FOUND[1]),
        (item("few", 4), *TOO_FEW),
        (item("few", 1e300), *TOO_FEW),
        (item("sold-out", 1), *SOLD_OUT),
        (item("euro-only", 1), *NOT_FOR_SALE),
        (item("apple", 0), *NO_QUANTITY),
        (item("apple", -1), *NO_QUANTITY),
        (item("apple", 1.5), *NOT_WHOLE),
        (item("ebook", 1_000_001), *TOO_MUCH),
        (item("apple", 1, selected_options=["c2l6ZQ=="]), *WITH_OPTIONS),
        (item("apple", 1, entered_options=[{"uid": "bmFtZQ==", "value": "Ada"}]), *WITH_OPTIONS),
    ],
    ids=str,
)
async def test_what_cannot_be_added_is_told_and_the_rest_is_added(
    market: Storefront, wanted: dict[str, Any], message: str, code: str
) -> None:
    cart_id = await market.a_cart()
    answer = await add(market, cart_id, item("pear", 1), wanted, item("pear", 1))
    assert problems(answer) == [(message, code)]
    assert lines(answer) == {"pear": (UIDS[1], 2.0)}


async def test_what_is_in_the_cart_already_counts(market: Storefront) -> None:
    cart_id = await market.a_cart()
    assert problems(await add(market, cart_id, item("few", 2))) == []
    assert problems(await add(market, cart_id, item("few", 2))) == [TOO_FEW]
    added = await add(market, cart_id, item("few", 1))
    assert (problems(added), lines(added)) == ([], {"few": (UIDS[1], 3.0)})


async def test_many_who_add_at_once_lose_nothing(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await asyncio.gather(*(add(market, cart_id, item("apple", 1)) for _ in range(10)))
    assert lines(await add(market, cart_id, item("apple", 1))) == {"apple": (UIDS[1], 11.0)}


async def test_nothing_to_add_leaves_the_cart_as_it_is(market: Storefront) -> None:
    answer = await add(market, await market.a_cart())
    assert (problems(answer), lines(answer)) == ([], {})


async def test_a_problem_is_told_with_its_type(market: Storefront) -> None:
    document = ADD.replace("user_errors { code", "user_errors { __typename code")
    variables = {"cart": await market.a_cart(), "items": [item("plane", 1)]}
    answer = await market.post(document, variables)
    assert answer.data["addProductsToCart"]["user_errors"][0]["__typename"] == "CartUserInputError"


async def test_a_cart_can_be_made_of_products(market: Storefront) -> None:
    document = """mutation ($items: [CartItemInput!]!) { addProductsToNewCart(cartItems: $items) {
      cart { id items { quantity product { sku } } } user_errors { code message } } }"""
    answer = await market.post(document, {"items": [item("apple", 1), item("plane", 1)]})
    made = answer.data["addProductsToNewCart"]
    assert made["cart"]["items"] == [{"quantity": 1.0, "product": {"sku": "apple"}}]
    assert [each["code"] for each in made["user_errors"]] == ["PRODUCT_NOT_FOUND"]
    assert await market.post(REMOVE, {"cart": made["cart"]["id"], "id": 1})


# -- all or nothing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["addSimpleProductsToCart", "addVirtualProductsToCart", "addConfigurableProductsToCart"],
)
async def test_all_products_are_added_or_none(market: Storefront, name: str) -> None:
    kind = name.removeprefix("add").removesuffix("sToCart")
    document = ADD_ALL.replace("addSimpleProductsToCart", name).replace("SimpleProduct", kind)
    cart_id = await market.a_cart()

    async def send(*items: dict[str, Any]) -> Answer:
        return await market.post(
            document, {"cart": cart_id, "items": [{"data": each} for each in items]}
        )

    assert lines(await send(item("apple", 1))) == {"apple": (UIDS[1], 1.0)}
    for wanted, message, category in (
        (item("plane", 1), 'Could not find a product with SKU "plane"', "graphql-no-such-entity"),
        (item("few", 4), TOO_FEW[0], "graphql-input"),
        (item("sold-out", 1), SOLD_OUT[0], "graphql-input"),
        (item("euro-only", 1), NOT_FOR_SALE[0], "graphql-input"),
        (item("apple", 0), NO_QUANTITY[0], "graphql-input"),
    ):
        answer = await send(item("pear", 1), wanted)
        assert answer.body["data"] == {name: None}
        assert (answer.message, answer.category) == (message, category)
    assert (await send()).message == 'Required parameter "cart_items" is missing'
    assert lines(await send(item("apple", 1))) == {"apple": (UIDS[1], 2.0)}


async def test_options_are_refused_where_products_have_none(market: Storefront) -> None:
    cart_id = await market.a_cart()
    for option in ({"id": 1, "value_string": "x"}, {"uid": "c2l6ZQ==", "value_string": "x"}):
        items = [{"data": item("apple", 1), "customizable_options": [option]}]
        answer = await market.post(ADD_ALL, {"cart": cart_id, "items": items})
        assert answer.message == WITH_OPTIONS[0]


async def test_a_product_that_is_sent_as_its_own_option_has_none(market: Storefront) -> None:
    itself = {"uid": "YXBwbGU=", "value": "Product apple"}
    answer = await add(market, await market.a_cart(), item("apple", 1, entered_options=[itself]))
    assert (problems(answer), lines(answer)) == ([], {"apple": (UIDS[1], 1.0)})


# -- changing -----------------------------------------------------------------------------------


async def a_filled_cart(market: Storefront) -> str:
    """Line 1: an apple, line 2: two of the few."""
    cart_id = await market.a_cart()
    assert problems(await add(market, cart_id, item("apple", 1), item("few", 2))) == []
    return cart_id


async def test_quantities_are_set_by_id_or_uid_and_zero_removes(market: Storefront) -> None:
    cart_id = await a_filled_cart(market)

    async def update(*updates: dict[str, Any]) -> dict[str, tuple[str, float]]:
        answer = await market.post(UPDATE, {"cart": cart_id, "items": list(updates)})
        assert problems(answer) == []
        return lines(answer)

    apple, few = {"cart_item_id": 1}, {"cart_item_uid": UIDS[2]}
    assert await update({**apple, "quantity": 7}, {**few, "quantity": 3.0}) == {
        "apple": (UIDS[1], 7.0),
        "few": (UIDS[2], 3.0),
    }
    assert await update({**few, "quantity": 1}) == {
        "apple": (UIDS[1], 7.0),
        "few": (UIDS[2], 1.0),
    }
    assert await update({**apple, "quantity": 0}) == {"few": (UIDS[2], 1.0)}
    assert await update({**few, "quantity": 0.0}) == {}


@pytest.mark.parametrize(
    ("update", "message", "code"),
    [
        (
            {"cart_item_id": 9, "quantity": 1},
            "Could not find cart item with id: 9.",
            "COULD_NOT_FIND_CART_ITEM",
        ),
        (
            {"cart_item_uid": "OQ==", "quantity": 1},
            "Could not find cart item with id: 9.",
            "COULD_NOT_FIND_CART_ITEM",
        ),
        (
            {"cart_item_uid": "no uid", "quantity": 1},
            "Could not find cart item with id: no uid.",
            "COULD_NOT_FIND_CART_ITEM",
        ),
        (
            {"cart_item_id": 2},
            'Required parameter "quantity" for "cart_items" is missing.',
            "REQUIRED_PARAMETER_MISSING",
        ),
        (
            {"quantity": 2},
            'Required parameter "cart_item_id" for "cart_items" is missing.',
            "REQUIRED_PARAMETER_MISSING",
        ),
        ({"cart_item_id": 2, "quantity": 4}, *TOO_FEW),
        ({"cart_item_id": 2, "quantity": -1}, *NO_QUANTITY),
        ({"cart_item_id": 2, "quantity": 0.5}, *NOT_WHOLE),
    ],
    ids=str,
)
async def test_what_cannot_be_set_is_told_and_the_rest_is_set(
    market: Storefront, update: dict[str, Any], message: str, code: str
) -> None:
    cart_id = await a_filled_cart(market)
    updates = [update, {"cart_item_id": 1, "quantity": 5}]
    answer = await market.post(UPDATE, {"cart": cart_id, "items": updates})
    assert problems(answer) == [(message, code)]
    assert lines(answer) == {"apple": (UIDS[1], 5.0), "few": (UIDS[2], 2.0)}


async def test_nothing_to_set_is_a_missing_parameter(market: Storefront) -> None:
    answer = await market.post(UPDATE, {"cart": await market.a_cart(), "items": []})
    assert answer.body["data"] == {"updateCartItems": None}
    assert answer.message == 'Required parameter "cart_items" is missing'


async def test_a_line_is_removed_by_id_or_uid_and_its_number_is_not_used_again(
    market: Storefront,
) -> None:
    cart_id = await a_filled_cart(market)
    removed = await market.post(REMOVE, {"cart": cart_id, "id": 1})
    assert lines(removed) == {"few": (UIDS[2], 2.0)}
    removed = await market.post(REMOVE, {"cart": cart_id, "uid": UIDS[2]})
    assert lines(removed) == {}
    assert lines(await add(market, cart_id, item("apple", 1))) == {"apple": (UIDS[3], 1.0)}


@pytest.mark.parametrize(
    ("named", "message", "category"),
    [
        ({"id": 9}, "Cart doesn't contain the 9 item.", "graphql-no-such-entity"),
        ({"uid": "OQ=="}, "Cart doesn't contain the 9 item.", "graphql-no-such-entity"),
        ({"uid": "no uid"}, "Cart doesn't contain the no uid item.", "graphql-no-such-entity"),
        ({"id": 0}, 'Required parameter "cart_item_id" is missing.', "graphql-input"),
        ({}, 'Required parameter "cart_item_id" is missing.', "graphql-input"),
    ],
    ids=str,
)
async def test_a_line_that_is_not_there_cannot_be_removed(
    market: Storefront, named: dict[str, Any], message: str, category: str
) -> None:
    cart_id = await a_filled_cart(market)
    answer = await market.post(REMOVE, {"cart": cart_id, **named})
    assert answer.body["data"] == {"removeItemFromCart": None}
    assert (answer.message, answer.category) == (message, category)


async def test_items_are_shown_in_sorted_pages(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await add(market, cart_id, item("pear", 1), item("apple", 3), item("ebook", 2))
    document = """query ($cart: String!, $size: Int, $page: Int, $sort: QuoteItemsSortInput) {
      cart(cart_id: $cart) { itemsV2(pageSize: $size, currentPage: $page, sort: $sort) {
        items { product { sku } } total_count page_info { current_page page_size total_pages } } }
    }"""

    async def page(**arguments: Any) -> dict[str, Any]:
        answer = await market.post(document, {"cart": cart_id, **arguments})
        return answer.data["cart"]["itemsV2"]

    def skus(page: dict[str, Any]) -> list[str]:
        return [each["product"]["sku"] for each in page["items"]]

    whole = await page()
    assert skus(whole) == ["pear", "apple", "ebook"]
    assert whole["page_info"] == {"current_page": 1, "page_size": 20, "total_pages": 1}
    second = await page(size=2, page=2, sort={"field": "SKU", "order": "ASC"})
    assert skus(second) == ["pear"]
    assert second["total_count"] == 3
    assert second["page_info"] == {"current_page": 2, "page_size": 2, "total_pages": 2}
    assert skus(await page(sort={"field": "QTY", "order": "DESC"})) == ["apple", "ebook", "pear"]
    assert skus(await page(page=9)) == []


# -- the guest's e-mail address -------------------------------------------------------------------


async def test_a_guests_email_address_is_kept_as_it_was_given(market: Storefront) -> None:
    variables = {"cart": await market.a_cart(), "email": "Ada.B+shop@Example.com"}
    answer = await market.post(EMAIL, variables)
    assert answer.data["setGuestEmailOnCart"]["cart"] == {"email": "Ada.B+shop@Example.com"}


@pytest.mark.parametrize(
    ("email", "message"),
    [
        ("", 'Required parameter "email" is missing'),
        ("ada", "Invalid email format"),
        ("ada@", "Invalid email format"),
        ("ada@example", "Invalid email format"),
        ("ada lovelace@example.com", "Invalid email format"),
        ("a@b@example.com", "Invalid email format"),
        ("a\n@example.com", "Invalid email format"),
        ("a" * 250 + "@example.com", "Invalid email format"),
    ],
)
async def test_what_is_no_email_address_is_refused(
    market: Storefront, email: str, message: str
) -> None:
    answer = await market.post(EMAIL, {"cart": await market.a_cart(), "email": email})
    assert answer.body["data"] == {"setGuestEmailOnCart": None}
    assert (answer.message, answer.category) == (message, "graphql-input")


async def test_a_customers_email_address_is_not_the_carts(market: Storefront) -> None:
    ada = market.as_customer()
    for cart_id in (await ada.a_cart(), await market.a_cart()):
        answer = await ada.post(EMAIL, {"cart": cart_id, "email": "eve@example.com"})
        assert answer.message == "The request is not allowed for logged in customers"
        assert answer.category == "graphql-input"
