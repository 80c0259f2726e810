"""Stock and holds, set-based: one statement for all lines of a cart, rows locked in SKU order."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import BigInteger, ColumnElement, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database, run, run_later, run_many_later
from commerce.adapters.store.models import HoldLineRow, HoldRow, StockRow
from commerce.contract import Checkout
from commerce.domain.carts import CartSnapshot, CartView
from commerce.domain.errors import Refusal, out_of_stock
from commerce.domain.stock import HoldStatus, Shortage, demand, shortage
from commerce.ports import CartNotHeldError

EXPIRE_BATCH = 100
MAX_ROUNDS = 100
"""How often a checkout that is short looks again while others keep giving stock back."""

_STATUS = select(HoldRow.status).where(HoldRow.checkout_id == bindparam("this"))
_LOCK_STATUS = _STATUS.with_for_update()
_INSERT_LINES = insert(HoldLineRow)
_COMMIT = (
    update(HoldRow)
    .where(HoldRow.checkout_id == bindparam("this"), HoldRow.status == HoldStatus.HELD)
    .values(status=HoldStatus.COMMITTED)
    .returning(HoldRow.checkout_id)
)
_LOCK_AVAILABLE = (
    select(StockRow.sku, (StockRow.on_hand - StockRow.held).label("units"))
    .where(StockRow.sku.in_(bindparam("skus", expanding=True)), StockRow.managed)
    .order_by(StockRow.sku)
    .with_for_update()
)
_AVAILABLE = select(StockRow.on_hand - StockRow.held).where(
    StockRow.sku == bindparam("sku"), StockRow.managed
)
_LINES = HoldLineRow.checkout_id.in_(bindparam("these", expanding=True))
_LOCK_STOCK = (
    select(StockRow.sku)
    .where(StockRow.sku.in_(select(HoldLineRow.sku).where(_LINES)))
    .order_by(StockRow.sku)
    .with_for_update(of=StockRow)
)
_QUANTITY = (
    select(func.sum(HoldLineRow.quantity))
    .where(_LINES, HoldLineRow.sku == StockRow.sku)
    .scalar_subquery()
)
_MOVE = (
    update(StockRow)
    .where(StockRow.sku.in_(select(HoldLineRow.sku).where(_LINES)))
    .values(
        held=StockRow.held + bindparam("add_held", type_=BigInteger) * _QUANTITY,
        on_hand=StockRow.on_hand + bindparam("add_on_hand", type_=BigInteger) * _QUANTITY,
    )
)


class ShortError(Exception):
    """Rolls a transaction back in which something was short that may be there in another."""

    def __init__(self, short: Shortage) -> None:
        self.short = short


class SqlStock:
    """The stock port."""

    def __init__(self, database: Database, hold_ttl: timedelta) -> None:
        self._database = database
        self._hold_ttl = hold_ttl
        self._insert = (
            database.insert(HoldRow).on_conflict_do_nothing().returning(HoldRow.checkout_id)
        )

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
        """Run a transaction that takes stock, until no overdue hold is left that might help."""
        short: Shortage | None = None
        for _ in range(MAX_ROUNDS):
            try:
                with self._database.transaction() as tx:
                    attempt(tx)
                    return None
            except ShortError as error:
                short = error.short
            if not self.expire_overdue() and not self._enough(short):
                break
        assert short is not None
        return out_of_stock(short)

    def _enough(self, short: Shortage) -> bool:
        """Whether another checkout has given back meanwhile what was missing."""
        with self._database.looking() as tx:
            return self._is_enough(tx, short)

    def _is_enough(self, tx: Session, short: Shortage) -> bool:
        units = run(tx, _AVAILABLE, sku=short.sku).scalar_one_or_none()
        return units is None or units >= short.wanted

    def ensure_held(self, tx: Session, checkout: Checkout, wanted: Mapping[str, int]) -> None:
        """Set stock aside unless this checkout has it already.

        Raises:
            CartNotHeldError: This checkout's hold was released.
            ShortError: Something is short; roll back.
        """
        if self._open(tx, checkout.id, checkout.request.cart_id, HoldStatus.HELD):
            self._take(tx, checkout.id, wanted)
            return
        status = self._locked(tx, checkout.id)
        if status is HoldStatus.RELEASED:
            raise CartNotHeldError("the hold of this checkout was released")
        if status is HoldStatus.EXPIRED:
            tx.execute(delete(HoldLineRow).where(HoldLineRow.checkout_id == checkout.id))
            self._take(tx, checkout.id, wanted)
            tx.execute(
                update(HoldRow)
                .where(HoldRow.checkout_id == checkout.id)
                .values(status=HoldStatus.HELD, expires_at=self._database.now() + self._hold_ttl)
            )

    def short(self, tx: Session, wanted: Mapping[str, int], view: CartView) -> Refusal | None:
        """Out of stock, if a view that was read in this transaction says so.

        Raises:
            ShortError: So it is, but holds are past their time, or were ended since: roll back,
                and look again.
        """
        seen = {sku: view.products[sku].available for sku in wanted}
        short = shortage(wanted, {sku: units for sku, units in seen.items() if units is not None})
        if short is None:
            return None
        overdue = select(HoldRow.checkout_id).where(self._overdue()).limit(1)
        if tx.scalars(overdue).first() or self._is_enough(tx, short):
            raise ShortError(short)
        return out_of_stock(short)

    def was_released(self, tx: Session, checkout_id: str) -> bool:
        """Whether this checkout was undone."""
        return run(tx, _STATUS, this=checkout_id).scalar_one_or_none() is HoldStatus.RELEASED

    def extend(self, tx: Session, checkout_id: str) -> bool:
        """Hold for longer; False when the hold has expired.

        Raises:
            CartNotHeldError: This checkout's hold was released.
        """
        status = self._locked(tx, checkout_id)
        if status is HoldStatus.RELEASED:
            raise CartNotHeldError("the hold of this checkout was released")
        tx.execute(
            update(HoldRow)
            .where(HoldRow.checkout_id == checkout_id, HoldRow.status == HoldStatus.HELD)
            .values(expires_at=self._database.now() + self._hold_ttl)
        )
        return status is HoldStatus.HELD

    def release(self, checkout: Checkout) -> None:
        """Give back what this checkout holds, and refuse a late hold of it."""
        with self._database.transaction() as tx:
            self.end(tx, {checkout.id: checkout.request.cart_id})

    def end(self, tx: Session, carts: Mapping[str, str]) -> None:
        """Release the holds of checkouts, even those still to come.

        Args:
            carts: The cart of each checkout id.
        """
        for checkout_id in sorted(carts):
            self._open(tx, checkout_id, carts[checkout_id], HoldStatus.EXPIRED)
        ending = HoldRow.status.in_([HoldStatus.HELD, HoldStatus.EXPIRED])
        self._give_back(tx, list(carts), ending, HoldStatus.RELEASED)

    def expire_overdue(self) -> int:
        """Give back the stock of holds past their time; how many there were, a batch at most.

        Those that another transaction has just expired count too: there may be more of them.
        """
        overdue = self._overdue()
        with self._database.transaction() as tx:
            candidates = tx.scalars(
                select(HoldRow.checkout_id)
                .where(overdue)
                .order_by(HoldRow.expires_at)
                .limit(EXPIRE_BATCH)
            ).all()
            self._give_back(tx, candidates, overdue, HoldStatus.EXPIRED)
            return len(candidates)

    def _overdue(self) -> ColumnElement[bool]:
        now = self._database.now()
        return (HoldRow.status == HoldStatus.HELD) & (HoldRow.expires_at <= now)

    def end_newest(self, sku: str, units: int) -> None:
        """Expire the newest holds on a SKU until at most ``units`` are held, and let in no others.

        On hand are then ``units``, or what holds that came meanwhile still need.
        """
        with self._database.transaction() as tx:
            rows = tx.execute(
                select(HoldRow.checkout_id, HoldLineRow.quantity)
                .join(HoldLineRow, HoldLineRow.checkout_id == HoldRow.checkout_id)
                .where(HoldLineRow.sku == sku, HoldRow.status == HoldStatus.HELD)
                .order_by(HoldRow.created_at)
            ).all()
            kept, ended = 0, list[str]()
            for checkout_id, quantity in rows:
                kept += quantity
                if kept > units:
                    ended.append(checkout_id)
            held = HoldRow.status == HoldStatus.HELD
            self._give_back(tx, ended, held, HoldStatus.EXPIRED)
            row = tx.scalars(select(StockRow).where(StockRow.sku == sku).with_for_update()).one()
            left = min(row.on_hand, max(units, row.held))
            row.stocked += left - row.on_hand
            row.on_hand = left

    def _open(self, tx: Session, checkout_id: str, cart_id: str, status: HoldStatus) -> bool:
        """Make sure that the checkout has a row; True when it is new, and nothing set aside yet."""
        now = self._database.now()
        created = run(
            tx,
            self._insert,
            checkout_id=checkout_id,
            cart_id=cart_id,
            status=status,
            created_at=now,
            expires_at=now + self._hold_ttl if status is HoldStatus.HELD else now,
        )
        return created.scalar_one_or_none() is not None

    def _locked(self, tx: Session, checkout_id: str) -> HoldStatus:
        """The status of a hold, locked until the transaction ends."""
        return run(tx, _LOCK_STATUS, this=checkout_id).scalar_one()

    def _take(self, tx: Session, checkout_id: str, wanted: Mapping[str, int]) -> None:
        rows = run(tx, _LOCK_AVAILABLE, skus=list(wanted))
        available: dict[str, int] = {row.sku: row.units for row in rows}
        if short := shortage(wanted, available):
            raise ShortError(short)
        if available:
            run_many_later(
                tx,
                _INSERT_LINES,
                [
                    {"checkout_id": checkout_id, "sku": sku, "quantity": wanted[sku]}
                    for sku in available
                ],
            )
            self._move(tx, [checkout_id], held=1)

    def commit(self, tx: Session, checkout: Checkout) -> bool:
        """Turn this checkout's hold into a sale; False when it has expired.

        Whatever it is, ``take_sold`` is still to be called.
        """
        return run(tx, _COMMIT, this=checkout.id).scalar_one_or_none() is not None

    def take_sold(
        self, tx: Session, checkout: Checkout, wanted: Mapping[str, int], *, committed: bool
    ) -> None:
        """Take from stock what was sold; what had expired is set aside again first.

        Raises:
            CartNotHeldError: This checkout's hold was released.
            ShortError: It has expired, and something is short; roll back.
        """
        if not committed:
            self.ensure_held(tx, checkout, wanted)
            self.commit(tx, checkout)
        self._lock_stock(tx, [checkout.id])
        self._move(tx, [checkout.id], held=-1, on_hand=-1)

    def _give_back(
        self,
        tx: Session,
        checkout_ids: Sequence[str],
        which: ColumnElement[bool],
        status: HoldStatus,
    ) -> int:
        """End those of the holds to which ``which`` applies; how many there were.

        All holds are locked before any stock, and all stock in one order.
        """
        ending = tx.execute(
            select(HoldRow.checkout_id, HoldRow.status)
            .where(HoldRow.checkout_id.in_(checkout_ids), which)
            .order_by(HoldRow.checkout_id)
            .with_for_update()
        ).all()
        held = [checkout_id for checkout_id, before in ending if before is HoldStatus.HELD]
        if held:
            self._lock_stock(tx, held)
            self._move(tx, held, held=-1)
        tx.execute(
            update(HoldRow)
            .where(HoldRow.checkout_id.in_([checkout_id for checkout_id, _ in ending]))
            .values(status=status)
        )
        return len(ending)

    def _lock_stock(self, tx: Session, checkout_ids: Sequence[str]) -> None:
        run_later(tx, _LOCK_STOCK, these=checkout_ids)

    def _move(
        self, tx: Session, checkout_ids: Sequence[str], held: int = 0, on_hand: int = 0
    ) -> None:
        """Add the holds' quantities to the stock counters: once, minus once, or not at all."""
        run_later(tx, _MOVE, these=checkout_ids, add_held=held, add_on_hand=on_hand)
