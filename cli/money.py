"""Do money and orders agree? The gateway's own ledger against the store's orders."""

from collections.abc import Mapping

from commerce.adapters.payments.sandbox import Ledger, LedgerPayment
from commerce.adapters.store.audit import PaidOrder
from commerce.domain.orders import OrderStatus


def differences(ledger: Ledger, orders: Mapping[str, PaidOrder]) -> list[str]:
    """What is wrong between the two once nothing is under way; empty when they agree.

    Args:
        ledger: Of the gateway, which knows nothing of orders.
        orders: Of the store, by the payment that they were created with.
    """
    payments = {payment.id: payment for payment in ledger.payments}
    found = [
        f"order {order.number} has a payment that the gateway does not know"
        for payment_id, order in orders.items()
        if payment_id not in payments
    ]
    for payment in ledger.payments:
        order = orders.get(payment.id)
        wrong = _without_order(payment) if order is None else _with_order(payment, order)
        if wrong:
            whose = f"of order {order.number}" if order else "without an order"
            found.append(f"payment {payment.id} {whose}: {wrong}")
    return found


def _with_order(payment: LedgerPayment, order: PaidOrder) -> str:
    if (payment.authorizations, payment.captures) != (1, 1) or payment.voids or payment.refunds:
        return (
            f"{payment.authorizations} authorizations, {payment.captures} captures,"
            f" {payment.voids} voids, {payment.refunds} refunds"
        )
    if payment.currency != order.total.currency:
        return f"paid in {payment.currency}, ordered in {order.total.currency}"
    if payment.captured_minor != order.total.amount_minor:
        return f"{payment.captured_minor} captured, {order.total.amount_minor} ordered"
    if order.status is not OrderStatus.PROCESSING:
        return f"captured, and the order is {order.status}"
    return ""


def _without_order(payment: LedgerPayment) -> str:
    if payment.open_minor:
        return f"{payment.open_minor} still set aside"
    if payment.captured_minor != payment.refunded_minor:
        return f"{payment.captured_minor} captured, {payment.refunded_minor} refunded"
    if payment.authorizations > 1:
        return f"{payment.authorizations} authorizations"
    return ""
