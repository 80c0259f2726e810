"""Stock and holds, set-based: one statement for all lines of a cart, rows locked in SKU order."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import ScalarSelect, delete, insert, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import HoldLineRow, HoldRow, StockRow
from commerce.contract import Checkout
from commerce.domain.carts import CartSnapshot
from commerce.domain.errors import Refusal, out_of_stock
from commerce.domain.stock import HoldStatus, Shortage, demand, shortage
from commerce.ports import CartNotHeldError

EXPIRE_BATCH = 100


class _ShortError(Exception):
    """Rolls a transaction back in which something was short."""

    def __init__(self, short: Shortage) -> None:
        self.short = short


class SqlStock:
    """The stock port."""

    def __init__(self, database: Database, hold_ttl: timedelta) -> None:
        self._database = database
        self._hold_ttl = hold_ttl

    def hold(self, checkout: Checkout, snapshot: CartSnapshot) -> Refusal | None:
        """Set aside every line of the snapshot, or nothing.

        Raises:
            CartNotHeldError: This checkout's hold was already released.
        """
        wanted = demand(snapshot.lines)

        def attempt(tx: Session) -> None:
            self.ensure_held(tx, checkout, wanted)

        return self.unless_short(attempt)

    def unless_short(self, attempt: Callable[[Session], None]) -> Refusal | None:
        """Run a transaction that takes stock; when short, once more after overdue holds expire."""
        for last in (False, True):
            try:
                with self._database.transaction() as tx:
                    attempt(tx)
                    return None
            except _ShortError as error:
                if last or not self.expire_overdue():
                    return out_of_stock(error.short)
        raise AssertionError("the second attempt decides")

    def ensure_held(self, tx: Session, checkout: Checkout, wanted: Mapping[str, int]) -> None:
        """Set stock aside unless this checkout has it already.

        Raises:
            CartNotHeldError: This checkout's hold was released.
            _ShortError: Something is short; roll back.
        """
        fresh = self._open(tx, checkout.id, checkout.request.cart_id)
        status = HoldStatus.EXPIRED if fresh else self._locked(tx, checkout.id)
        if status is HoldStatus.RELEASED:
            raise CartNotHeldError("the hold of this checkout was released")
        if status is HoldStatus.EXPIRED:
            self._take(tx, checkout.id, wanted, fresh)

    def release(self, checkout: Checkout) -> None:
        """Give back what this checkout holds, and refuse a late hold of it."""
        with self._database.transaction() as tx:
            self.end(tx, checkout.id, checkout.request.cart_id)

    def end(self, tx: Session, checkout_id: str, cart_id: str) -> None:
        """Release the hold of a checkout, even one that is still to come."""
        self._open(tx, checkout_id, cart_id)
        self._give_back(tx, checkout_id, HoldStatus.RELEASED)

    def expire_overdue(self) -> int:
        """Give back the stock of holds past their time; how many there were."""
        with self._database.transaction() as tx:
            overdue = tx.scalars(
                select(HoldRow.checkout_id)
                .where(
                    HoldRow.status == HoldStatus.HELD, HoldRow.expires_at <= self._database.now()
                )
                .order_by(HoldRow.expires_at)
                .limit(EXPIRE_BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            for checkout_id in sorted(overdue):
                self._give_back(tx, checkout_id, HoldStatus.EXPIRED)
            return len(overdue)

    def end_newest(self, sku: str, units: int) -> None:
        """Expire the newest holds on a SKU until at most ``units`` are held."""
        with self._database.transaction() as tx:
            rows = tx.execute(
                select(HoldRow.checkout_id, HoldLineRow.quantity)
                .join(HoldLineRow, HoldLineRow.checkout_id == HoldRow.checkout_id)
                .where(HoldLineRow.sku == sku, HoldRow.status == HoldStatus.HELD)
                .order_by(HoldRow.created_at)
            ).all()
            kept = 0
            for checkout_id, quantity in rows:
                kept += quantity
                if kept > units:
                    self._give_back(tx, checkout_id, HoldStatus.EXPIRED)

    def _open(self, tx: Session, checkout_id: str, cart_id: str) -> bool:
        """Make sure that the checkout has a row; True when it is new, and nothing set aside yet."""
        now = self._database.now()
        created = tx.execute(
            self._database.insert(HoldRow)
            .values(
                checkout_id=checkout_id,
                cart_id=cart_id,
                status=HoldStatus.EXPIRED,
                created_at=now,
                expires_at=now,
            )
            .on_conflict_do_nothing()
            .returning(HoldRow.checkout_id)
        ).scalar_one_or_none()
        return created is not None

    def _locked(self, tx: Session, checkout_id: str) -> HoldStatus:
        """The status of a hold, locked until the transaction ends."""
        return tx.scalars(
            select(HoldRow.status).where(HoldRow.checkout_id == checkout_id).with_for_update()
        ).one()

    def _take(self, tx: Session, checkout_id: str, wanted: Mapping[str, int], fresh: bool) -> None:
        rows = tx.execute(
            select(StockRow.sku, (StockRow.on_hand - StockRow.held).label("units"))
            .where(StockRow.sku.in_(wanted), StockRow.managed)
            .order_by(StockRow.sku)
            .with_for_update()
        )
        available = {row.sku: row.units for row in rows}
        if short := shortage(wanted, available):
            raise _ShortError(short)
        if not fresh:
            tx.execute(delete(HoldLineRow).where(HoldLineRow.checkout_id == checkout_id))
        if available:
            tx.execute(
                insert(HoldLineRow),
                [
                    {"checkout_id": checkout_id, "sku": sku, "quantity": wanted[sku]}
                    for sku in available
                ],
            )
            self._move(tx, checkout_id, held=1)
        tx.execute(
            update(HoldRow)
            .where(HoldRow.checkout_id == checkout_id)
            .values(status=HoldStatus.HELD, expires_at=self._database.now() + self._hold_ttl)
        )

    def commit(self, tx: Session, checkout_id: str) -> None:
        """Turn a held hold into a sale."""
        self._lock_stock(tx, checkout_id)
        tx.execute(
            update(HoldRow)
            .where(HoldRow.checkout_id == checkout_id)
            .values(status=HoldStatus.COMMITTED)
        )
        self._move(tx, checkout_id, held=-1, on_hand=-1)

    def _give_back(self, tx: Session, checkout_id: str, status: HoldStatus) -> None:
        """End a hold; its stock goes back if it still had any. A sale stays a sale."""
        before = self._locked(tx, checkout_id)
        if before is HoldStatus.COMMITTED:
            return
        if before is HoldStatus.HELD:
            self._lock_stock(tx, checkout_id)
            self._move(tx, checkout_id, held=-1)
        tx.execute(update(HoldRow).where(HoldRow.checkout_id == checkout_id).values(status=status))

    def _lock_stock(self, tx: Session, checkout_id: str) -> None:
        tx.execute(
            select(StockRow.sku)
            .join(HoldLineRow, HoldLineRow.sku == StockRow.sku)
            .where(HoldLineRow.checkout_id == checkout_id)
            .order_by(StockRow.sku)
            .with_for_update(of=StockRow)
        ).all()

    def _move(self, tx: Session, checkout_id: str, held: int = 0, on_hand: int = 0) -> None:
        """Add the hold's quantities to the stock counters: once, minus once, or not at all."""
        line = select(HoldLineRow.quantity).where(
            HoldLineRow.checkout_id == checkout_id, HoldLineRow.sku == StockRow.sku
        )
        quantity: ScalarSelect[int] = line.scalar_subquery()
        tx.execute(
            update(StockRow)
            .where(
                StockRow.sku.in_(
                    select(HoldLineRow.sku).where(HoldLineRow.checkout_id == checkout_id)
                )
            )
            .values(
                held=StockRow.held + held * quantity, on_hand=StockRow.on_hand + on_hand * quantity
            )
            .execution_options(synchronize_session=False)
        )
