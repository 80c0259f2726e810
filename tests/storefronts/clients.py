"""Storefronts as their shoppers use them: from an empty cart to the order, each with its documents.

Each sends what the published client sends, in its order, and takes an answer for a failure when
that client does.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from graphql import strip_ignored_characters

from api.present.values import Object, part
from tests.storefront import Answer, Storefront
from tests.storefronts.documents import Document, documents
from tests.storefronts.variables import variables_of

EMAIL = "ada@example.com"
LASTNAME = "Byron"
"""Of the addresses in `VARIABLES`."""
NUMBERED_1234 = "MTIzNA=="
"""A product's id in Adobe Commerce's catalogue: its number, in base64."""
NOTHING: Mapping[str, object] = MappingProxyType({})
NO_NUMBER = "the shopper is told to contact the store"


class RefusedError(Exception):
    """The shopper is shown this, and no order number."""


class Client:
    """A shopper's storefront.

    Args:
        shop: The server, as one store's shoppers reach it.
        sku: What the shopper wants.
    """

    packages: ClassVar[str]
    street_lines: ClassVar[int] = 2
    newest: ClassVar[bool] = False
    """Of documents that two editions share a name for, the second edition's."""

    def __init__(self, shop: Storefront, sku: str) -> None:
        self.shop = shop
        self.known: dict[str, object] = {
            "sku": sku,
            "email": EMAIL,
            "lastname": LASTNAME,
            "password": "password",
        }

    async def fill(self) -> float:
        """Make the cart ready.

        Returns:
            The total that the shopper is shown last.
        """
        raise NotImplementedError

    async def place(self) -> str:
        """Place the order.

        Returns:
            The order's number.

        Raises:
            RefusedError: The client finds no order in the answer.
        """
        raise NotImplementedError

    async def order_page(self) -> float | None:
        """The total on the order's page; None when it has no such page for its shopper."""
        raise NotImplementedError

    async def post(
        self, name: str, within: str = "", changes: Mapping[str, object] = NOTHING
    ) -> Answer:
        """Send one of the storefront's own documents.

        Args:
            name: The operation's name.
            within: A part of where it is written, when several have that name.
            changes: What is sent instead of `VARIABLES`.
        """
        document = self._document(name, within)
        variables = {**variables_of(document, self.known), **changes}
        return await by_post(self.shop, document, variables)

    async def ask(
        self, name: str, within: str = "", changes: Mapping[str, object] = NOTHING
    ) -> dict[str, Any]:
        """The data, of an answer without errors."""
        return (await self.post(name, within, changes)).data

    async def get(self, name: str, within: str = "") -> dict[str, Any]:
        """The same for a query, by GET."""
        document = self._document(name, within)
        return (await by_get(self.shop, document, variables_of(document, self.known))).data

    def log_in(self, token: str) -> None:
        """Send the customer's token from now on."""
        self.shop = self.shop.with_header(Authorization=f"Bearer {token}")

    def _document(self, name: str, within: str) -> Document:
        named = [
            each
            for each in documents()
            if each.package.startswith(self.packages)
            and each.name == name
            and within in f"{each.package} {each.place}"
        ]
        assert named, f"no document {name} {within}"
        assert len({each.place for each in named}) == 1, f"which {name}?"
        return named[-1 if self.newest else 0]


class DropIns(Client):
    """Adobe's drop-in components, for a guest; the payment is set with the order."""

    packages = "@dropins/"
    cart_query = "GUEST_CART_QUERY"
    order_document = "setPaymentMethodAndPlaceOrder"

    async def fill(self) -> float:
        """Cart page, then the checkout as it bills to the shipping address."""
        await self.get("STORE_CONFIG_QUERY", "storefront-cart")
        made = await self.ask("CREATE_GUEST_CART_MUTATION")
        self.known["cart_id"] = made["createGuestCart"]["cart"]["id"]
        added = (await self.ask("ADD_PRODUCTS_TO_CART_MUTATION"))["addProductsToCart"]
        assert added["user_errors"] == []
        await self.sign_in()
        [line] = (await self.ask(self.cart_query))["cart"]["itemsV2"]["items"]
        self.known["item_uid"] = line["uid"]
        await self.ask("UPDATE_PRODUCTS_FROM_CART_MUTATION")
        await self.get("COUNTRIES_QUERY")
        await self.get("REGIONS_QUERY")
        await self.ask("ESTIMATE_SHIPPING_METHODS_MUTATION")
        await self.ask("GET_ESTIMATED_TOTALS_MUTATION")
        await self.get("getStoreConfig", "storefront-checkout")
        await self.get("GET_CHECKOUT_AGREEMENTS")
        await self.say_who()
        offered = await self.ask("estimateShippingMethods", "storefront-checkout")
        assert [each["carrier_code"] for each in offered["estimateShippingMethods"]] == ["flatrate"]
        await self.ask("setShippingAddressOnCartAndUseAsBilling")
        await self.ask("setShippingMethodsOnCart")
        await self.choose_payment()
        cart = (await self.ask(self.cart_query))["cart"]
        return cart["prices"]["grand_total"]["value"]

    async def sign_in(self) -> None:
        """A guest does not."""

    async def say_who(self) -> None:
        """Give an e-mail address, once it is known that nobody has to log in for it."""
        available = await self.get("isEmailAvailable")
        assert available["isEmailAvailable"]["is_email_available"]
        await self.ask("setGuestEmail")

    async def choose_payment(self) -> None:
        """With the order."""

    async def place(self) -> str:
        """Any error anywhere is a failure; the order's token opens its page."""
        body = (await self.post(self.order_document)).body
        told: list[Object] = body.get("errors") or part(body["data"], "placeOrder").get(
            "errors", []
        )
        if told:
            raise RefusedError(" ".join(each["message"] for each in told))
        order = body["data"]["placeOrder"]["orderV2"]
        self.known |= {"order_number": order["number"], "order_token": order["token"]}
        return order["number"]

    async def order_page(self) -> float | None:
        """Opened by the token, told from a number by its length, or by what a form asks for."""
        assert len(str(self.known["order_token"])) > 20
        order = (await self.get("ORDER_BY_TOKEN"))["guestOrderByToken"]
        looked_up = (await self.get("GET_GUEST_ORDER"))["guestOrder"]
        assert order["number"] == looked_up["number"] == self.known["order_number"]
        assert order["total"] == looked_up["total"]
        return order["total"]["grand_total"]["value"]


class DropInsCustomer(DropIns):
    """The same for a customer who chose as a guest; the payment is set first."""

    cart_query = "CUSTOMER_CART_QUERY"
    order_document = "PLACE_ORDER_MUTATION"

    async def sign_in(self) -> None:
        """The drop-ins leave it to the shop's pages; what the guest chose is merged."""
        self.shop = self.shop.as_customer("drop-ins")
        own = (await self.ask(self.cart_query))["cart"]["id"]
        self.known["customer_cart_id"] = own
        await self.ask("MERGE_CARTS_MUTATION")
        self.known["cart_id"] = own

    async def say_who(self) -> None:
        """The token says it."""
        await self.get("getCustomer")

    async def choose_payment(self) -> None:
        """Before the order."""
        await self.ask("setPaymentMethodOnCart")

    async def order_page(self) -> float | None:
        """Opened by the number."""
        found = await self.get("ORDER_BY_NUMBER")
        [order] = found["customer"]["orders"]["items"]
        return order["total"]["grand_total"]["value"]


class Venia(Client):
    """PWA Studio's Venia on Peregrine, in the open-source edition; it checks out guests.

    Its customers need an address book, which is kept elsewhere.
    """

    packages = "@magento/"
    _details: dict[str, Any]

    async def fill(self) -> float:
        """Product page, mini cart, cart page with an estimate, checkout."""
        self.known["cart_id"] = (await self.ask("createCart", "Checkout/flow"))["cartId"]
        self.known |= {"product_uid": NUMBERED_1234, "product_name": "Product"}
        added = await self.ask("AddProductToCart", "ProductFullDetail")
        assert added["addProductsToCart"]["user_errors"] == []
        await self.get("getItemCount")
        await self.get("MiniCartQuery")
        listed = await self.get("GetCartDetails", "CartPage/cartPage")
        [line] = listed["cart"]["items"]
        self.known["item_uid"] = line["uid"]
        await self.ask("updateItemQuantity")
        await self.ask("SetShippingAddressForEstimate")
        await self.get("GetShippingMethods", "PriceAdjustments")
        await self.ask("SetShippingMethodForEstimate")
        await self.get("getCheckoutDetails")
        await self.get("GetShippingInformation")
        await self.get("IsEmailAvailable", "CheckoutPage")
        await self.get("GetCountries")
        await self.get("GetRegions")
        await self.ask("SetGuestShipping")
        await self.get("getSelectedAndAvailableShippingMethods")
        await self.ask("SetShippingMethod")
        await self.get("getPaymentInformation")
        await self.get("getPaymentMethods")
        await self.get("getSelectedShippingAddress", "BillingAddress")
        await self.ask("setBillingAddress", "BillingAddress", {"sameAsShipping": True})
        await self.ask("setPaymentMethodOnCart", "paymentMethods")
        await self.get("getSummaryData", "summary.gql")
        cart = (await self.get("getPriceSummary"))["cart"]
        return cart["prices"]["grand_total"]["value"]

    async def place(self) -> str:
        """The cart is read once more for the confirmation; only top-level errors are a failure."""
        await self.get("getItemsInCart")
        self._details = (await self.get("getOrderDetails"))["cart"]
        body = (await self.post("placeOrder")).body
        if body.get("errors"):
            raise RefusedError("\n".join(each["message"] for each in body["errors"]))
        assert (await self.ask("createCart", "Checkout/flow"))["cartId"]
        return body["data"]["placeOrder"]["order"]["order_number"]

    async def order_page(self) -> float | None:
        """A guest's confirmation shows the cart as it was read just before."""
        [address] = self._details["shipping_addresses"]
        assert address["region"]["label"] == "Texas"
        assert address["selected_shipping_method"]["carrier_title"] == "Flat Rate"
        return self._details["prices"]["grand_total"]["value"]


class VeniaCommerce(Venia):
    """The same in the commercial edition."""

    newest = True


class GraphCommerce(Client):
    """GraphCommerce, for a guest."""

    packages = "@graphcommerce/"
    street_lines = 3
    address: ClassVar[Mapping[str, object]] = NOTHING

    async def fill(self) -> float:
        """Product page, cart page, and the checkout's forms, which submit themselves."""
        self.known["cart_id"] = (await self.ask("CreateEmptyCart"))["createEmptyCart"]
        added = await self.ask("AddProductsToCart")
        assert added["addProductsToCart"]["user_errors"] == []
        await self.sign_in()
        [line] = (await self.ask("CartPage"))["cart"]["items"]
        self.known["item_uid"] = line["uid"]
        await self.ask("UpdateItemQuantity")
        await self.ask("ShippingPage")
        await self.say_who()
        await self.ask("CountryRegions")
        await self.ask("SetShippingBillingAddress", changes=self.address)
        offered = (await self.ask("GetShippingMethods"))["cart"]["shipping_addresses"][0]
        assert [each["available"] for each in offered["available_shipping_methods"]] == [True]
        await self.ask("ShippingMethodForm")
        await self.ask("BillingPage")
        await self.ask("GetPaymentMethodContext")
        await self.ask("PaymentMethodOptionsNoop")
        cart = (await self.ask("GetCartTotals"))["cart"]
        return cart["prices"]["grand_total"]["value"]

    async def sign_in(self) -> None:
        """A guest does not."""

    async def say_who(self) -> None:
        """Give an e-mail address."""
        await self.ask("IsEmailAvailable")
        await self.ask("SetGuestEmailOnCart")

    async def place(self) -> str:
        """Errors at the top or in the payload are a failure, and so is an order without number."""
        body = (await self.post("PaymentMethodPlaceOrderNoop")).body
        placed = part(body["data"], "placeOrder")
        told: list[Object] = body.get("errors") or placed.get("errors", [])
        number = part(placed, "order").get("order_number")
        if told or not number:
            assert number is None
            raise RefusedError("\n".join(each["message"] for each in told) or NO_NUMBER)
        self.known["order_number"] = number
        return number

    async def order_page(self) -> float | None:
        """None: its page for guests asks for what the contract's version calls otherwise."""


class GraphCommerceAbroad(GraphCommerce):
    """The same, shipped to a country without regions."""

    address: ClassVar[Mapping[str, object]] = {
        "countryCode": "NL",
        "city": "Leiden",
        "postcode": "2311 EZ",
        "region": "",
        "regionId": None,
        "telephone": "000 - 000 0000",
    }


class GraphCommerceCustomer(GraphCommerce):
    """GraphCommerce, for a customer who chose as a guest."""

    async def sign_in(self) -> None:
        """What the guest chose is merged into the customer's cart."""
        self.log_in((await self.ask("SignIn"))["generateCustomerToken"]["token"])
        await self.ask("Customer")
        own = (await self.ask("CustomerCart"))["customerCart"]["id"]
        self.known["customer_cart_id"] = own
        await self.ask("MergeCarts")
        self.known["cart_id"] = own

    async def say_who(self) -> None:
        """The token says it."""

    async def order_page(self) -> float | None:
        """The order's page in the account."""
        found = await self.ask("OrderDetailPage")
        [order] = found["customer"]["orders"]["items"]
        return order["total"]["grand_total"]["value"]


class Vue(Client):
    """Vue Storefront's Magento SDK, for a guest."""

    packages = "@vue-storefront/"
    add_document = "addProductsToCart"
    cart_query = "cart"
    shipping_query = "GuestAvailableShippingMethods"
    payment_query = "GuestAvailablePaymentMethods"

    async def fill(self) -> float:
        """The calls that its own documentation lists, in its order."""
        self.known["cart_id"] = (await self.ask("createEmptyCart"))["createEmptyCart"]
        await self.ask(self.add_document)
        await self.sign_in()
        [line] = (await self.ask(self.cart_query))[self.cart_query]["items"]
        self.known["item_uid"] = line["uid"]
        await self.ask("updateCartItems")
        await self.ask("countriesList")
        await self.ask("countryInformation")
        await self.say_who()
        await self.ask("setShippingAddressesOnCart")
        await self.ask(self.shipping_query)
        await self.ask("setShippingMethodsOnCart")
        await self.ask("setBillingAddressOnCart")
        await self.ask(self.payment_query)
        await self.ask("setPaymentMethodOnCart")
        cart = (await self.ask(self.cart_query))[self.cart_query]
        return cart["prices"]["grand_total"]["value"]

    async def sign_in(self) -> None:
        """A guest does not."""

    async def say_who(self) -> None:
        """Give an e-mail address."""
        await self.ask("setGuestEmailOnCart")

    async def place(self) -> str:
        """The first error is thrown; nothing else is looked at."""
        body = (await self.post("placeOrder")).body
        if body.get("errors"):
            raise RefusedError(body["errors"][0]["message"])
        return body["data"]["placeOrder"]["order"]["order_number"]

    async def order_page(self) -> float | None:
        """None: it has documents for customers' orders only."""


class VueCustomer(Vue):
    """The same, for a customer who chose as a guest."""

    add_document = "addSimpleProductsToCart"
    cart_query = "customerCart"
    shipping_query = "CustomerAvailableShippingMethods"
    payment_query = "CustomerAvailablePaymentMethods"

    async def sign_in(self) -> None:
        """What the guest chose is merged into the customer's cart."""
        self.log_in((await self.ask("generateCustomerToken"))["generateCustomerToken"]["token"])
        await self.ask("customer")
        own = (await self.ask("customerCart"))["customerCart"]["id"]
        self.known["customer_cart_id"] = own
        await self.ask("mergeCarts")
        self.known["cart_id"] = own

    async def say_who(self) -> None:
        """The token says it."""

    async def order_page(self) -> float | None:
        """In the list of orders."""
        [order] = (await self.ask("customerOrders"))["customer"]["orders"]["items"]
        return order["total"]["grand_total"]["value"]


WITHOUT_ORDER_PAGE: set[type[Client]] = {GraphCommerce, GraphCommerceAbroad, Vue}

CLIENTS: tuple[type[Client], ...] = (
    DropIns,
    DropInsCustomer,
    Venia,
    VeniaCommerce,
    GraphCommerce,
    GraphCommerceAbroad,
    GraphCommerceCustomer,
    Vue,
    VueCustomer,
)


async def by_post(sender: Storefront, document: Document, variables: dict[str, Any]) -> Answer:
    """As every client sends mutations, and some send all."""
    return await sender.post(document.text, variables)


async def by_get(sender: Storefront, document: Document, variables: dict[str, Any]) -> Answer:
    """As Venia's Apollo Client and the drop-ins put a query into an address."""
    parameters = {
        "query": strip_ignored_characters(document.text),
        "operationName": document.name,
        "variables": json.dumps(variables),
    }
    got = await sender.http.get(sender.url, params=parameters, headers=sender.headers)
    return Answer(got.status_code, got.json(), got.headers)
