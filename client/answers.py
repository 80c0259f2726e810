"""What a call is answered with: the order, a refusal, or "not known yet"."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from commerce.contract import CheckoutRequest, OrderPlaced
from commerce.domain.errors import Category, Operation, Refusal, RefusalCode, RefusalReason
from commerce.domain.model import Model
from commerce.domain.payments import DeclineReason, WaitsFor
from commerce.domain.stock import Shortage


class Refused(Model):
    """A documented "no"; nothing is held and nothing is charged.

    Attributes:
        code: The documented code; None for the refusals that have none.
        reason: Finer than the code.
        message: The documented message.
        category: The error category of the GraphQL transport.
        retryable: Whether the same call may succeed later though the shopper changes nothing.
        shortage: The line that is short, for the stock reasons.
        order_number: The order that this cart already became.
        decline: Why the gateway declined the payment.
    """

    operation: Operation
    code: RefusalCode | None
    reason: RefusalReason
    message: str
    category: Category
    retryable: bool
    shortage: Shortage | None = None
    order_number: str | None = None
    decline: DeclineReason | None = None

    @classmethod
    def of(cls, refusal: Refusal, operation: Operation, cart_id: str) -> "Refused":
        """The refusal as a caller of this operation sees it."""
        return cls(
            operation=operation,
            code=refusal.code(operation),
            reason=refusal.reason,
            message=refusal.message(operation, cart_id),
            category=refusal.rule.category,
            retryable=refusal.retryable,
            shortage=refusal.shortage,
            order_number=refusal.order_number,
            decline=refusal.decline,
        )


@dataclass(frozen=True)
class Pending:
    """The outcome is not known yet; the checkout goes on.

    Await ``wait`` to ask again. After a restart, call with the same idempotency key instead.

    Attributes:
        waits_for: Whose turn it is while the payment is pending at the gateway; None when the
            deadline came first.
    """

    operation: Operation
    cart_id: str = field(repr=False)
    idempotency_key: str
    waits_for: WaitsFor | None
    _request: CheckoutRequest = field(repr=False)
    _ask: "Callable[[CheckoutRequest, timedelta], Awaitable[Answered]]" = field(
        repr=False, compare=False
    )

    async def wait(self, deadline: timedelta) -> "Answered":
        """Wait for the outcome under the same key; pending again if that is too short."""
        return await self._ask(self._request, deadline)


Answered = OrderPlaced | Refused | Pending
