"""What checkouts leave behind when they are terminated: holds, payments, events."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import HoldRow, OrderRow, OutboxRow, PaymentClaimRow
from commerce.domain.leftovers import FoundLeftovers, OpenPayment, UnannouncedOrder
from commerce.domain.payments import ClaimStatus
from commerce.domain.stock import HoldStatus

_SWEPT = (ClaimStatus.CLAIMED, ClaimStatus.GIVEN_UP)
"""A payment that was let go is the shopper's own."""


class SqlLeftovers:
    """The leftovers port; ages and pauses are by the store's clock."""

    def __init__(self, database: Database, stock: SqlStock) -> None:
        self._database = database
        self._stock = stock

    def count(self, older_than: timedelta, most: int) -> FoundLeftovers:
        """What there is to do for a sweep, each counted up to ``most``."""
        now = self._database.now()
        overdue = select(HoldRow.checkout_id).where(
            HoldRow.status == HoldStatus.HELD, HoldRow.expires_at <= now
        )
        unsettled = select(PaymentClaimRow.checkout_id).where(*_open(), PaymentClaimRow.told > 0)
        with self._database.reading() as tx:
            return FoundLeftovers(
                holds=_count(tx, overdue, most),
                payments=_count(tx, self._due(older_than), most),
                orders=_count(tx, self._unannounced(older_than), most),
                unsettled=_count(tx, unsettled, most),
            )

    def expire_overdue(self) -> int:
        """Give back the stock of holds past their time, a batch of them; 0 when none is left."""
        return self._stock.expire_overdue()

    def payments(self, older_than: timedelta, most: int) -> list[OpenPayment]:
        """Payments that are not settled and are to be looked at, longest due first."""
        due = func.coalesce(PaymentClaimRow.look_at, PaymentClaimRow.created_at)
        with self._database.reading() as tx:
            rows = tx.scalars(self._due(older_than).order_by(due).limit(most)).all()
        return [
            OpenPayment(
                checkout_id=row.checkout_id,
                cart_id=row.cart_id,
                payment_id=row.payment_id,
                told=row.told,
            )
            for row in rows
            if row.payment_id
        ]

    def look_again(
        self, payments: Iterable[OpenPayment], after: timedelta, *, told: bool = False
    ) -> None:
        """Look at these payments again later; ``told`` when somebody now sees to them."""
        with self._database.transaction() as tx:
            tx.execute(
                update(PaymentClaimRow)
                .where(PaymentClaimRow.checkout_id.in_([each.checkout_id for each in payments]))
                .values(look_at=self._database.now() + after, told=PaymentClaimRow.told + int(told))
                .execution_options(synchronize_session=False)
            )

    def unannounced(
        self, older_than: timedelta, most: int, skip: int = 0
    ) -> list[UnannouncedOrder]:
        """Orders whose event has not been told, oldest first, but for the first ``skip``."""
        oldest_first = OutboxRow.created_at, OrderRow.number
        query = self._unannounced(older_than).order_by(*oldest_first).offset(skip).limit(most)
        with self._database.reading() as tx:
            rows = tx.execute(query).all()
        return [UnannouncedOrder(order_number=row[0], checkout_id=row[1]) for row in rows]

    def _due(self, older_than: timedelta) -> Select[PaymentClaimRow]:
        now = self._database.now()
        return select(PaymentClaimRow).where(
            *_open(),
            PaymentClaimRow.created_at <= now - older_than,
            or_(PaymentClaimRow.look_at.is_(None), PaymentClaimRow.look_at <= now),
        )

    def _unannounced(self, older_than: timedelta) -> Select[str, str]:
        return (
            select(OrderRow.number, OrderRow.checkout_id)
            .join(OutboxRow, OutboxRow.order_number == OrderRow.number)
            .where(
                OutboxRow.announced_at.is_(None),
                OutboxRow.created_at <= self._database.now() - older_than,
            )
        )


def _open() -> list[Any]:
    return [
        PaymentClaimRow.settled_at.is_(None),
        PaymentClaimRow.status.in_(_SWEPT),
        PaymentClaimRow.payment_id.is_not(None),
    ]


def _count(tx: Session, query: Select[*tuple[Any, ...]], most: int) -> int:
    return int(tx.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0)
