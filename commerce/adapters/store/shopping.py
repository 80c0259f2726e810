"""Carts as shoppers fill them: made, shown, changed, merged."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.cart_rows import (
    fill,
    locked_row,
    number_lines,
    read_view,
    write_lines,
)
from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import CartRow, CustomerCartRow, StoreRow
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import Cart, CartStatus, CartView
from commerce.domain.money import Money
from commerce.ports import Change, Join

_OPEN = (CartStatus.ACTIVE, CartStatus.LOCKED)


class SqlShopping:
    """The shopping port."""

    def __init__(self, database: Database, stock: SqlStock) -> None:
        self._database = database
        self._stock = stock

    def create(self, cart: Cart) -> None:
        """Make an empty cart.

        Raises:
            CartEditError: The id is taken.
        """
        with self._database.transaction() as tx:
            if not self._insert(tx, cart):
                raise CartEditError(CartProblem.CART_ID_TAKEN, cart.id)

    def view(self, cart_id: str, skus: Iterable[str] = ()) -> CartView | None:
        """A cart as it stands, with the products in it and those of ``skus`` that exist."""
        with self._database.reading() as tx:
            found = tx.execute(
                select(CartRow, StoreRow)
                .join(StoreRow, CartRow.store_code == StoreRow.code)
                .where(CartRow.id == cart_id)
            ).one_or_none()
            if found is None:
                return None
            row, store_row = found
            return read_view(tx, row, store_row, self._database.now(), skus)

    def edit(self, cart_id: str, change: Change, skus: Iterable[str] = ()) -> CartView:
        """Change a cart, in one transaction; nothing is written if ``change`` raises.

        Args:
            cart_id: The cart.
            change: Makes the new cart of the view of the old one; decides whether it may.
            skus: Products that the view must show though they are not in the cart yet.

        Raises:
            CartEditError: No such cart, or what ``change`` raises.
        """
        with self._database.transaction() as tx:
            now, (row,) = self._locked(tx, cart_id)
            before = self._view(tx, row, now, skus)
            return self._write(tx, row, before, change(before))

    def show_total(self, cart_id: str, total: Money) -> None:
        """Note the grand total that a shopper was shown: an order over another is refused."""
        with self._database.transaction() as tx:
            unlocked = CartRow.lock_expires_at.is_(None)
            expired = CartRow.lock_expires_at <= self._database.now()
            tx.execute(
                update(CartRow)
                .where(CartRow.id == cart_id, CartRow.status.in_(_OPEN), unlocked | expired)
                .values(shown_total=total)
            )

    # -- customers --------------------------------------------------------------------------

    def of_customer(self, customer_id: str, store_code: str, new: Cart) -> str:
        """The id of the one cart that a customer fills in a store.

        Args:
            customer_id: The customer.
            store_code: The store.
            new: Made theirs if they have none.

        Raises:
            CartEditError: They have none, and the id of the new one is taken.
        """
        with self._database.transaction() as tx:
            mine = self._customer_cart(tx, customer_id, store_code)
            if mine.cart_id is None:
                if not self._insert(tx, new):
                    raise CartEditError(CartProblem.CART_ID_TAKEN, new.id)
                mine.cart_id = new.id
            tx.flush()
            return mine.cart_id

    def merge(self, source_id: str, destination_id: str, join: Join) -> CartView:
        """Merge a cart into another: the source ends.

        Args:
            source_id: The cart that ends.
            destination_id: The cart that stays.
            join: Makes the new destination of both; decides whether it may.

        Raises:
            CartEditError: No such cart, or what ``join`` raises.
        """
        with self._database.transaction() as tx:
            return self._merge(tx, source_id, destination_id, join)

    def assign(self, cart_id: str, customer_id: str, join: Join, change: Change) -> CartView:
        """Make a guest's cart the customer's own; what they filled before goes into it.

        Args:
            cart_id: The guest's cart.
            customer_id: The customer.
            join: As for ``merge``: called if the customer has a cart.
            change: As for ``edit``: called if not.

        Raises:
            CartEditError: No such cart, or what ``join`` or ``change`` raises.
        """
        with self._database.transaction() as tx:
            which = select(CartRow.store_code).where(CartRow.id == cart_id)
            store_code = tx.scalars(which).one_or_none()
            if store_code is None:
                raise CartEditError(CartProblem.CART_NOT_FOUND, cart_id)
            mine = self._customer_cart(tx, customer_id, store_code)
            if mine.cart_id is None or mine.cart_id == cart_id:
                now, (row,) = self._locked(tx, cart_id)
                before = self._view(tx, row, now)
                view = self._write(tx, row, before, change(before))
            else:
                view = self._merge(tx, mine.cart_id, cart_id, join)
            mine.cart_id = cart_id
            tx.flush()
            return view

    def _customer_cart(self, tx: Session, customer_id: str, store_code: str) -> CustomerCartRow:
        """The customer's row, locked; without a cart if theirs is an order or was merged."""
        key = {"customer_id": customer_id, "store_code": store_code}
        tx.execute(self._database.insert(CustomerCartRow).values(key).on_conflict_do_nothing())
        mine = tx.get_one(CustomerCartRow, key, with_for_update=True)
        theirs = (CartRow.customer_id == customer_id) & (CartRow.store_code == store_code)
        if mine.cart_id is not None:
            mine.cart_id = self._newest(tx, theirs & (CartRow.id == mine.cart_id))
        if mine.cart_id is None:
            mine.cart_id = self._newest(tx, theirs)
        return mine

    def _newest(self, tx: Session, which: ColumnElement[bool]) -> str | None:
        return tx.scalars(
            select(CartRow.id)
            .where(which, CartRow.status.in_(_OPEN))
            .order_by(CartRow.updated_at.desc(), CartRow.id)
            .limit(1)
        ).one_or_none()

    # -- rows -------------------------------------------------------------------------------

    def _insert(self, tx: Session, cart: Cart) -> bool:
        now = self._database.now()
        made = tx.execute(
            self._database.insert(CartRow)
            .values(
                id=cart.id,
                store_code=cart.store_code,
                customer_id=cart.customer_id,
                email=cart.email,
                purchase_order_number="",
                status=CartStatus.ACTIVE,
                created_at=now,
                updated_at=now,
            )
            .on_conflict_do_nothing()
            .returning(CartRow.id)
        ).scalar_one_or_none()
        return made is not None

    def _locked(self, tx: Session, *cart_ids: str) -> tuple[datetime, list[CartRow]]:
        """The rows of carts, nobody else's until the transaction ends; expired holds are ended.

        So the views show what they held as available. All carts are locked before any hold, and
        all holds at once: in the order in which everybody locks them.

        Returns:
            The time as of which the locks of checkouts are judged, and the rows. It was read when
            there was nothing left to wait for, and is the view's as well: a lock that ran out
            between two readings would be passed over without ending its hold.
        """
        rows: dict[str, CartRow] = {}
        for cart_id in sorted(cart_ids):
            row = locked_row(tx, cart_id)
            if row is None:
                raise CartEditError(CartProblem.CART_NOT_FOUND, cart_id)
            rows[cart_id] = row
        now = self._database.now()
        expired = {
            row.locked_by: row.id
            for row in rows.values()
            if row.locked_by and row.lock_expires_at and row.lock_expires_at <= now
        }
        if expired:
            self._stock.end(tx, expired)
        return now, [rows[cart_id] for cart_id in cart_ids]

    def _view(self, tx: Session, row: CartRow, now: datetime, skus: Iterable[str] = ()) -> CartView:
        store_row = tx.get_one(StoreRow, row.store_code)
        return read_view(tx, row, store_row, now, skus)

    def _write(self, tx: Session, row: CartRow, before: CartView, cart: Cart) -> CartView:
        """Write a changed cart. The shopper knows what changed with it, and nothing else.

        So the total that they were shown moves with the change, unless it was another already.
        """
        assert before.status is CartStatus.ACTIVE, "the change would have been refused"
        shown = before.cart.shown_total
        as_shown = shown is not None and shown == before.total()
        if as_shown:
            shown = before.model_copy(update={"cart": cart}).total()
        lines = number_lines(row, cart.lines)
        cart = cart.model_copy(update={"lines": lines, "shown_total": shown})
        fill(row, cart, self._database.now())
        if lines != before.cart.lines:
            write_lines(tx, {row.id: lines})
        tx.flush()
        return before.model_copy(update={"cart": cart})

    def _merge(self, tx: Session, source_id: str, destination_id: str, join: Join) -> CartView:
        now, (source, destination) = self._locked(tx, source_id, destination_id)
        from_view, before = self._view(tx, source, now), self._view(tx, destination, now)
        merged = join(from_view, before)
        assert from_view.status is CartStatus.ACTIVE, "the merge would have been refused"
        known = before.model_copy(update={"products": {**from_view.products, **before.products}})
        view = self._write(tx, destination, known, merged)
        fill(source, from_view.cart, self._database.now())
        source.status = CartStatus.MERGED
        tx.flush()
        return view
