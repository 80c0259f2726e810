"""Carts that cannot become orders: the rows of section 3 of the contract, made over HTTP.

The texts are written down here anew; each operation puts its prefix before the general ones.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.builders import product
from tests.storefront import ADDRESS, Storefront

SERVER_ERROR = (
    "A server error stopped your order from being placed. Please try to place your order again"
)
COUNTRIES = "Some addresses can't be used due to the configurations for specific countries."
NO_SHIPPING_METHOD = "The shipping method is missing. Select the shipping method and try again."
NO_PAYMENT_METHOD = "Enter a valid payment method and try again."
PAYMENT_METHOD_GONE = "The requested Payment Method is not available."
OUT_OF_STOCK = "Some of the products are out of stock."
TOO_FEW = "The requested qty is not available"
NO_BILLING_ADDRESS = (
    "Please check the billing address information."
    ' "firstname" is required. Enter and try again. "lastname" is required. Enter and try again.'
    ' "street" is required. Enter and try again. "city" is required. Enter and try again.'
    ' "telephone" is required. Enter and try again. "postcode" is required. Enter and try again.'
    ' "countryId" is required. Enter and try again.'
)
BAD_POSTCODE = '"postcode" is invalid. Enter and try again.'
NOT_ACTIVE = "The cart isn't active."

GENERAL = "UNABLE_TO_PLACE_ORDER"
NOT_SHIPPED = {"shipping_address", "shipping_method"}

Make = Callable[[Storefront], Awaitable[tuple[Storefront, str]]]
"""Makes a cart in a market; answers with the storefront to ask in, and the cart's id."""


@dataclass(frozen=True)
class Unready:
    """A cart, and what making an order of it is refused with.

    Attributes:
        text: The message; ``{}`` is the cart's id.
        code: Under ``placeOrder``.
        more: What else the extensions say.
    """

    make: Make
    reason: str
    text: str
    code: str = GENERAL
    retryable: bool = False
    more: dict[str, Any] = field(default_factory=dict[str, Any])

    def extensions(self, code: str) -> dict[str, Any]:
        return {
            "category": "graphql-input",
            "error_code": code,
            "reason": self.reason,
            "retryable": self.retryable,
            **self.more,
        }


def with_id(cart_id: str) -> Make:
    async def make(market: Storefront) -> tuple[Storefront, str]:
        return market, cart_id

    return make


def lacking(*steps: str) -> Make:
    async def make(market: Storefront) -> tuple[Storefront, str]:
        return market, await market.a_ready_cart(without=steps)

    return make


async def merged(market: Storefront) -> tuple[Storefront, str]:
    cart_id = await market.a_ready_cart()
    document = "mutation ($cart: String!) { mergeCarts(source_cart_id: $cart) { id } }"
    customer = market.as_customer("who-merges")
    assert (await customer.post(document, {"cart": cart_id})).data
    return market, cart_id


async def of_another_store(market: Storefront) -> tuple[Storefront, str]:
    return market.of_new_store(), await market.a_ready_cart()


async def once_virtual(market: Storefront) -> tuple[Storefront, str]:
    """It lacks a shipping address only: it needed none when its payment method was set."""
    cart_id = await market.a_ready_cart(("ebook", 1), without=NOT_SHIPPED)
    await market.take(cart_id, "items")
    return market, cart_id


async def once_free(market: Storefront) -> tuple[Storefront, str]:
    store = market.of_new_store(payment_methods=("free",))
    cart_id = await store.a_ready_cart(("gift", 1), without={*NOT_SHIPPED, "payment_method"})
    await store.choose(cart_id, payment="free")
    await store.take(cart_id, "items", items=[("ebook", 1)])
    return store, cart_id


async def too_dear(market: Storefront) -> tuple[Storefront, str]:
    return market, await market.a_ready_cart(("dear", 1_000_000))


def until(*items: tuple[str, int], without: set[str] | None = None, **changes: Any) -> Make:
    """It lacks nothing until these settings of its store are changed."""

    async def make(market: Storefront) -> tuple[Storefront, str]:
        store = market.of_new_store()
        cart_id = await store.a_ready_cart(*items, without=without or ())
        store.change_store(**changes)
        return store, cart_id

    return make


def until_there_are(plums: int) -> Make:
    """It has two plums, and so many are left."""

    async def make(market: Storefront) -> tuple[Storefront, str]:
        market.world.store.catalog.put([product("plum", 2)])
        cart_id = await market.a_ready_cart(("apple", 1), ("plum", 2))
        market.world.store.catalog.put([product("plum", plums)])
        return market, cart_id

    return make


def in_a_bad_place(role: str) -> Make:
    """The postcode of one of its addresses is none of its country's."""

    async def make(market: Storefront) -> tuple[Storefront, str]:
        cart_id = await market.a_ready_cart()
        await market.take(cart_id, f"{role}_address", address={**ADDRESS, "postcode": "902"})
        return market, cart_id

    return make


def stock(sku: str, uid: str, requested: int, available: int) -> dict[str, Any]:
    return {
        "stock": {
            "sku": sku,
            "cart_item_uid": uid,
            "quantity_requested": requested,
            "quantity_available": available,
        }
    }


NOWHERE = "ThereIsNoCartThatWouldHaveThisId"
UNREADY = {
    "unknown": Unready(
        with_id(NOWHERE), "CART_NOT_FOUND", 'Could not find a cart with ID "{}"', "CART_NOT_FOUND"
    ),
    "malformed": Unready(
        with_id("no id"), "CART_NOT_FOUND", 'Could not find a cart with ID "{}"', "CART_NOT_FOUND"
    ),
    "merged": Unready(merged, "CART_NOT_ACTIVE", NOT_ACTIVE, "CART_NOT_ACTIVE"),
    "of another store": Unready(
        of_another_store, "WRONG_STORE", 'Wrong store code specified for cart "{}"', "UNDEFINED"
    ),
    "without e-mail": Unready(
        lacking("email"),
        "GUEST_EMAIL_MISSING",
        "Guest email for cart is missing.",
        "GUEST_EMAIL_MISSING",
    ),
    "empty": Unready(lacking("items", "shipping_method"), "CART_EMPTY", SERVER_ERROR),
    "not for sale any more": Unready(
        until(currency="EUR"),
        "PRODUCT_UNAVAILABLE",
        OUT_OF_STOCK,
        more=stock("apple", "MQ==", 1, 0),
    ),
    "too dear": Unready(too_dear, "TOTAL_TOO_LARGE", SERVER_ERROR),
    "sold out": Unready(
        until_there_are(plums=0),
        "OUT_OF_STOCK",
        OUT_OF_STOCK,
        retryable=True,
        more=stock("plum", "Mg==", 2, 0),
    ),
    "too few left": Unready(
        until_there_are(plums=1),
        "INSUFFICIENT_STOCK",
        TOO_FEW,
        retryable=True,
        more=stock("plum", "Mg==", 2, 1),
    ),
    "without shipping address": Unready(once_virtual, "SHIPPING_ADDRESS_MISSING", COUNTRIES),
    "country not allowed any more": Unready(
        until(allowed_countries=("CH",)), "COUNTRY_NOT_ALLOWED", COUNTRIES
    ),
    "shipped to no postcode": Unready(
        in_a_bad_place("shipping"),
        "SHIPPING_ADDRESS_INVALID",
        f"Please check the shipping address information. {BAD_POSTCODE}",
    ),
    "without shipping method": Unready(
        lacking("shipping_method"), "SHIPPING_METHOD_MISSING", NO_SHIPPING_METHOD
    ),
    "shipping method not offered any more": Unready(
        until(shipping_methods=("tablerate",)), "SHIPPING_METHOD_MISSING", NO_SHIPPING_METHOD
    ),
    "without billing address": Unready(
        lacking("billing_address"), "BILLING_ADDRESS_INVALID", NO_BILLING_ADDRESS
    ),
    "billed to no postcode": Unready(
        in_a_bad_place("billing"),
        "BILLING_ADDRESS_INVALID",
        f"Please check the billing address information. {BAD_POSTCODE}",
    ),
    "billing country not allowed any more": Unready(
        until(("ebook", 1), without=NOT_SHIPPED, allowed_countries=("CH",)),
        "COUNTRY_NOT_ALLOWED",
        COUNTRIES,
    ),
}
"""Under either operation."""

UNPAID = {
    "without payment method": Unready(
        lacking("payment_method"), "PAYMENT_METHOD_MISSING", NO_PAYMENT_METHOD
    ),
    "payment method not offered any more": Unready(
        until(payment_methods=("banktransfer",)), "PAYMENT_METHOD_UNAVAILABLE", PAYMENT_METHOD_GONE
    ),
    "not free any more": Unready(once_free, "PAYMENT_METHOD_UNAVAILABLE", PAYMENT_METHOD_GONE),
}
"""Under ``placeOrder`` only: the other operation brings its payment."""
