"""What a checkout is compared with: the least that Temporal can do, and the obvious saga.

The sandbox imports this module again for each run: it stays as lean as the checkout's own.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.addresses import AddressActivities
    from activities.carts import CartActivities
    from activities.orders import OrderActivities
    from activities.payments import PaymentActivities
    from activities.stock import StockActivities
    from commerce.contract import (
        Checkout,
        CheckoutRequest,
        LockedCart,
        OrderPlaced,
        Passed,
        PlacedOrder,
        SnapshotRef,
    )

FLOOR = "bench_floor"
FLOOR_UPDATE = "answer"
NAIVE = "bench_naive_saga"
"""Names of the workflow types, and of the task queues that they are served on."""

STEP_TIMEOUT = timedelta(seconds=30)

Arg = TypeVar("Arg")
Result = TypeVar("Result")
_Activity = Callable[[Any, Arg], Awaitable[Result]] | Callable[[Any, Arg], Result]


@workflow.defn(name=FLOOR)
class Floor:
    """Answers its update and ends: no step, no search attribute, nothing shown."""

    @workflow.init
    def __init__(self, cart_id: str) -> None:
        self._answered = False

    @workflow.run
    async def run(self, cart_id: str) -> None:
        """End with the first answer, which comes with the first task."""
        await workflow.wait_condition(lambda: self._answered)
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update(name=FLOOR_UPDATE)
    async def answer(self, cart_id: str) -> str:
        """As much as an order number."""
        self._answered = True
        return "000000001"


@workflow.defn(name=NAIVE)
class NaiveSaga:
    """The checkout's steps by an offline method, one regular activity after the other.

    It undoes nothing, and its caller waits for its end.
    """

    @workflow.run
    async def run(self, request: CheckoutRequest) -> OrderPlaced:
        """Turn the cart into its order.

        Raises:
            ApplicationError: A step refused; none is expected to.
        """
        info = workflow.info()
        checkout = Checkout(id=f"{info.workflow_id}/{info.run_id}", request=request)
        locked = _wanted(LockedCart, await _step(CartActivities.lock_cart, checkout))
        cart = SnapshotRef(checkout=checkout, digest=locked.digest)
        _wanted(Passed, await _step(StockActivities.hold_stock, cart))
        _wanted(Passed, await _step(AddressActivities.validate_addresses, cart))
        _wanted(Passed, await _step(PaymentActivities.verify_payment, cart))
        placed = _wanted(OrderPlaced, await _step(OrderActivities.create_order, cart))
        order = PlacedOrder(checkout=checkout, order_number=placed.order_number, total=placed.total)
        await _step(OrderActivities.announce_order, order)
        return placed


async def _step(activity: _Activity[Arg, Result], arg: Arg) -> Result:
    execute: Any = workflow.execute_activity_method
    return await execute(activity, arg, start_to_close_timeout=STEP_TIMEOUT)


def _wanted(kind: type[Result], result: object) -> Result:
    if not isinstance(result, kind):
        raise ApplicationError(f"a step answered {result!r}", non_retryable=True)
    return result
