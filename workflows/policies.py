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
from temporalio.exceptions import ApplicationError, FailureError, TimeoutError  # noqa: A004

with workflow.unsafe.imports_passed_through():
    from activities.addresses import AddressActivities
    from activities.carts import CartActivities
    from activities.operators import OperatorActivities
    from activities.orders import OrderActivities
    from activities.payments import PaymentActivities
    from activities.stock import StockActivities
    from activities.sweep import SweepActivities
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
    maximum_interval=timedelta(seconds=15),
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


INCIDENT_AFTER = timedelta(minutes=2)
"""A step that must be done becomes an incident when it has failed for so long."""

FIRST_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(hours=1)
"""How long after that it is tried again, doubling; an operator makes it at once."""

FIRST_REVIEW = timedelta(hours=1)
LAST_REVIEW = timedelta(days=1)
"""How often an order in payment review is looked at, doubling; a webhook makes it at once."""

MOST_TOLD_PENDING = 200

PAYMENT_GROUP = "payment"
UNDO_GROUP = "undo"
"""Bands of the timeline in the Temporal UI."""


class StepError(ApplicationError):
    """A step did not succeed, however often it was tried.

    Attributes:
        why: The type of the last failure; its text may hold anything.
    """

    def __init__(self, step: str, why: str = "") -> None:
        super().__init__(f"{step} did not succeed")
        self.step = step
        self.why = why

    @property
    def told(self) -> str:
        """The reason, to be put behind a sentence."""
        return f" ({self.why})" if self.why else ""


@dataclass(frozen=True)
class Step(Generic[Arg, Result]):
    """A row of the table.

    Attributes:
        start_to_close: One attempt; a gateway step's is room for two calls and the store.
        retry: All attempts; without a maximum it is for as long as it takes.
        schedule_to_close: All attempts of a regular activity together; None is for ever.
        group: The band of the timeline in which the Temporal UI draws it.
    """

    activity: Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result]
    local: bool
    start_to_close: timedelta
    retry: RetryPolicy
    schedule_to_close: timedelta | None = None
    group: str = ""

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
        groups = [workflow.create_event_group(self.group)] if self.group else None
        try:
            return await execute(
                self.activity,
                arg,
                start_to_close_timeout=self.start_to_close,
                schedule_to_close_timeout=self.schedule_to_close,
                retry_policy=self.retry,
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                summary=summary,
                event_groups=groups,
            )
        except FailureError as error:  # a local activity's failure comes without an ActivityError
            raise StepError(self.name, _why(error)) from error


def _why(error: FailureError) -> str:
    """The type of what an activity failed by, wherever it stands in the chain."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError):
            return cause.type or ""
        if isinstance(cause, TimeoutError) and cause.__cause__ is None and cause.type is not None:
            return f"timed out: {cause.type.name.lower()}"
        cause = cause.__cause__
    return ""


_Activity = Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result]


def _local(activity: _Activity[Arg, Result], group: str = "") -> Step[Arg, Result]:
    return Step(activity, True, timedelta(seconds=10), _RETRY, group=group)


def _local_for_ever(activity: _Activity[Arg, Result]) -> Step[Arg, Result]:
    return Step(activity, True, timedelta(seconds=10), _PATIENT_RETRY)


def _regular(
    activity: _Activity[Arg, Result], retry: RetryPolicy, in_all: timedelta, group: str = ""
) -> Step[Arg, Result]:
    return Step(activity, False, timedelta(seconds=10), retry, in_all, group)


def _must_be_done(activity: _Activity[Arg, Result], group: str = "") -> Step[Arg, Result]:
    """Run through ``OpenIncidents``: it ends when it is done, or settled by an operator."""
    return _regular(activity, _PATIENT_RETRY, INCIDENT_AFTER, group)


LOCK_CART = _local(CartActivities.lock_cart)
HOLD_STOCK = _local(StockActivities.hold_stock)
VALIDATE_ADDRESSES = _local(AddressActivities.validate_addresses)
VERIFY_PAYMENT_METHOD = _local(PaymentActivities.verify_payment, PAYMENT_GROUP)
VERIFY_PAYMENT = _regular(
    PaymentActivities.verify_payment, _RETRY, timedelta(minutes=1), PAYMENT_GROUP
)
ASK_FOR_PAYMENT = _regular(
    PaymentActivities.verify_payment, _RETRY, timedelta(seconds=30), PAYMENT_GROUP
)
EXTEND_HOLD = _local(CartActivities.extend_hold, PAYMENT_GROUP)
CREATE_ORDER = _local(OrderActivities.create_order)
NOTE_REQUEST = _local_for_ever(CartActivities.note_request)
STORE_ANSWER = _local_for_ever(CartActivities.store_answer)
CAPTURE_PAYMENT = _must_be_done(PaymentActivities.capture_payment, PAYMENT_GROUP)
SETTLE_PAYMENT = _must_be_done(PaymentActivities.settle_payment, PAYMENT_GROUP)
REVIEW_PAYMENT = _must_be_done(PaymentActivities.review_payment, PAYMENT_GROUP)
ANNOUNCE_ORDER = _must_be_done(OrderActivities.announce_order)
VOID_PAYMENT = _must_be_done(PaymentActivities.void_payment, UNDO_GROUP)
RELEASE_STOCK = _must_be_done(StockActivities.release_stock, UNDO_GROUP)
UNLOCK_CART = _must_be_done(CartActivities.unlock_cart, UNDO_GROUP)
MARK_DONE = _regular(OperatorActivities.mark_done, _RETRY, timedelta(minutes=1))


def _sweeping(activity: _Activity[Arg, Result]) -> Step[Arg, Result]:
    """Room for a batch; what is not done in a minute the next sweep does."""
    return Step(activity, False, timedelta(seconds=20), _RETRY, timedelta(minutes=1))


LOOK_FOR_LEFTOVERS = _sweeping(SweepActivities.look_for_leftovers)
EXPIRE_HOLDS = _sweeping(SweepActivities.expire_holds)
TELL_LEFTOVER_PAYMENTS = _sweeping(SweepActivities.tell_leftover_payments)
ANNOUNCE_LEFTOVER_ORDERS = _sweeping(SweepActivities.announce_leftover_orders)
