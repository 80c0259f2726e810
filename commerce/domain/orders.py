"""Orders: what a cart becomes, once."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from commerce.domain.addresses import Address
from commerce.domain.carts import SnapshotLine
from commerce.domain.model import Model
from commerce.domain.totals import Totals

ORDER_NUMBER_DIGITS = 9
MAX_PAGE_SIZE = 300


class OrderStatus(StrEnum):
    """``PENDING`` until paid (offline methods stay there), ``PROCESSING`` once captured.

    ``PAYMENT_REVIEW`` when the money could not be taken and a person has to look.
    """

    PENDING = "pending"
    PROCESSING = "processing"
    PAYMENT_REVIEW = "payment_review"

    @property
    def label(self) -> str:
        """What shoppers read: "Pending"."""
        return self.value.replace("_", " ").title()


class Order(Model):
    """An order with its frozen lines, addresses and totals."""

    number: str
    cart_id: str
    store_code: str
    customer_id: str | None
    email: str | None
    status: OrderStatus
    lines: tuple[SnapshotLine, ...]
    shipping_address: Address | None
    billing_address: Address
    shipping_method: str | None
    payment_method: str
    purchase_order_number: str
    payment_id: str | None
    totals: Totals
    created_at: datetime


class OrderQuery(Model):
    """Which orders of a customer, in which order; empty and None do not matter.

    Attributes:
        number_contains: A part of the number.
        placed_from: The earliest time, inclusive; ``placed_to`` the latest.
        total_from: The lowest grand total, in minor units; ``total_to`` the highest.
        by_number: Sorted by number, else by the time they were placed.
        page: From 1.
    """

    numbers: tuple[str, ...] = ()
    number_contains: str = ""
    statuses: tuple[OrderStatus, ...] | None = None
    placed_from: AwareDatetime | None = None
    placed_to: AwareDatetime | None = None
    total_from_minor: int | None = None
    total_to_minor: int | None = None
    store_code: str = ""
    by_number: bool = False
    ascending: bool = False
    page: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = 20


class OrderPage(Model):
    """A page of orders, and how many there are in all."""

    orders: tuple[Order, ...]
    total_count: int


def order_number(prefix: str, value: int) -> str:
    """The documented number: ``order_number("", 6)`` is ``000000006``."""
    if not 0 < value < 10**ORDER_NUMBER_DIGITS:
        raise ValueError(f"order value {value} does not fit {ORDER_NUMBER_DIGITS} digits")
    return f"{prefix}{value:0{ORDER_NUMBER_DIGITS}d}"
