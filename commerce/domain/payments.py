"""Payment methods, payments as a gateway knows them, and when one may pay for a cart."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from commerce.domain.cards import NoCardNumber
from commerce.domain.model import PRINTABLE, Message, Model
from commerce.domain.money import Money

MAX_PAYMENT_ID_CHARS = 255


class PaymentMethod(StrEnum):
    """How a shopper pays: outside of the checkout, or online at the gateway."""

    CHECKMO = "checkmo"
    BANKTRANSFER = "banktransfer"
    CASHONDELIVERY = "cashondelivery"
    PURCHASEORDER = "purchaseorder"
    FREE = "free"
    SMART_BUTTONS = "payment_services_paypal_smart_buttons"
    HOSTED_FIELDS = "payment_services_paypal_hosted_fields"
    APPLE_PAY = "payment_services_paypal_apple_pay"
    GOOGLE_PAY = "payment_services_paypal_google_pay"

    @property
    def label(self) -> str:
        """What shoppers call it."""
        return _TITLES[self]

    @property
    def is_online(self) -> bool:
        """Whether the money comes through the gateway."""
        return self in ONLINE_METHODS


_TITLES = {
    PaymentMethod.CHECKMO: "Check / Money order",
    PaymentMethod.BANKTRANSFER: "Bank Transfer Payment",
    PaymentMethod.CASHONDELIVERY: "Cash On Delivery",
    PaymentMethod.PURCHASEORDER: "Purchase Order",
    PaymentMethod.FREE: "No Payment Information Required",
    PaymentMethod.SMART_BUTTONS: "PayPal",
    PaymentMethod.HOSTED_FIELDS: "Credit Card",
    PaymentMethod.APPLE_PAY: "Apple Pay",
    PaymentMethod.GOOGLE_PAY: "Google Pay",
}

ONLINE_METHODS = frozenset(
    {
        PaymentMethod.SMART_BUTTONS,
        PaymentMethod.HOSTED_FIELDS,
        PaymentMethod.APPLE_PAY,
        PaymentMethod.GOOGLE_PAY,
    }
)

PAID_AT_GATEWAY = "gateway"
"""What an order says of its payment when the money came through the gateway by no named method."""


class PaymentStatus(StrEnum):
    """Where a payment at the gateway stands.

    ``CREATED``: the shopper has not approved it. ``APPROVED``: they have, and no money is set aside
    yet. ``PENDING``: it may still be authorized. ``AUTHORIZED``: the money is set aside.
    """

    CREATED = "created"
    APPROVED = "approved"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


class WaitsFor(StrEnum):
    """Whose turn it is while a payment is pending: 3-D Secure, or a review at the gateway."""

    SHOPPER = "shopper"
    GATEWAY = "gateway"


class DeclineReason(StrEnum):
    """Why a gateway declined, as far as a shopper may be told."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED = "expired"


class Payment(Model):
    """A payment as the gateway knows it.

    Attributes:
        cart_id: The cart that it was made for.
        waits_for: While it is pending.
        decline: Once it is declined.
        captured_at_once: The money was taken when the shopper approved, as the payment was made to.
    """

    id: str
    cart_id: str
    amount: Money
    status: PaymentStatus
    waits_for: WaitsFor | None = None
    decline: DeclineReason | None = None
    captured_at_once: bool = False


class ClaimStatus(StrEnum):
    """``CLAIMED`` by a checkout or its order; ``LET_GO``: it may be tried again; ``GIVEN_UP``."""

    CLAIMED = "claimed"
    LET_GO = "let_go"
    GIVEN_UP = "given_up"


class PaymentClaim(Model):
    """Who has a payment: a checkout, and the order that it became if it did.

    Attributes:
        order_number: None while, or when, there is no order.
        captured: The order's money has been taken.
        in_hand: Its checkout claimed it, or ordered, a moment ago and waits for nothing: it asks
            the gateway itself.
    """

    payment_id: str
    cart_id: str
    status: ClaimStatus
    order_number: str | None = None
    captured: bool = False
    in_hand: bool = False


class PaymentDue(Model):
    """The payment that an order was created with, and how much it has to bring."""

    payment_id: str
    total: Money


class PaymentEvent(Model):
    """A provider's word that a payment has changed: a reason to ask, never the answer."""

    id: str = Field(min_length=1, max_length=255, pattern=PRINTABLE)
    payment_id: str = Field(max_length=MAX_PAYMENT_ID_CHARS, pattern=PRINTABLE)


class PaymentApproved(Message):
    """The gateway did what was asked, now or before under the same key."""

    kind: Literal["approved"] = "approved"


class PaymentDeclined(Message):
    """The gateway says no for good."""

    kind: Literal["declined"] = "declined"
    reason: DeclineReason = DeclineReason.DECLINED


class PaymentPending(Message):
    """The gateway may still say yes."""

    kind: Literal["pending"] = "pending"
    waits_for: WaitsFor


class PaymentUnknown(Message):
    """No answer, or one that says nothing: it may have taken effect."""

    kind: Literal["unknown"] = "unknown"


class PaymentInvalid(Message):
    """The gateway does not know the payment, or it cannot be done in the state it is in."""

    kind: Literal["invalid"] = "invalid"


GatewayOutcome = Annotated[
    PaymentApproved | PaymentDeclined | PaymentPending | PaymentUnknown | PaymentInvalid,
    Field(discriminator="kind"),
]


class PaymentChoice(Model):
    """The method a shopper chose; whether it may be used is decided at checkout.

    Attributes:
        payment_id: The payment at the gateway, for the online methods.
    """

    method: str = Field(min_length=1, max_length=64, pattern=PRINTABLE)
    purchase_order_number: Annotated[str, Field(max_length=64, pattern=PRINTABLE), NoCardNumber] = (
        ""
    )
    payment_id: Annotated[
        str, Field(max_length=MAX_PAYMENT_ID_CHARS, pattern=PRINTABLE), NoCardNumber
    ] = ""

    @property
    def is_online(self) -> bool:
        """Whether the money comes through the gateway."""
        return self.method in ONLINE_METHODS


_TRIED = {
    PaymentStatus.APPROVED,
    PaymentStatus.PENDING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.DECLINED,
}


def may_pay(payment: Payment, cart_id: str, due: Money, ours: bool = False) -> bool:
    """Whether this payment is for exactly this cart and its total, and unspent.

    Approved by the shopper, too; the gateway may have declined it since.

    Args:
        ours: This checkout has claimed the payment: if it is captured, then for this cart.
    """
    captured = payment.status is PaymentStatus.CAPTURED and (payment.captured_at_once or ours)
    unspent = payment.status in _TRIED or captured
    return unspent and payment.cart_id == cart_id and payment.amount == due
