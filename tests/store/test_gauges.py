"""Do the gauges say what stands open, and does an index answer each of them?"""

import re

import pytest
from sqlalchemy import text

from commerce.adapters.store import gauges
from commerce.adapters.store.gauges import StoreGauges
from commerce.contract import OrderPlaced
from commerce.domain.errors import Operation, RefusalReason, refuse
from tests.builders import TestClock, checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop

NOTHING: dict[str, float] = dict.fromkeys(StoreGauges.model_fields, 0)
WHOLE_TABLE = re.compile(r"Seq Scan|SCAN \w+$")


def stands_open(shop: Shop) -> dict[str, float]:
    """The gauges that are not zero."""
    found = shop.store.gauges.read().model_dump()
    assert found.keys() == NOTHING.keys()
    return {name: value for name, value in found.items() if value}


def announce(shop: Shop, number: str) -> None:
    event = shop.event(number)
    assert event is not None
    shop.store.orders.mark_announced([event.event_id])


def test_an_empty_store_has_nothing_open(shop: Shop) -> None:
    assert stands_open(shop) == {}


def test_holds_are_open_until_they_end_and_overdue_when_nobody_ends_them(shop: Shop) -> None:
    shop.stock(apple=10, pear=10)
    shop.save("first", ("apple", 2), ("pear", 1))
    shop.save("second", ("apple", 4))
    shop.hold(checkout("first"))
    assert stands_open(shop) == {"holds_open": 1, "units_held": 3}
    shop.clock.advance(HOLD_TTL - SECOND)
    shop.hold(checkout("second"))
    shop.clock.advance(61 * SECOND)
    assert stands_open(shop) == {
        "holds_open": 2,
        "units_held": 7,
        "holds_overdue": 1,
        "hold_overdue_s": 60,
    }
    shop.store.stock.expire_overdue()
    assert stands_open(shop) == {"holds_open": 1, "units_held": 4}
    shop.undo(checkout("second"), refuse(RefusalReason.ABORTED))
    assert stands_open(shop) == {}


def test_an_order_is_unannounced_until_it_is(shop: Shop) -> None:
    shop.stock(apple=10)
    shop.save("cart")
    placed = shop.order(checkout("cart"))
    assert stands_open(shop) == {"events_unannounced": 1}
    shop.clock.advance(90 * SECOND)
    assert stands_open(shop) == {"events_unannounced": 1, "event_unannounced_s": 90}
    announce(shop, placed.order_number)
    assert stands_open(shop) == {}


def test_a_payment_is_open_until_it_is_taken_and_in_review_when_it_cannot_be(shop: Shop) -> None:
    shop.stock(apple=10)
    shop.save("cart")
    run = checkout("cart", operation=Operation.COMPLETE_ORDER, payment_id="PAY1")
    locked = shop.claim(run)
    open_payment = {"payments_without_order": 1, "payments_unsettled": 1}
    assert stands_open(shop) == {"holds_open": 1, "units_held": 1, **open_payment}
    placed = shop.store.orders.create(run, locked.digest)
    assert isinstance(placed, OrderPlaced)
    announce(shop, placed.order_number)
    assert stands_open(shop) == {"payments_unsettled": 1}
    shop.store.orders.mark_for_review(placed.order_number)
    assert stands_open(shop) == {"payments_unsettled": 1, "orders_in_payment_review": 1}
    shop.store.orders.mark_captured(placed.order_number)
    assert stands_open(shop) == {}


@pytest.mark.parametrize("gauge", [*gauges.queries(TestClock()())])
def test_no_gauge_reads_a_whole_table(shop: Shop, gauge: str) -> None:
    engine = shop.store.database.engine
    query = gauges.queries(shop.clock())[gauge]
    explain = "EXPLAIN QUERY PLAN" if shop.store.database.is_sqlite else "EXPLAIN"
    sql = query.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        if not shop.store.database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # or small tables are read
        plan = [str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {sql}")]
    assert plan
    assert [line for line in plan if WHOLE_TABLE.search(line)] == []
