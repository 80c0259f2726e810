"""Does the comparison of the gateway's ledger with the orders find every kind of difference?"""

from typing import Any

import pytest

from cli.money import differences
from commerce.adapters.payments.sandbox import Ledger, LedgerPayment
from commerce.adapters.store.audit import PaidOrder
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import PaymentStatus
from tests.builders import usd

PAID = LedgerPayment(
    id="PAY1",
    cart_id="cart",
    amount_minor=1500,
    currency="USD",
    status=PaymentStatus.CAPTURED,
    authorizations=1,
    captures=1,
    voids=0,
    refunds=0,
    authorized_minor=1500,
    captured_minor=1500,
    voided_minor=0,
    refunded_minor=0,
)
OPEN = PAID.model_copy(update={"captures": 0, "captured_minor": 0})
VOIDED = OPEN.model_copy(update={"voids": 1, "voided_minor": 1500})
REFUNDED = PAID.model_copy(update={"refunds": 1, "refunded_minor": 1500})
UNTOUCHED = OPEN.model_copy(update={"authorizations": 0, "authorized_minor": 0})
ORDER = PaidOrder(number="000000001", total=usd("15.00"), status=OrderStatus.PROCESSING)


def found(payment: LedgerPayment | None, order: PaidOrder | None) -> list[str]:
    payments = () if payment is None else (payment,)
    return differences(
        Ledger(payments=payments, totals={}), {} if order is None else {"PAY1": order}
    )


@pytest.mark.parametrize(
    ("payment", "order"),
    [(PAID, ORDER), (VOIDED, None), (REFUNDED, None), (UNTOUCHED, None), (None, None)],
)
def test_what_agrees(payment: LedgerPayment | None, order: PaidOrder | None) -> None:
    assert found(payment, order) == []


def changed(**changes: Any) -> LedgerPayment:
    return PAID.model_copy(update=changes)


@pytest.mark.parametrize(
    ("payment", "order", "why"),
    [
        (None, ORDER, "does not know"),
        (PAID, None, "1500 captured, 0 refunded"),
        (OPEN, None, "1500 still set aside"),
        (OPEN, ORDER, "0 captures"),
        (VOIDED, ORDER, "1 voids"),
        (REFUNDED, ORDER, "1 refunds"),
        (changed(captures=2, captured_minor=3000), ORDER, "2 captures"),
        (changed(authorizations=2, authorized_minor=3000), ORDER, "2 authorizations"),
        (changed(captured_minor=1499), ORDER, "1499 captured, 1500 ordered"),
        (changed(currency="EUR"), ORDER, "paid in EUR"),
        (PAID, ORDER.model_copy(update={"status": OrderStatus.PENDING}), "the order is pending"),
        (
            VOIDED.model_copy(
                update={"authorizations": 2, "authorized_minor": 3000, "voided_minor": 3000}
            ),
            None,
            "2 authorizations",
        ),
    ],
)
def test_what_does_not(payment: LedgerPayment | None, order: PaidOrder | None, why: str) -> None:
    (line,) = found(payment, order)
    assert why in line
