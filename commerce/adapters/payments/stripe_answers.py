"""What Stripe says, in our words: PaymentIntents, refunds, declines, events and amounts."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from commerce.domain.model import Message
from commerce.domain.money import Money, minor_digits
from commerce.domain.payments import (
    DeclineReason,
    Payment,
    PaymentEvent,
    PaymentInvalid,
    PaymentStatus,
    WaitsFor,
)

PAYMENT_ID = re.compile(r"pi_[0-9A-Za-z_]{1,200}")

_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Where Stripe's minor units are not ISO 4217's: https://docs.stripe.com/currencies#special-cases."""

_STATUS = {
    "requires_payment_method": PaymentStatus.CREATED,
    "requires_confirmation": PaymentStatus.CREATED,
    "requires_action": PaymentStatus.PENDING,
    "processing": PaymentStatus.PENDING,
    "requires_capture": PaymentStatus.AUTHORIZED,
    "succeeded": PaymentStatus.CAPTURED,
    "canceled": PaymentStatus.VOIDED,
}
_WAITS_FOR = {"requires_action": WaitsFor.SHOPPER, "processing": WaitsFor.GATEWAY}
_REASON = {
    "insufficient_funds": DeclineReason.INSUFFICIENT_FUNDS,
    "expired_card": DeclineReason.EXPIRED,
}


class Decline(Message):
    """An error of a card; the issuer's own reason is the more exact one."""

    code: str | None = None
    decline_code: str | None = None

    @property
    def reason(self) -> DeclineReason:
        """As far as a shopper may be told."""
        fallback = _REASON.get(self.code or "", DeclineReason.DECLINED)
        return _REASON.get(self.decline_code or "", fallback)


class Declined(Message):
    """The body of an answer that a card was declined."""

    error: Decline


class Charge(Message):
    """What a PaymentIntent took."""

    refunded: bool = False


_Amount = Annotated[int, Field(strict=True, ge=0)]


class Intent(Message):
    """A PaymentIntent; the amounts are in Stripe's minor units."""

    id: Annotated[str, Field(pattern=f"^{PAYMENT_ID.pattern}$")]
    status: Literal[
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "succeeded",
        "canceled",
    ]
    amount: _Amount
    amount_capturable: _Amount | None = None
    amount_received: _Amount | None = None
    currency: str
    capture_method: str
    metadata: Mapping[str, str] = {}
    last_payment_error: Decline | None = None
    latest_charge: Charge | str | None = None

    def payment(self) -> Payment | PaymentInvalid:
        """The payment; invalid in a currency or an amount that no cart can have."""
        amount, status = self.amount, _STATUS[self.status]
        decline = None
        if self.status == "requires_payment_method" and self.last_payment_error:
            status, decline = PaymentStatus.DECLINED, self.last_payment_error.reason
        elif self.status == "requires_capture" and self.amount_capturable is not None:
            amount = self.amount_capturable
        elif self.status == "succeeded":
            if self.amount_received is not None:
                amount = self.amount_received
            if isinstance(self.latest_charge, Charge) and self.latest_charge.refunded:
                status = PaymentStatus.REFUNDED
        money = from_stripe(amount, self.currency.upper())
        if money is None:
            return PaymentInvalid()
        at_once = status is PaymentStatus.CAPTURED and self.capture_method != "manual"
        return Payment(
            id=self.id,
            cart_id=self.metadata.get("cart_id", ""),
            amount=money,
            status=status,
            waits_for=_WAITS_FOR.get(self.status),
            decline=decline,
            captured_at_once=at_once,
        )


class Refund(Message):
    """A refund of a PaymentIntent."""

    status: Literal["pending", "requires_action", "succeeded", "failed", "canceled"]


class EventData(Message):
    """What an event is about, as it was then."""

    object: Mapping[str, object]


class Event(Message):
    """An event of any type."""

    id: str
    type: str
    data: EventData


def read_event(body: bytes) -> PaymentEvent | None:
    """The event, None when the body is none; it may be about no payment."""
    try:
        event = Event.model_validate_json(body)
        about: object = None
        if event.type.startswith("payment_intent."):
            about = event.data.object["id"]
        elif event.type.startswith("charge."):
            about = event.data.object.get("payment_intent")
        return PaymentEvent.model_validate({"id": event.id, "payment_id": about or ""})
    except (KeyError, ValidationError):
        return None


def _scale(currency: str) -> int:
    """Digits that Stripe's minor units have more than ours, negative for fewer."""
    digits = minor_digits(currency)
    return _DIGITS.get(currency, digits) - digits


def from_stripe(amount: int, currency: str) -> Money | None:
    """Money from Stripe's minor units, None when it is none of ours."""
    try:
        scale = _scale(currency)
        minor, rest = divmod(amount * 10 ** max(-scale, 0), 10 ** max(scale, 0))
        return None if rest else Money(amount_minor=minor, currency=currency)
    except ValueError:
        return None


def to_stripe(amount: Money) -> int | None:
    """Stripe's minor units, None when Stripe cannot have the amount."""
    scale = _scale(amount.currency)
    minor, rest = divmod(amount.amount_minor * 10 ** max(scale, 0), 10 ** max(-scale, 0))
    return None if rest else minor
