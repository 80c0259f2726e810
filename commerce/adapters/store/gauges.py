"""What stands open in the store at a moment, by queries that an index answers."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import (
    HoldLineRow,
    HoldRow,
    OrderRow,
    OutboxRow,
    PaymentClaimRow,
)
from commerce.domain.model import Model
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import ClaimStatus
from commerce.domain.stock import HoldStatus

_OLDEST = {"hold_overdue_s": "oldest_hold", "event_unannounced_s": "oldest_event"}


class StoreGauges(Model):
    """What stands open.

    Attributes:
        holds_open: Checkouts that have stock set aside.
        holds_overdue: Those of them that are past their time.
        hold_overdue_s: Seconds for which the longest of them is.
        units_held: Units that they have set aside.
        payments_without_order: Claimed, and not settled, by a checkout that has no order.
        payments_unsettled: Claimed, or given up, and nothing yet taken or given back.
        orders_in_payment_review: Orders whose money could not be taken.
        events_unannounced: Orders that have not been announced.
        event_unannounced_s: Seconds for which the oldest of them has not.
    """

    holds_open: int
    holds_overdue: int
    hold_overdue_s: float
    units_held: int
    payments_without_order: int
    payments_unsettled: int
    orders_in_payment_review: int
    events_unannounced: int
    event_unannounced_s: float


class SqlGauges:
    """Reads the gauges; what is behind them is in ``SqlAudit``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> StoreGauges:
        """All of them, of one consistent view."""
        now = self._database.now()
        with self._database.reading() as tx:
            found: dict[str, Any] = {name: tx.scalar(query) for name, query in queries(now).items()}
        for name, oldest in _OLDEST.items():
            since = found.pop(oldest)
            found[name] = max((now - since).total_seconds(), 0.0) if since else 0.0
        return StoreGauges.model_validate({name: value or 0 for name, value in found.items()})


def queries(now: datetime) -> dict[str, Select[Any]]:
    """What is asked for each."""
    held = HoldRow.status == HoldStatus.HELD
    overdue = select(HoldRow).where(held, HoldRow.expires_at <= now)
    unannounced = select(OutboxRow).where(OutboxRow.announced_at.is_(None))
    unsettled = (
        select(func.count())
        .select_from(PaymentClaimRow)
        .where(PaymentClaimRow.settled_at.is_(None), PaymentClaimRow.payment_id.is_not(None))
    )
    is_ordered = select(OrderRow.number).where(OrderRow.checkout_id == PaymentClaimRow.checkout_id)
    swept = PaymentClaimRow.status.in_([ClaimStatus.CLAIMED, ClaimStatus.GIVEN_UP])
    claimed = PaymentClaimRow.status == ClaimStatus.CLAIMED
    return {
        "holds_open": select(func.count()).select_from(HoldRow).where(held),
        "holds_overdue": overdue.with_only_columns(func.count(HoldRow.checkout_id)),
        "oldest_hold": overdue.with_only_columns(func.min(HoldRow.expires_at)),
        "units_held": select(func.sum(HoldLineRow.quantity))
        .join(HoldRow, HoldRow.checkout_id == HoldLineRow.checkout_id)
        .where(held),
        "payments_without_order": unsettled.where(claimed, ~is_ordered.exists()),
        "payments_unsettled": unsettled.where(swept),
        "orders_in_payment_review": select(func.count())
        .select_from(OrderRow)
        .where(OrderRow.status == OrderStatus.PAYMENT_REVIEW),
        "events_unannounced": unannounced.with_only_columns(func.count(OutboxRow.event_id)),
        "oldest_event": unannounced.with_only_columns(func.min(OutboxRow.created_at)),
    }
