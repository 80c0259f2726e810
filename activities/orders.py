"""Creating the order and announcing it."""

from temporalio import activity

from commerce.contract import Outcome, PlacedOrder, SnapshotRef
from commerce.domain.errors import RefusalReason, refuse
from commerce.ports import CartNotHeldError, OrderEvents, Orders


class OrderActivities:
    """Needs the orders port and a place to announce orders."""

    def __init__(self, orders: Orders, events: OrderEvents) -> None:
        self._orders = orders
        self._events = events

    @activity.defn(name="create_order")
    def create_order(self, ref: SnapshotRef) -> Outcome:
        """Turn the locked cart into its order, in one transaction.

        Idempotent by the cart, which becomes one order. Not undone: the order exists.
        """
        try:
            return self._orders.create(ref.checkout, ref.digest)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)

    @activity.defn(name="announce_order")
    def announce_order(self, order: PlacedOrder) -> None:
        """Tell the world about the order, from the outbox.

        Idempotent by the event id: told at least once. Needs no undo.
        """
        announce(self._orders, self._events, order.order_number)


def announce(orders: Orders, events: OrderEvents, order_number: str) -> None:
    """Tell the order's event, unless it has been told."""
    event = orders.pending_event(order_number)
    if event:
        events.publish(event)
        orders.mark_announced(event.event_id)
