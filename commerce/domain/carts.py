"""Carts, the shopper who owns one, and the snapshot that a checkout is computed from."""

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from commerce.domain.addresses import Address
from commerce.domain.cards import NoCardNumber
from commerce.domain.model import PRINTABLE, Model
from commerce.domain.money import Money, MoneyError
from commerce.domain.payments import PaymentChoice
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate, rate_for
from commerce.domain.totals import Totals, totals_of

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
MAX_EMAIL_CHARS = 254
MAX_KEY_CHARS = 255

_SKU_CHARS = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
_ID_CHARS = r"^[0-9A-Za-z_-]{1,64}$"
CartId = Annotated[str, StringConstraints(pattern=_ID_CHARS)]
CustomerId = Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_SKU_CHARS)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]


def _email(address: str) -> str:
    local, _, domain = address.rpartition("@")
    labels = domain.split(".")
    plain = address.isprintable() and " " not in address
    if not (plain and local and "@" not in local and len(labels) > 1 and all(labels)):
        raise ValueError("Invalid email format")
    return address


Email = Annotated[
    str, StringConstraints(max_length=MAX_EMAIL_CHARS), AfterValidator(_email), NoCardNumber
]


class CartStatus(StrEnum):
    """``LOCKED`` while a checkout runs: edits are refused. ``CONVERTED`` once it is an order.

    ``MERGED`` once its lines went into another cart: nothing happens to it any more.
    """

    ACTIVE = "active"
    LOCKED = "locked"
    CONVERTED = "converted"
    MERGED = "merged"


class ProductKind(StrEnum):
    """A virtual product needs no shipping."""

    SIMPLE = "simple"
    VIRTUAL = "virtual"


class Shopper(Model):
    """Who asks: a guest, or the customer whose identity the calling service has checked.

    Attributes:
        customer_id: None for a guest.
    """

    customer_id: CustomerId | None = None

    @classmethod
    def guest(cls) -> "Shopper":
        """A shopper who is not logged in; the cart id is the secret that proves ownership."""
        return cls()

    @classmethod
    def customer(cls, customer_id: str) -> "Shopper":
        """A logged-in customer."""
        return cls(customer_id=customer_id)


class CartLine(Model):
    """Units of one product.

    Attributes:
        id: Number of the line, never used again in its cart; 0 until the store gives one.
    """

    sku: Sku
    quantity: Quantity
    id: Annotated[int, Field(ge=0)] = 0


class Cart(Model):
    """A shopper's cart as it is being filled; anything may still be missing.

    Attributes:
        customer_id: None for a guest's cart.
        email: Needed for a guest's order.
        shipping_method: Name of the method, checked at checkout.
        shown_total: The grand total that the shopper was shown last, where that is known: an order
            over another total is refused.
    """

    id: CartId
    store_code: Annotated[str, Field(max_length=32)]
    customer_id: CustomerId | None = None
    email: Email | None = None
    lines: Annotated[tuple[CartLine, ...], Field(max_length=MAX_LINES)] = ()
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_method: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] | None = None
    payment: PaymentChoice | None = None
    shown_total: Money | None = None


class SnapshotLine(Model):
    """A cart line with what the product was and cost when the cart was locked."""

    sku: Sku
    name: str
    kind: ProductKind
    quantity: Quantity
    price: Money

    @property
    def total(self) -> Money:
        """Price times quantity."""
        return self.price.times(self.quantity)


class OfferedProduct(Model):
    """A product as a store offers it now.

    Attributes:
        price: None where it has no price in the store's currency: it is not for sale.
        available: Units that nobody has bought or holds; None where stock is not managed.
    """

    sku: Sku
    name: str
    kind: ProductKind
    price: Money | None
    available: int | None


class CartSnapshot(Model):
    """What a checkout is computed from, frozen when the cart is locked.

    It holds personal data and stays in the store: the workflow passes its digest.
    """

    cart: Cart
    store: Store
    lines: tuple[SnapshotLine, ...]
    tax_rate: TaxRate | None = None

    @property
    def is_virtual(self) -> bool:
        """Nothing in the cart is shipped."""
        return all(line.kind is ProductKind.VIRTUAL for line in self.lines)

    @property
    def chosen_shipping(self) -> ShippingMethod | None:
        """The shipping method, when one is chosen that the store offers."""
        return self.store.offered_shipping(self.cart.shipping_method)

    def totals(self) -> Totals:
        """What is due; shipping is zero while no method is chosen.

        Raises:
            MoneyError: An amount is too large.
        """
        return totals_of(
            [line.total for line in self.lines],
            sum(line.quantity for line in self.lines if line.kind is ProductKind.SIMPLE),
            self.chosen_shipping,
            self.tax_rate,
            self.store.currency,
        )

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: two equal snapshots, one digest."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class CartView(Model):
    """A cart as it stands, with what is needed to show it, to price it and to change it.

    Attributes:
        products: By SKU: those in the cart, and those that were asked for.
        tax_rates: The store's.
    """

    cart: Cart
    status: CartStatus
    store: Store
    products: dict[str, OfferedProduct]
    tax_rates: tuple[TaxRate, ...] = ()

    @property
    def is_virtual(self) -> bool:
        """Something is in the cart, and nothing of it is shipped."""
        kinds = {self.products[line.sku].kind for line in self.cart.lines}
        return kinds == {ProductKind.VIRTUAL}

    @property
    def tax_rate(self) -> TaxRate | None:
        """The rate of where the goods go; of who pays, if nothing is shipped."""
        cart = self.cart
        address = cart.billing_address if self.is_virtual else cart.shipping_address
        return rate_for(self.tax_rates, address)

    def snapshot(self) -> CartSnapshot:
        """What a checkout would be computed from; lines that are not for sale are left out."""
        lines = tuple(
            SnapshotLine(
                sku=line.sku,
                name=product.name,
                kind=product.kind,
                quantity=line.quantity,
                price=product.price,
            )
            for line in self.cart.lines
            if (product := self.products[line.sku]).price is not None
        )
        return CartSnapshot(cart=self.cart, store=self.store, lines=lines, tax_rate=self.tax_rate)

    def total(self) -> Money | None:
        """The grand total; None where it is too large to be one."""
        try:
            return self.snapshot().totals().grand_total
        except MoneyError:
            return None
