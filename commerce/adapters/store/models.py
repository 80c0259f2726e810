"""The tables. Rows never leave the store package; money is minor units, time is UTC."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON

from commerce.adapters.store.columns import AsJson, UtcDateTime
from commerce.domain.addresses import Address
from commerce.domain.carts import CartSnapshot, CartStatus, ProductKind
from commerce.domain.errors import Refusal
from commerce.domain.money import Money
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import ClaimStatus
from commerce.domain.stock import HoldStatus
from commerce.domain.taxes import TaxRate


def _values(states: type[StrEnum]) -> list[str]:
    return [state.value for state in states]


def _names(states: type[StrEnum]) -> Enum:
    return Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=_values,
    )


def _index_where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index of the few rows that are asked for among many."""
    where = text(condition)
    return Index(name, *columns, unique=unique, postgresql_where=where, sqlite_where=where)


class Base(DeclarativeBase):
    """All tables, with one naming scheme for constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: UtcDateTime,
        str: String(255),
        CartStatus: _names(CartStatus),
        ClaimStatus: _names(ClaimStatus),
        HoldStatus: _names(HoldStatus),
        OrderStatus: _names(OrderStatus),
        ProductKind: _names(ProductKind),
        Address: AsJson(Address),
        CartSnapshot: AsJson(CartSnapshot),
        Money: AsJson(Money),
        Refusal: AsJson(Refusal),
        TaxRate: AsJson(TaxRate),
        list[str]: JSON,
    }


class StoreRow(Base):
    """Settings of one storefront."""

    __tablename__ = "stores"

    code: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str]
    allowed_countries: Mapped[list[str]]
    order_prefix: Mapped[str]
    guest_checkout: Mapped[bool]
    payment_methods: Mapped[list[str]]
    shipping_methods: Mapped[list[str]]
    street_lines: Mapped[int] = mapped_column(server_default="2")


class TaxRateRow(Base):
    """What a store adds to prices for a country, or a region of it."""

    __tablename__ = "tax_rates"

    store_code: Mapped[str] = mapped_column(ForeignKey(StoreRow.code), primary_key=True)
    country_code: Mapped[str] = mapped_column(primary_key=True)
    region: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    rate_ppm: Mapped[int]
    on_shipping: Mapped[bool]

    __table_args__ = (CheckConstraint("rate_ppm >= 0", name="not_negative"),)


class ProductRow(Base):
    """What can be sold."""

    __tablename__ = "products"

    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[ProductKind]


class PriceRow(Base):
    """A product's price in one currency."""

    __tablename__ = "prices"

    sku: Mapped[str] = mapped_column(ForeignKey(ProductRow.sku), primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("amount_minor >= 0", name="not_negative"),)


class StockRow(Base):
    """Units of one SKU.

    ``on_hand`` = ``stocked`` - all that was ever committed; ``held`` = the sum of the open holds.
    """

    __tablename__ = "stock"

    sku: Mapped[str] = mapped_column(ForeignKey(ProductRow.sku), primary_key=True)
    managed: Mapped[bool]
    stocked: Mapped[int] = mapped_column(BigInteger)
    on_hand: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="never_below_zero"),
        CheckConstraint("held >= 0", name="held_never_below_zero"),
        CheckConstraint("held <= on_hand", name="never_oversold"),
    )


class CartRow(Base):
    """A cart; while it is locked, with the snapshot of the checkout that locked it."""

    __tablename__ = "carts"

    id: Mapped[str] = mapped_column(primary_key=True)
    store_code: Mapped[str] = mapped_column(ForeignKey(StoreRow.code))
    customer_id: Mapped[str | None]
    email: Mapped[str | None]
    shipping_address: Mapped[Address | None]
    billing_address: Mapped[Address | None]
    shipping_method: Mapped[str | None]
    payment_method: Mapped[str | None]
    purchase_order_number: Mapped[str]
    payment_id: Mapped[str] = mapped_column(server_default="")
    status: Mapped[CartStatus]
    locked_by: Mapped[str | None]
    lock_expires_at: Mapped[datetime | None]
    snapshot: Mapped[CartSnapshot | None]
    snapshot_digest: Mapped[str | None]
    shown_total: Mapped[Money | None]
    lines_made: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(
            "(status = 'locked') = (locked_by IS NOT NULL)"
            " AND (status = 'locked') = (snapshot IS NOT NULL)"
            " AND (status = 'locked') = (lock_expires_at IS NOT NULL)",
            name="locked_means_locked",
        ),
        Index(None, "customer_id", "store_code", "status"),
    )


class CustomerCartRow(Base):
    """The one cart that a customer fills in a store."""

    __tablename__ = "customer_carts"

    customer_id: Mapped[str] = mapped_column(primary_key=True)
    store_code: Mapped[str] = mapped_column(ForeignKey(StoreRow.code), primary_key=True)
    cart_id: Mapped[str | None] = mapped_column(ForeignKey(CartRow.id))


class CartLineRow(Base):
    """A line of a cart."""

    __tablename__ = "cart_lines"

    cart_id: Mapped[str] = mapped_column(
        ForeignKey(CartRow.id, ondelete="CASCADE"), primary_key=True
    )
    line_no: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey(ProductRow.sku))
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint("quantity > 0", name="positive"),)


class HoldRow(Base):
    """Stock set aside for one checkout. A released one stays, so that a late hold is refused."""

    __tablename__ = "holds"

    checkout_id: Mapped[str] = mapped_column(primary_key=True)
    cart_id: Mapped[str]
    status: Mapped[HoldStatus]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "status", "expires_at"),)


class HoldLineRow(Base):
    """Units of one SKU in a hold."""

    __tablename__ = "hold_lines"

    checkout_id: Mapped[str] = mapped_column(ForeignKey(HoldRow.checkout_id), primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey(ProductRow.sku), primary_key=True, index=True)
    quantity: Mapped[int]

    __table_args__ = (CheckConstraint("quantity > 0", name="positive"),)


class OrderSequenceRow(Base):
    """The last order value given under a prefix."""

    __tablename__ = "order_sequences"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    last_value: Mapped[int]


class OrderRow(Base):
    """An order. ``cart_id`` and ``payment_id`` are unique: the last line of defence."""

    __tablename__ = "orders"

    number: Mapped[str] = mapped_column(primary_key=True)
    cart_id: Mapped[str] = mapped_column(ForeignKey(CartRow.id), unique=True)
    checkout_id: Mapped[str] = mapped_column(unique=True)
    store_code: Mapped[str] = mapped_column(ForeignKey(StoreRow.code))
    order_prefix: Mapped[str]
    customer_id: Mapped[str | None]
    email: Mapped[str | None]
    status: Mapped[OrderStatus]
    shipping_address: Mapped[Address | None]
    billing_address: Mapped[Address]
    shipping_method: Mapped[str | None]
    payment_method: Mapped[str]
    purchase_order_number: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(unique=True)
    currency: Mapped[str]
    subtotal_minor: Mapped[int] = mapped_column(BigInteger)
    shipping_minor: Mapped[int] = mapped_column(BigInteger)
    shipping_tax_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tax_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tax_rate: Mapped[TaxRate | None]
    grand_total_minor: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(
            "grand_total_minor = subtotal_minor + shipping_minor + tax_minor", name="adds_up"
        ),
        Index(None, "customer_id", "created_at"),
        Index(None, "status", "payment_id"),
    )


class OrderLineRow(Base):
    """A line of an order, frozen."""

    __tablename__ = "order_lines"

    order_number: Mapped[str] = mapped_column(ForeignKey(OrderRow.number), primary_key=True)
    line_no: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    name: Mapped[str]
    kind: Mapped[ProductKind]
    quantity: Mapped[int]
    price_minor: Mapped[int] = mapped_column(BigInteger)
    total_minor: Mapped[int] = mapped_column(BigInteger)
    tax_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (CheckConstraint("total_minor = price_minor * quantity", name="adds_up"),)


class AnswerRow(Base):
    """The idempotency record of one key: claimed when the cart is locked, answered at the end."""

    __tablename__ = "answers"

    idempotency_key: Mapped[str] = mapped_column(primary_key=True)
    cart_id: Mapped[str] = mapped_column(ForeignKey(CartRow.id), index=True)
    fingerprint: Mapped[str] = mapped_column(String(32))
    claimed_by: Mapped[str | None]
    order_number: Mapped[str | None] = mapped_column(ForeignKey(OrderRow.number))
    refusal: Mapped[Refusal | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("order_number IS NULL OR refusal IS NULL", name="one_outcome"),
    )


class OutboxRow(Base):
    """An event that has been, or is still to be, announced."""

    __tablename__ = "outbox"

    event_id: Mapped[str] = mapped_column(primary_key=True)
    order_number: Mapped[str] = mapped_column(ForeignKey(OrderRow.number), unique=True)
    created_at: Mapped[datetime]
    announced_at: Mapped[datetime | None]

    __table_args__ = (_index_where("ix_outbox_unannounced", "announced_at IS NULL", "created_at"),)


class PaymentClaimRow(Base):
    """The payment that a checkout has claimed. One that was given up stays, for late claims.

    ``settled_at``: since when nothing of the payment is open at the gateway. Until then the sweep
    looks at it now and then, next at ``look_at``; it was ``told`` of so often to be settled.
    """

    __tablename__ = "payment_claims"

    checkout_id: Mapped[str] = mapped_column(primary_key=True)
    cart_id: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(index=True)
    status: Mapped[ClaimStatus]
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    look_at: Mapped[datetime | None]
    told: Mapped[int] = mapped_column(server_default="0")

    __table_args__ = (
        _index_where(
            "uq_payment_claims_payment_id", "status = 'claimed'", "payment_id", unique=True
        ),
        _index_where("ix_payment_claims_unsettled", "settled_at IS NULL", "status", "look_at"),
    )


class WebhookEventRow(Base):
    """An event of a gateway that was dealt with."""

    __tablename__ = "webhook_events"

    gateway: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
