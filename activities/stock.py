"""Holding and releasing stock."""

from temporalio import activity

from commerce.contract import Passed, SnapshotRef, StepResult, Undo
from commerce.domain.errors import RefusalReason, refuse
from commerce.ports import CartNotHeldError, Carts, Stock


class StockActivities:
    """Needs the carts and stock ports."""

    def __init__(self, carts: Carts, stock: Stock) -> None:
        self._carts = carts
        self._stock = stock

    @activity.defn(name="hold_stock")
    def hold_stock(self, ref: SnapshotRef) -> StepResult:
        """Set aside every line of the cart or nothing; the hold expires by itself.

        Idempotent by the checkout id of the hold. Undone by ``release_stock``.
        """
        try:
            snapshot = self._carts.snapshot(ref.checkout, ref.digest)
            return self._stock.hold(ref.checkout, snapshot) or Passed()
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)

    @activity.defn(name="release_stock")
    def release_stock(self, undo: Undo) -> None:
        """Give the held stock back; a hold of this run that comes late is refused.

        Idempotent by the checkout id of the hold. Undoes ``hold_stock``.
        """
        self._stock.release(undo.checkout)
