"""Payment methods, and when a payment at the gateway may pay for a cart."""

from enum import StrEnum

from pydantic import Field

from commerce.domain.model import PRINTABLE, Model
from commerce.domain.money import Money


class PaymentMethod(StrEnum):
    """The offline methods: they are paid outside of the checkout."""

    CHECKMO = "checkmo"
    BANKTRANSFER = "banktransfer"
    CASHONDELIVERY = "cashondelivery"
    PURCHASEORDER = "purchaseorder"
    FREE = "free"

    @property
    def label(self) -> str:
        """What shoppers call it."""
        return _TITLES[self]


_TITLES = {
    PaymentMethod.CHECKMO: "Check / Money order",
    PaymentMethod.BANKTRANSFER: "Bank Transfer Payment",
    PaymentMethod.CASHONDELIVERY: "Cash On Delivery",
    PaymentMethod.PURCHASEORDER: "Purchase Order",
    PaymentMethod.FREE: "No Payment Information Required",
}

PAID_AT_GATEWAY = "gateway"
"""What an order says of its payment when the money came through the gateway."""


class PaymentStatus(StrEnum):
    """Where a payment at the gateway stands."""

    CREATED = "created"
    APPROVED = "approved"
    CAPTURED = "captured"
    VOIDED = "voided"


class Payment(Model):
    """A payment as the gateway knows it."""

    id: str
    cart_id: str
    amount: Money
    status: PaymentStatus


class PaymentChoice(Model):
    """The method a shopper chose; whether it may be used is decided at checkout."""

    method: str = Field(min_length=1, max_length=64, pattern=PRINTABLE)
    purchase_order_number: str = Field(default="", max_length=64, pattern=PRINTABLE)


def pays_for(payment: Payment | None, cart_id: str, due: Money) -> bool:
    """Whether this payment may pay exactly this cart: its own, its total, approved and unused."""
    return (
        payment is not None
        and payment.cart_id == cart_id
        and payment.amount == due
        and payment.status is PaymentStatus.APPROVED
    )
