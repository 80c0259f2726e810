"""Does anything that fits the schema, or nearly does, break the server?

Schemathesis makes the documents from the schema that the server serves. Values that exist are put
into nine of ten arguments, or the first check of every field would be all that is reached.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, count, cycle
from random import Random
from typing import Any, cast

import httpx
import schemathesis
from graphql import (
    ArgumentNode,
    ObjectFieldNode,
    Visitor,
    parse,
    parse_value,
    print_ast,
    visit,
)
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from commerce.domain.payments import PaymentMethod
from commerce.domain.stores import DEFAULT_STORE
from tests.builders import cart, usd
from tests.storefront import Storefront

CASES = 2_000
TIMEOUT_S = 30
CUSTOMER = "fuzz"

# -- values that exist -----------------------------------------------------------------------------

MINE, ANOTHERS, ORDERED, NEW = "<mine>", "<another's>", "<ordered>", "<new>"
PAYMENT = "<payment>"
NUMBER, CUSTOMERS_NUMBER, TOKEN = "<number>", "<customer's number>", "<token>"
"""Stand for what only a run knows; it is put in when the document is sent."""

ADDRESS = """{firstname: "Ada", lastname: "Lovelace", street: ["1 Main St"], city: "Austin",
  region: "TX", postcode: "78701", country_code: "US", telephone: "1"}"""
PLACE = '{country_code: US, postcode: "78701", region: {region_code: "TX"}}'


def mostly(usual: str, *others: str) -> tuple[str, ...]:
    """The usual value, and each of the others one time in twenty."""
    return (*[usual] * (20 - len(others)), *others)


PAID = ("completeOrder", "getPaymentOrder", "syncPaymentOrder")
CARTS = mostly(f'"{MINE}"', f'"{ANOTHERS}"', f'"{ORDERED}"', '""', '"nowhere"')
KNOWN: dict[str, tuple[str, ...]] = {
    "cart_id": CARTS,
    "cartId": CARTS,
    "createEmptyCart.cart_id": mostly(f'"{NEW}"', f'"{"x" * 32}"', '"short"'),
    "cart_uid": mostly(f'"{NEW}"', f'"{"x" * 32}"', '"short"'),
    "assignCustomerToGuestCart.cart_id": mostly(f'"{ANOTHERS}"', f'"{MINE}"', f'"{ORDERED}"'),
    "source_cart_id": mostly(f'"{ANOTHERS}"', f'"{MINE}"', f'"{ORDERED}"'),
    "destination_cart_id": (f'"{MINE}"', "null"),
    "cartItems": ('[{sku: "apple", quantity: 1}]',),
    "cart_items": ('[{data: {sku: "apple", quantity: 1}}]',),
    "updateCartItems.cart_items": ("[{cart_item_id: 1, quantity: 2}]",),
    "sku": mostly('"apple"', '"ebook"', '"sold-out"', '"euro-only"', '"dear"', '"nothing"'),
    "quantity": mostly("1", "2.0", "0", "-1", "1.5", "1e6", "1e300"),
    "cart_item_id": mostly("1", "2", "0", "-1"),
    "cart_item_uid": mostly('"MQ=="', '"Mg=="', '"MQ"'),
    "entered_options": mostly("[]", "null"),
    "selected_options": mostly("[]", "null"),
    "customizable_options": mostly("[]", "null"),
    "email": mostly('"jdoe@example.com"', '"JDoe@example.com"', '"no address"'),
    "password": ('"secret"',),
    "shipping_addresses": (f"[{{address: {ADDRESS}}}]",),
    "billing_address": (f"{{address: {ADDRESS}}}", "{same_as_shipping: true}"),
    "address": (ADDRESS,),
    "estimateTotals.address": (PLACE,),
    "estimateShippingMethods.address": (PLACE,),
    "customer_address_id": ("null",),
    "customer_address_uid": ("null",),
    "pickup_location_code": ("null",),
    "street": mostly('["1 Main St"]', '["1", null, "2"]'),
    "country_code": mostly('"US"', '"us"', '"DE"', '"ZZ"'),
    "estimateTotals.country_code": mostly("US", "DE"),
    "estimateShippingMethods.country_code": mostly("US", "DE"),
    "region": mostly('"TX"', '"AE"', '"57"', '"Texas"'),
    "estimateTotals.region": mostly('{region_code: "TX"}', "{region_id: 57}"),
    "estimateShippingMethods.region": mostly('{region_code: "TX"}', "{region_id: 57}"),
    "region_id": mostly("57", "10", "null"),
    "postcode": mostly('"78701"', '"x"'),
    "custom_attributes": ("null",),
    "shipping_methods": ('[{carrier_code: "flatrate", method_code: "flatrate"}]',),
    "shipping_method": ('{carrier_code: "flatrate", method_code: "flatrate"}',),
    "carrier_code": mostly('"flatrate"', '"freeshipping"'),
    "method_code": mostly('"flatrate"', '"freeshipping"'),
    "payment_method": ('{code: "checkmo"}',),
    "code": mostly('"checkmo"', '"purchaseorder"', '"free"'),
    **{f"{field}.id": mostly(f'"{PAYMENT}"', '"PAY1"') for field in PAID},
    "methodCode": mostly(f'"{PaymentMethod.SMART_BUTTONS}"', '"checkmo"', '"card"'),
    "paymentSource": mostly('"paypal"', '""'),
    "number": mostly(f'"{NUMBER}"', f'"{CUSTOMERS_NUMBER}"'),
    "lastname": mostly('"Doe"', '"doe"'),
    "token": mostly(f'"{TOKEN}"', f'"{TOKEN} "'),
    "customer.number": (f'{{eq: "{CUSTOMERS_NUMBER}"}}', '{match: "0%_"}'),
    "from": ('"0001-01-01T00:00:00+23:59"', '"2026-01-01"', '"0.01"'),
    "to": ('"9999-12-31T23:59:59-23:59"', '"9999-12-31"', '"9999999999999"'),
    "pageSize": ("1", "300", "301", "0"),
    "currentPage": ("1", "2147483647", "0"),
    "gift_message": ("null",),
    "gift_wrapping_id": ("null",),
    "gift_receipt_included": mostly("false", "true"),
    "printed_card_included": mostly("false", "true"),
    "country.id": ('"US"', '"us"'),
    "formCode": ('"customer_register_address"', '"x"'),
}
"""By the name of an argument or input field; those of one root field come first."""

LOGGED_IN = {"Authorization": CUSTOMER}
AS_LETTERS = str.maketrans("0123456789", "ghijklmnop")
"""So that no name of a cart looks like a card number."""

CALLERS: tuple[dict[str, str], ...] = (
    *[{}] * 4,
    *[LOGGED_IN] * 4,
    {"Store": "default", "Content-Currency": "USD"},
    {"Idempotency-Key": "the-same-for-all"},
)
OF_CUSTOMERS = {"mergeCarts", "assignCustomerToGuestCart", "customer", "customerCart"}
"""Others than customers get no further than the first check of these."""

NEVER_ANSWERED = {
    "addBundleProductsToCart",
    "addDownloadableProductsToCart",
    "applyCouponToCart",
    "applyCouponsToCart",
    "applyGiftCardToCart",
    "confirmReturn",
    "getPaymentConfig",
    "removeGiftCardFromCart",
    "reorderItems",
    "requestGuestReturn",
    "requestReturn",
}
"""Of these fields there is no answer but an error or null."""


def cases_of(root: str, mode: GenerationMode) -> int:
    """How many cases a root field gets: those that do something with a cart get the most."""
    if mode is GenerationMode.NEGATIVE:
        return 4
    if root in NEVER_ANSWERED:
        return 12
    on_carts = "Cart" in root or root.startswith(("place", "complete", "estimate"))
    return 48 if on_carts or root in ("cart", "customer") else 30


class WithKnownValues(Visitor):
    """Puts known values into a generated document, and now and then null."""

    def __init__(self, root: str, chance: Random) -> None:
        super().__init__()
        self._root, self._chance = root, chance

    def enter_argument(self, node: ArgumentNode, *_: object) -> ArgumentNode | None:
        literal = self._literal(node.name.value)
        return literal and ArgumentNode(name=node.name, value=parse_value(literal))

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> ObjectFieldNode | None:
        literal = self._literal(node.name.value)
        return literal and ObjectFieldNode(name=node.name, value=parse_value(literal))

    def _literal(self, name: str) -> Any:
        known = KNOWN.get(f"{self._root}.{name}") or KNOWN.get(name, ())
        at = self._chance.random()
        if at < 0.02:
            return "null"
        return self._chance.choice(known) if known and at < 0.9 else None


# -- sending them ----------------------------------------------------------------------------------


@dataclass
class Run:
    """Sends cases, each with carts of its own, and keeps what became of them."""

    shop: Storefront
    http: httpx.Client
    token: str
    orders: dict[str, str]
    numbers: Iterator[int] = field(default_factory=count)
    sent: Counter[str] = field(default_factory=Counter[str])
    answered: Counter[str] = field(default_factory=Counter[str])
    on_carts: int = 0
    broken: list[str] = field(default_factory=list[str])

    def every_field(self) -> None:
        """Fuzz each root field of the schema that the server serves."""
        config: Any = cast(Any, SchemathesisConfig).from_dict(
            {"generation": {"graphql-allow-null": False}}
        )
        schema: Any = schemathesis.graphql.from_url(self.shop.url, config=config, timeout=TIMEOUT_S)
        for result in schema.get_all_operations():
            for mode in GenerationMode:
                self._fuzz(result.ok(), mode)

    def _fuzz(self, operation: Any, mode: GenerationMode) -> None:
        root: str = operation.label.partition(".")[2]
        cases = cases_of(root, mode)
        chance = Random(operation.label)
        carts = cycle(self._full_carts(cases, paid=root in PAID))

        @settings(
            max_examples=cases,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list[HealthCheck](HealthCheck),  # pyright: ignore
        )
        @given(operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            document: str = case.body
            if mode is GenerationMode.POSITIVE:
                document = print_ast(visit(parse(document), WithKnownValues(root, chance)))
            caller = LOGGED_IN if root in OF_CUSTOMERS else chance.choice(CALLERS)
            self._send(root, document, caller, *next(carts))

        send()

    def _full_carts(self, carts: int, paid: bool) -> list[tuple[str, str]]:
        """Carts that lack nothing, a guest's and the customer's, with payments that fit them."""
        store, suffix = self.shop.world.store, self.shop.world.suffix
        numbers = (f"{suffix[:20]}{next(self.numbers):011}" for _ in range(carts))
        names = [each.translate(AS_LETTERS) for each in numbers]
        lines = (("apple", 1), ("pear", 2))
        store.carts.save(*[cart(f"{each}g", *lines) for each in names])
        store.carts.save(*[cart(f"{each}c", *lines, customer_id=CUSTOMER) for each in names])
        pairs = [(f"{each}g", f"{each}c") for each in names]
        for cart_id in chain(*pairs) if paid else ():
            self.shop.world.gateway.pay(cart_id, usd("45.00"), id=f"PAY{cart_id}")
        return pairs

    def _send(
        self, root: str, document: str, caller: dict[str, str], guests: str, customers: str
    ) -> None:
        logged_in = "Authorization" in caller
        mine, anothers = (customers, guests) if logged_in else (guests, customers)
        made = {MINE: mine, ANOTHERS: anothers, NEW: f"{mine[:-1]}n", PAYMENT: f"PAY{mine}"}
        text = document
        for name, value in {**made, **self.orders}.items():
            text = text.replace(name, value)
        headers = {**caller, **({"Authorization": f"Bearer {self.token}"} if logged_in else {})}
        answer = self.http.post(self.shop.url, json={"query": text}, headers=headers)
        self.sent[root] += 1
        wrong = problem_of(answer)
        if wrong:
            self.broken.append(f"{wrong}\n{caller}\n{document}\n{answer.text[:1000]}")
        elif data_of(answer).get(root) is not None:
            self.answered[root] += 1
            self.on_carts += document.startswith("mutation") and MINE in document


def data_of(answer: httpx.Response) -> dict[str, Any]:
    return answer.json().get("data") or {}


def problem_of(answer: httpx.Response) -> str:
    """What no answer may be; empty for one that is fine."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}"
    if "Internal server error" in answer.text or "Traceback" in answer.text:
        return "an internal error"
    if answer.headers["Content-Type"] != "application/json; charset=utf-8":
        return "not JSON"
    body: dict[str, Any] | None = answer.json()
    if not isinstance(body, dict) or not body.keys() & {"data", "errors"}:
        return "neither data nor errors"
    return ""


async def test_no_document_breaks_the_server(market: Storefront) -> None:
    customer = market.as_customer(CUSTOMER)
    ordered = await market.a_ready_cart()
    order = (await market.place(ordered)).data["placeOrder"]["orderV2"]
    customers = await customer.an_order()
    orders = {
        ORDERED: ordered,
        NUMBER: order["number"],
        TOKEN: order["token"],
        CUSTOMERS_NUMBER: customers["number"],
    }
    token = customer.headers["Authorization"].partition(" ")[2]
    store = market.world.store.stores.find(DEFAULT_STORE)
    assert store is not None
    market.change_store(payment_methods=("checkmo", PaymentMethod.SMART_BUTTONS))
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as http, ThreadPoolExecutor(1) as thread:
        run = Run(market, http, token, orders)
        await asyncio.get_running_loop().run_in_executor(thread, run.every_field)
    market.change_store(payment_methods=store.payment_methods)

    assert run.broken == []
    assert run.sent.total() >= CASES
    assert min(run.sent.values()) >= 12
    assert run.on_carts >= run.sent.total() // 5, "too few cases did something"
    assert run.sent.keys() - run.answered.keys() == NEVER_ANSWERED
    report = market.world.store.audit.run()
    assert report.violations == ()
    assert (report.counts["holds_open"], report.counts["carts_locked"]) == (0, 0)
