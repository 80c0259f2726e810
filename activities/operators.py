"""What an operator did by hand, noted where the step would have noted it."""

from temporalio import activity

from commerce.contract import DoneByHand
from commerce.ports import Orders, PaymentClaims


class OperatorActivities:
    """Needs the orders and payment claims ports."""

    def __init__(self, orders: Orders, claims: PaymentClaims) -> None:
        self._orders = orders
        self._claims = claims

    @activity.defn(name="mark_done")
    def mark_done(self, done: DoneByHand) -> None:
        """Take the operator's word for it: the order is announced or paid, the payment settled.

        Stock and carts that were given back by hand need no note: the store itself was changed.
        The payment of an order is not settled by a word: the next sweep asks the gateway, where
        money may still be set aside though the order was paid otherwise.

        Idempotent by what it notes. Needs no undo.
        """
        match done.step:
            case "announce_order":
                events = self._orders.pending_events([done.order_number])
                self._orders.mark_announced([event.event_id for event in events])
            case "capture_payment":
                self._orders.mark_captured(done.order_number, by_hand=True)
            case "void_payment" if done.checkout:
                self._settle(self._claims.give_up(done.checkout))
            case "settle_payment" if done.notice:
                if self._claims.abandon(done.notice.payment_id, done.notice.cart_id):
                    self._settle(done.notice.payment_id)
            case _:
                pass

    def _settle(self, payment_id: str | None) -> None:
        if payment_id:
            self._claims.mark_settled(payment_id)
