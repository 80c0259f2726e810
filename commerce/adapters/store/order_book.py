"""Orders, to be read: by number, by cart, or a page of a customer's."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import OrderLineRow, OrderRow
from commerce.domain.carts import SnapshotLine
from commerce.domain.money import Money
from commerce.domain.orders import Order, OrderPage, OrderQuery
from commerce.domain.totals import Totals


class SqlOrderBook:
    """The order book port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, number: str = "", cart_id: str = "") -> Order | None:
        """An order by its number or by the cart that it was."""
        with self._database.reading() as tx:
            where = OrderRow.number == number if number else OrderRow.cart_id == cart_id
            row = tx.scalars(select(OrderRow).where(where)).one_or_none()
            if row is None:
                return None
            lines = tx.scalars(
                select(OrderLineRow)
                .where(OrderLineRow.order_number == row.number)
                .order_by(OrderLineRow.line_no)
            ).all()
        return _to_order(row, lines)

    def of_customer(self, customer_id: str, query: OrderQuery) -> OrderPage:
        """A page of a customer's orders."""
        where = [OrderRow.customer_id == customer_id, *_conditions(query)]
        column = OrderRow.number if query.by_number else OrderRow.created_at
        order = column.asc() if query.ascending else column.desc()
        with self._database.reading() as tx:
            count = tx.scalars(select(func.count()).select_from(OrderRow).where(*where)).one()
            rows = tx.scalars(
                select(OrderRow)
                .where(*where)
                .order_by(order, OrderRow.number)
                .offset((query.page - 1) * query.page_size)
                .limit(query.page_size)
            ).all()
            lines: dict[str, list[OrderLineRow]] = {row.number: [] for row in rows}
            for line in tx.scalars(
                select(OrderLineRow)
                .where(OrderLineRow.order_number.in_(lines))
                .order_by(OrderLineRow.line_no)
            ):
                lines[line.order_number].append(line)
        orders = tuple(_to_order(row, lines[row.number]) for row in rows)
        return OrderPage(orders=orders, total_count=count)


def _conditions(query: OrderQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.store_code:
        conditions.append(OrderRow.store_code == query.store_code)
    if query.numbers:
        conditions.append(OrderRow.number.in_(query.numbers))
    if query.number_contains:
        conditions.append(OrderRow.number.icontains(query.number_contains, autoescape=True))
    if query.statuses is not None:
        conditions.append(OrderRow.status.in_(query.statuses))
    if query.placed_from is not None:
        conditions.append(OrderRow.created_at >= query.placed_from)
    if query.placed_to is not None:
        conditions.append(OrderRow.created_at <= query.placed_to)
    if query.total_from_minor is not None:
        conditions.append(OrderRow.grand_total_minor >= query.total_from_minor)
    if query.total_to_minor is not None:
        conditions.append(OrderRow.grand_total_minor <= query.total_to_minor)
    return conditions


def _to_order(row: OrderRow, lines: Sequence[OrderLineRow]) -> Order:
    def money(amount_minor: int) -> Money:
        return Money(amount_minor=amount_minor, currency=row.currency)

    return Order(
        number=row.number,
        cart_id=row.cart_id,
        store_code=row.store_code,
        customer_id=row.customer_id,
        email=row.email,
        status=row.status,
        lines=tuple(
            SnapshotLine(
                sku=line.sku,
                name=line.name,
                kind=line.kind,
                quantity=line.quantity,
                price=money(line.price_minor),
            )
            for line in lines
        ),
        shipping_address=row.shipping_address,
        billing_address=row.billing_address,
        shipping_method=row.shipping_method,
        payment_method=row.payment_method,
        purchase_order_number=row.purchase_order_number,
        payment_id=row.payment_id,
        totals=Totals(
            subtotal=money(row.subtotal_minor),
            shipping=money(row.shipping_minor),
            line_taxes=tuple(money(line.tax_minor) for line in lines),
            shipping_tax=money(row.shipping_tax_minor),
            tax=money(row.tax_minor),
            tax_rate=row.tax_rate,
            grand_total=money(row.grand_total_minor),
        ),
        created_at=row.created_at,
    )
