"""Are shipping and payment chosen, and estimated, as section 5 of the contract documents it?"""

from typing import Any

import pytest

from tests.api.unready import NOWHERE
from tests.builders import tax
from tests.storefront import Answer, Storefront

METHODS = """
mutation ($cart: String!, $methods: [ShippingMethodInput]!) {
  setShippingMethodsOnCart(input: {cart_id: $cart, shipping_methods: $methods}) {
    cart { shipping_addresses { selected_shipping_method { ...method } } }
  }
}
fragment method on SelectedShippingMethod {
  carrier_code carrier_title method_code method_title amount { value currency }
  price_excl_tax { value } price_incl_tax { value }
}
"""
PAY = """
mutation ($cart: String!, $method: PaymentMethodInput!) {
  setPaymentMethodOnCart(input: {cart_id: $cart, payment_method: $method}) {
    cart { selected_payment_method { code title purchase_order_number } }
  }
}
"""
OFFERED = """
query ($cart: String!) { cart(cart_id: $cart) {
  shipping_addresses { available_shipping_methods {
    carrier_code carrier_title method_code method_title available error_message
    amount { value currency } price_excl_tax { value } price_incl_tax { value }
  } }
  available_payment_methods { code title }
  selected_payment_method { code title purchase_order_number }
} }
"""
ESTIMATE_SHIPPING = """
mutation ($input: EstimateTotalsInput!) { estimateShippingMethods(input: $input) {
  carrier_code method_code amount { value currency } price_incl_tax { value }
} }
"""
ESTIMATE_TOTALS = """
mutation ($input: EstimateTotalsInput!) { estimateTotals(input: $input) { cart {
  prices {
    grand_total { value } subtotal_excluding_tax { value } applied_taxes { amount { value } }
  }
} } }
"""
EVERY_SHIPPING = {"shipping_methods": ("flatrate", "tablerate", "freeshipping")}
EVERY_PAYMENT = {
    "payment_methods": ("checkmo", "banktransfer", "cashondelivery", "purchaseorder", "free")
}
FLAT = {"carrier_code": "flatrate", "method_code": "flatrate"}
TEXAS = {"country_code": "US", "postcode": "78701", "region": {"region_code": "TX"}}
NO_ADDRESS = "The shipping address is missing. Set the address and try again."
EMPTY = "The shipping method can't be set for an empty cart. Add an item to cart and try again."
CHECKS = {"code": "checkmo", "title": "Check / Money order", "purchase_order_number": None}


def told(answer: Answer) -> tuple[str, str]:
    """Category and message of a refusal."""
    assert answer.status == 200
    assert list((answer.body["data"] or {"": None}).values()) == [None]
    return answer.category, answer.message


async def offered(shop: Storefront, cart_id: str) -> dict[str, Any]:
    return (await shop.post(OFFERED, {"cart": cart_id})).data["cart"]


async def ship_by(shop: Storefront, cart_id: str, *methods: Any) -> Answer:
    return await shop.post(METHODS, {"cart": cart_id, "methods": list(methods)})


async def pay_by(shop: Storefront, cart_id: str, **method: Any) -> Answer:
    return await shop.post(PAY, {"cart": cart_id, "method": method})


# -- shipping methods ---------------------------------------------------------------------------


async def test_the_stores_shipping_methods_are_offered_with_their_prices(
    market: Storefront,
) -> None:
    store = market.of_new_store(tax("10", region="CA"), **EVERY_SHIPPING)
    cart_id = await store.a_ready_cart(("apple", 2))
    (address,) = (await offered(store, cart_id))["shipping_addresses"]
    assert [
        (
            f"{method['carrier_code']}/{method['method_code']}",
            f"{method['carrier_title']} - {method['method_title']}",
            method["amount"],
            method["price_excl_tax"]["value"],
            method["price_incl_tax"]["value"],
            method["available"],
        )
        for method in address["available_shipping_methods"]
    ] == [
        ("flatrate/flatrate", "Flat Rate - Fixed", usd(10.0), 10.0, 11.0, True),
        ("tablerate/bestway", "Best Way - Table Rate", usd(15.0), 15.0, 16.5, True),
        ("freeshipping/freeshipping", "Free Shipping - Free", usd(0.0), 0.0, 0.0, True),
    ]


def usd(value: float) -> dict[str, Any]:
    return {"value": value, "currency": "USD"}


async def test_each_shipping_method_can_be_chosen(market: Storefront) -> None:
    store = market.of_new_store(**EVERY_SHIPPING)
    cart_id = await store.a_ready_cart(("apple", 2), without={"shipping_method"})
    for carrier, method, amount in (
        ("tablerate", "bestway", 15.0),
        ("freeshipping", "freeshipping", 0.0),
        ("flatrate", "flatrate", 10.0),
    ):
        answer = await ship_by(store, cart_id, {"carrier_code": carrier, "method_code": method})
        (address,) = answer.data["setShippingMethodsOnCart"]["cart"]["shipping_addresses"]
        chosen = address["selected_shipping_method"]
        assert (chosen["carrier_code"], chosen["method_code"]) == (carrier, method)
        assert chosen["amount"] == usd(amount)
        assert await store.total(cart_id) == 20.0 + amount


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ([], 'Required parameter "shipping_methods" is missing'),
        ([None], 'Required parameter "carrier_code" is missing.'),
        (
            [{"carrier_code": "", "method_code": "flatrate"}],
            'Required parameter "carrier_code" is missing.',
        ),
        (
            [{"carrier_code": "flatrate", "method_code": ""}],
            'Required parameter "method_code" is missing.',
        ),
        (
            [{"carrier_code": "dove", "method_code": "flatrate"}],
            "Carrier with such method not found: dove, flatrate",
        ),
        (
            [{"carrier_code": "flatrate", "method_code": "dove"}],
            "Carrier with such method not found: flatrate, dove",
        ),
        (
            [{"carrier_code": "tablerate", "method_code": "bestway"}],
            "Carrier with such method not found: tablerate, bestway",
        ),
        ([FLAT, FLAT], "You cannot specify multiple shipping methods."),
    ],
    ids=str,
)
async def test_exactly_one_shipping_method_of_the_stores_is_wanted(
    market: Storefront, methods: list[Any], message: str
) -> None:
    cart_id = await market.a_ready_cart(without={"shipping_method"})
    assert told(await ship_by(market, cart_id, *methods)) == ("graphql-input", message)


async def test_a_shipping_method_needs_items_and_a_place_to_ship_to(market: Storefront) -> None:
    cart_id = await market.a_cart()
    for step, message in (
        ("items", EMPTY),
        ("shipping_address", NO_ADDRESS),
    ):
        assert told(await ship_by(market, cart_id, FLAT)) == ("graphql-input", message)
        await market.take(cart_id, step)
    assert (await ship_by(market, cart_id, FLAT)).data


# -- payment methods ----------------------------------------------------------------------------


async def test_before_a_payment_method_is_chosen_its_code_is_empty(market: Storefront) -> None:
    cart = await offered(market, await market.a_cart())
    assert cart["selected_payment_method"] == {
        "code": "",
        "title": "",
        "purchase_order_number": None,
    }
    assert cart["available_payment_methods"] == [
        {"code": "checkmo", "title": "Check / Money order"}
    ]


async def test_each_payment_method_of_the_store_can_be_chosen(market: Storefront) -> None:
    store = market.of_new_store(**EVERY_PAYMENT)
    cart_id = await store.a_ready_cart(without={"payment_method"})
    titles = {
        each["code"]: each["title"]
        for each in (await offered(store, cart_id))["available_payment_methods"]
    }
    assert titles == {
        "checkmo": "Check / Money order",
        "banktransfer": "Bank Transfer Payment",
        "cashondelivery": "Cash On Delivery",
        "purchaseorder": "Purchase Order",
    }
    for code, title in titles.items():
        number = "PO-1" if code == "purchaseorder" else None
        answer = await pay_by(store, cart_id, code=code, purchase_order_number=number)
        chosen = answer.data["setPaymentMethodOnCart"]["cart"]["selected_payment_method"]
        assert chosen == {"code": code, "title": title, "purchase_order_number": number}


async def test_what_costs_nothing_is_paid_by_nothing(market: Storefront) -> None:
    store = market.of_new_store(**EVERY_PAYMENT)
    cart_id = await store.a_ready_cart(
        ("gift", 1), without={"shipping_address", "shipping_method", "payment_method"}
    )
    methods = (await offered(store, cart_id))["available_payment_methods"]
    assert {"code": "free", "title": "No Payment Information Required"} in methods
    assert (await pay_by(store, cart_id, code="free")).data
    assert (await store.place(cart_id)).data


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"code": ""}, 'Required parameter "code" for "payment_method" is missing.'),
        ({"code": "barter"}, "The requested Payment Method is not available."),
        ({"code": "banktransfer"}, "The requested Payment Method is not available."),
        ({"code": "free"}, "The requested Payment Method is not available."),
        ({"code": "purchaseorder"}, "Purchase order number is a required field."),
        (
            {"code": "purchaseorder", "purchase_order_number": " "},
            "Purchase order number is a required field.",
        ),
        (
            {"code": "purchaseorder", "purchase_order_number": "x" * 65},
            '"purchase_order_number" is invalid. Enter and try again.',
        ),
    ],
    ids=str,
)
async def test_a_payment_method_that_cannot_be_used_is_refused(
    market: Storefront, method: dict[str, Any], message: str
) -> None:
    store = market.of_new_store(payment_methods=("checkmo", "purchaseorder", "free"))
    cart_id = await store.a_ready_cart()
    assert told(await pay_by(store, cart_id, **method)) == ("graphql-input", message)
    assert (await offered(store, cart_id))["selected_payment_method"] == CHECKS


async def test_the_code_of_a_payment_method_is_checked_before_the_cart_is_looked_up(
    market: Storefront,
) -> None:
    message = 'Required parameter "code" for "payment_method" is missing.'
    assert told(await pay_by(market, NOWHERE, code="")) == ("graphql-input", message)


async def test_a_payment_method_needs_a_place_to_ship_to_but_no_shipping_method(
    market: Storefront,
) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items")
    assert told(await pay_by(market, cart_id, code="checkmo")) == ("graphql-input", NO_ADDRESS)
    await market.take(cart_id, "shipping_address")
    assert (await pay_by(market, cart_id, code="checkmo")).data


async def test_a_payment_method_for_what_is_not_shipped_needs_no_address(
    market: Storefront,
) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items", items=[("ebook", 1)])
    assert (await pay_by(market, cart_id, code="checkmo")).data


# -- estimates ----------------------------------------------------------------------------------


async def estimate(
    shop: Storefront, document: str, cart_id: str, place: dict[str, Any], **more: Any
) -> Answer:
    return await shop.post(document, {"input": {"cart_id": cart_id, "address": place, **more}})


async def test_shipping_is_estimated_before_there_is_an_address(market: Storefront) -> None:
    store = market.of_new_store(tax("10", region="TX"), **EVERY_SHIPPING)
    cart_id = await store.a_cart()
    await store.take(cart_id, "items", items=[("apple", 2)])

    async def prices(place: dict[str, Any]) -> list[tuple[str, float, float]]:
        answer = await estimate(store, ESTIMATE_SHIPPING, cart_id, place)
        return [
            (each["method_code"], each["amount"]["value"], each["price_incl_tax"]["value"])
            for each in answer.data["estimateShippingMethods"]
        ]

    in_texas = [("flatrate", 10.0, 11.0), ("bestway", 15.0, 16.5), ("freeshipping", 0.0, 0.0)]
    for region in ({"region_code": "tx"}, {"region": "Texas"}, {"region_id": 57}):
        assert await prices({"country_code": "US", "region": region}) == in_texas
    without_tax = [("flatrate", 10.0, 10.0), ("bestway", 15.0, 15.0), ("freeshipping", 0.0, 0.0)]
    assert await prices({"country_code": "US", "postcode": "90210"}) == without_tax


async def test_nothing_is_shipped_of_what_needs_no_shipping(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items", items=[("ebook", 1)])
    answer = await estimate(market, ESTIMATE_SHIPPING, cart_id, TEXAS)
    assert answer.data == {"estimateShippingMethods": []}


async def test_totals_are_estimated_with_and_without_a_shipping_method(
    market: Storefront,
) -> None:
    store = market.of_new_store(tax("10", region="TX"))
    cart_id = await store.a_cart()
    await store.take(cart_id, "items", items=[("apple", 2)])
    empty = {"carrier_code": "", "method_code": ""}
    for more, total, taxes in (
        ({}, 22.0, 2.0),
        ({"shipping_method": None}, 22.0, 2.0),
        ({"shipping_method": empty}, 22.0, 2.0),
        ({"shipping_method": FLAT}, 33.0, 3.0),
    ):
        answer = await estimate(store, ESTIMATE_TOTALS, cart_id, TEXAS, **more)
        assert answer.data["estimateTotals"]["cart"]["prices"] == {
            "grand_total": {"value": total},
            "subtotal_excluding_tax": {"value": 20.0},
            "applied_taxes": [{"amount": {"value": taxes}}],
        }


async def test_an_estimate_changes_nothing(market: Storefront) -> None:
    cart_id = await market.a_ready_cart(("apple", 2))
    view = market.world.store.shopping.view
    before = view(cart_id)
    for document in (ESTIMATE_SHIPPING, ESTIMATE_TOTALS):
        more = {} if document is ESTIMATE_SHIPPING else {"shipping_method": FLAT}
        assert (await estimate(market, document, cart_id, TEXAS, **more)).data
    assert view(cart_id) == before


@pytest.mark.parametrize(
    "document", [ESTIMATE_SHIPPING, ESTIMATE_TOTALS], ids=["methods", "totals"]
)
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"country_code": "CH"}, "Country is not available"),
        (
            {"country_code": "US", "region": {"region_code": "TX", "region_id": 45}},
            "The specified region is not a part of the selected country or region",
        ),
        (
            {"country_code": "US", "region": {"region_code": "AE"}},
            "Region input is ambiguous. Specify region_id.",
        ),
    ],
    ids=str,
)
async def test_a_place_that_cannot_be_is_not_estimated(
    market: Storefront, document: str, place: dict[str, Any], message: str
) -> None:
    store = market.of_new_store(allowed_countries=("US",))
    answer = await estimate(store, document, await store.a_cart(), place)
    assert told(answer) == ("graphql-input", message)


async def test_a_shipping_method_that_is_not_offered_is_not_estimated(market: Storefront) -> None:
    method = {"carrier_code": "dove", "method_code": "mail"}
    cart_id = await market.a_ready_cart()
    answer = await estimate(market, ESTIMATE_TOTALS, cart_id, TEXAS, shipping_method=method)
    message = "Carrier with such method not found: dove, mail"
    assert told(answer) == ("graphql-input", message)
