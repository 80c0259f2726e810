"""Erasure: who a person was is taken out of the store; what was sold, when and for how much stays.

Every cart of theirs, a guest's as well, gets a pseudonym for its customer: nobody opens it again,
and a checkout of it that comes late is known by it and writes nothing (``is_erased``).
"""

import secrets
import unicodedata
from collections.abc import Iterable

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.cart_rows import ERASED, locked_row
from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import AnswerRow, CartRow, CustomerCartRow, OrderRow
from commerce.domain.addresses import Address
from commerce.domain.carts import CartStatus
from commerce.domain.model import Model

_ROWS_AT_A_TIME = 1000
_TABLES = ((CartRow, CartRow.id), (OrderRow, OrderRow.cart_id))


class Erased(Model):
    """What was done; nothing is found a second time.

    Attributes:
        answers: Idempotency keys: a call repeated under one of them is a new call.
        customers: Other customers whose carts the e-mail address was in: they may be the same
            person, and the rest of their data is still there.
        guests: Carts and orders of guests, still there, with an e-mail address that was erased:
            they may be the same person's.
        under_way: Carts that were left alone, because a checkout has locked them.
        rewritten: Whether no remnant is left in the free space of the database file. PostgreSQL
            clears its own by vacuuming.
    """

    carts: int
    orders: int
    answers: int
    customers: tuple[str, ...]
    guests: tuple[int, int]
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
        address = {_folded(email)} - {""}
        with self._database.transaction(streams=True) as tx:
            ids = _who_gave(tx, address)
            pointers = _lock_pointers(tx, customer_id, ids)  # before carts, as everybody does
            ids |= _of_customer(tx, customer_id)
            rows, under_way = self._lock_carts(tx, sorted(ids))
            orders = list(
                tx.scalars(select(OrderRow).where(OrderRow.cart_id.in_([row.id for row in rows])))
            )
            customers = {row.customer_id for row in rows if row.customer_id} - {customer_id}
            given = {_folded(each.email) for each in (*rows, *orders) if each.email}
            guests = _guests(tx, _who_gave(tx, given - address) - ids)
            pseudonym = f"{ERASED}{secrets.token_hex(8)}"
            for row in rows:
                _clear_cart(row, pseudonym)
            for order in orders:
                _clear_order(order, pseudonym)
            erased = {row.id for row in rows}
            for pointer in pointers:
                if pointer.cart_id in erased or not under_way:
                    tx.delete(pointer)
            answers = _rename_keys(tx, erased)
        return Erased(
            carts=len(rows),
            orders=len(orders),
            answers=answers,
            customers=tuple(sorted(customers)),
            guests=guests,
            under_way=tuple(under_way),
            rewritten=self._database.rewrite(),
        )

    def _lock_carts(self, tx: Session, ids: Iterable[str]) -> tuple[list[CartRow], list[str]]:
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


def _folded(email: str) -> str:
    """Without capitals, accents written in one way: databases do that for ASCII at best."""
    return unicodedata.normalize("NFC", email).lower()


def _who_gave(tx: Session, addresses: set[str]) -> set[str]:
    """The ids of the carts with one of these e-mail addresses in them or in their orders."""
    found: set[str] = set()
    for table, cart_id in _TABLES if addresses else ():
        every = select(cart_id, table.email).where(table.email.is_not(None))
        rows = tx.execute(every.execution_options(yield_per=_ROWS_AT_A_TIME))
        found.update(each for each, email in rows if email and _folded(email) in addresses)
    return found


def _of_customer(tx: Session, customer_id: str) -> set[str]:
    found: set[str] = set()
    for table, cart_id in _TABLES if customer_id else ():
        found.update(tx.scalars(select(cart_id).where(table.customer_id == customer_id)))
    return found


def _lock_pointers(tx: Session, customer_id: str, cart_ids: Iterable[str]) -> list[CustomerCartRow]:
    """Which carts the customer, and whoever else has one of these, fills."""
    mine = CustomerCartRow.customer_id == customer_id
    which = (
        select(CustomerCartRow)
        .where(or_(mine, CustomerCartRow.cart_id.in_(cart_ids)))
        .order_by(CustomerCartRow.customer_id, CustomerCartRow.store_code)
    )
    return list(tx.scalars(which.with_for_update()))


def _guests(tx: Session, cart_ids: Iterable[str]) -> tuple[int, int]:
    """How many of the carts, and of their orders, are guests'."""
    carts, orders = (
        tx.scalars(
            select(func.count())
            .select_from(table)
            .where(cart_id.in_(cart_ids), table.customer_id.is_(None))
        ).one()
        for table, cart_id in _TABLES
    )
    return carts, orders


def _clear_cart(row: CartRow, pseudonym: str) -> None:
    if row.locked_by is not None:  # by a checkout that is past its time
        row.status = CartStatus.ACTIVE
        row.locked_by = row.lock_expires_at = None
    row.snapshot = row.snapshot_digest = None
    row.email = row.shipping_address = row.billing_address = None
    row.purchase_order_number = ""
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
    """A fingerprint is of who asked for what: it could be guessed."""
    which = select(AnswerRow.idempotency_key).where(AnswerRow.cart_id.in_(cart_ids))
    keys = tx.scalars(which).all()
    for key in keys:
        tx.execute(
            update(AnswerRow)
            .where(AnswerRow.idempotency_key == key)
            .values(
                idempotency_key=f"{ERASED}{secrets.token_hex(16)}",
                fingerprint=secrets.token_hex(16),
            )
        )
    return len(keys)
