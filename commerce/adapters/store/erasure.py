"""Erasure: who a person was is taken out of the store; what was sold, when and for how much stays.

A customer's id becomes a pseudonym, never nothing: a cart without a customer is a guest's, and
opens to whoever knows its id.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, false, func, or_, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.cart_rows import locked_row
from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import AnswerRow, CartRow, CustomerCartRow, OrderRow
from commerce.domain.addresses import Address
from commerce.domain.carts import CartStatus
from commerce.domain.model import Model

PREFIX = "erased-"
"""Of what stands in the place of customers' ids and of idempotency keys, which may tell a name."""


class Erased(Model):
    """What was done; nothing is found a second time.

    Attributes:
        answers: Idempotency keys: a call repeated under one of them is a new call.
        customers: Other customers whose carts the e-mail address was in: they may be the same
            person, and the rest of their data is still there.
        under_way: Carts that were left alone, because a checkout has locked them.
        rewritten: Whether no remnant is left in the free space of the database file. PostgreSQL
            clears its own by vacuuming.
    """

    carts: int
    orders: int
    answers: int
    customers: tuple[str, ...]
    under_way: tuple[str, ...]
    rewritten: bool


class SqlErasure:
    """Erases people."""

    def __init__(self, database: Database, stock: SqlStock) -> None:
        self._database = database
        self._stock = stock

    def erase(self, customer_id: str = "", email: str = "") -> Erased:
        """Erase a customer, or whoever gave an e-mail address, or both; may be repeated.

        E-mail, names, addresses (but for the country), telephone, purchase order number, customer
        id and idempotency keys go; lines, amounts, numbers, times and payment references stay.
        """
        with self._database.transaction() as tx:
            mine = CustomerCartRow.customer_id == customer_id
            tx.scalars(select(CustomerCartRow).where(mine).with_for_update()).all()  # before carts
            rows, under_way = self._lock_carts(tx, _carts_of(tx, customer_id, email))
            customers = {row.customer_id for row in rows if row.customer_id} - {customer_id}
            pseudonym = f"{PREFIX}{secrets.token_hex(8)}"
            for row in rows:
                _clear_cart(row, pseudonym)
            ids = [row.id for row in rows]
            orders = list(tx.scalars(select(OrderRow).where(OrderRow.cart_id.in_(ids))))
            for order in orders:
                _clear_order(order, pseudonym)
            of_these = CustomerCartRow.cart_id.in_(ids)
            which = of_these if under_way else or_(of_these, mine)
            tx.execute(delete(CustomerCartRow).where(which))
            answers = _rename_keys(tx, ids)
        return Erased(
            carts=len(rows),
            orders=len(orders),
            answers=answers,
            customers=tuple(sorted(each for each in customers if not each.startswith(PREFIX))),
            under_way=tuple(under_way),
            rewritten=self._database.rewrite(),
        )

    def _lock_carts(self, tx: Session, ids: Sequence[str]) -> tuple[list[CartRow], list[str]]:
        """The carts that can be erased, and the ids of those that a checkout works on."""
        now = self._database.now()
        rows: list[CartRow] = []
        under_way: list[str] = []
        for cart_id in ids:
            row = locked_row(tx, cart_id)
            assert row is not None, "carts are never deleted"
            if row.lock_expires_at is not None and row.lock_expires_at > now:
                under_way.append(cart_id)
            else:
                rows.append(row)
        self._stock.end(tx, {row.locked_by: row.id for row in rows if row.locked_by is not None})
        return rows, under_way


def _carts_of(tx: Session, customer_id: str, email: str) -> list[str]:
    """In the order of their ids, in which everybody locks them."""
    found: set[str] = set()
    for table, cart_id in ((CartRow, CartRow.id), (OrderRow, OrderRow.cart_id)):
        of_person = or_(
            table.customer_id == customer_id if customer_id else false(),
            _is_email(table.email, email) if email else false(),
        )
        found.update(tx.scalars(select(cart_id).where(of_person)))
    return sorted(found)


def _is_email(column: Any, email: str) -> ColumnElement[bool]:
    """Whichever way it was capitalized; SQLite knows only ASCII's capitals."""
    return or_(column == email, func.lower(column) == email.lower())


def _clear_cart(row: CartRow, pseudonym: str) -> None:
    if row.locked_by is not None:  # by a checkout that is past its time
        row.status = CartStatus.ACTIVE
        row.locked_by = row.lock_expires_at = None
    row.snapshot = row.snapshot_digest = None
    row.email = row.shipping_address = row.billing_address = None
    row.purchase_order_number = ""
    if row.customer_id is not None:
        row.customer_id = pseudonym


def _clear_order(order: OrderRow, pseudonym: str) -> None:
    order.email = None
    order.billing_address = _country_of(order.billing_address)
    if order.shipping_address is not None:
        order.shipping_address = _country_of(order.shipping_address)
    order.purchase_order_number = ""
    if order.customer_id is not None:
        order.customer_id = pseudonym


def _country_of(address: Address) -> Address:
    return Address(country_code=address.country_code)


def _rename_keys(tx: Session, cart_ids: Iterable[str]) -> int:
    keys = tx.scalars(
        select(AnswerRow.idempotency_key).where(
            AnswerRow.cart_id.in_(cart_ids), ~AnswerRow.idempotency_key.startswith(PREFIX)
        )
    ).all()
    for key in keys:
        tx.execute(
            update(AnswerRow)
            .where(AnswerRow.idempotency_key == key)
            .values(idempotency_key=f"{PREFIX}{secrets.token_hex(16)}")
        )
    return len(keys)
