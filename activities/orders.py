"""Creating the order and announcing it."""

from collections.abc import Callable

from temporalio import activity

from commerce.contract import OrderPlaced, Outcome, PlacedOrder, SnapshotRef
from commerce.domain.errors import RefusalReason, refuse
from commerce.ports import CartNotHeldError, OrderEvents, Orders


class OrderActivities:
    """Needs the orders port, a place to announce orders, and who does so beside the checkout."""

    def __init__(
        self, orders: Orders, events: OrderEvents, announce_soon: Callable[[str], None]
    ) -> None:
        self._orders = orders
        self._events = events
        self._announce_soon = announce_soon

    @activity.defn(name="create_order")
    def create_order(self, ref: SnapshotRef) -> Outcome:
        """Turn the locked cart into its order, in one transaction; the relay announces it.

        Idempotent by the cart, which becomes one order. Not undone: the order exists.
        """
        try:
            outcome = self._orders.create(ref.checkout, ref.digest)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)
        if isinstance(outcome, OrderPlaced):
            self._announce_soon(outcome.order_number)
        return outcome

    @activity.defn(name="announce_order")
    def announce_order(self, order: PlacedOrder) -> None:
        """Tell the world about the order, from the outbox, if the relay has not.

        Idempotent by the event id: told at least once. Needs no undo.
        """
        announce(self._orders, self._events, order.order_number)


def announce(orders: Orders, events: OrderEvents, order_number: str) -> None:
    """Tell the order's event, unless it has been told."""
    for event in orders.pending_events([order_number]):
        events.publish(event)
        orders.mark_announced([event.event_id])
