"""Orders and the outbox."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, bindparam, insert, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.answers import Answers
from commerce.adapters.store.database import Database, run, run_later, run_many_later
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import (
    CartRow,
    OrderLineRow,
    OrderRow,
    OrderSequenceRow,
    OutboxRow,
)
from commerce.adapters.store.payments import CLAIMED, settle
from commerce.contract import Checkout, CheckoutRequest, OrderEvent, Outcome
from commerce.domain.carts import Cart, CartSnapshot, CartStatus
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.orders import OrderStatus, order_number
from commerce.domain.payments import PAID_AT_GATEWAY, PaymentChoice, PaymentDue
from commerce.domain.stock import demand

_UNCAPTURED = (OrderStatus.PENDING, OrderStatus.PAYMENT_REVIEW)
_UNPAID = select(OrderRow.payment_id, OrderRow.grand_total_minor, OrderRow.currency).where(
    OrderRow.number == bindparam("this"), OrderRow.status.in_(_UNCAPTURED)
)
_CAPTURED = (
    update(OrderRow)
    .where(OrderRow.number == bindparam("this"), OrderRow.status.in_(_UNCAPTURED))
    .values(status=OrderStatus.PROCESSING)
    .returning(OrderRow.payment_id)
)
_LOCK_CART = (
    select(CartRow.locked_by, CartRow.snapshot_digest, CartRow.snapshot)
    .where(CartRow.id == bindparam("this"))
    .with_for_update()
)
_CONVERT_CART = (
    update(CartRow)
    .where(CartRow.id == bindparam("this"))
    .values(
        status=CartStatus.CONVERTED,
        locked_by=None,
        lock_expires_at=None,
        snapshot=None,
        snapshot_digest=None,
    )
)
_INSERT_ORDER = insert(OrderRow)
_INSERT_LINES = insert(OrderLineRow)
_INSERT_EVENT = insert(OutboxRow)
_EVENTS = (
    select(
        OutboxRow.event_id,
        OutboxRow.order_number,
        OrderRow.store_code,
        OrderRow.grand_total_minor,
        OrderRow.currency,
    )
    .join(OrderRow, OrderRow.number == OutboxRow.order_number)
    .where(OutboxRow.announced_at.is_(None))
    .order_by(OutboxRow.created_at)
)
_PENDING_EVENTS = _EVENTS.where(OutboxRow.order_number.in_(bindparam("these", expanding=True)))
_MISSED_EVENTS = _EVENTS.where(OutboxRow.created_at <= bindparam("before")).limit(bindparam("most"))
_ANNOUNCED = update(OutboxRow).where(
    OutboxRow.event_id.in_(bindparam("these", expanding=True)), OutboxRow.announced_at.is_(None)
)


class SqlOrders:
    """The orders port."""

    def __init__(self, database: Database, stock: SqlStock, answers: Answers) -> None:
        self._database = database
        self._stock = stock
        self._answers = answers
        self._count = (
            database.insert(OrderSequenceRow)
            .on_conflict_do_update(
                index_elements=["prefix"], set_={"last_value": OrderSequenceRow.last_value + 1}
            )
            .returning(OrderSequenceRow.last_value)
        )

    def create(self, checkout: Checkout, digest: str) -> Outcome:
        """Turn the locked cart into its order.

        One transaction: the hold committed, the number taken, the order written, the cart
        converted, the answer stored, the event put into the outbox.

        Raises:
            CartNotHeldError: The hold of this checkout was released.
        """
        outcome: Outcome = refuse(RefusalReason.CART_CHANGED)

        def attempt(tx: Session) -> None:
            nonlocal outcome
            outcome = self._create(tx, checkout, digest)

        return self._stock.unless_short(attempt) or outcome

    def _create(self, tx: Session, checkout: Checkout, digest: str) -> Outcome:
        request = checkout.request
        cart = run(tx, _LOCK_CART, this=request.cart_id).one_or_none()
        if cart is None or cart.locked_by != checkout.id or cart.snapshot is None:
            return self._ordered_already(tx, checkout)
        snapshot: CartSnapshot = cart.snapshot
        if cart.snapshot_digest != digest:
            return refuse(RefusalReason.CART_CHANGED)
        payment_id: str | None = None
        if _is_paid_at_gateway(request, snapshot.cart):
            payment_id = run(tx, CLAIMED, this=checkout.id).scalar_one_or_none()
            if payment_id is None:
                return refuse(RefusalReason.CART_CHANGED)
        now = self._database.now()
        committed = self._stock.commit(tx, checkout)
        # From the number on others wait until the commit: nothing after it is waited for here.
        number = self._next_number(tx, snapshot.store.order_prefix)
        total = self._write(tx, checkout, snapshot, number, payment_id)
        run_later(tx, _CONVERT_CART, this=request.cart_id, updated_at=now)
        event_id = f"{checkout.id}/order-placed"
        run_later(tx, _INSERT_EVENT, event_id=event_id, order_number=number, created_at=now)
        placed = self._answers.placed(number, total, payment_id)
        self._answers.store(tx, checkout, placed)
        self._stock.take_sold(tx, checkout, demand(snapshot.lines), committed=committed)
        return placed

    def _ordered_already(self, tx: Session, checkout: Checkout) -> Outcome:
        """What became of a cart that this checkout has not locked; an order unlocks its cart."""
        this_cart = OrderRow.cart_id == checkout.request.cart_id
        order = tx.scalars(select(OrderRow).where(this_cart)).one_or_none()
        if order is None:
            return refuse(RefusalReason.CART_CHANGED)
        if order.checkout_id == checkout.id:
            return self._answers.of_order(order)
        return Refusal(reason=RefusalReason.CART_NOT_ACTIVE, order_number=order.number)

    def _next_number(self, tx: Session, prefix: str) -> str:
        """The next number under a prefix; its row stays locked until the order is committed."""
        value = run(tx, self._count, prefix=prefix, last_value=1).scalar_one()
        return order_number(prefix, value)

    def _write(
        self,
        tx: Session,
        checkout: Checkout,
        snapshot: CartSnapshot,
        number: str,
        payment_id: str | None,
    ) -> Money:
        """Write the order; its total."""
        cart, totals = snapshot.cart, snapshot.totals()
        choice = cart.payment
        if payment_id and not (choice and choice.is_online):
            choice = PaymentChoice(method=PAID_AT_GATEWAY)
        assert choice is not None, "a checkout without a method is refused"
        run_later(
            tx,
            _INSERT_ORDER,
            number=number,
            cart_id=cart.id,
            checkout_id=checkout.id,
            store_code=cart.store_code,
            order_prefix=snapshot.store.order_prefix,
            customer_id=cart.customer_id,
            email=cart.email,
            status=OrderStatus.PENDING,
            shipping_address=None if snapshot.is_virtual else cart.shipping_address,
            billing_address=cart.billing_address,
            shipping_method=None if snapshot.is_virtual else cart.shipping_method,
            payment_method=choice.method,
            purchase_order_number=choice.purchase_order_number,
            payment_id=payment_id,
            currency=totals.grand_total.currency,
            subtotal_minor=totals.subtotal.amount_minor,
            shipping_minor=totals.shipping.amount_minor,
            shipping_tax_minor=totals.shipping_tax.amount_minor,
            tax_minor=totals.tax.amount_minor,
            tax_rate=totals.tax_rate,
            grand_total_minor=totals.grand_total.amount_minor,
            created_at=self._database.now(),
        )
        run_many_later(
            tx,
            _INSERT_LINES,
            [
                {
                    "order_number": number,
                    "line_no": n,
                    "sku": line.sku,
                    "name": line.name,
                    "kind": line.kind,
                    "quantity": line.quantity,
                    "price_minor": line.price.amount_minor,
                    "total_minor": line.total.amount_minor,
                    "tax_minor": tax.amount_minor,
                }
                for n, (line, tax) in enumerate(
                    zip(snapshot.lines, totals.line_taxes, strict=True), start=1
                )
            ],
        )
        return totals.grand_total

    def payment_to_capture(self, order_number: str) -> PaymentDue | None:
        """The payment that the order was created with, while it has not been captured."""
        with self._database.looking() as tx:
            order = run(tx, _UNPAID, this=order_number).one_or_none()
        if order is None or order.payment_id is None:
            return None
        total = Money(amount_minor=order.grand_total_minor, currency=order.currency)
        return PaymentDue(payment_id=order.payment_id, total=total)

    def mark_captured(self, order_number: str, *, by_hand: bool = False) -> None:
        """Note that the order is paid; its payment is settled, unless somebody only says so."""
        with self._database.transaction() as tx:
            payment_id = run(tx, _CAPTURED, this=order_number).scalar_one_or_none()
            if payment_id and not by_hand:
                settle(tx, payment_id, self._database.now())

    def mark_for_review(self, order_number: str) -> None:
        """Note that the money could not be taken: a person has to look."""
        with self._database.transaction() as tx:
            tx.execute(
                update(OrderRow)
                .where(OrderRow.number == order_number, OrderRow.status == OrderStatus.PENDING)
                .values(status=OrderStatus.PAYMENT_REVIEW)
            )

    def pending_events(self, order_numbers: Sequence[str]) -> list[OrderEvent]:
        """The events of those of the orders that have not been announced."""
        with self._database.looking() as tx:
            return _events(run(tx, _PENDING_EVENTS, these=order_numbers))

    def missed_events(self, older_than: timedelta, most: int) -> list[OrderEvent]:
        """Events, oldest first, that have not been told for so long."""
        before = self._database.now() - older_than
        with self._database.looking() as tx:
            return _events(run(tx, _MISSED_EVENTS, before=before, most=most))

    def mark_announced(self, event_ids: Sequence[str]) -> None:
        """Note that the events have been told."""
        with self._database.transaction() as tx:
            run_later(tx, _ANNOUNCED, these=event_ids, announced_at=self._database.now())


def _events(found: CursorResult[Any]) -> list[OrderEvent]:
    return [
        OrderEvent(
            event_id=row.event_id,
            order_number=row.order_number,
            store_code=row.store_code,
            total=Money(amount_minor=row.grand_total_minor, currency=row.currency),
        )
        for row in found
    ]


def _is_paid_at_gateway(request: CheckoutRequest, cart: Cart) -> bool:
    chosen = cart.payment is not None and cart.payment.is_online
    return chosen or request.operation is Operation.COMPLETE_ORDER
