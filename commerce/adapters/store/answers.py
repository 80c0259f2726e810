"""Idempotency records: one answer per key, for as long as the store lives."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import AnswerRow, OrderRow
from commerce.contract import CheckoutRequest, OrderPlaced, Outcome
from commerce.domain.errors import RefusalReason, refuse
from commerce.domain.money import Money
from commerce.ports import OrderTokens


class Answers:
    """Claims keys and keeps what was answered under them; every call is part of a transaction."""

    def __init__(self, database: Database, tokens: OrderTokens) -> None:
        self._database = database
        self._tokens = tokens

    def claim(self, tx: Session, request: CheckoutRequest) -> Outcome | None:
        """Claim the request's key; the outcome when there is nothing left to do for it.

        Returns:
            None when the key is now, or was already, claimed by this very request.
        """
        claimed = tx.execute(
            self._database.insert(AnswerRow)
            .values(
                idempotency_key=request.idempotency_key,
                cart_id=request.cart_id,
                fingerprint=request.fingerprint,
                created_at=self._database.now(),
            )
            .on_conflict_do_nothing()
            .returning(AnswerRow.idempotency_key)
        ).scalar_one_or_none()
        return None if claimed else self.stored(tx, request)

    def stored(self, tx: Session, request: CheckoutRequest) -> Outcome | None:
        """What was answered under the request's key, if anything."""
        row = tx.get(AnswerRow, request.idempotency_key)
        if row is None:
            return None
        if row.fingerprint != request.fingerprint:
            return refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        if row.order_number:
            return self.placed(tx.get_one(OrderRow, row.order_number))
        return row.refusal

    def store(self, tx: Session, request: CheckoutRequest, outcome: Outcome) -> None:
        """Store the outcome under a key that this request has claimed."""
        values = (
            {"order_number": outcome.order_number}
            if isinstance(outcome, OrderPlaced)
            else {"refusal": outcome}
        )
        tx.execute(
            update(AnswerRow)
            .where(
                AnswerRow.idempotency_key == request.idempotency_key,
                AnswerRow.fingerprint == request.fingerprint,
                AnswerRow.order_number.is_(None),
                AnswerRow.refusal.is_(None),
            )
            .values(values)
        )

    def placed(self, order: OrderRow) -> OrderPlaced:
        """The answer that an order is."""
        return OrderPlaced(
            order_number=order.number,
            token=self._tokens.seal(order.number),
            total=Money(amount_minor=order.grand_total_minor, currency=order.currency),
        )
