"""Fills a store with orders as checkouts leave them, without checking each out."""

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, MetaData, String, Table, func, insert, literal, select, update
from sqlalchemy.orm import Session

from bench.load import settled
from bench.stage import Kind, Stage, carts, pay
from client import OrderPlaced
from commerce.adapters.store.models import (
    AnswerRow,
    Base,
    CartLineRow,
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
from commerce.contract import workflow_id
from commerce.domain.orders import order_number
from commerce.domain.stock import HoldStatus

PAID = 5
"""Every fifth template is paid at the gateway."""


@dataclass(frozen=True)
class Template:
    """A real order, whose rows are copied.

    Attributes:
        own: What is its own in its rows, by what it is.
        rows: Its rows as the checkout left them, in an order that references allow.
    """

    own: Mapping[str, str]
    rows: Sequence[tuple[Table, Mapping[str, Any]]]


_ITS_ROWS: tuple[tuple[type[Base], str, str], ...] = (
    (CartRow, "id", "cart_id"),
    (CartLineRow, "cart_id", "cart_id"),
    (HoldRow, "checkout_id", "checkout_id"),
    (HoldLineRow, "checkout_id", "checkout_id"),
    (PaymentClaimRow, "checkout_id", "checkout_id"),
    (OrderRow, "number", "number"),
    (OrderLineRow, "order_number", "number"),
    (AnswerRow, "cart_id", "cart_id"),
    (OutboxRow, "order_number", "number"),
)
_NAMES = Table(
    "bench_names",
    MetaData(),
    *(
        Column(name, String(255), nullable=False)
        for name in ("cart_id", "checkout_id", "number", "key", "payment_id")
    ),
    prefixes=["TEMPORARY"],
)


async def templates(stage: Stage, skus: Sequence[Sequence[str]]) -> list[Template]:
    """Place an order of each basket, and read what that leaves."""
    numbers: list[str] = []
    for n, basket in enumerate(skus):
        (cart_id,) = carts(stage.store, 1, list(basket))
        if n % PAID:
            answer = await stage.checkout.place_order(cart_id)
        else:
            answer = await stage.checkout.complete_order(cart_id, await pay(stage, cart_id))
        assert isinstance(answer, OrderPlaced), answer
        numbers.append(answer.order_number)
    await settled(stage)
    with stage.store.database.reading() as tx:
        return [_template(tx, number) for number in numbers]


def _template(tx: Session, number: str) -> Template:
    order = tx.get_one(OrderRow, number)
    key = tx.scalars(select(AnswerRow.idempotency_key).where(AnswerRow.order_number == number))
    own = {
        "cart_id": order.cart_id,
        "checkout_id": order.checkout_id,
        "number": number,
        "key": key.one(),
        "payment_id": order.payment_id or "",
    }
    rows: list[tuple[Table, Mapping[str, Any]]] = []
    for row, column, name in _ITS_ROWS:
        table = Base.metadata.tables[row.__tablename__]
        found = tx.execute(select(table).where(table.c[column] == own[name])).mappings()
        rows += [(table, dict(each)) for each in found]
    return Template(own=own, rows=rows)


def fill(stage: Stage, made: Sequence[Template], count: int, done: Callable[[int], None]) -> None:
    """Store so many orders as if they had been checked out.

    Each is a real order's rows under names of its own, random where those of a checkout are;
    stock and order numbers are as after that many sales. The audit is clean afterwards.

    Args:
        done: Told how many more there are.
    """
    with stage.store.database.transaction() as tx:
        prefix, last = tx.execute(
            select(OrderSequenceRow.prefix, OrderSequenceRow.last_value)
        ).one()
    for n, template in enumerate(made):
        share = (n + 1) * count // len(made) - n * count // len(made)
        names = [_names(order_number(prefix, last + each)) for each in range(1, share + 1)]
        last += share
        with stage.store.database.transaction() as tx:
            _NAMES.create(tx.connection())
            tx.execute(insert(_NAMES), names)
            for table, row in template.rows:
                values = [_value(table.c[name], each, template) for name, each in row.items()]
                tx.execute(insert(table).from_select(list(row), select(*values)))
            tx.execute(update(OrderSequenceRow).values(last_value=last))
            _NAMES.drop(tx.connection())
        done(share)
    committed = (
        select(func.sum(HoldLineRow.quantity))
        .join(HoldRow, HoldRow.checkout_id == HoldLineRow.checkout_id)
        .where(HoldLineRow.sku == StockRow.sku, HoldRow.status == HoldStatus.COMMITTED)
        .scalar_subquery()
    )
    with stage.store.database.transaction() as tx:
        sold = update(StockRow).values(stocked=StockRow.on_hand + func.coalesce(committed, 0))
        tx.execute(sold.execution_options(synchronize_session=False))


def _names(number: str) -> dict[str, str]:
    cart_id = secrets.token_hex(16)
    return {
        "cart_id": cart_id,
        "checkout_id": f"{workflow_id(cart_id)}/{uuid.uuid4()}",
        "number": number,
        "key": uuid.uuid4().hex,
        "payment_id": secrets.token_hex(9)[:17].upper(),
    }


def _value(column: Column[Any], value: Any, template: Template) -> Any:
    """What a copy has in a column: the template's value, with the copy's own names in it."""
    for name, own in template.own.items():
        if own and isinstance(value, str) and (value == own or value.startswith(f"{own}/")):
            return func.replace(literal(value), own, _NAMES.c[name])
    return literal(value, column.type)


def tidy(stage: Stage) -> None:
    """What PostgreSQL does by itself within a minute; SQLite does nothing."""
    if stage.kind is Kind.POSTGRESQL:
        with stage.store.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM (ANALYZE)")
