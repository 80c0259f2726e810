"""What a call does to a payment: pure rules, no ledger and no clock."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox_gateway.scripts import Authorization, Call, Capture, Script


class Status(StrEnum):
    """Where a payment stands; ``voided``, ``declined`` and ``refunded`` are final."""

    CREATED = "created"
    APPROVED = "approved"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    DECLINED = "declined"
    VOIDED = "voided"
    REFUNDED = "refunded"


class Kind(StrEnum):
    """What an entry of the ledger says; ``cancel``: ended before any money was set aside."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    CANCEL = "cancel"
    REFUND = "refund"


class Act(StrEnum):
    """What the shopper does at the provider; ``authenticate`` also is the reviewer's yes."""

    APPROVE = "approve"
    AUTHENTICATE = "authenticate"
    DECLINE = "decline"


@dataclass(frozen=True)
class Payment:
    """A payment of a merchant.

    Attributes:
        waits_for: ``shopper`` or ``gateway`` while it is pending.
        decline: The reason once it is declined.
        resolves_at: When it stops being pending by itself, in unix seconds.
    """

    merchant: str
    id: str
    cart_id: str
    amount_minor: int
    currency: str
    status: Status
    waits_for: str | None
    decline: str | None
    script: Script
    resolves_at: float | None

    def as_json(self) -> dict[str, object]:
        """The payment as callers see it."""
        return {
            "id": self.id,
            "cart_id": self.cart_id,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
            "status": self.status.value,
            "waits_for": self.waits_for,
            "decline": self.decline,
        }


Outcome = dict[str, str]
"""The answer to a call: ``outcome``, and with it ``reason`` or ``waits_for``."""

APPROVED: Outcome = {"outcome": "approved"}
INVALID: Outcome = {"outcome": "invalid"}


@dataclass(frozen=True)
class Step:
    """What a call comes to.

    Attributes:
        becomes: None when nothing changes.
        entry: What the ledger notes of the change.
    """

    outcome: Outcome
    becomes: Status | None = None
    entry: Kind | None = None
    waits_for: str | None = None
    decline: str | None = None


_SPENT = (Status.CAPTURED, Status.REFUNDED)
_UNAUTHORIZED = (Status.CREATED, Status.APPROVED, Status.PENDING)
_REASONS = {
    Authorization.DECLINE: "declined",
    Authorization.INSUFFICIENT_FUNDS: "insufficient_funds",
    Authorization.EXPIRED: "expired",
}
_WAITS = {
    Authorization.PENDING_SHOPPER: "shopper",
    Authorization.PENDING_GATEWAY: "gateway",
}


def declined(reason: str) -> Outcome:
    """The answer no."""
    return {"outcome": "declined", "reason": reason}


def pending(waits_for: str) -> Outcome:
    """The answer not yet."""
    return {"outcome": "pending", "waits_for": waits_for}


def step(call: Call, payment: Payment, *, again: bool) -> Step:
    """What a call comes to now.

    Args:
        call: Any but ``look_up``, which changes nothing.
        payment: As it stands.
        again: The same call was made before under the same key, and had no final answer.
    """
    if call is Call.AUTHORIZE:
        return _authorize(payment, again=again)
    if call is Call.CAPTURE:
        return _capture(payment)
    if call is Call.VOID:
        return _void(payment)
    assert call is Call.REFUND, call
    if payment.status is Status.CAPTURED:
        return Step(APPROVED, Status.REFUNDED, Kind.REFUND)
    return Step(INVALID)


def _authorize(payment: Payment, *, again: bool) -> Step:
    if payment.status is Status.APPROVED:
        return _first_authorize(payment.script.authorize)
    if payment.status is Status.AUTHORIZED or (again and payment.status in _SPENT):
        return Step(APPROVED)
    if payment.status is Status.PENDING:
        return Step(pending(payment.waits_for or "gateway"))
    if payment.status is Status.DECLINED:
        return Step(declined(payment.decline or "declined"))
    return Step(INVALID)


def _first_authorize(scripted: Authorization) -> Step:
    waits_for = _WAITS.get(scripted)
    if waits_for is not None:
        return Step(pending(waits_for), Status.PENDING, waits_for=waits_for)
    reason = _REASONS.get(scripted)
    if reason is not None:
        return Step(declined(reason), Status.DECLINED, decline=reason)
    return Step(APPROVED, Status.AUTHORIZED, Kind.AUTHORIZE)


def _capture(payment: Payment) -> Step:
    if payment.status is not Status.AUTHORIZED:
        return Step(INVALID)
    if payment.script.capture is Capture.DECLINE:
        return Step(declined("declined"))
    return Step(APPROVED, Status.CAPTURED, Kind.CAPTURE)


def _void(payment: Payment) -> Step:
    if payment.status is Status.VOIDED:
        return Step(APPROVED)
    if payment.status is Status.AUTHORIZED:
        return Step(APPROVED, Status.VOIDED, Kind.VOID)
    if payment.status in _UNAUTHORIZED:
        return Step(APPROVED, Status.VOIDED, Kind.CANCEL)
    return Step(INVALID)


def act(does: Act, payment: Payment) -> Step | None:
    """What comes of what the shopper does; None when it does not fit."""
    if does is Act.APPROVE and payment.status is Status.CREATED:
        return Step(APPROVED, Status.APPROVED)
    if does is Act.AUTHENTICATE and payment.status is Status.PENDING:
        return Step(APPROVED, Status.AUTHORIZED, Kind.AUTHORIZE)
    if does is Act.DECLINE and payment.status in (Status.CREATED, Status.PENDING):
        return Step(declined("declined"), Status.DECLINED, decline="declined")
    return None
