"""One table: how each step runs, how long and how often it is tried.

Local steps run inside the workflow's own task: right for a store call of a few milliseconds, and
several times cheaper. What may be slow or unsure (a gateway, a broker) is a regular activity, and
so is every undo, for operators to see it retry.
"""

from collections.abc import Callable
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


class StepError(ApplicationError):
    """A step did not succeed, however often it was tried."""

    def __init__(self, step: str) -> None:
        super().__init__(f"{step} did not succeed")
        self.step = step


@dataclass(frozen=True)
class Step(Generic[Arg, Result]):
    """A row of the table.

    Attributes:
        start_to_close: One attempt.
        retry: All attempts; without a maximum it is for as long as it takes.
    """

    activity: Callable[[Any, Arg], Result]
    local: bool
    start_to_close: timedelta
    retry: RetryPolicy

    @property
    def name(self) -> str:
        """The activity's name, as the Temporal UI shows it."""
        return self.activity.__name__

    async def run(self, arg: Arg, summary: str) -> Result:
        """Run the step to its end; ``summary`` stands beside it in the Temporal UI.

        Raises:
            StepError: No attempt succeeded in time, or the workflow stopped it.
        """
        execute = (
            workflow.execute_local_activity_method
            if self.local
            else workflow.execute_activity_method
        )
        try:
            return await execute(
                self.activity,
                arg,
                start_to_close_timeout=self.start_to_close,
                retry_policy=self.retry,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=summary,
            )
        except FailureError as error:  # a local activity's failure comes without an ActivityError
            raise StepError(self.name) from error


def _step(activity: Callable[[Any, Arg], Result], local: bool) -> Step[Arg, Result]:
    return Step(activity, local, timedelta(seconds=10), _RETRY)


def _for_ever(activity: Callable[[Any, Arg], Result], local: bool = False) -> Step[Arg, Result]:
    return Step(activity, local, timedelta(seconds=10), _PATIENT_RETRY)


LOCK_CART = _step(CartActivities.lock_cart, local=True)
HOLD_STOCK = _step(StockActivities.hold_stock, local=True)
VALIDATE_ADDRESSES = _step(AddressActivities.validate_addresses, local=True)
VERIFY_PAYMENT_METHOD = _step(PaymentActivities.verify_payment, local=True)
VERIFY_PAYMENT = _step(PaymentActivities.verify_payment, local=False)
CREATE_ORDER = _step(OrderActivities.create_order, local=True)
STORE_ANSWER = _for_ever(CartActivities.store_answer, local=True)
CAPTURE_PAYMENT = _for_ever(PaymentActivities.capture_payment)
ANNOUNCE_ORDER = _for_ever(OrderActivities.announce_order)
RELEASE_STOCK = _for_ever(StockActivities.release_stock)
UNLOCK_CART = _for_ever(CartActivities.unlock_cart)
