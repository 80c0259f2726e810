"""The audit: stock, holds, orders, carts and answers checked against each other."""

from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import (
    AnswerRow,
    CartRow,
    HoldLineRow,
    HoldRow,
    OrderLineRow,
    OrderRow,
    OrderSequenceRow,
    OutboxRow,
    PaymentClaimRow,
    StockRow,
)
from commerce.domain.carts import CartStatus
from commerce.domain.model import Model
from commerce.domain.money import Money
from commerce.domain.orders import ORDER_NUMBER_DIGITS, OrderStatus
from commerce.domain.payments import ClaimStatus
from commerce.domain.stock import HoldStatus

EXAMPLES = 5


class Violation(Model):
    """A rule that the store breaks.

    Attributes:
        examples: Up to five of the offenders: SKUs, order numbers, cart or checkout ids.
    """

    rule: str
    count: int
    examples: tuple[str, ...]


class AuditReport(Model):
    """What was counted, and what is wrong; clean when nothing is."""

    counts: dict[str, int]
    violations: tuple[Violation, ...]

    @property
    def clean(self) -> bool:
        """No rule is broken."""
        return not self.violations


class PaidOrder(Model):
    """An order whose money comes through the gateway."""

    number: str
    total: Money
    status: OrderStatus


class SqlAudit:
    """Checks one consistent view of the store; sound while checkouts run."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self) -> AuditReport:
        """Count, and check every rule."""
        with self._database.reading() as tx:
            return AuditReport(counts=self._counts(tx), violations=tuple(_violations(tx)))

    def paid_orders(self) -> dict[str, PaidOrder]:
        """The orders that are paid at the gateway, by their payment."""
        with self._database.reading() as tx:
            rows = tx.execute(
                select(
                    OrderRow.payment_id,
                    OrderRow.number,
                    OrderRow.grand_total_minor,
                    OrderRow.currency,
                    OrderRow.status,
                ).where(OrderRow.payment_id.is_not(None))
            ).all()
        return {
            str(payment_id): PaidOrder(
                number=number,
                total=Money(amount_minor=minor, currency=currency),
                status=status,
            )
            for payment_id, number, minor, currency, status in rows
        }

    def _counts(self, tx: Session) -> dict[str, int]:
        def count(query: Select[Any]) -> int:
            return int(tx.scalar(select(func.count()).select_from(query.subquery())) or 0)

        held = select(HoldRow.checkout_id).where(HoldRow.status == HoldStatus.HELD)
        undone = select(HoldRow.checkout_id).where(
            HoldRow.status == HoldStatus.RELEASED,
            select(HoldLineRow.sku).where(HoldLineRow.checkout_id == HoldRow.checkout_id).exists(),
        )
        units = tx.execute(
            select(
                func.coalesce(func.sum(StockRow.stocked), 0),
                func.coalesce(func.sum(StockRow.on_hand), 0),
                func.coalesce(func.sum(StockRow.held), 0),
            )
        ).one()
        return {
            "orders": count(select(OrderRow.number)),
            "carts": count(select(CartRow.id)),
            "carts_locked": count(select(CartRow.id).where(CartRow.status == CartStatus.LOCKED)),
            "holds_open": count(held),
            "holds_overdue": count(held.where(HoldRow.expires_at <= self._database.now())),
            "holds_undone": count(undone),
            "orders_uncaptured": count(
                select(OrderRow.number).where(
                    OrderRow.payment_id.is_not(None), OrderRow.status == OrderStatus.PENDING
                )
            ),
            "orders_in_payment_review": count(
                select(OrderRow.number).where(OrderRow.status == OrderStatus.PAYMENT_REVIEW)
            ),
            "payments_claimed": count(
                select(PaymentClaimRow.checkout_id)
                .outerjoin(OrderRow, OrderRow.checkout_id == PaymentClaimRow.checkout_id)
                .where(PaymentClaimRow.status == ClaimStatus.CLAIMED, OrderRow.number.is_(None))
            ),
            "events_unannounced": count(
                select(OutboxRow.event_id).where(OutboxRow.announced_at.is_(None))
            ),
            "units_stocked": int(units[0]),
            "units_on_hand": int(units[1]),
            "units_held": int(units[2]),
            "units_sold": int(units[0]) - int(units[1]),
        }


def _violations(tx: Session) -> list[Violation]:
    found: list[Violation] = []
    for rule, query in _rules().items():
        offenders = sorted({str(row[0]) for row in tx.execute(query)})
        if offenders:
            found.append(
                Violation(rule=rule, count=len(offenders), examples=tuple(offenders[:EXAMPLES]))
            )
    return found


def _units(status: HoldStatus) -> Any:
    return (
        select(HoldLineRow.sku, func.sum(HoldLineRow.quantity).label("units"))
        .join(HoldRow, HoldRow.checkout_id == HoldLineRow.checkout_id)
        .where(HoldRow.status == status)
        .group_by(HoldLineRow.sku)
        .subquery()
    )


def _rules() -> dict[str, Select[Any]]:
    """One query a rule; each selects the offenders."""
    held, sold = _units(HoldStatus.HELD), _units(HoldStatus.COMMITTED)
    ordered = (
        select(
            OrderRow.checkout_id,
            OrderLineRow.sku,
            func.sum(OrderLineRow.quantity).label("units"),
        )
        .join(OrderLineRow, OrderLineRow.order_number == OrderRow.number)
        .group_by(OrderRow.checkout_id, OrderLineRow.sku)
        .subquery()
    )
    line_sums = (
        select(
            OrderLineRow.order_number,
            func.sum(OrderLineRow.total_minor).label("minor"),
            func.sum(OrderLineRow.tax_minor).label("tax_minor"),
        )
        .group_by(OrderLineRow.order_number)
        .subquery()
    )
    given = (
        select(
            OrderRow.order_prefix.label("prefix"),
            func.count().label("orders"),
            func.max(OrderRow.number).label("highest"),
        )
        .group_by(OrderRow.order_prefix)
        .subquery()
    )
    digits = func.substr(OrderRow.number, func.length(OrderRow.order_prefix) + 1)
    padded = func.substr(
        literal("0" * ORDER_NUMBER_DIGITS) + cast(OrderSequenceRow.last_value, String),
        func.length(cast(OrderSequenceRow.last_value, String)) + 1,
    )
    no_digits: ColumnElement[str] = digits
    for digit in "0123456789":
        no_digits = func.replace(no_digits, digit, "")
    is_order = select(OrderRow.cart_id).where(OrderRow.cart_id == CartRow.id).exists()
    return {
        "stock is never below zero and never oversold": select(StockRow.sku).where(
            or_(StockRow.on_hand < 0, StockRow.held < 0, StockRow.held > StockRow.on_hand)
        ),
        "held stock is the sum of the open holds": select(StockRow.sku)
        .outerjoin(held, held.c.sku == StockRow.sku)
        .where(StockRow.held != func.coalesce(held.c.units, 0)),
        "stock on hand is what was stocked less what was sold": select(StockRow.sku)
        .outerjoin(sold, sold.c.sku == StockRow.sku)
        .where(StockRow.on_hand != StockRow.stocked - func.coalesce(sold.c.units, 0)),
        "an open hold belongs to the checkout that has locked its cart": select(HoldRow.checkout_id)
        .outerjoin(CartRow, CartRow.locked_by == HoldRow.checkout_id)
        .where(HoldRow.status == HoldStatus.HELD, CartRow.id.is_(None)),
        "a committed hold belongs to an order, and the other way round": select(
            func.coalesce(HoldRow.checkout_id, OrderRow.number)
        )
        .select_from(HoldRow)
        .join(OrderRow, OrderRow.checkout_id == HoldRow.checkout_id, full=True)
        .where(
            or_(
                and_(HoldRow.status == HoldStatus.COMMITTED, OrderRow.number.is_(None)),
                and_(
                    OrderRow.number.is_not(None),
                    func.coalesce(HoldRow.status, HoldStatus.EXPIRED) != HoldStatus.COMMITTED,
                ),
            )
        ),
        "what was sold from stock is what was ordered": select(HoldLineRow.checkout_id)
        .join(HoldRow, HoldRow.checkout_id == HoldLineRow.checkout_id)
        .outerjoin(
            ordered,
            and_(
                ordered.c.checkout_id == HoldLineRow.checkout_id,
                ordered.c.sku == HoldLineRow.sku,
            ),
        )
        .where(
            HoldRow.status == HoldStatus.COMMITTED,
            func.coalesce(ordered.c.units, 0) != HoldLineRow.quantity,
        ),
        "a cart is converted exactly when it has an order": select(CartRow.id).where(
            case((CartRow.status == CartStatus.CONVERTED, 1), else_=0)
            != case((is_order, 1), else_=0)
        ),
        "an order's lines add up to its subtotal": select(OrderRow.number)
        .outerjoin(line_sums, line_sums.c.order_number == OrderRow.number)
        .where(OrderRow.subtotal_minor != func.coalesce(line_sums.c.minor, -1)),
        "an order's taxes add up to its tax": select(OrderRow.number)
        .outerjoin(line_sums, line_sums.c.order_number == OrderRow.number)
        .where(
            OrderRow.tax_minor
            != func.coalesce(line_sums.c.tax_minor, -1) + OrderRow.shipping_tax_minor
        ),
        "order numbers have no gaps": select(func.coalesce(OrderSequenceRow.prefix, given.c.prefix))
        .select_from(OrderSequenceRow)
        .join(given, given.c.prefix == OrderSequenceRow.prefix, full=True)
        .where(
            or_(
                func.coalesce(OrderSequenceRow.last_value, 0) != func.coalesce(given.c.orders, 0),
                OrderSequenceRow.prefix + padded != given.c.highest,
            )
        ),
        "an order number is its prefix and nine digits": select(OrderRow.number).where(
            or_(
                OrderRow.number != OrderRow.order_prefix + digits,
                func.length(digits) != ORDER_NUMBER_DIGITS,
                no_digits != "",
            )
        ),
        "an order's payment is claimed by its checkout": select(OrderRow.number)
        .outerjoin(PaymentClaimRow, PaymentClaimRow.checkout_id == OrderRow.checkout_id)
        .where(
            OrderRow.payment_id.is_not(None),
            or_(
                func.coalesce(PaymentClaimRow.status, ClaimStatus.GIVEN_UP) != ClaimStatus.CLAIMED,
                PaymentClaimRow.payment_id.is_distinct_from(OrderRow.payment_id),
            ),
        ),
        "a payment that was given up pays for no order": select(OrderRow.number)
        .join(PaymentClaimRow, PaymentClaimRow.payment_id == OrderRow.payment_id)
        .where(PaymentClaimRow.status == ClaimStatus.GIVEN_UP),
        "every order has its event in the outbox": select(OrderRow.number)
        .outerjoin(OutboxRow, OutboxRow.order_number == OrderRow.number)
        .where(OutboxRow.event_id.is_(None)),
        "an answered order is the order of its cart": select(AnswerRow.idempotency_key)
        .join(OrderRow, OrderRow.number == AnswerRow.order_number)
        .where(OrderRow.cart_id != AnswerRow.cart_id),
    }
