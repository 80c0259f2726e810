"""Carts, the shopper who owns one, and the snapshot that a checkout is computed from."""

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from commerce.domain.addresses import Address
from commerce.domain.model import PRINTABLE, Model
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice
from commerce.domain.shipping import ShippingMethod, shipping_amount
from commerce.domain.stores import Store

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


class CartStatus(StrEnum):
    """``LOCKED`` while a checkout runs: edits are refused. ``CONVERTED`` once it is an order."""

    ACTIVE = "active"
    LOCKED = "locked"
    CONVERTED = "converted"


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
    """Units of one product."""

    sku: Sku
    quantity: Quantity


class Cart(Model):
    """A shopper's cart as it is being filled; anything may still be missing.

    Attributes:
        customer_id: None for a guest's cart.
        email: Needed for a guest's order.
        shipping_method: Name of the method, checked at checkout.
    """

    id: CartId
    store_code: Annotated[str, Field(max_length=32)]
    customer_id: CustomerId | None = None
    email: (
        Annotated[str, StringConstraints(max_length=MAX_EMAIL_CHARS), AfterValidator(_email)] | None
    ) = None
    lines: Annotated[tuple[CartLine, ...], Field(max_length=MAX_LINES)] = ()
    shipping_address: Address | None = None
    billing_address: Address | None = None
    shipping_method: Annotated[str, Field(max_length=64, pattern=PRINTABLE)] | None = None
    payment: PaymentChoice | None = None


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


class Totals(Model):
    """What the shopper pays; all in the store's currency."""

    subtotal: Money
    shipping: Money
    grand_total: Money


class CartSnapshot(Model):
    """What a checkout is computed from, frozen when the cart is locked.

    It holds personal data and stays in the store: the workflow passes its digest.
    """

    cart: Cart
    store: Store
    lines: tuple[SnapshotLine, ...]

    @property
    def is_virtual(self) -> bool:
        """Nothing in the cart is shipped."""
        return all(line.kind is ProductKind.VIRTUAL for line in self.lines)

    @property
    def chosen_shipping(self) -> ShippingMethod | None:
        """The shipping method, when one is chosen that the store offers."""
        name = self.cart.shipping_method
        return next((m for m in self.store.shipping_methods if m.value == name), None)

    def totals(self) -> Totals:
        """Subtotal, shipping and grand total; shipping is zero while no method is chosen.

        Raises:
            MoneyError: An amount is too large.
        """
        subtotal = Money.zero(self.store.currency)
        for line in self.lines:
            subtotal = subtotal.plus(line.total)
        shipping = Money.zero(self.store.currency)
        if self.chosen_shipping and not self.is_virtual:
            shipped = sum(x.quantity for x in self.lines if x.kind is ProductKind.SIMPLE)
            shipping = shipping_amount(self.chosen_shipping, subtotal, shipped)
        return Totals(subtotal=subtotal, shipping=shipping, grand_total=subtotal.plus(shipping))

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: two equal snapshots, one digest."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
