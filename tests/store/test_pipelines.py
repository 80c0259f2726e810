"""What becomes of a statement that nobody waits for, when it fails, or when the connection is cut?

PostgreSQL tells of it with a later statement, or with the commit; SQLite at once.
"""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from commerce.adapters.store.database import (
    Database,
    StoreRuleError,
    run,
    run_later,
    run_many_later,
)
from commerce.adapters.store.models import HoldLineRow, HoldRow, StockRow
from tests.builders import checkout
from tests.store.conftest import Shop, on_postgresql_only

RUN = checkout("cart")
FOREIGN = {"checkout_id": "nobody's", "sku": "apple", "quantity": 1}
"""A line of a hold that there is not."""

LINE = insert(HoldLineRow)
EMPTY = delete(HoldLineRow)
LINES = select(HoldLineRow.sku)


@pytest.fixture
def database(shop: Shop) -> Database:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 1))
    shop.reserve(RUN)
    return shop.store.database


def lines(database: Database) -> list[str]:
    with database.looking() as tx:
        return list(run(tx, LINES).scalars())


def break_a_rule_and_wait(tx: Session) -> None:
    run_later(tx, EMPTY)
    run_later(tx, LINE, **FOREIGN)
    run(tx, LINES).all()


def break_a_rule_last(tx: Session) -> None:
    run_later(tx, EMPTY)
    run_many_later(tx, LINE, [FOREIGN, {**FOREIGN, "sku": "pear"}])


def change_ones_mind(tx: Session) -> None:
    run_later(tx, EMPTY)
    raise LookupError("mine")


def change(database: Database, change: Callable[[Session], None]) -> None:
    with database.transaction() as tx:
        change(tx)


@pytest.mark.parametrize("broken", [break_a_rule_and_wait, break_a_rule_last])
def test_it_takes_the_transaction_with_it_and_shows_nothing_of_the_row(
    database: Database, broken: Callable[[Session], None]
) -> None:
    with pytest.raises(StoreRuleError, match=r"(?i)foreign|fk_hold_lines") as raised:
        change(database, broken)
    assert "nobody's" not in str(raised.value)
    assert lines(database) == ["apple"]


def test_an_exception_of_the_caller_is_raised_and_nothing_is_kept(database: Database) -> None:
    with pytest.raises(LookupError, match="mine"):
        change(database, change_ones_mind)
    assert lines(database) == ["apple"]


def test_objects_that_were_changed_are_part_of_it(database: Database) -> None:
    with database.transaction() as tx:
        tx.get_one(StockRow, "apple").on_hand = 7
        tx.add(HoldRow(**_copy(tx.get_one(HoldRow, RUN.id))))
    with database.reading() as tx:
        assert tx.get_one(StockRow, "apple").on_hand == 7
        assert tx.get(HoldRow, "another") is not None


def _copy(row: HoldRow) -> dict[str, object]:
    columns = {each.key: getattr(row, each.key) for each in HoldRow.__table__.columns}
    return {**columns, "checkout_id": "another"}


@on_postgresql_only
@pytest.mark.parametrize("waits", [True, False], ids=["at a statement", "at the commit"])
def test_a_cut_connection_is_an_error_and_the_next_is_a_new_one(
    database: Database, waits: bool
) -> None:
    def cut(tx: Session) -> None:
        run_later(tx, EMPTY)
        mine = run(tx, text("SELECT pg_backend_pid()")).scalar_one()
        with database.looking() as other:
            run(other, text("SELECT pg_terminate_backend(:pid, 5000)"), pid=mine)
        if waits:
            run(tx, LINES).all()

    with pytest.raises(SQLAlchemyError):
        change(database, cut)
    assert lines(database) == ["apple"]
    change(database, lambda tx: run_later(tx, EMPTY))
    assert lines(database) == []
