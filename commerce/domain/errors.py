"""The one table of refusals: what can go wrong, and what the caller sees.

A refusal is a business "no": a value, never an exception. ``CATALOGUE`` below is the only place
where codes and messages stand; the client, the API and ``docs/errors.md`` are fed from it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from commerce.domain.addresses import AddressProblem
from commerce.domain.cards import holds_card_number
from commerce.domain.model import Message
from commerce.domain.payments import DeclineReason
from commerce.domain.stock import Shortage

QUOTED_ID_CHARS = 64


class Operation(StrEnum):
    """The two operations of the checkout."""

    PLACE_ORDER = "place_order"
    COMPLETE_ORDER = "complete_order"


class RefusalCode(StrEnum):
    """The documented codes of both operations."""

    CART_NOT_FOUND = "CART_NOT_FOUND"
    CART_NOT_ACTIVE = "CART_NOT_ACTIVE"
    GUEST_EMAIL_MISSING = "GUEST_EMAIL_MISSING"
    PAYMENT_ID_INVALID = "PAYMENT_ID_INVALID"
    UNABLE_TO_PLACE_ORDER = "UNABLE_TO_PLACE_ORDER"
    UNABLE_TO_COMPLETE_ORDER = "UNABLE_TO_COMPLETE_ORDER"
    UNDEFINED = "UNDEFINED"


class Category(StrEnum):
    """The error categories of the GraphQL transport."""

    INPUT = "graphql-input"
    AUTHORIZATION = "graphql-authorization"
    AUTHENTICATION = "graphql-authentication"
    NO_SUCH_ENTITY = "graphql-no-such-entity"
    ALREADY_EXISTS = "graphql-already-exists"


class RefusalReason(StrEnum):
    """Why, finer than the code. In the order in which they win; see ``CATALOGUE``."""

    CART_ID_MISSING = "CART_ID_MISSING"
    CART_NOT_FOUND = "CART_NOT_FOUND"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    CART_NOT_ACTIVE = "CART_NOT_ACTIVE"
    WRONG_STORE = "WRONG_STORE"
    NOT_CART_OWNER = "NOT_CART_OWNER"
    GUEST_CHECKOUT_DISABLED = "GUEST_CHECKOUT_DISABLED"
    GUEST_EMAIL_MISSING = "GUEST_EMAIL_MISSING"
    CART_EMPTY = "CART_EMPTY"
    PRODUCT_UNAVAILABLE = "PRODUCT_UNAVAILABLE"
    TOTAL_TOO_LARGE = "TOTAL_TOO_LARGE"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    SHIPPING_ADDRESS_MISSING = "SHIPPING_ADDRESS_MISSING"
    COUNTRY_NOT_ALLOWED = "COUNTRY_NOT_ALLOWED"
    SHIPPING_ADDRESS_INVALID = "SHIPPING_ADDRESS_INVALID"
    SHIPPING_METHOD_MISSING = "SHIPPING_METHOD_MISSING"
    BILLING_ADDRESS_INVALID = "BILLING_ADDRESS_INVALID"
    PAYMENT_METHOD_MISSING = "PAYMENT_METHOD_MISSING"
    PAYMENT_METHOD_UNAVAILABLE = "PAYMENT_METHOD_UNAVAILABLE"
    TOTAL_CHANGED = "TOTAL_CHANGED"
    PAYMENT_ID_INVALID = "PAYMENT_ID_INVALID"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    PAYMENT_EXPIRED = "PAYMENT_EXPIRED"
    CART_CHANGED = "CART_CHANGED"
    ABORTED = "ABORTED"
    SERVER_ERROR = "SERVER_ERROR"


@dataclass(frozen=True)
class Rule:
    """A row of the catalogue.

    Attributes:
        text: The documented message; ``{cart_id}`` is filled in. Rows with the code
            ``UNABLE_TO_PLACE_ORDER`` are prefixed, see ``message``.
        code: The code; None where the documentation gives none. The general code reads
            ``UNABLE_TO_COMPLETE_ORDER`` under ``completeOrder``, and stands for
            ``PAYMENT_ID_INVALID`` under ``placeOrder``, which has no such code.
        category: How the transport classifies it.
        retryable: Whether the same request may succeed later though the shopper changes nothing.
        source: Where the text stands: a row of the documentation, or "ours".
    """

    text: str
    code: RefusalCode | None
    source: str
    category: Category = Category.INPUT
    retryable: bool = False


_PLACE, _COMPLETE = "placeOrder page", "completeOrder page"
_ADOBE = "Adobe Commerce 2.4.9"
_C = RefusalCode
_R = RefusalReason
_UNABLE = RefusalCode.UNABLE_TO_PLACE_ORDER
_SERVER_ERROR = (
    "A server error stopped your order from being placed. Please try to place your order again"
)
_COUNTRY = "Some addresses can't be used due to the configurations for specific countries."
_OUT_OF_STOCK = "Some of the products are out of stock."

CATALOGUE: dict[RefusalReason, Rule] = {
    _R.CART_ID_MISSING: Rule('Required parameter "cart_id" is missing', None, _PLACE),
    _R.CART_NOT_FOUND: Rule('Could not find a cart with ID "{cart_id}"', _C.CART_NOT_FOUND, _ADOBE),
    _R.IDEMPOTENCY_KEY_REUSED: Rule(
        "The idempotency key was already used with another request.", None, "ours"
    ),
    _R.CART_NOT_ACTIVE: Rule("The cart isn't active.", _C.CART_NOT_ACTIVE, _ADOBE),
    _R.WRONG_STORE: Rule('Wrong store code specified for cart "{cart_id}"', _C.UNDEFINED, _ADOBE),
    _R.NOT_CART_OWNER: Rule(
        'The current user cannot perform operations on cart "{cart_id}"',
        None,
        _PLACE,
        Category.AUTHORIZATION,
    ),
    _R.GUEST_CHECKOUT_DISABLED: Rule(
        "Guest checkout is not allowed. Register a customer account or login with existing one.",
        None,
        _ADOBE,
        Category.AUTHORIZATION,
    ),
    _R.GUEST_EMAIL_MISSING: Rule(
        "Guest email for cart is missing.", _C.GUEST_EMAIL_MISSING, _PLACE
    ),
    _R.CART_EMPTY: Rule(_SERVER_ERROR, _UNABLE, _PLACE),
    _R.PRODUCT_UNAVAILABLE: Rule(_OUT_OF_STOCK, _UNABLE, _PLACE),
    _R.TOTAL_TOO_LARGE: Rule(_SERVER_ERROR, _UNABLE, _PLACE),
    _R.OUT_OF_STOCK: Rule(_OUT_OF_STOCK, _UNABLE, _PLACE, retryable=True),
    _R.INSUFFICIENT_STOCK: Rule(
        "The requested qty is not available", _UNABLE, "Adobe Commerce 2.4.6", retryable=True
    ),
    _R.SHIPPING_ADDRESS_MISSING: Rule(_COUNTRY, _UNABLE, _PLACE),
    _R.COUNTRY_NOT_ALLOWED: Rule(_COUNTRY, _UNABLE, _PLACE),
    _R.SHIPPING_ADDRESS_INVALID: Rule(
        "Please check the shipping address information.", _UNABLE, "ours, after the billing text"
    ),
    _R.SHIPPING_METHOD_MISSING: Rule(
        "The shipping method is missing. Select the shipping method and try again.", _UNABLE, _PLACE
    ),
    _R.BILLING_ADDRESS_INVALID: Rule(
        "Please check the billing address information.", _UNABLE, _PLACE
    ),
    _R.PAYMENT_METHOD_MISSING: Rule("Enter a valid payment method and try again.", _UNABLE, _PLACE),
    _R.PAYMENT_METHOD_UNAVAILABLE: Rule(
        "The requested Payment Method is not available.", _UNABLE, _ADOBE
    ),
    _R.TOTAL_CHANGED: Rule(
        "The cart total has changed. Review the cart and try again.", _UNABLE, "ours"
    ),
    _R.PAYMENT_ID_INVALID: Rule(
        "The provided payment or transaction ID is invalid.", _C.PAYMENT_ID_INVALID, _COMPLETE
    ),
    _R.PAYMENT_DECLINED: Rule(
        "The payment was declined. Choose another way to pay and try again.", _UNABLE, "ours"
    ),
    _R.PAYMENT_EXPIRED: Rule(
        "The payment was not completed in time and is void. Pay again to order.", _UNABLE, "ours"
    ),
    _R.CART_CHANGED: Rule(_SERVER_ERROR, _UNABLE, _PLACE, retryable=True),
    _R.ABORTED: Rule(_SERVER_ERROR, _UNABLE, _PLACE, retryable=True),
    _R.SERVER_ERROR: Rule(_SERVER_ERROR, _UNABLE, _PLACE, retryable=True),
}

_PREFIX = {
    Operation.PLACE_ORDER: "Unable to place order: ",
    Operation.COMPLETE_ORDER: "Unable to complete order: ",
}


class Refusal(Message):
    """A business "no", as data: the message is made from the catalogue where it is shown.

    Attributes:
        shortage: The line that is short, for the stock reasons.
        problems: The fields in the way, for the address reasons.
        order_number: The order this cart already became, told to its owner only.
        decline: Why the gateway declined, for that reason.
        pay_again: The payment was given up: repeating the request does not help.
    """

    kind: Literal["refusal"] = "refusal"
    reason: RefusalReason
    shortage: Shortage | None = None
    problems: tuple[AddressProblem, ...] = ()
    order_number: str | None = None
    decline: DeclineReason | None = None
    pay_again: bool = False

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later though the shopper changes nothing."""
        return self.rule.retryable and not self.pay_again

    @property
    def rule(self) -> Rule:
        """This refusal's row of the catalogue."""
        return CATALOGUE[self.reason]

    def code(self, operation: Operation) -> RefusalCode | None:
        """The documented code under this operation, None for the uncoded refusals."""
        code = self.rule.code
        if operation is Operation.COMPLETE_ORDER and code in (_UNABLE, RefusalCode.UNDEFINED):
            return RefusalCode.UNABLE_TO_COMPLETE_ORDER
        if operation is Operation.PLACE_ORDER and code is RefusalCode.PAYMENT_ID_INVALID:
            return _UNABLE
        return code

    def message(self, operation: Operation, cart_id: str) -> str:
        """The documented message under this operation."""
        named = "(a card number)" if holds_card_number(cart_id) else quoted(cart_id)
        text = self.rule.text.replace("{cart_id}", named)
        for problem in self.problems:
            verb = "required" if problem.missing else "invalid"
            text += f' "{problem.field}" is {verb}. Enter and try again.'
        is_general = _UNABLE in (self.rule.code, self.code(operation))
        return (_PREFIX[operation] if is_general else "") + text


def quoted(text: str) -> str:
    """What a caller sent, fit for a message: short, and without control characters."""
    shown = "".join(char if char.isprintable() else "?" for char in text[:QUOTED_ID_CHARS])
    return shown + ("…" if len(text) > QUOTED_ID_CHARS else "")


def refuse(reason: RefusalReason) -> Refusal:
    """A refusal that needs no more than its reason."""
    return Refusal(reason=reason)


def out_of_stock(shortage: Shortage) -> Refusal:
    """Nothing left, or too few: the two documented texts."""
    some_left = shortage.available > 0
    reason = _R.INSUFFICIENT_STOCK if some_left else _R.OUT_OF_STOCK
    return Refusal(reason=reason, shortage=shortage)


def declined(reason: DeclineReason) -> Refusal:
    """The gateway declined the payment."""
    return Refusal(reason=_R.PAYMENT_DECLINED, decline=reason)
