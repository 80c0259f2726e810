"""Orders: what a cart becomes, once."""

from datetime import datetime
from enum import StrEnum

from commerce.domain.addresses import Address
from commerce.domain.carts import SnapshotLine, Totals
from commerce.domain.model import Model

ORDER_NUMBER_DIGITS = 9


class OrderStatus(StrEnum):
    """``PENDING`` until paid (offline methods stay there), ``PROCESSING`` once captured."""

    PENDING = "pending"
    PROCESSING = "processing"


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


def order_number(prefix: str, value: int) -> str:
    """The documented number: ``order_number("", 6)`` is ``000000006``."""
    if not 0 < value < 10**ORDER_NUMBER_DIGITS:
        raise ValueError(f"order value {value} does not fit {ORDER_NUMBER_DIGITS} digits")
    return f"{prefix}{value:0{ORDER_NUMBER_DIGITS}d}"
