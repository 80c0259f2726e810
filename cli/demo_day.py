"""The day of the demo: real baskets, and who might have bought them."""

import csv
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path

from commerce.adapters.store.catalog import Product
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartLine, ProductKind, Shopper
from commerce.domain.errors import RefusalReason
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice, PaymentMethod
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate

CURRENCY = "USD"
HOT_DEMAND = 15
"""A product asked for this often is stocked for four fifths of its demand, and runs out."""

_DATA = Path(__file__).parent / "demo_data"
_VIRTUAL_DEPARTMENTS = {"COUPON", "TRAVEL & LEISURE", "MISCELLANEOUS"}

OPEN_STORE = Store(
    code="demo",
    allowed_countries=("US", "CA", "GB", "DE", "FR", "NL", "JP", "BR", "AU", "IN"),
    order_prefix="24",
    payment_methods=(
        PaymentMethod.CHECKMO,
        PaymentMethod.BANKTRANSFER,
        PaymentMethod.PURCHASEORDER,
        PaymentMethod.SMART_BUTTONS,
    ),
    shipping_methods=tuple(ShippingMethod),
)
TAX_RATES = tuple(
    TaxRate(country_code=country, region=region, title=title, rate_ppm=ppm)
    for country, region, title, ppm in (
        ("US", "TX", "Texas sales tax", 82_500),
        ("CA", "", "GST", 50_000),
        ("CA", "ON", "HST Ontario", 130_000),
        ("DE", "", "Mehrwertsteuer", 190_000),
        ("FR", "", "TVA", 200_000),
        ("JP", "", "Consumption tax", 100_000),
    )
)
MEMBERS_STORE = OPEN_STORE.model_copy(update={"code": "demo_members", "guest_checkout": False})


def _person(country_code: str, city: str, region: str, postcode: str, *street: str) -> Address:
    return Address(
        firstname="Robin",
        lastname="Example",
        street=street,
        city=city,
        region=region,
        postcode=postcode,
        country_code=country_code,
        telephone="+1 555 0100",
    )


_ADDRESSES = (
    _person("US", "Cincinnati", "Ohio", "45202", "511 Walnut Street"),
    _person("US", "Austin", "TX", "78701", "1100 Congress Avenue", "Suite 2"),
    _person("CA", "Toronto", "ON", "M5H 2N2", "100 Queen Street West"),
    _person("GB", "London", "", "SW1A 2AA", "10 Example Street"),
    _person("DE", "Berlin", "", "10117", "Beispielstraße 5"),
    _person("FR", "Paris", "", "75001", "1 rue de l'Exemple"),
    _person("NL", "Amsterdam", "", "1012 JS", "Voorbeeldstraat 1"),
    _person("JP", "Chiyoda", "Tokyo", "100-0001", "1-1"),
    _person("BR", "São Paulo", "SP", "01310-100", "Avenida Exemplo 1578"),
    _person("AU", "Sydney", "NSW", "2000", "1 Example Road"),
    _person("IN", "Mumbai", "Maharashtra", "400001", "12 Example Marg"),
)


@dataclass
class Attempt:
    """One cart of the day, how it is checked out, and what must come of it.

    Attributes:
        made: The cart exists.
        dearer: A product of the cart whose price goes up once the shopper has seen the total.
        expected: The only refusal that may come; None when the order must come, unless stock ran
            out.
        refused_on_the_way: A step before the checkout is refused, as documented.
        at_gateway: ``complete_order`` with a payment at the gateway, else ``place_order``.
        script: How the payment behaves at the sandbox gateway; empty for the offline methods.
        twice: The shopper orders once more, under another key.
        virtual: Nothing in it is shipped.
        total: What the shopper was shown.
    """

    cart: Cart
    shopper: Shopper
    made: bool = True
    store_code: str = ""
    at_gateway: bool = False
    script: str = ""
    payment_fault: str = ""
    dearer: Product | None = None
    twice: bool = False
    expected: RefusalReason | None = None
    without_id: bool = False
    refused_on_the_way: bool = False
    payment_id: str = ""
    virtual: bool = False
    total: Money = field(default_factory=lambda: Money.zero(CURRENCY))


def read_products() -> list[Product]:
    """The day's products; the hot ones with too little for all, yet enough for any one."""
    largest: dict[str, int] = {}
    for row in _rows("baskets.csv"):
        largest[row["sku"]] = max(int(row["quantity"]), largest.get(row["sku"], 0))
    products: list[Product] = []
    for row in _rows("products.csv"):
        virtual = row["department"] in _VIRTUAL_DEPARTMENTS
        demand = int(row["demand"])
        stock = demand * 4 // 5 if demand >= HOT_DEMAND else demand
        stock = max(stock, largest[row["sku"]])
        products.append(
            Product(
                sku=row["sku"],
                name=row["name"],
                kind=ProductKind.VIRTUAL if virtual else ProductKind.SIMPLE,
                price=Money.parse(row["price"], CURRENCY),
                quantity=None if virtual else stock,
            )
        )
    return products


def read_day() -> list[Attempt]:
    """The day's baskets as carts, in their order.

    About one in eight with a fault, and one in three paid online.
    """
    faults = list(_FAULTS)
    turns = count()
    attempts: list[Attempt] = []
    for n, (_, rows) in enumerate(groupby(_rows("baskets.csv"), lambda row: row["basket_id"])):
        attempt = _attempt(n, list(rows))
        if n % 8 == 7:
            faults[n // 8 % len(faults)](attempt)
        elif n % 5 in (1, 3):
            _pay_online(attempt, next(turns))
        attempts.append(attempt)
    return attempts


def _attempt(n: int, rows: list[dict[str, str]]) -> Attempt:
    customer_id = f"household-{rows[0]['household_id']}-{n}" if n % 3 == 0 else None
    address = _ADDRESSES[n % len(_ADDRESSES)]
    methods = [each for each in OPEN_STORE.payment_methods if not each.is_online]
    cart = Cart(
        id=secrets.token_hex(16),
        store_code=OPEN_STORE.code,
        customer_id=customer_id,
        email=f"shopper{n}@example.com",
        lines=tuple(CartLine(sku=row["sku"], quantity=int(row["quantity"])) for row in rows),
        shipping_address=address,
        billing_address=_ADDRESSES[(n + n % 2) % len(_ADDRESSES)],
        shipping_method=OPEN_STORE.shipping_methods[n % len(OPEN_STORE.shipping_methods)],
        payment=PaymentChoice(method=methods[n % len(methods)], purchase_order_number=f"PO-{n:05}"),
    )
    return Attempt(cart=cart, shopper=Shopper(customer_id=customer_id))


def _pay_online(attempt: Attempt, n: int) -> None:
    """By turns with ``complete_order``, and with an online method and ``place_order``."""
    attempt.at_gateway = n % 2 == 0
    attempt.script = _SCRIPTS[n % len(_SCRIPTS)]
    if attempt.script in _DECLINED:
        attempt.expected = RefusalReason.PAYMENT_DECLINED


_DECLINED = ("declined", "insufficient_funds", "3ds_declined")
_SCRIPTS = (
    *("approved",) * 9,
    "declined",
    "3ds_approved",
    *("approved",) * 6,
    "insufficient_funds",
    "timeout_with_effect",
    "duplicate_webhooks",
    *("approved",) * 6,
    "3ds_declined",
    "capture_timeout_with_effect",
    "server_error",
    "review_approved",
    "out_of_order_webhooks",
)
"""How the payments of the day behave; an odd number, for each to come by both operations."""


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


# -- the documented ways for a cart to be faulty ----------------------------------------------


def _change(attempt: Attempt, expected: RefusalReason, **changes: object) -> None:
    attempt.cart = Cart.model_validate({**attempt.cart.model_dump(), **changes})
    attempt.expected = expected


def _as_guest(attempt: Attempt) -> None:
    attempt.shopper = Shopper.guest()
    attempt.cart = attempt.cart.model_copy(update={"customer_id": None})


def _no_cart_id(attempt: Attempt) -> None:
    attempt.without_id = True
    attempt.expected = RefusalReason.CART_ID_MISSING


def _unknown_cart(attempt: Attempt) -> None:
    attempt.made = False
    attempt.expected = RefusalReason.CART_NOT_FOUND


def _ordered_twice(attempt: Attempt) -> None:
    attempt.twice = True


def _other_store(attempt: Attempt) -> None:
    attempt.store_code = MEMBERS_STORE.code
    attempt.expected = RefusalReason.WRONG_STORE


def _other_owner(attempt: Attempt) -> None:
    attempt.shopper = Shopper.customer("somebody-else")
    attempt.expected = RefusalReason.NOT_CART_OWNER


def _members_only(attempt: Attempt) -> None:
    _as_guest(attempt)
    _change(attempt, RefusalReason.GUEST_CHECKOUT_DISABLED, store_code=MEMBERS_STORE.code)
    attempt.refused_on_the_way = True


def _no_email(attempt: Attempt) -> None:
    _as_guest(attempt)
    _change(attempt, RefusalReason.GUEST_EMAIL_MISSING, email=None)


def _no_items(attempt: Attempt) -> None:
    _change(attempt, RefusalReason.CART_EMPTY, lines=())
    attempt.refused_on_the_way = True


def _no_shipping_address(attempt: Attempt) -> None:
    _change(attempt, RefusalReason.SHIPPING_ADDRESS_MISSING, shipping_address=None)
    attempt.refused_on_the_way = True


def _country_not_allowed(attempt: Attempt) -> None:
    address = _person("CH", "Bern", "", "3011", "Beispielgasse 1")
    _change(attempt, RefusalReason.SHIPPING_ADDRESS_MISSING, shipping_address=address)
    attempt.refused_on_the_way = True


def _wrong_postcode(attempt: Attempt) -> None:
    address = _person("US", "Austin", "TX", "787", "1100 Congress Avenue")
    _change(attempt, RefusalReason.SHIPPING_ADDRESS_INVALID, shipping_address=address)


def _no_shipping_method(attempt: Attempt) -> None:
    _change(attempt, RefusalReason.SHIPPING_METHOD_MISSING, shipping_method=None)


def _no_billing_address(attempt: Attempt) -> None:
    _change(attempt, RefusalReason.BILLING_ADDRESS_INVALID, billing_address=None)


def _no_payment_method(attempt: Attempt) -> None:
    attempt.at_gateway = False
    _change(attempt, RefusalReason.PAYMENT_METHOD_MISSING, payment=None)


def _payment_method_off(attempt: Attempt) -> None:
    attempt.at_gateway = False
    choice = PaymentChoice(method=PaymentMethod.CASHONDELIVERY)
    _change(attempt, RefusalReason.PAYMENT_METHOD_MISSING, payment=choice)
    attempt.refused_on_the_way = True


def _total_changed(attempt: Attempt) -> None:
    attempt.dearer = Product(
        sku=f"of-the-day-{attempt.cart.id[:8]}",
        name="Offer of the day",
        kind=ProductKind.SIMPLE,
        price=Money.parse("1.00", CURRENCY),
        quantity=1,
    )
    line = CartLine(sku=attempt.dearer.sku, quantity=1)
    lines = (*attempt.cart.lines, line)
    _change(attempt, RefusalReason.TOTAL_CHANGED, lines=lines)


def _bad_payment(attempt: Attempt) -> None:
    attempt.at_gateway = True
    attempt.payment_fault = PAYMENT_FAULTS[len(attempt.cart.lines) % len(PAYMENT_FAULTS)]
    attempt.expected = RefusalReason.PAYMENT_ID_INVALID


PAYMENT_FAULTS = ("unknown", "other cart", "other amount", "not approved")

_FAULTS = (
    _no_cart_id,
    _unknown_cart,
    _ordered_twice,
    _other_store,
    _other_owner,
    _members_only,
    _no_email,
    _no_items,
    _no_shipping_address,
    _country_not_allowed,
    _wrong_postcode,
    _no_shipping_method,
    _no_billing_address,
    _no_payment_method,
    _payment_method_off,
    _total_changed,
    _bad_payment,
)
