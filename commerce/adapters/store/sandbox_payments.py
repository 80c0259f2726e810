"""The sandbox gateway's payments: development only, no money moves."""

from sqlalchemy import update

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import SandboxPaymentRow
from commerce.domain.money import Money
from commerce.domain.payments import Payment, PaymentStatus


class SandboxPayments:
    """Keeps the sandbox gateway's payments beside the store, for want of a provider."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, *payments: Payment) -> None:
        """Make payments as a provider would: created, or already approved by the shopper."""
        with self._database.transaction() as tx:
            tx.add_all(
                SandboxPaymentRow(
                    id=payment.id,
                    cart_id=payment.cart_id,
                    amount_minor=payment.amount.amount_minor,
                    currency=payment.amount.currency,
                    status=payment.status,
                )
                for payment in payments
            )

    def find(self, payment_id: str) -> Payment | None:
        """A payment, None when there is none."""
        with self._database.transaction() as tx:
            row = tx.get(SandboxPaymentRow, payment_id)
        if row is None:
            return None
        return Payment(
            id=row.id,
            cart_id=row.cart_id,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            status=row.status,
        )

    def capture(self, payment_id: str, key: str) -> bool:
        """Capture once; True when this key has captured it, now or before."""
        with self._database.transaction() as tx:
            tx.execute(
                update(SandboxPaymentRow)
                .where(
                    SandboxPaymentRow.id == payment_id,
                    SandboxPaymentRow.status == PaymentStatus.APPROVED,
                )
                .values(status=PaymentStatus.CAPTURED, capture_key=key)
            )
            row = tx.get(SandboxPaymentRow, payment_id)
            return row is not None and row.capture_key == key
