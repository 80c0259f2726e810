"""Carts as rows: read with all that a view needs, written with their lines."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from commerce.adapters.store.database import run
from commerce.adapters.store.models import (
    CartLineRow,
    CartRow,
    PriceRow,
    ProductRow,
    StockRow,
    StoreRow,
)
from commerce.adapters.store.stores import read_tax_rates, to_store
from commerce.domain.carts import Cart, CartLine, CartStatus, CartView, OfferedProduct
from commerce.domain.money import Money
from commerce.domain.payments import PaymentChoice

_CHUNK = 500
_LINES = (
    select(CartLineRow.sku, CartLineRow.quantity, CartLineRow.line_no)
    .where(CartLineRow.cart_id == bindparam("this"))
    .order_by(CartLineRow.line_no)
)
_OFFERED = (
    select(
        ProductRow.sku,
        ProductRow.name,
        ProductRow.kind,
        PriceRow.amount_minor,
        StockRow.managed,
        (StockRow.on_hand - StockRow.held).label("units"),
    )
    .outerjoin(
        PriceRow, (PriceRow.sku == ProductRow.sku) & (PriceRow.currency == bindparam("currency"))
    )
    .outerjoin(StockRow, StockRow.sku == ProductRow.sku)
)
_OFFERED_SKUS = _OFFERED.where(ProductRow.sku.in_(bindparam("skus", expanding=True)))
_OFFERED_LINES = (
    _OFFERED.add_columns(CartLineRow.line_no, CartLineRow.quantity)
    .join(CartLineRow, CartLineRow.sku == ProductRow.sku)
    .where(CartLineRow.cart_id == bindparam("this"))
    .order_by(CartLineRow.line_no)
)
ERASED = "erased-"
"""Begins what stands in the place of a customer's id, and of an idempotency key, once erased."""


def locked_row(tx: Session, cart_id: str) -> CartRow | None:
    """The cart's row, nobody else's until the transaction ends."""
    return tx.scalars(select(CartRow).where(CartRow.id == cart_id).with_for_update()).one_or_none()


def is_erased(row: CartRow) -> bool:
    """Whether whose cart it was has been erased: nothing may be written for a request of theirs."""
    return row.customer_id is not None and row.customer_id.startswith(ERASED)


def read_view(
    tx: Session, row: CartRow, store_row: StoreRow, now: datetime, skus: Iterable[str] = ()
) -> CartView:
    """A cart with the products in it, those of ``skus`` that exist, and the tax rates."""
    store = to_store(store_row)
    found = run(tx, _OFFERED_LINES, this=row.id, currency=store.currency).all()
    products = {each.sku: _offered(each, store.currency) for each in found}
    lines = tuple(CartLine(sku=each.sku, quantity=each.quantity, id=each.line_no) for each in found)
    others = sorted(set(skus) - products.keys())
    for start in range(0, len(others), _CHUNK):
        chunk = others[start : start + _CHUNK]
        for each in run(tx, _OFFERED_SKUS, skus=chunk, currency=store.currency):
            products[each.sku] = _offered(each, store.currency)
    expired = row.lock_expires_at is not None and row.lock_expires_at <= now
    return CartView(
        cart=to_cart(row, lines),
        status=CartStatus.ACTIVE if expired else row.status,
        store=store,
        products=products,
        tax_rates=read_tax_rates(tx, store.code),
    )


def read_lines(tx: Session, cart_id: str) -> tuple[CartLine, ...]:
    """The lines of a cart, in the order in which they were made."""
    rows = run(tx, _LINES, this=cart_id)
    return tuple(CartLine(sku=row.sku, quantity=row.quantity, id=row.line_no) for row in rows)


def _offered(row: Row[Any], currency: str) -> OfferedProduct:
    price: int | None = row.amount_minor  # an outer join: there may be none
    return OfferedProduct(
        sku=row.sku,
        name=row.name,
        kind=row.kind,
        price=None if price is None else Money(amount_minor=price, currency=currency),
        available=row.units if row.managed else None,
    )


def fill(row: CartRow, cart: Cart, now: datetime) -> None:
    """Write all of a cart but its lines; it is active and unlocked then."""
    row.store_code = cart.store_code
    row.customer_id = cart.customer_id
    row.email = cart.email
    row.shipping_address = cart.shipping_address
    row.billing_address = cart.billing_address
    row.shipping_method = cart.shipping_method
    row.payment_method = cart.payment.method if cart.payment else None
    row.purchase_order_number = cart.payment.purchase_order_number if cart.payment else ""
    row.payment_id = cart.payment.payment_id if cart.payment else ""
    row.shown_total = cart.shown_total
    row.status = CartStatus.ACTIVE
    row.locked_by = row.lock_expires_at = row.snapshot = row.snapshot_digest = None
    row.updated_at = now


def number_lines(row: CartRow, lines: Iterable[CartLine]) -> tuple[CartLine, ...]:
    """The lines of a cart, each with a number; a new one gets the next of its cart."""
    numbered: list[CartLine] = []
    for line in lines:
        row.lines_made += line.id == 0
        numbered.append(line if line.id else line.model_copy(update={"id": row.lines_made}))
    return tuple(numbered)


def write_lines(tx: Session, carts: dict[str, tuple[CartLine, ...]]) -> None:
    """Replace the lines of carts, by cart id."""
    lines = [
        {"cart_id": cart_id, "line_no": line.id, "sku": line.sku, "quantity": line.quantity}
        for cart_id, wanted in carts.items()
        for line in wanted
    ]
    tx.flush()
    tx.execute(delete(CartLineRow).where(CartLineRow.cart_id.in_(carts)))
    if lines:
        tx.execute(insert(CartLineRow), lines)


def to_cart(row: CartRow, lines: tuple[CartLine, ...]) -> Cart:
    """The domain's view of a row."""
    payment = None
    if row.payment_method is not None:
        payment = PaymentChoice(
            method=row.payment_method,
            purchase_order_number=row.purchase_order_number,
            payment_id=row.payment_id,
        )
    return Cart(
        id=row.id,
        store_code=row.store_code,
        customer_id=row.customer_id,
        email=row.email,
        lines=lines,
        shipping_address=row.shipping_address,
        billing_address=row.billing_address,
        shipping_method=row.shipping_method,
        payment=payment,
        shown_total=row.shown_total,
    )
