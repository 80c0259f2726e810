"""What crosses Temporal: one model in, one model out, and the names on both sides.

Histories keep these for as long as they are retained: references and amounts, never people.
"""

import base64
import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from commerce.domain.cards import NoCardNumber, holds_card_number
from commerce.domain.carts import MAX_KEY_CHARS, CartId, Shopper
from commerce.domain.errors import Operation, Refusal
from commerce.domain.model import PRINTABLE, Message
from commerce.domain.money import Money
from commerce.domain.payments import MAX_PAYMENT_ID_CHARS, PaymentPending, WaitsFor

WORKFLOW_TYPE = "checkout"
ANSWER_UPDATE = "answer"
OUTCOME_QUERY = "outcome"
PAYMENT_CHANGED_SIGNAL = "payment_changed"
LATE_PAYMENT_TYPE = "late_payment"
SWEEP_TYPE = "sweep"
SWEEP_SCHEDULE_ID = "checkout-sweep"
DEFAULT_TASK_QUEUE = "checkout"

ABORT_UPDATE = "abort"
RETRY_UPDATE = "retry"
SKIP_UPDATE = "skip"
MARK_DONE_UPDATE = "mark_done"
EXTEND_HOLD_UPDATE = "extend_hold"
INCIDENTS_QUERY = "incidents"

SEARCH_ATTRIBUTES: Mapping[str, Literal["Keyword", "Int"]] = {
    "CheckoutStatus": "Keyword",
    "CheckoutReason": "Keyword",
    "CheckoutOrderNumber": "Keyword",
    "CheckoutOperation": "Keyword",
    "CheckoutStore": "Keyword",
    "CheckoutTotal": "Int",
    "CheckoutCurrency": "Keyword",
}
"""By name with their type, registered in the namespace before the first checkout; never personal.

The total is in minor units.
"""


class CheckoutStatus(StrEnum):
    """What the search attribute ``CheckoutStatus`` says of a run.

    An incident waits for an operator; so does a payment review, and both are tried again meanwhile.
    ``failed`` is a step that failed for good, with all undone: for a developer.
    """

    RUNNING = "running"
    PAYMENT_PENDING = "payment_pending"
    PAYMENT_REVIEW = "payment_review"
    INCIDENT = "incident"
    ORDERED = "ordered"
    REFUSED = "refused"
    FAILED = "failed"


ANOTHER_REQUEST = "AnotherRequestRuns"
"""Error type of an ``answer`` turned away: another request for the cart is under way."""

REFUSED_ENCODING = b"binary/refused"
"""The encoding of what a worker is handed for a payload that should have been encrypted."""

INVALID_INPUT = "InvalidInput"
"""Error type of a run, or an ``answer``, whose request the worker cannot read."""

IdempotencyKey = Annotated[
    str, Field(min_length=1, max_length=MAX_KEY_CHARS, pattern=r"^[!-~]+$"), NoCardNumber
]
PaymentId = Annotated[
    str, Field(max_length=MAX_PAYMENT_ID_CHARS, pattern=r"^[ -~]*$"), NoCardNumber
]


class UnreadablePayloadError(Exception):
    """A payload that a codec or converter cannot read; the message never repeats its content."""


def workflow_id(cart_id: str) -> str:
    """The id of a cart's checkout: a hash, for ids are never encrypted and cart ids are secrets."""
    digest = hashlib.sha256(cart_id.encode()).digest()
    return f"checkout-{base64.b32encode(digest).decode().lower()[:26]}"


class CheckoutRequest(Message):
    """One call for one cart.

    Attributes:
        store_code: The store the caller asked in; empty when it does not matter.
        payment_id: The payment at the gateway; empty for ``place_order``.
        expected_total: What the shopper was shown; another total is refused.
        idempotency_key: The key of this call and of each of its repeats.
        asked_at: When the call was first made; its repeats keep it.
    """

    operation: Operation
    cart_id: CartId = Field(repr=False)
    shopper: Shopper
    store_code: Annotated[str, Field(max_length=32, pattern=r"^[0-9A-Za-z_-]*$")] = ""
    payment_id: PaymentId = ""
    expected_total: Money | None = None
    idempotency_key: IdempotencyKey
    asked_at: AwareDatetime

    @property
    def fingerprint(self) -> str:
        """What is asked for, whatever the key: 32 hex characters."""
        asked = self.model_dump_json(exclude={"idempotency_key", "asked_at"})
        return hashlib.sha256(asked.encode()).hexdigest()[:32]


class OrderPlaced(Message):
    """The cart became this order.

    Attributes:
        token: Opens the order to a guest: ``keyVersion:cipher:base64``.
        paid_at_gateway: The money comes through the gateway.
    """

    kind: Literal["order"] = "order"
    order_number: str
    token: str = Field(repr=False)
    total: Money
    paid_at_gateway: bool = False


Outcome = Annotated[OrderPlaced | Refusal, Field(discriminator="kind")]


class Answer(Message):
    """An outcome, or what is waited for, and the fingerprint of the request that it answers."""

    fingerprint: str
    outcome: Annotated[OrderPlaced | Refusal | PaymentPending, Field(discriminator="kind")]


class KnownOutcome(Message):
    """What a run answers when asked how it stands; no outcome while it is under way."""

    operation: Operation
    outcome: Outcome | None
    waits_for: WaitsFor | None = None


class Checkout(Message):
    """One run of a checkout: what every step and every undo is called with.

    Attributes:
        id: ``<workflow id>/<first run id>``: the idempotency key of each of its effects.
    """

    id: str
    request: CheckoutRequest


class LockedCart(Message):
    """A cart that is locked for this checkout; amounts and counts only.

    Attributes:
        digest: SHA-256 of the snapshot that everything later is computed from.
        items: Units in the cart.
        lines: Lines in the cart.
        skus: Different products among them; 0 in a history from before it was counted.
        total: Grand total.
        payment_id: Of the payment chosen with an online method; None with the offline ones.
        reserved: Its stock is set aside, and its addresses and method are checked, as well: what
            is left is the payment at the gateway, if any. Else each has a step of its own.
        relayed: Its order will be announced by the outbox relay. Else by a step of its own.
    """

    kind: Literal["locked"] = "locked"
    digest: str
    store_code: str
    items: int
    lines: int
    skus: int = 0
    total: Money
    payment_id: str | None = None
    reserved: bool = False
    relayed: bool = False


class Extension(Message):
    """For how long the cart, and its stock unless that is gone, are now set aside, in seconds."""

    kind: Literal["extension"] = "extension"
    seconds: float
    held: bool = True


class SnapshotRef(Message):
    """A step's view of the cart: the checkout and the snapshot it was frozen to."""

    checkout: Checkout
    digest: str


class Undo(Message):
    """What an undo is called with: the run, and the refusal that its caller will get."""

    checkout: Checkout
    refusal: Refusal


class OtherRequest(Message):
    """Another request for the same cart, and the outcome that this run can give it."""

    request: CheckoutRequest
    outcome: Outcome


class PlacedOrder(Message):
    """An order and its checkout: what the steps after the answer are called with."""

    checkout: Checkout
    order_number: str
    total: Money | None = None


class Passed(Message):
    """A step that had nothing to object to."""

    kind: Literal["passed"] = "passed"


LockResult = Annotated[LockedCart | OrderPlaced | Refusal, Field(discriminator="kind")]
StepResult = Annotated[Passed | Refusal, Field(discriminator="kind")]
PaymentResult = Annotated[Passed | PaymentPending | Refusal, Field(discriminator="kind")]
ExtensionResult = Annotated[Extension | Refusal, Field(discriminator="kind")]


class PaymentNotice(Message):
    """A payment of a cart has changed at the gateway: what a ``late_payment`` run is about."""

    cart_id: CartId = Field(repr=False)
    payment_id: PaymentId


class Settled(Message):
    """What became of a payment.

    Attributes:
        gone: It was voided or refunded at the gateway, and its order is not paid.
    """

    what: str
    gone: bool = False


class OrderEvent(Message):
    """An order to be announced; told at least once, under one event id."""

    event_id: str
    order_number: str
    store_code: str
    total: Money


MAX_TEXT_CHARS = 500
OperatorText = Annotated[str, Field(max_length=MAX_TEXT_CHARS, pattern=PRINTABLE), NoCardNumber]


def _harmless(text: str) -> str:
    """As much of a text as an operator's may be."""
    shown = "".join(char if char.isprintable() else " " for char in text[:MAX_TEXT_CHARS])
    if holds_card_number(shown):
        return "".join("*" if char.isdigit() else char for char in shown)
    return shown


class Abort(Message):
    """An operator stops a checkout. From the Temporal UI the reason alone will do, as JSON text.

    That was once the only way, and any text would do: it still does, made harmless, for it stands
    in histories.
    """

    reason: OperatorText
    by: OperatorText = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return {"reason": _harmless(given)} if isinstance(given, str) else given


class StepAct(Message):
    """An operator acts on the incident of a step; to try it again, the step's name alone will do.

    Attributes:
        reason: Wanted for everything but another try.
    """

    step: Annotated[OperatorText, Field(min_length=1)]
    reason: OperatorText = ""
    by: OperatorText = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return {"step": given} if isinstance(given, str) else given


MAX_HOLD_MINUTES = 24 * 60


class ExtendHold(Message):
    """An operator keeps cart and stock for a pending payment; the minutes alone will do."""

    minutes: Annotated[int, Field(ge=1, le=MAX_HOLD_MINUTES)]
    by: OperatorText = ""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        return {"minutes": given} if isinstance(given, int) else given


class Incident(Message):
    """A step that only an operator can settle, though it is tried again now and then.

    Attributes:
        since: When the workflow gave up for the first time.
        tries: How often it was tried again since.
        why: The kind of the last failure, never its text.
        only_retry: Why nothing but another try settles it; empty when other ways do.
    """

    step: str
    since: AwareDatetime
    tries: int = 0
    why: str = ""
    only_retry: str = ""


class Incidents(Message):
    """What a run answers when asked for its open incidents."""

    open: tuple[Incident, ...] = ()


class DoneByHand(Message):
    """A step that an operator did by hand; the store is told, as the step would have told it.

    Attributes:
        checkout: None for a payment that no run has.
        order_number: Of the order, for the steps that follow it.
        notice: Of the payment that was settled, for that step.
    """

    step: str
    checkout: Checkout | None = None
    order_number: str = ""
    notice: PaymentNotice | None = None


class HoldExtended(Message):
    """Until when cart and stock are kept for a pending payment, at least."""

    until: AwareDatetime
