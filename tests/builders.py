"""Ready-made values for tests: a store that is open, products on the shelf, carts ready to go."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from commerce.adapters.store.catalog import Product
from commerce.adapters.store.database import Database, utc_now
from commerce.adapters.store.sql_store import SqlStore, build_store
from commerce.adapters.tokens import SealedTokens
from commerce.contract import Checkout, CheckoutRequest, workflow_id
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartLine, OfferedProduct, ProductKind, Shopper
from commerce.domain.errors import Operation
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice
from commerce.domain.taxes import TaxRate, percent_to_ppm

TOKEN_KEY = bytes(range(32))
TOKENS = SealedTokens({0: TOKEN_KEY})

TEXAS = Address(
    firstname="Ada",
    lastname="Canary-Lovelace",
    street=("12 Canary Street",),
    city="Austin",
    region="TX",
    postcode="78701",
    country_code="US",
    telephone="5125550100",
)
EMAIL = "canary@example.com"


class TestClock:
    """A clock that only moves when told to."""

    __test__ = False

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def product(
    sku: str,
    quantity: int | None = 100,
    price: str = "10.00",
    kind: ProductKind = ProductKind.SIMPLE,
    currency: str = "USD",
) -> Product:
    return Product(
        sku=sku,
        name=f"Product {sku}",
        kind=kind,
        price=Money.parse(price, currency),
        quantity=quantity,
    )


def offered(
    sku: str,
    available: int | None = 100,
    price: str | None = "10.00",
    kind: ProductKind = ProductKind.SIMPLE,
) -> OfferedProduct:
    """A product as a cart's view shows it, in dollars; without a price it is not for sale."""
    return OfferedProduct(
        sku=sku,
        name=f"Product {sku}",
        kind=kind,
        price=None if price is None else usd(price),
        available=available,
    )


def tax(
    percent: str, region: str = "", country_code: str = "US", on_shipping: bool = True
) -> TaxRate:
    """A tax rate, of the United States unless another country is named."""
    return TaxRate(
        country_code=country_code,
        region=region,
        title="Sales tax",
        rate_ppm=percent_to_ppm(percent),
        on_shipping=on_shipping,
    )


def cart(cart_id: str, *lines: tuple[str, int], **changes: object) -> Cart:
    """A guest's cart that lacks nothing; ``changes`` replace its fields."""
    ready = Cart(
        id=cart_id,
        store_code="default",
        email=EMAIL,
        lines=tuple(CartLine(sku=sku, quantity=n) for sku, n in lines or (("apple", 1),)),
        shipping_address=TEXAS,
        billing_address=TEXAS,
        shipping_method="flatrate",
        payment=PaymentChoice(method="checkmo"),
    )
    return Cart.model_validate({**ready.model_dump(), **changes})


def unnumbered(numbered: Cart) -> Cart:
    """The cart without the numbers that the store gave its lines."""
    lines = tuple(line.model_copy(update={"id": 0}) for line in numbered.lines)
    return numbered.model_copy(update={"lines": lines})


def request(cart_id: str, key: str = "", **changes: object) -> CheckoutRequest:
    """A guest's ``place_order``; ``changes`` replace its fields."""
    asked = CheckoutRequest(
        operation=Operation.PLACE_ORDER,
        cart_id=cart_id,
        shopper=Shopper.guest(),
        idempotency_key=key or f"key-of-{cart_id}",
        asked_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return CheckoutRequest.model_validate({**asked.model_dump(), **changes})


def checkout(cart_id: str, key: str = "", run: str = "run", **changes: object) -> Checkout:
    """A run of the checkout of a cart."""
    return Checkout(id=f"{workflow_id(cart_id)}/{run}", request=request(cart_id, key, **changes))


def undurable(url: str, now: Callable[[], datetime] = utc_now) -> Database:
    """A database that waits for no disk, as PostgreSQL does not in tests: nobody cuts the power."""
    database = Database(url, now)
    if database.is_sqlite:
        for engine in database.engines:
            event.listen(engine, "connect", _wait_for_no_disk)
    return database


def _wait_for_no_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def build(database: Database, hold_ttl: timedelta = timedelta(minutes=15)) -> SqlStore:
    """A store over a migrated database."""
    return build_store(database, TOKENS, hold_ttl)
