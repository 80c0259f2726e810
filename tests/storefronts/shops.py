"""A shop in which every document of a storefront has something to work on."""

from dataclasses import dataclass, field
from typing import Any

from commerce.domain.payments import PaymentMethod
from tests.storefront import ADDRESS, Storefront
from tests.storefronts.documents import Document

LOGGED_IN = {"cancelOrder", "customer", "customerCart", "mergeCarts", "reorderItems"}
"""Root fields that their clients send for somebody who is logged in."""

LOGGED_IN_OPERATIONS = {
    "CreateCartAfterAccountCreation",
    "CreateCartAfterSignIn",
    "GetCartDetailsAfterAccountCreation",
    "GetCartDetailsAfterSignIn",
    "REQUEST_RETURN_ORDER",
    "SetCustomerAddressOnCart",
    "SetCustomerBillingAddressOnCart",
    "SetCustomerShippingAddressOnCart",
    "SetCustomerShippingBillingAddressOnCart",
}
"""The same for operations whose root fields guests use as well."""

FREE_OF_CHARGE = "SET_FREE_PAYMENT_METHOD_ON_CART"
"""The constant whose document is sent only for a cart that costs nothing."""

_ITEMS = (("apple", 1), ("ebook", 1))
_LINES = "query ($id: String!) { cart(cart_id: $id) { items { uid product { uid sku name } } } }"
_OF_GUEST = """query ($token: String!) {
  guestOrderByToken(input: {token: $token}) { id number token items { id } } }"""
_OF_CUSTOMER = "{ customer { orders { items { id number token items { id } } } } }"


@dataclass(frozen=True)
class Shop:
    """A guest and a customer, each with carts that are ready and an order that was placed."""

    guest: Storefront
    customer: Storefront
    orders: dict[bool, dict[str, Any]]
    _kept: dict[bool, dict[str, object]] = field(default_factory=dict[bool, dict[str, object]])

    @classmethod
    async def opened(cls, market: Storefront, customer_id: str) -> "Shop":
        """A store of its own, which takes whatever the clients send."""
        methods = (PaymentMethod.CHECKMO, PaymentMethod.PURCHASEORDER, PaymentMethod.FREE)
        guest = market.of_new_store(street_lines=3, payment_methods=methods)
        customer = guest.as_customer(customer_id)
        placed = await guest.an_order(*_ITEMS)
        found = await guest.post(_OF_GUEST, {"token": placed["token"]})
        await customer.an_order(*_ITEMS)
        listed = await customer.post(_OF_CUSTOMER)
        [own] = listed.data["customer"]["orders"]["items"]
        return cls(guest, customer, {False: found.data["guestOrderByToken"], True: own})

    def sender(self, document: Document) -> Storefront:
        """Who sends it."""
        return self.customer if is_logged_in(document) else self.guest

    async def known(self, document: Document) -> dict[str, object]:
        """What its variables stand for: for a mutation a cart of its own, as it may end."""
        logged_in = is_logged_in(document)
        if not document.is_query:
            return await self._prepared(logged_in, document)
        if logged_in not in self._kept:
            self._kept[logged_in] = await self._prepared(logged_in, document)
        return self._kept[logged_in]

    async def _prepared(self, logged_in: bool, document: Document) -> dict[str, object]:
        sender, merges = self.sender(document), "mergeCarts" in document.roots
        own_id = await sender.a_ready_cart(*_ITEMS) if logged_in else ""
        if document.place.endswith(FREE_OF_CHARGE):
            steps = ("shipping_address", "shipping_method", "payment_method")
            cart_id = await sender.a_ready_cart(("gift", 1), without=steps)
        elif merges or not logged_in:
            cart_id = await self.guest.a_ready_cart(*_ITEMS)
        else:
            cart_id = own_id
        lines = (await sender.post(_LINES, {"id": own_id or cart_id})).data["cart"]["items"]
        product, order = lines[0]["product"], self.orders[logged_in]
        return {
            "address_id": 1,
            "cart_id": cart_id,
            "confirmation_key": "key",
            "customer_cart_id": own_id,
            "email": "jdoe@example.com",
            "item_uid": lines[0]["uid"],
            "lastname": ADDRESS["lastname"],
            "order_id": order["id"],
            "order_item_id": order["items"][0]["id"],
            "order_number": order["number"],
            "order_token": order["token"],
            "password": "password",
            "product_name": product["name"],
            "product_uid": product["uid"],
            "sku": product["sku"],
        }


def is_logged_in(document: Document) -> bool:
    """Whether its client sends it with a customer's token."""
    return bool(LOGGED_IN & {*document.roots}) or document.name in LOGGED_IN_OPERATIONS
