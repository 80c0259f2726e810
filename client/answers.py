"""What a call is answered with: the order, a refusal, or "not known yet"."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from commerce.contract import CheckoutRequest, OrderPlaced
from commerce.domain.errors import Category, Operation, Refusal, RefusalCode, RefusalReason
from commerce.domain.model import Model
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
    """

    operation: Operation
    code: RefusalCode | None
    reason: RefusalReason
    message: str
    category: Category
    retryable: bool
    shortage: Shortage | None = None
    order_number: str | None = None

    @classmethod
    def of(cls, refusal: Refusal, operation: Operation, cart_id: str) -> "Refused":
        """The refusal as a caller of this operation sees it."""
        return cls(
            operation=operation,
            code=refusal.code(operation),
            reason=refusal.reason,
            message=refusal.message(operation, cart_id),
            category=refusal.rule.category,
            retryable=refusal.rule.retryable,
            shortage=refusal.shortage,
            order_number=refusal.order_number,
        )


@dataclass(frozen=True)
class Pending:
    """The outcome was not known by the deadline; the checkout goes on.

    Await ``wait`` to ask again. After a restart, call with the same idempotency key instead.
    """

    operation: Operation
    cart_id: str = field(repr=False)
    idempotency_key: str
    _request: CheckoutRequest = field(repr=False)
    _ask: "Callable[[CheckoutRequest, timedelta], Awaitable[Answered]]" = field(
        repr=False, compare=False
    )

    async def wait(self, deadline: timedelta) -> "Answered":
        """Ask again under the same key; pending again if that is too short."""
        return await self._ask(self._request, deadline)


Answered = OrderPlaced | Refused | Pending
