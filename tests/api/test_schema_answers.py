"""Is every field of the schema answered, or refused in so many words, and never by mistake?"""

import json
from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLField, GraphQLObjectType

from api.resolvers import build_schema
from commerce.adapters.addresses import PostalRules
from commerce.domain.money import MoneyError, minor_digits
from tests.api.selections import everything
from tests.builders import tax
from tests.storefront import ADDRESS, Answer, Storefront

SCHEMA = build_schema()
_CART = {"cart_id": "<cart>"}
_TEXAS = {"country_code": "US", "postcode": "78701", "region": {"region_id": 57}}
_ITEM = {"sku": "apple", "quantity": 1}
_REASON = {"order_id": "MQ==", "reason": "none"}
_RETURNED = {"items": [{"order_item_uid": "MQ==", "quantity_to_return": 1}]}


@dataclass(frozen=True)
class Asked:
    """How a field of a root type is asked.

    Attributes:
        arguments: ``<cart>`` and so on stand for what the test makes.
        refused: The message; empty for what is answered.
    """

    arguments: dict[str, Any]
    by_customer: bool = False
    refused: str = ""


def of_cart(**more: Any) -> Asked:
    """An operation on a cart by an input."""
    return Asked({"input": {**_CART, **more}})


def refused(message: str, **arguments: Any) -> Asked:
    return Asked(arguments, refused=message)


_NO_OPTIONS, _NO_COUPON = (
    "Products with options are not sold here.",
    "The coupon code isn't valid. Verify the code and try again.",
)
_NO_RETURN = "Orders are not returned here."
_ONLINE = "payment_services_paypal_hosted_fields"
_NO_GIFT_CARD = "Gift cards are not accepted here."
_CONFIRMED = {"order_id": "MQ==", "confirmation_key": "k"}

QUERIES = {
    "cart": Asked({"cart_id": "<cart>"}),
    "customerCart": Asked({}, by_customer=True),
    "guestOrder": Asked(
        {"input": {"number": "<number>", "email": "jdoe@example.com", "lastname": "Doe"}}
    ),
    "guestOrderByToken": Asked({"input": {"token": "<token>"}}),
    "customer": Asked({}, by_customer=True),
    "isEmailAvailable": Asked({"email": "ada@example.com"}),
    "storeConfig": Asked({}),
    "availableStores": Asked({"useCurrentGroup": True}),
    "countries": Asked({}),
    "country": Asked({"id": "US"}),
    "checkoutAgreements": Asked({}),
    "getPaymentConfig": Asked({"location": "CHECKOUT"}),
    "getPaymentOrder": Asked({"cartId": "<cart>", "id": "<payment>"}),
    "attributesForm": Asked({"formCode": "customer_register_address"}),
    "attributesList": Asked({"entityType": "CUSTOMER_ADDRESS"}),
}
MUTATIONS = {
    "createGuestCart": Asked({}),
    "createEmptyCart": Asked({}),
    "addProductsToCart": Asked(
        {"cartId": "<cart>", "cartItems": [_ITEM, {"sku": "plane", "quantity": 1}]}
    ),
    "addProductsToNewCart": Asked({"cartItems": [_ITEM, {"sku": "plane", "quantity": 1}]}),
    "addSimpleProductsToCart": of_cart(cart_items=[{"data": _ITEM}]),
    "addVirtualProductsToCart": of_cart(cart_items=[{"data": _ITEM}]),
    "addConfigurableProductsToCart": of_cart(cart_items=[{"data": _ITEM}]),
    "updateCartItems": of_cart(
        cart_items=[{"cart_item_id": 1, "quantity": 2}, {"cart_item_id": 9, "quantity": 2}]
    ),
    "removeItemFromCart": of_cart(cart_item_id=1),
    "mergeCarts": Asked({"source_cart_id": "<cart>"}, by_customer=True),
    "assignCustomerToGuestCart": Asked({"cart_id": "<cart>"}, by_customer=True),
    "setCartAsInactive": Asked({"cartId": "<cart>"}),
    "setGuestEmailOnCart": of_cart(email="ada@example.com"),
    "setShippingAddressesOnCart": of_cart(shipping_addresses=[{"address": ADDRESS}]),
    "setBillingAddressOnCart": of_cart(billing_address={"same_as_shipping": True}),
    "setShippingMethodsOnCart": of_cart(
        shipping_methods=[{"carrier_code": "flatrate", "method_code": "flatrate"}]
    ),
    "setPaymentMethodOnCart": of_cart(payment_method={"code": "checkmo"}),
    "estimateShippingMethods": of_cart(address=_TEXAS),
    "estimateTotals": of_cart(address=_TEXAS),
    "placeOrder": of_cart(),
    "completeOrder": Asked({"input": {"cartId": "<cart>", "id": "<payment>"}}),
    "setPaymentMethodAndPlaceOrder": of_cart(payment_method={"code": "checkmo"}),
    "generateCustomerToken": Asked({"email": "ada@example.com", "password": "any"}),
    "removeCouponFromCart": of_cart(),
    "setGiftOptionsOnCart": of_cart(gift_receipt_included=False, printed_card_included=False),
    "cancelOrder": Asked({"input": _REASON}),
    "confirmCancelOrder": Asked({"input": _CONFIRMED}),
    "requestGuestOrderCancel": Asked({"input": {"token": "<token>", "reason": "none"}}),
    "createPaymentOrder": Asked(
        {
            "input": {
                "cartId": "<cart>",
                "location": "CHECKOUT",
                "methodCode": _ONLINE,
                "paymentSource": "cc",
            }
        }
    ),
    "syncPaymentOrder": Asked({"input": {"cartId": "<cart>", "id": "<payment>"}}),
    "addBundleProductsToCart": refused(
        _NO_OPTIONS, input={**_CART, "cart_items": [{"bundle_options": [], "data": _ITEM}]}
    ),
    "addDownloadableProductsToCart": refused(
        _NO_OPTIONS, input={**_CART, "cart_items": [{"data": _ITEM}]}
    ),
    "applyCouponToCart": refused(_NO_COUPON, input={**_CART, "coupon_code": "TEN"}),
    "applyCouponsToCart": refused(_NO_COUPON, input={**_CART, "coupon_codes": ["TEN"]}),
    "applyGiftCardToCart": refused(_NO_GIFT_CARD, input={**_CART, "gift_card_code": "G"}),
    "removeGiftCardFromCart": refused(_NO_GIFT_CARD, input={**_CART, "gift_card_code": "G"}),
    "reorderItems": refused("Orders cannot be repeated here.", orderNumber="<number>"),
    "requestReturn": refused(_NO_RETURN, input={"order_uid": "MQ==", **_RETURNED}),
    "requestGuestReturn": refused(_NO_RETURN, input={"token": "<token>", **_RETURNED}),
    "confirmReturn": refused(_NO_RETURN, input=_CONFIRMED),
}


def root(of: GraphQLObjectType | None) -> dict[str, GraphQLField]:
    assert of is not None
    return of.fields


FIELDS = {
    **{name: ("query", field) for name, field in root(SCHEMA.query_type).items()},
    **{name: ("mutation", field) for name, field in root(SCHEMA.mutation_type).items()},
}


def of_argument(field: GraphQLField, name: str) -> str:
    return f"{field.args[name].type}"  # pyright: ignore[reportUnknownMemberType]


async def asked(shop: Storefront, name: str, how: Asked) -> Answer:
    """Ask for everything, of a full cart and an order, in a store with taxes."""
    customer = shop.as_customer(f"who-asks-for-{name}")
    items = ("apple", 2), ("ebook", 1)
    if how.by_customer:
        await customer.an_order(*items)
        await customer.fill(await customer.a_cart(), *items)
    text = json.dumps(how.arguments)
    if "<cart>" in text:
        cart_id = await shop.a_ready_cart(*items)
        total = await shop.total(cart_id)
        text = text.replace("<cart>", cart_id)
        if "<payment>" in text:
            text = text.replace("<payment>", shop.approved(cart_id, f"{total:.2f}"))
    elif "<" in text:
        order = await shop.an_order(*items)
        text = text.replace("<number>", order["number"]).replace("<token>", order["token"])
    variables: dict[str, Any] = json.loads(text)
    kind, field = FIELDS[name]
    declared = ", ".join(f"${each}: {of_argument(field, each)}" for each in variables)
    passed = ", ".join(f"{each}: ${each}" for each in variables)
    document = (
        f"{kind} {f'({declared})' if declared else ''} "
        f"{{ {name}{f'({passed})' if passed else ''} {everything(SCHEMA, field)} }}"
    )
    return await (customer if how.by_customer else shop).post(document, variables)


def test_every_operation_is_asked() -> None:
    assert set(FIELDS) == {*QUERIES, *MUTATIONS}


def test_every_currency_and_every_country_can_be_named() -> None:
    codes = map("".join, product(ascii_uppercase, repeat=3))
    assert set(filter(is_currency, codes)) <= names("CurrencyEnum")
    assert set(PostalRules().country_names()) <= names("CountryCodeEnum")


def names(enum: str) -> set[str]:
    of_type = SCHEMA.type_map[enum]
    assert isinstance(of_type, GraphQLEnumType)
    return set(of_type.values)


def is_currency(code: str) -> bool:
    try:
        return minor_digits(code) in (0, 2, 3)
    except MoneyError:
        return False


@pytest.mark.parametrize("name", [*QUERIES, *MUTATIONS])
async def test_everything_that_an_operation_answers_is_answered(
    market: Storefront, name: str
) -> None:
    how = {**QUERIES, **MUTATIONS}[name]
    store = market.of_new_store(tax("10"), payment_methods=("checkmo", _ONLINE))
    answer = await asked(store, name, how)
    if how.refused:
        assert (answer.status, answer.body["data"]) == (200, {name: None})
        assert answer.message == how.refused
        assert answer.category != "internal"
    else:
        assert name in answer.data


async def test_what_is_answered_is_what_there_is(market: Storefront) -> None:
    store = market.of_new_store(tax("10"))
    cart = (await asked(store, "cart", QUERIES["cart"])).data["cart"]
    assert [each["__typename"] for each in cart["items"]] == ["SimpleCartItem", "VirtualCartItem"]
    products = [each["product"]["__typename"] for each in cart["items"]]
    assert products == ["SimpleProduct", "VirtualProduct"]
    placed = (await asked(store, "placeOrder", MUTATIONS["placeOrder"])).data["placeOrder"]
    assert [each["__typename"] for each in placed["orderV2"]["items"]] == ["OrderItem"] * 2
    assert placed["orderV2"]["total"]["taxes"]


@pytest.mark.parametrize(
    "gift",
    [
        {"gift_receipt_included": True},
        {"gift_message": {"from": "A", "to": "B", "message": "C"}},
    ],
    ids=str,
)
async def test_gift_options_are_not_offered(market: Storefront, gift: dict[str, Any]) -> None:
    how = of_cart(**{"gift_receipt_included": False, "printed_card_included": False, **gift})
    answer = await asked(market, "setGiftOptionsOnCart", how)
    assert answer.message == "Gift options are not offered here."


async def test_what_ends_elsewhere_says_so(market: Storefront) -> None:
    for name in ("cancelOrder", "confirmCancelOrder", "requestGuestOrderCancel"):
        told = (await asked(market, name, MUTATIONS[name])).data[name]
        assert told["order"] is None
        assert told["error"] == told["errorV2"]["message"] == "Orders are not cancelled here."
    told = (await asked(market, "setCartAsInactive", MUTATIONS["setCartAsInactive"])).data
    assert told["setCartAsInactive"]["success"] is False
