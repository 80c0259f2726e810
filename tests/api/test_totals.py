"""Do the cart that is shown and the order say the same amounts, to the last minor unit?"""

from typing import Any

import pytest

from tests.builders import product, tax
from tests.storefront import ADDRESS, Storefront

CART = """
query ($cart: String!) { cart(cart_id: $cart) {
  is_virtual
  total_quantity
  prices {
    grand_total { value currency } grand_total_excluding_tax { value }
    subtotal_excluding_tax { value } subtotal_including_tax { value }
    subtotal_with_discount_excluding_tax { value }
    applied_taxes { label amount { value currency } } discounts { label }
  }
  items { product { sku } prices {
    price { value currency } price_including_tax { value }
    row_total { value } row_total_including_tax { value }
    original_item_price { value } original_row_total { value } total_item_discount { value }
  } }
  shipping_addresses { selected_shipping_method {
    amount { value currency } price_excl_tax { value } price_incl_tax { value }
  } }
} }
"""
PLACE = """
mutation ($cart: String!) { placeOrder(input: {cart_id: $cart}) { orderV2 {
  is_virtual grand_total
  total {
    grand_total { value currency } base_grand_total { value } grand_total_excl_tax { value }
    subtotal { value } subtotal_excl_tax { value } subtotal_incl_tax { value }
    total_shipping { value } total_tax { value }
    taxes { title rate amount { value } } discounts { label }
    shipping_handling {
      total_amount { value } amount_excluding_tax { value } amount_including_tax { value }
      taxes { title rate amount { value } } discounts { amount { value } }
    }
  }
  items {
    product_sku quantity_ordered product_sale_price { value }
    prices {
      price { value } price_including_tax { value }
      original_price { value } original_price_including_tax { value }
    }
  }
} } }
"""


def plain(given: Any) -> Any:
    """The same with ``{"value": x}`` read as ``x``."""
    if isinstance(given, dict):
        if set(given) == {"value"}:  # pyright: ignore[reportUnknownArgumentType]
            return given["value"]  # pyright: ignore[reportUnknownVariableType]
        return {key: plain(each) for key, each in given.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(given, list):
        return [plain(each) for each in given]  # pyright: ignore[reportUnknownVariableType]
    return given


async def cart_of(shop: Storefront, cart_id: str) -> dict[str, Any]:
    return plain((await shop.post(CART, {"cart": cart_id})).data["cart"])


async def order_of(shop: Storefront, cart_id: str) -> dict[str, Any]:
    return plain((await shop.post(PLACE, {"cart": cart_id})).data["placeOrder"]["orderV2"])


# -- the examples of section 6 of the contract ---------------------------------------------------


async def test_two_for_ten_shipped_at_the_flat_rate_are_thirty(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(("apple", 2))
    cart = await cart_of(market, cart_id)
    assert cart == {
        "is_virtual": False,
        "total_quantity": 2.0,
        "prices": {
            "grand_total": {"value": 30.0, "currency": "USD"},
            "grand_total_excluding_tax": 30.0,
            "subtotal_excluding_tax": 20.0,
            "subtotal_including_tax": 20.0,
            "subtotal_with_discount_excluding_tax": 20.0,
            "applied_taxes": [],
            "discounts": [],
        },
        "items": [
            {
                "product": {"sku": "apple"},
                "prices": {
                    "price": {"value": 10.0, "currency": "USD"},
                    "price_including_tax": 10.0,
                    "row_total": 20.0,
                    "row_total_including_tax": 20.0,
                    "original_item_price": 10.0,
                    "original_row_total": 20.0,
                    "total_item_discount": 0.0,
                },
            }
        ],
        "shipping_addresses": [
            {
                "selected_shipping_method": {
                    "amount": {"value": 10.0, "currency": "USD"},
                    "price_excl_tax": 10.0,
                    "price_incl_tax": 10.0,
                }
            }
        ],
    }
    order = await order_of(market, cart_id)
    assert (order["grand_total"], order["is_virtual"]) == (30.0, False)
    assert order["total"] == {
        "grand_total": {"value": 30.0, "currency": "USD"},
        "base_grand_total": 30.0,
        "grand_total_excl_tax": 30.0,
        "subtotal": 20.0,
        "subtotal_excl_tax": 20.0,
        "subtotal_incl_tax": 20.0,
        "total_shipping": 10.0,
        "total_tax": 0.0,
        "taxes": [],
        "discounts": [],
        "shipping_handling": {
            "total_amount": 10.0,
            "amount_excluding_tax": 10.0,
            "amount_including_tax": 10.0,
            "taxes": [],
            "discounts": [],
        },
    }
    (item,) = order["items"]
    assert (item["quantity_ordered"], item["product_sale_price"]) == (2.0, 10.0)


async def test_four_for_ten_with_tax_on_goods_and_shipping_are_sixty_four_fifty(
    market: Storefront,
) -> None:
    store = market.of_new_store(tax("7.5"))
    cart_id = await store.a_ready_cart(("apple", 4))
    cart = await cart_of(store, cart_id)
    assert cart["prices"] == {
        "grand_total": {"value": 64.5, "currency": "USD"},
        "grand_total_excluding_tax": 60.0,
        "subtotal_excluding_tax": 40.0,
        "subtotal_including_tax": 43.0,
        "subtotal_with_discount_excluding_tax": 40.0,
        "applied_taxes": [{"label": "Sales tax", "amount": {"value": 4.5, "currency": "USD"}}],
        "discounts": [],
    }
    assert cart["items"][0]["prices"] == {
        "price": {"value": 10.0, "currency": "USD"},
        "price_including_tax": 10.75,
        "row_total": 40.0,
        "row_total_including_tax": 43.0,
        "original_item_price": 10.0,
        "original_row_total": 40.0,
        "total_item_discount": 0.0,
    }
    (address,) = cart["shipping_addresses"]
    assert address["selected_shipping_method"] == {
        "amount": {"value": 20.0, "currency": "USD"},
        "price_excl_tax": 20.0,
        "price_incl_tax": 21.5,
    }
    order = await order_of(store, cart_id)
    assert order["total"] == {
        "grand_total": {"value": 64.5, "currency": "USD"},
        "base_grand_total": 64.5,
        "grand_total_excl_tax": 60.0,
        "subtotal": 40.0,
        "subtotal_excl_tax": 40.0,
        "subtotal_incl_tax": 43.0,
        "total_shipping": 20.0,
        "total_tax": 4.5,
        "taxes": [{"title": "Sales tax", "rate": 7.5, "amount": 4.5}],
        "discounts": [],
        "shipping_handling": {
            "total_amount": 21.5,
            "amount_excluding_tax": 20.0,
            "amount_including_tax": 21.5,
            "taxes": [{"title": "Sales tax", "rate": 7.5, "amount": 1.5}],
            "discounts": [],
        },
    }
    assert order["items"][0]["prices"] == {
        "price": 10.0,
        "price_including_tax": 10.75,
        "original_price": 10.0,
        "original_price_including_tax": 10.75,
    }


# -- cart and order -----------------------------------------------------------------------------


def told_alike(cart: dict[str, Any], order: dict[str, Any]) -> None:
    """The cart's amounts are the order's, and each set adds up."""
    prices, total = cart["prices"], order["total"]
    assert prices["grand_total"] == total["grand_total"]
    assert prices["grand_total_excluding_tax"] == total["grand_total_excl_tax"]
    assert prices["subtotal_excluding_tax"] == total["subtotal_excl_tax"]
    assert prices["subtotal_including_tax"] == total["subtotal_incl_tax"]
    shown_taxes = [each["amount"]["value"] for each in prices["applied_taxes"]]
    assert shown_taxes == [each["amount"] for each in total["taxes"]]
    assert sum(shown_taxes) == total["total_tax"]
    rows = [item["prices"] for item in cart["items"]]
    assert cents(row["row_total"] for row in rows) == cents([total["subtotal_excl_tax"]])
    with_tax = cents(row["row_total_including_tax"] for row in rows)
    assert with_tax == cents([total["subtotal_incl_tax"]])
    shipping = total["shipping_handling"]
    assert cents([total["subtotal_incl_tax"], shipping["amount_including_tax"]]) == cents(
        [total["grand_total"]["value"]]
    )
    assert cents([total["subtotal"], total["total_shipping"], total["total_tax"]]) == cents(
        [total["grand_total"]["value"]]
    )


def cents(amounts: Any) -> int:
    """The sum in thousandths, where it is exact."""
    return sum(round(amount * 1000) for amount in amounts)


@pytest.mark.parametrize("percent", ["0.01", "7.5", "8.875", "19", "33.3333"])
@pytest.mark.parametrize("on_shipping", [True, False])
async def test_cart_and_order_agree_to_the_cent_whatever_the_rate(
    market: Storefront, percent: str, on_shipping: bool
) -> None:
    market.world.store.catalog.put(
        [product("nail", None, price="0.07"), product("screw", None, price="1.29")]
    )
    store = market.of_new_store(tax(percent, on_shipping=on_shipping))
    cart_id = await store.a_ready_cart(("nail", 13), ("screw", 7), ("ebook", 1))
    cart = await cart_of(store, cart_id)
    order = await order_of(store, cart_id)
    told_alike(cart, order)
    handling = order["total"]["shipping_handling"]
    shipping_tax = handling["amount_including_tax"] - handling["amount_excluding_tax"]
    assert (shipping_tax > 0) is on_shipping
    assert bool(handling["taxes"]) is on_shipping


async def test_where_no_rate_is_for_the_destination_nothing_is_taxed(market: Storefront) -> None:
    store = market.of_new_store(tax("8.25", region="TX"), tax("19", country_code="DE"))
    cart_id = await store.a_ready_cart()
    assert (await cart_of(store, cart_id))["prices"]["applied_taxes"] == []
    texas = {**ADDRESS, "region": "TX", "region_id": 57, "postcode": "78701"}
    await store.take(cart_id, "shipping_address", address=texas)
    (applied,) = (await cart_of(store, cart_id))["prices"]["applied_taxes"]
    assert applied["amount"]["value"] == 1.24  # 0.825 and 0.4125, each rounded
    told_alike(await cart_of(store, cart_id), await order_of(store, cart_id))


async def test_what_is_not_shipped_is_taxed_where_it_is_billed(market: Storefront) -> None:
    store = market.of_new_store(tax("10", region="CA"))
    not_shipped = {"shipping_address", "shipping_method"}
    cart_id = await store.a_ready_cart(("ebook", 2), without={*not_shipped, "billing_address"})
    before = await cart_of(store, cart_id)
    assert (before["is_virtual"], before["prices"]["applied_taxes"]) == (True, [])
    await store.take(cart_id, "billing_address")
    cart = await cart_of(store, cart_id)
    assert cart["prices"]["grand_total"]["value"] == 22.0
    assert cart["shipping_addresses"] == []
    order = await order_of(store, cart_id)
    assert order["is_virtual"] is True
    assert order["total"]["total_shipping"] == 0.0
    told_alike(cart, order)


async def test_what_is_not_shipped_costs_no_shipping_in_a_mixed_cart(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(("apple", 1), ("ebook", 5))
    cart = await cart_of(market, cart_id)
    assert (cart["is_virtual"], cart["prices"]["grand_total"]["value"]) == (False, 65.0)
    told_alike(cart, await order_of(market, cart_id))


async def test_a_total_too_large_to_be_one_is_not_shown(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(("dear", 1_000_000))
    cart = await cart_of(market, cart_id)
    assert cart["prices"] is None
    assert cart["items"] == [{"product": {"sku": "dear"}, "prices": None}]


@pytest.mark.parametrize(
    ("currency", "price", "row", "taxed", "total", "with_tax"),
    [
        ("JPY", "999", 2997.0, 3297.0, 3012.0, 3314.0),
        ("KWD", "1.235", 3.705, 4.076, 18.705, 20.576),
        ("EUR", "1.99", 5.97, 6.57, 20.97, 23.07),
    ],
)
async def test_amounts_have_as_many_decimals_as_their_currency(
    market: Storefront,
    currency: str,
    price: str,
    row: float,
    taxed: float,
    total: float,
    with_tax: float,
) -> None:
    market.world.store.catalog.put([product("tea", None, price=price, currency=currency)])
    for rates, due in (((), total), ((tax("10"),), with_tax)):
        store = market.of_new_store(*rates, currency=currency)
        cart_id = await store.a_ready_cart(("tea", 3))
        cart = await cart_of(store, cart_id)
        assert cart["prices"]["grand_total"] == {"value": due, "currency": currency}
        assert cart["items"][0]["prices"]["row_total"] == row
        including = cart["items"][0]["prices"]["row_total_including_tax"]
        assert including == (taxed if rates else row)
        order = await order_of(store, cart_id)
        assert order["total"]["grand_total"] == {"value": due, "currency": currency}
        told_alike(cart, order)
