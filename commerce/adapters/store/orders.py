"""Orders and the outbox."""

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.answers import Answers
from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import (
    CartRow,
    OrderLineRow,
    OrderRow,
    OrderSequenceRow,
    OutboxRow,
    PaymentClaimRow,
)
from commerce.adapters.store.payments import settle
from commerce.contract import Checkout, CheckoutRequest, OrderEvent, Outcome
from commerce.domain.carts import Cart, CartSnapshot, CartStatus
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.orders import OrderStatus, order_number
from commerce.domain.payments import PAID_AT_GATEWAY, ClaimStatus, PaymentChoice, PaymentDue
from commerce.domain.stock import demand

_UNCAPTURED = (OrderStatus.PENDING, OrderStatus.PAYMENT_REVIEW)


class SqlOrders:
    """The orders port."""

    def __init__(self, database: Database, stock: SqlStock, answers: Answers) -> None:
        self._database = database
        self._stock = stock
        self._answers = answers

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
        cart = tx.scalars(
            select(CartRow).where(CartRow.id == request.cart_id).with_for_update()
        ).one_or_none()
        existing = tx.scalars(
            select(OrderRow).where(OrderRow.cart_id == request.cart_id)
        ).one_or_none()
        if existing is not None:
            if existing.checkout_id == checkout.id:
                return self._answers.placed(existing)
            return Refusal(reason=RefusalReason.CART_NOT_ACTIVE, order_number=existing.number)
        if cart is None or cart.locked_by != checkout.id or cart.snapshot is None:
            return refuse(RefusalReason.CART_CHANGED)
        snapshot = cart.snapshot
        if cart.snapshot_digest != digest:
            return refuse(RefusalReason.CART_CHANGED)
        claim = tx.get(PaymentClaimRow, checkout.id)
        payment_id = claim.payment_id if claim and claim.status is ClaimStatus.CLAIMED else None
        if payment_id is None and (claim or _is_paid_at_gateway(request, snapshot.cart)):
            return refuse(RefusalReason.CART_CHANGED)
        self._stock.ensure_held(tx, checkout, demand(snapshot.lines))
        self._stock.commit(tx, checkout.id)
        number = self._next_number(tx, snapshot.store.order_prefix)
        order = self._write(tx, checkout, snapshot, number, payment_id)
        cart.status = CartStatus.CONVERTED
        cart.locked_by = cart.lock_expires_at = cart.snapshot = cart.snapshot_digest = None
        cart.updated_at = self._database.now()
        tx.add(
            OutboxRow(
                event_id=f"{checkout.id}/order-placed",
                order_number=number,
                created_at=self._database.now(),
            )
        )
        tx.flush()
        placed = self._answers.placed(order)
        self._answers.store(tx, checkout, placed)
        return placed

    def _next_number(self, tx: Session, prefix: str) -> str:
        """The next number under a prefix; its row stays locked until the order is committed."""
        value = tx.execute(
            self._database.insert(OrderSequenceRow)
            .values(prefix=prefix, last_value=1)
            .on_conflict_do_update(
                index_elements=["prefix"], set_={"last_value": OrderSequenceRow.last_value + 1}
            )
            .returning(OrderSequenceRow.last_value)
        ).scalar_one()
        return order_number(prefix, value)

    def _write(
        self,
        tx: Session,
        checkout: Checkout,
        snapshot: CartSnapshot,
        number: str,
        payment_id: str | None,
    ) -> OrderRow:
        cart, totals = snapshot.cart, snapshot.totals()
        choice = cart.payment
        if payment_id and not (choice and choice.is_online):
            choice = PaymentChoice(method=PAID_AT_GATEWAY)
        assert choice is not None, "a checkout without a method is refused"
        order = OrderRow(
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
        tx.add(order)
        tx.flush()
        tx.execute(
            insert(OrderLineRow),
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
        return order

    def payment_to_capture(self, order_number: str) -> PaymentDue | None:
        """The payment that the order was created with, while it has not been captured."""
        with self._database.transaction() as tx:
            order = tx.scalars(
                select(OrderRow).where(
                    OrderRow.number == order_number, OrderRow.status.in_(_UNCAPTURED)
                )
            ).one_or_none()
        if order is None or order.payment_id is None:
            return None
        total = Money(amount_minor=order.grand_total_minor, currency=order.currency)
        return PaymentDue(payment_id=order.payment_id, total=total)

    def mark_captured(self, order_number: str, *, by_hand: bool = False) -> None:
        """Note that the order is paid; its payment is settled, unless somebody only says so."""
        with self._database.transaction() as tx:
            payment_id = tx.scalars(
                update(OrderRow)
                .where(OrderRow.number == order_number, OrderRow.status.in_(_UNCAPTURED))
                .values(status=OrderStatus.PROCESSING)
                .returning(OrderRow.payment_id)
            ).one_or_none()
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

    def pending_event(self, order_number: str) -> OrderEvent | None:
        """The order's event while it has not been announced."""
        with self._database.transaction() as tx:
            found = tx.execute(
                select(OutboxRow.event_id, OrderRow)
                .join(OrderRow, OrderRow.number == OutboxRow.order_number)
                .where(OutboxRow.order_number == order_number, OutboxRow.announced_at.is_(None))
            ).one_or_none()
        if found is None:
            return None
        event_id, order = found
        return OrderEvent(
            event_id=event_id,
            order_number=order.number,
            store_code=order.store_code,
            total=Money(amount_minor=order.grand_total_minor, currency=order.currency),
        )

    def mark_announced(self, event_id: str) -> None:
        """Note that the event has been told."""
        with self._database.transaction() as tx:
            tx.execute(
                update(OutboxRow)
                .where(OutboxRow.event_id == event_id, OutboxRow.announced_at.is_(None))
                .values(announced_at=self._database.now())
            )


def _is_paid_at_gateway(request: CheckoutRequest, cart: Cart) -> bool:
    chosen = cart.payment is not None and cart.payment.is_online
    return chosen or request.operation is Operation.COMPLETE_ORDER
