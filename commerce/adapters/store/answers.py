"""Idempotency records: one answer per key, for as long as the store lives."""

from datetime import datetime
from typing import Any

from sqlalchemy import Update, bindparam, update
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database, run, run_later
from commerce.adapters.store.models import AnswerRow, OrderRow
from commerce.contract import Checkout, CheckoutRequest, OrderPlaced, Outcome
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.ports import OrderTokens

_UNANSWERED = AnswerRow.order_number.is_(None) & AnswerRow.refusal.is_(None)
_ANSWER = update(AnswerRow).where(
    AnswerRow.idempotency_key == bindparam("key"),
    AnswerRow.fingerprint == bindparam("asked"),
    _UNANSWERED,
)
_ANSWER_CLAIMED = _ANSWER.where(AnswerRow.claimed_by == bindparam("by"))
_ANSWER_UNCLAIMED = _ANSWER.where(AnswerRow.claimed_by.is_distinct_from(bindparam("by")))


class Answers:
    """Claims keys and keeps what was answered under them; every call is part of a transaction."""

    def __init__(self, database: Database, tokens: OrderTokens) -> None:
        self._database = database
        self._tokens = tokens
        self._insert_row = (
            database.insert(AnswerRow).on_conflict_do_nothing().returning(AnswerRow.idempotency_key)
        )

    def open(self, tx: Session, checkout: Checkout) -> bool:
        """Claim the key of a run's request if nobody ever did."""
        return self._insert(tx, checkout.request, claimed_by=checkout.id)

    def claim(self, tx: Session, checkout: Checkout) -> Outcome | None:
        """Claim the key of a run's request; the outcome when there is nothing left to do for it.

        A claim that was never answered is taken over: the run that made it has ended.

        Returns:
            None when the key is now claimed by this run.
        """
        request = checkout.request
        if self.open(tx, checkout):
            return None
        stored = self.stored(tx, request)
        if stored is None:
            tx.execute(
                update(AnswerRow)
                .where(AnswerRow.idempotency_key == request.idempotency_key, _UNANSWERED)
                .values(claimed_by=checkout.id)
            )
        return stored

    def stored(self, tx: Session, request: CheckoutRequest) -> Outcome | None:
        """What was answered under the request's key, if anything."""
        row = tx.get(AnswerRow, request.idempotency_key, populate_existing=True)
        if row is None:
            return None
        if row.fingerprint != request.fingerprint:
            return refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
        if row.order_number:
            return self.of_order(tx.get_one(OrderRow, row.order_number))
        return row.refusal

    def store(self, tx: Session, checkout: Checkout, outcome: Outcome) -> None:
        """Answer the key that a run has claimed."""
        self._answer(tx, _ANSWER_CLAIMED, checkout.request, outcome, checkout.id)

    def store_unless_claimed(
        self, tx: Session, request: CheckoutRequest, outcome: Outcome, running: str | None
    ) -> Outcome:
        """Answer a key that the run under way, if any, has not claimed; what is stored then."""
        if self._insert(tx, request, **_columns(outcome)):
            return outcome
        stored = self.stored(tx, request)
        if stored is not None:
            return stored
        self._answer(tx, _ANSWER_UNCLAIMED, request, outcome, running)
        return outcome

    def note(self, tx: Session, request: CheckoutRequest) -> None:
        """Keep the key of a request that was told to ask again; nothing if it is kept already."""
        self._insert(tx, request)

    def was_noted_before(self, tx: Session, request: CheckoutRequest, time: datetime) -> bool:
        """Whether the request was told to ask again before that time."""
        row = tx.get(AnswerRow, request.idempotency_key, populate_existing=True)
        return row is not None and row.fingerprint == request.fingerprint and row.created_at < time

    def refuse_noted(self, tx: Session, request: CheckoutRequest, refusal: Refusal) -> None:
        """Answer the keys that were noted for the same thing, which was refused."""
        tx.execute(
            update(AnswerRow)
            .where(
                AnswerRow.cart_id == request.cart_id,
                AnswerRow.fingerprint == request.fingerprint,
                AnswerRow.claimed_by.is_(None),
                _UNANSWERED,
            )
            .values(refusal=refusal)
        )

    def _insert(self, tx: Session, request: CheckoutRequest, **columns: Any) -> bool:
        inserted = run(
            tx,
            self._insert_row,
            idempotency_key=request.idempotency_key,
            cart_id=request.cart_id,
            fingerprint=request.fingerprint,
            created_at=self._database.now(),
            **columns,
        )
        return inserted.scalar_one_or_none() is not None

    def _answer(
        self,
        tx: Session,
        statement: Update,
        request: CheckoutRequest,
        outcome: Outcome,
        claimed_by: str | None,
    ) -> None:
        run_later(
            tx,
            statement,
            key=request.idempotency_key,
            asked=request.fingerprint,
            by=claimed_by,
            **_columns(outcome),
        )

    def of_order(self, order: OrderRow) -> OrderPlaced:
        """The answer that an order is."""
        total = Money(amount_minor=order.grand_total_minor, currency=order.currency)
        return self.placed(order.number, total, order.payment_id)

    def placed(self, number: str, total: Money, payment_id: str | None) -> OrderPlaced:
        """The answer that an order of this number is."""
        return OrderPlaced(
            order_number=number,
            token=self._tokens.seal(number),
            total=total,
            paid_at_gateway=payment_id is not None,
        )


def _columns(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, OrderPlaced):
        return {"order_number": outcome.order_number}
    return {"refusal": outcome}
