"""Which checkout has which payment, and which events of a gateway were dealt with."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from commerce.adapters.store.cart_rows import locked_row
from commerce.adapters.store.database import Database, run, run_later
from commerce.adapters.store.models import OrderRow, PaymentClaimRow, WebhookEventRow
from commerce.contract import Checkout
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import ClaimStatus, PaymentClaim
from commerce.ports import CartNotHeldError

IN_HAND = timedelta(seconds=5)
"""So long after a claim or an order its checkout is at it, and asks the gateway by itself."""

CLAIMED = select(PaymentClaimRow.payment_id).where(
    PaymentClaimRow.checkout_id == bindparam("this"),
    PaymentClaimRow.status == ClaimStatus.CLAIMED,
)
"""The payment that a checkout has claimed."""

_OF_PAYMENT = PaymentClaimRow.payment_id == bindparam("payment")
_CLAIMS = select(PaymentClaimRow.cart_id, PaymentClaimRow.status).where(_OF_PAYMENT)
_ORDER = select(OrderRow.number).where(OrderRow.payment_id == bindparam("payment"))
_LET_GO = (
    update(PaymentClaimRow)
    .where(
        _OF_PAYMENT,
        PaymentClaimRow.cart_id == bindparam("cart"),
        PaymentClaimRow.status == ClaimStatus.CLAIMED,
    )
    .values(status=ClaimStatus.LET_GO, payment_id=None)
)
_SETTLE = update(PaymentClaimRow).where(_OF_PAYMENT, PaymentClaimRow.settled_at.is_(None))

_PRECEDENCE = (ClaimStatus.CLAIMED, ClaimStatus.GIVEN_UP, ClaimStatus.LET_GO)


class SqlPaymentClaims:
    """The payment claims port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert_row = (
            database.insert(PaymentClaimRow)
            .on_conflict_do_nothing()
            .returning(PaymentClaimRow.checkout_id)
        )

    def claim(self, checkout: Checkout, digest: str, payment_id: str) -> bool:
        """Keep the payment for this checkout; False when another order has it, or had it.

        A claim that an earlier run of the cart left behind is taken over: that run has ended.

        Raises:
            CartNotHeldError: The cart is no longer locked by this checkout, or it is being undone.
        """
        with self._database.transaction() as tx:
            cart = locked_row(tx, checkout.request.cart_id)
            if cart is None or cart.locked_by != checkout.id or cart.snapshot_digest != digest:
                raise CartNotHeldError("the cart is no longer locked by this checkout")
            own = tx.get(PaymentClaimRow, checkout.id)
            if own is not None and own.status is ClaimStatus.GIVEN_UP:
                raise CartNotHeldError("this checkout is being undone")
            if own is not None and own.payment_id == payment_id:
                own.status, own.settled_at = ClaimStatus.CLAIMED, None
                return True
            if own is not None or not self._is_free(tx, payment_id, cart.id):
                return False
            run_later(tx, _LET_GO, payment=payment_id, cart=cart.id)
            return self._insert(tx, checkout, payment_id)

    def _insert(self, tx: Session, checkout: Checkout, payment_id: str) -> bool:
        """Write the claim, unless another cart was faster since it was looked at."""
        inserted = run(
            tx,
            self._insert_row,
            checkout_id=checkout.id,
            cart_id=checkout.request.cart_id,
            payment_id=payment_id,
            status=ClaimStatus.CLAIMED,
            created_at=self._database.now(),
        )
        return inserted.scalar_one_or_none() is not None

    def _is_free(self, tx: Session, payment_id: str, cart_id: str) -> bool:
        if run(tx, _ORDER, payment=payment_id).first():
            return False
        claims = run(tx, _CLAIMS, payment=payment_id).all()
        return all(
            each.cart_id == cart_id and each.status is not ClaimStatus.GIVEN_UP for each in claims
        )

    def has_claimed(self, checkout: Checkout, payment_id: str) -> bool:
        """Whether this checkout has the payment already."""
        with self._database.looking() as tx:
            return run(tx, CLAIMED, this=checkout.id).scalar_one_or_none() == payment_id

    def let_go(self, checkout: Checkout) -> None:
        """The payment came to nothing: the shopper may try with it again.

        Not that of an order: whoever says so of it is late.
        """
        with self._database.transaction() as tx:
            locked_row(tx, checkout.request.cart_id)
            tx.execute(
                update(PaymentClaimRow)
                .where(
                    PaymentClaimRow.checkout_id == checkout.id,
                    PaymentClaimRow.status == ClaimStatus.CLAIMED,
                    ~_ordered(checkout).exists(),
                )
                .values(status=ClaimStatus.LET_GO)
            )

    def give_up(self, checkout: Checkout) -> str | None:
        """The payment that this checkout has claimed and that no order has: it is to be undone.

        A late ``claim`` of this checkout is then refused, and no other may use the payment.
        """
        with self._database.transaction() as tx:
            locked_row(tx, checkout.request.cart_id)
            if tx.scalars(_ordered(checkout)).first():
                return None
            row = tx.get(PaymentClaimRow, checkout.id)
            if row is None:
                row = PaymentClaimRow(
                    checkout_id=checkout.id,
                    cart_id=checkout.request.cart_id,
                    created_at=self._database.now(),
                )
                tx.add(row)
            row.status = ClaimStatus.GIVEN_UP
            return row.payment_id

    def abandon(self, payment_id: str, cart_id: str) -> bool:
        """Give up a payment that no run has any more; False when an order has it."""
        with self._database.transaction() as tx:
            locked_row(tx, cart_id)
            if run(tx, _ORDER, payment=payment_id).first():
                return False
            tx.execute(
                update(PaymentClaimRow)
                .where(
                    PaymentClaimRow.payment_id == payment_id,
                    PaymentClaimRow.cart_id == cart_id,
                    PaymentClaimRow.status == ClaimStatus.CLAIMED,
                )
                .values(status=ClaimStatus.GIVEN_UP)
            )
            return True

    def mark_settled(self, payment_id: str) -> None:
        """Note that nothing of the payment is open at the gateway any more."""
        with self._database.transaction() as tx:
            settle(tx, payment_id, self._database.now())

    def find(self, payment_id: str) -> PaymentClaim | None:
        """Who has the payment now; None when no checkout has ever claimed it."""
        with self._database.reading() as tx:
            claims = tx.scalars(
                select(PaymentClaimRow).where(PaymentClaimRow.payment_id == payment_id)
            ).all()
            order = tx.scalars(select(OrderRow).where(OrderRow.payment_id == payment_id)).first()
        if not claims:
            return None
        claim = min(claims, key=lambda each: _PRECEDENCE.index(each.status))
        return PaymentClaim(
            payment_id=payment_id,
            cart_id=claim.cart_id,
            status=claim.status,
            order_number=order.number if order else None,
            captured=order is not None and order.status is OrderStatus.PROCESSING,
            in_hand=self._is_in_hand(claim, order),
        )

    def _is_in_hand(self, claim: PaymentClaimRow, order: OrderRow | None) -> bool:
        began = order.created_at if order else claim.created_at
        in_review = order is not None and order.status is OrderStatus.PAYMENT_REVIEW
        waits = claim.look_at is not None or in_review
        recent = self._database.now() - began < IN_HAND
        return claim.status is ClaimStatus.CLAIMED and recent and not waits


def settle(tx: Session, payment_id: str, now: datetime) -> None:
    """Note it in the caller's transaction; what was noted first stays."""
    run_later(tx, _SETTLE, payment=payment_id, settled_at=now)


def _ordered(checkout: Checkout) -> Select[str]:
    return select(OrderRow.number).where(OrderRow.checkout_id == checkout.id)


class SqlSeenEvents:
    """The seen events port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_new(self, gateway: str, event_id: str) -> bool:
        """Whether the event has not been dealt with."""
        with self._database.reading() as tx:
            return tx.get(WebhookEventRow, (gateway, event_id)) is None

    def note(self, gateway: str, event_id: str) -> None:
        """It has been dealt with; may be noted again."""
        with self._database.transaction() as tx:
            tx.execute(
                self._database.insert(WebhookEventRow)
                .values(gateway=gateway, event_id=event_id, created_at=self._database.now())
                .on_conflict_do_nothing()
            )
