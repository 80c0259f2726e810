"""One table: how each step runs, how long and how often it is tried.

Local steps run inside the workflow's own task: right for a store call of a few milliseconds, and
several times cheaper. What may be slow or unsure (a gateway, a broker) is a regular activity, and
so is every undo, for operators to see it retry.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.addresses import AddressActivities
    from activities.carts import CartActivities
    from activities.orders import OrderActivities
    from activities.payments import PaymentActivities
    from activities.stock import StockActivities
    from commerce.domain.payments import WaitsFor

Arg = TypeVar("Arg")
Result = TypeVar("Result")

_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=5),
    maximum_attempts=18,  # a minute; the SDK never ends a retried local activity by its time limit
)
_PATIENT_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
)
_DAYS_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=30),
)

PAYMENT_WAIT_LIMITS = {
    WaitsFor.SHOPPER: timedelta(minutes=15),
    WaitsFor.GATEWAY: timedelta(days=3),
}
"""After so long a payment that is still pending is voided, and the checkout refused."""

HOLD_LIMIT = timedelta(days=1)
"""For so long cart and stock are kept for a pending payment; then it has to find some left."""

UNKNOWN_HOLD_S = 120.0
"""When the store could not extend a hold, it is asked again after half of this."""

FIRST_ASK = timedelta(seconds=15)
LAST_ASK = timedelta(hours=1)
"""How often the gateway is asked for a pending payment, doubling; a webhook makes it at once."""


FIRST_REVIEW = timedelta(hours=1)
LAST_REVIEW = timedelta(days=1)
"""How often an order in payment review is looked at, doubling; a webhook makes it at once."""

MOST_TOLD_PENDING = 200


class StepError(ApplicationError):
    """A step did not succeed, however often it was tried."""

    def __init__(self, step: str) -> None:
        super().__init__(f"{step} did not succeed")
        self.step = step


@dataclass(frozen=True)
class Step(Generic[Arg, Result]):
    """A row of the table.

    Attributes:
        start_to_close: One attempt; a gateway step's is room for two calls and the store.
        retry: All attempts; without a maximum it is for as long as it takes.
        schedule_to_close: All attempts of a regular activity together; None is for ever.
    """

    activity: Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result]
    local: bool
    start_to_close: timedelta
    retry: RetryPolicy
    schedule_to_close: timedelta | None = None

    @property
    def name(self) -> str:
        """The activity's name, as the Temporal UI shows it."""
        return self.activity.__name__

    async def run(self, arg: Arg, summary: str) -> Result:
        """Run the step to its end; ``summary`` stands beside it in the Temporal UI.

        Raises:
            StepError: No attempt succeeded in time, or the workflow stopped it.
        """
        execute: Any = (
            workflow.execute_local_activity_method
            if self.local
            else workflow.execute_activity_method
        )
        try:
            return await execute(
                self.activity,
                arg,
                start_to_close_timeout=self.start_to_close,
                schedule_to_close_timeout=self.schedule_to_close,
                retry_policy=self.retry,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=summary,
            )
        except FailureError as error:  # a local activity's failure comes without an ActivityError
            raise StepError(self.name) from error


def _step(
    activity: Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result], local: bool
) -> Step[Arg, Result]:
    return Step(activity, local, timedelta(seconds=10), _RETRY)


def _for_ever(
    activity: Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result],
    local: bool = False,
) -> Step[Arg, Result]:
    return Step(activity, local, timedelta(seconds=10), _PATIENT_RETRY)


def _at_gateway(
    activity: Callable[[Any, Arg], Awaitable[Result]], retry: RetryPolicy, in_all: timedelta
) -> Step[Arg, Result]:
    return Step(activity, False, timedelta(seconds=10), retry, in_all)


LOCK_CART = _step(CartActivities.lock_cart, local=True)
HOLD_STOCK = _step(StockActivities.hold_stock, local=True)
VALIDATE_ADDRESSES = _step(AddressActivities.validate_addresses, local=True)
VERIFY_PAYMENT_METHOD = _step(PaymentActivities.verify_payment, local=True)
VERIFY_PAYMENT = _at_gateway(PaymentActivities.verify_payment, _RETRY, timedelta(minutes=1))
ASK_FOR_PAYMENT = _at_gateway(PaymentActivities.verify_payment, _RETRY, timedelta(seconds=30))
EXTEND_HOLD = _step(CartActivities.extend_hold, local=True)
CREATE_ORDER = _step(OrderActivities.create_order, local=True)
NOTE_REQUEST = _for_ever(CartActivities.note_request, local=True)
STORE_ANSWER = _for_ever(CartActivities.store_answer, local=True)
CAPTURE_PAYMENT = _at_gateway(PaymentActivities.capture_payment, _DAYS_RETRY, timedelta(days=3))
SETTLE_PAYMENT = _at_gateway(PaymentActivities.settle_payment, _DAYS_RETRY, timedelta(days=3))
REVIEW_PAYMENT = _for_ever(PaymentActivities.review_payment)
ANNOUNCE_ORDER = _for_ever(OrderActivities.announce_order)
VOID_PAYMENT = _for_ever(PaymentActivities.void_payment)
RELEASE_STOCK = _for_ever(StockActivities.release_stock)
UNLOCK_CART = _for_ever(CartActivities.unlock_cart)
