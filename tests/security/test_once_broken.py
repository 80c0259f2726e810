"""Is what fuzzing and reading broke once still whole?"""

from typing import Any

import pytest

from api.present.carts import cart_object
from commerce.domain.carts import MAX_LINES, MAX_QUANTITY, CartStatus, CartView
from commerce.domain.orders import MAX_PAGE_SIZE
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate
from tests.builders import cart, offered, product, tax
from tests.storefront import Storefront

# -- null, where a number has a default ------------------------------------------------------------


async def test_null_is_the_default_page(market: Storefront) -> None:
    cart_id = await market.a_ready_cart()
    query = """query ($cart: String!) { cart(cart_id: $cart) {
      itemsV2(pageSize: null, currentPage: null, sort: null) { page_info {
        page_size current_page } items { quantity } } } }"""
    page = (await market.post(query, {"cart": cart_id})).data["cart"]["itemsV2"]
    assert page == {
        "page_info": {"page_size": 20, "current_page": 1},
        "items": [{"quantity": 1.0}],
    }
    customer = market.as_customer("ada-and-null")
    order = await customer.an_order()
    query = """{ customer { orders(pageSize: null, currentPage: null, sort: null, filter: null,
      scope: null) { page_info { page_size current_page } items { number } } } }"""
    assert (await customer.post(query)).data["customer"]["orders"] == {
        "page_info": {"page_size": 20, "current_page": 1},
        "items": [{"number": order["number"]}],
    }


# -- a cart that costs more than an order can ------------------------------------------------------

METHODS = """query ($cart: String!) { cart(cart_id: $cart) { prices { grand_total { value } }
  shipping_addresses { available_shipping_methods { available error_message
  amount { value } price_incl_tax { value } } selected_shipping_method { carrier_code } } } }"""
ESTIMATE = """mutation ($cart: String!) { estimateShippingMethods(input:
  {cart_id: $cart, address: {country_code: US}}) { available } }"""
ONE_EACH = """mutation ($cart: String!) { updateCartItems(input: {cart_id: $cart, cart_items:
  [{cart_item_id: 1, quantity: 1}, {cart_item_id: 2, quantity: 1}]}) { errors { message } } }"""


async def test_a_cart_too_dear_to_be_ordered_can_still_be_seen_and_changed(
    market: Storefront,
) -> None:
    skus = ("gold", "platinum")
    market.world.store.catalog.put([product(each, None, price="9999999.99") for each in skus])
    cart_id = await market.a_ready_cart(*[(each, MAX_QUANTITY) for each in skus])
    shown = (await market.post(METHODS, {"cart": cart_id})).data["cart"]
    assert shown["prices"] is None
    (address,) = shown["shipping_addresses"]
    assert address["selected_shipping_method"] == {"carrier_code": "flatrate"}
    (method,) = address["available_shipping_methods"]
    assert not method["available"]
    assert "not available" in method["error_message"]
    estimated = await market.post(ESTIMATE, {"cart": cart_id})
    assert estimated.data["estimateShippingMethods"] == [{"available": False}]

    refused = await market.place(cart_id)
    assert refused.error["extensions"]["reason"] == "TOTAL_TOO_LARGE"
    assert (await market.post(ONE_EACH, {"cart": cart_id})).data["updateCartItems"]["errors"] == []
    shown = (await market.post(METHODS, {"cart": cart_id})).data["cart"]
    (method,) = shown["shipping_addresses"][0]["available_shipping_methods"]
    assert method == {
        "available": True,
        "error_message": "",
        "amount": {"value": 10.0},
        "price_incl_tax": {"value": 10.0},
    }
    assert (await market.place(cart_id)).data["placeOrder"]["orderV2"]


# -- lists that a request makes long ---------------------------------------------------------------

ITEM = {"sku": "apple", "quantity": 1}
LISTS: dict[str, tuple[str, Any]] = {
    "addProductsToCart": ("(cartId: $cart, cartItems: $list)", ITEM),
    "addSimpleProductsToCart": ("(input: {cart_id: $cart, cart_items: $list})", {"data": ITEM}),
    "updateCartItems": (
        "(input: {cart_id: $cart, cart_items: $list})",
        {"cart_item_id": 1, "quantity": 2},
    ),
}
TYPES = {
    "addProductsToCart": "CartItemInput!",
    "addSimpleProductsToCart": "SimpleProductCartItemInput",
    "updateCartItems": "CartItemUpdateInput",
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_of_changes_is_no_longer_than_a_cart(market: Storefront, name: str) -> None:
    cart_id = await market.a_ready_cart()
    arguments, item = LISTS[name]
    document = f"""mutation ($cart: String!, $list: [{TYPES[name]}]!) {{
      {name}{arguments} {{ cart {{ total_quantity }} }} }}"""
    before = market.world.store.carts.find(cart_id)
    many = {"cart": cart_id, "list": [item] * (MAX_LINES + 1)}
    assert (await market.post(document, many)).message == "A cart may have 500 different products."
    assert market.world.store.carts.find(cart_id) == before
    as_many = {"cart": cart_id, "list": [item] * MAX_LINES}
    assert (await market.post(document, as_many)).data[name]


async def test_a_filter_of_orders_is_no_longer_than_a_page_and_a_number(
    market: Storefront,
) -> None:
    customer = market.as_customer("ada-who-filters")
    number = (await customer.an_order())["number"]
    query = """query ($filter: CustomerOrdersFilterInput) {
      customer { orders(filter: $filter) { total_count } } }"""

    async def found(**wanted: Any) -> int:
        answer = await customer.post(query, {"filter": {"number": wanted}})
        return answer.data["customer"]["orders"]["total_count"]

    assert await found(**{"in": [number] * MAX_PAGE_SIZE}) == 1
    many = {"filter": {"number": {"in": [number] * (MAX_PAGE_SIZE + 1)}}}
    assert (await customer.post(query, many)).message == "number: at most 300 may be asked for."
    assert await found(match=number) == 1
    for match in (number * 10_000, "%" * 60_000, "%", "_" * 9):
        assert await found(match=match) == 0
        assert await found(match=match, eq=number) == 0


# -- what grew with the square of a cart's lines ---------------------------------------------------


def test_a_cart_of_many_lines_looks_up_its_tax_rate_once(monkeypatch: pytest.MonkeyPatch) -> None:
    skus = [f"sku-{n}" for n in range(MAX_LINES)]
    view = CartView(
        cart=cart("full", *[(each, 1) for each in skus]),
        status=CartStatus.ACTIVE,
        store=Store(code="default"),
        products={each: offered(each) for each in skus},
        tax_rates=(tax("10"),),
    )
    looked: list[TaxRate | None] = []
    tax_rate = CartView.tax_rate.fget
    assert tax_rate is not None

    def counted(self: CartView) -> TaxRate | None:
        looked.append(tax_rate(self))
        return looked[-1]

    monkeypatch.setattr(CartView, "tax_rate", property(counted))
    shown = cart_object(view)
    assert looked == [], "nothing was asked for yet"
    items = shown["items"](None)
    assert items[-1]["prices"]["price_including_tax"] == {"value": 11.0, "currency": "USD"}
    assert len(looked) == 2, "for the totals, and for the lines"
