"""The audit: does it see every rule broken, and nothing else?"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import inspect, text

from commerce.adapters.store import audit
from commerce.adapters.store.models import Base
from commerce.contract import Checkout
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.domain.stores import Store
from tests.builders import checkout, tax
from tests.store.conftest import HOLD_TTL, Opened, Shop

ORDERED = checkout("ordered").id
PAID = checkout("paid").id
HELD = checkout("locked").id


@dataclass(frozen=True)
class Plant:
    """Statements that break a rule, and the offender that the audit has to name."""

    rule: str
    offender: str
    statements: tuple[str, ...]


def plant(rule: str, offender: str, *statements: str) -> Plant:
    return Plant(rule, offender, statements)


NEVER_BELOW_ZERO = "stock is never below zero and never oversold"
HELD_IS_SUM = "held stock is the sum of the open holds"
ON_HAND = "stock on hand is what was stocked less what was sold"
OPEN_HOLD = "an open hold belongs to the checkout that has locked its cart"
COMMITTED = "a committed hold belongs to an order, and the other way round"
SOLD = "what was sold from stock is what was ordered"
CONVERTED = "a cart is converted exactly when it has an order"
LINES = "an order's lines add up to its subtotal"
TAXES = "an order's taxes add up to its tax"
NO_GAPS = "order numbers have no gaps"
NUMBER = "an order number is its prefix and nine digits"
CLAIM = "an order's payment is claimed by its checkout"
GIVEN_UP = "a payment that was given up pays for no order"
OUTBOX = "every order has its event in the outbox"
ANSWERED = "an answered order is the order of its cart"

UNLOCKED = (
    "status='active', locked_by=NULL, lock_expires_at=NULL, snapshot=NULL, snapshot_digest=NULL"
)
OF_PAID = f"WHERE checkout_id='{PAID}'"
PLANTS = (
    plant(NEVER_BELOW_ZERO, "plum", "UPDATE stock SET on_hand = -1 WHERE sku='plum'"),
    plant(NEVER_BELOW_ZERO, "plum", "UPDATE stock SET held = -1 WHERE sku='plum'"),
    plant(NEVER_BELOW_ZERO, "plum", "UPDATE stock SET held = on_hand + 1 WHERE sku='plum'"),
    plant(HELD_IS_SUM, "pear", "UPDATE stock SET held = held + 1 WHERE sku='pear'"),
    plant(HELD_IS_SUM, "pear", "UPDATE stock SET held = held - 1 WHERE sku='pear'"),
    plant(HELD_IS_SUM, "pear", f"UPDATE holds SET status='expired' WHERE checkout_id='{HELD}'"),
    plant(HELD_IS_SUM, "pear", f"DELETE FROM hold_lines WHERE checkout_id='{HELD}'"),
    plant(ON_HAND, "apple", "UPDATE stock SET on_hand = on_hand - 1 WHERE sku='apple'"),
    plant(ON_HAND, "apple", "UPDATE stock SET stocked = stocked - 1 WHERE sku='apple'"),
    plant(ON_HAND, "apple", f"DELETE FROM hold_lines WHERE checkout_id='{ORDERED}'"),
    plant(OPEN_HOLD, HELD, f"UPDATE carts SET {UNLOCKED} WHERE id='locked'"),
    plant(OPEN_HOLD, HELD, "UPDATE carts SET locked_by='another' WHERE id='locked'"),
    plant(
        OPEN_HOLD,
        checkout("refused").id,
        f"UPDATE holds SET status='held' WHERE checkout_id='{checkout('refused').id}'",
    ),
    plant(COMMITTED, HELD, f"UPDATE holds SET status='committed' WHERE checkout_id='{HELD}'"),
    plant(COMMITTED, ORDERED, f"UPDATE holds SET status='held' WHERE checkout_id='{ORDERED}'"),
    plant(COMMITTED, "000000001", f"DELETE FROM holds WHERE checkout_id='{ORDERED}'"),
    plant(SOLD, ORDERED, f"UPDATE hold_lines SET quantity=9 WHERE checkout_id='{ORDERED}'"),
    plant(SOLD, ORDERED, "UPDATE order_lines SET quantity=9 WHERE order_number='000000001'"),
    plant(SOLD, ORDERED, "UPDATE order_lines SET sku='plum' WHERE order_number='000000001'"),
    plant(CONVERTED, "ordered", "UPDATE carts SET status='active' WHERE id='ordered'"),
    plant(CONVERTED, "active", "UPDATE carts SET status='converted' WHERE id='active'"),
    plant(LINES, "000000001", "UPDATE orders SET subtotal_minor=1 WHERE number='000000001'"),
    plant(LINES, "000000001", "UPDATE order_lines SET total_minor=1 WHERE sku='apple'"),
    plant(LINES, "000000001", "DELETE FROM order_lines WHERE order_number='000000001'"),
    plant(TAXES, "000000001", "UPDATE orders SET tax_minor=1 WHERE number='000000001'"),
    plant(TAXES, "000000001", "UPDATE orders SET shipping_tax_minor=0 WHERE number='000000001'"),
    plant(TAXES, "000000001", "UPDATE order_lines SET tax_minor=0 WHERE order_number='000000001'"),
    plant(NO_GAPS, "", "UPDATE order_sequences SET last_value = 4 WHERE prefix=''"),
    plant(NO_GAPS, "", "UPDATE order_sequences SET last_value = 1 WHERE prefix=''"),
    plant(NO_GAPS, "", "UPDATE orders SET number='000000009' WHERE number='000000002'"),
    plant(NO_GAPS, "N", "DELETE FROM orders WHERE order_prefix='N'"),
    plant(NO_GAPS, "N", "DELETE FROM order_sequences WHERE prefix='N'"),
    plant(NUMBER, "0000000002", "UPDATE orders SET number='0000000002' WHERE number='000000002'"),
    plant(NUMBER, "2", "UPDATE orders SET number='2' WHERE number='000000002'"),
    plant(NUMBER, "X00000002", "UPDATE orders SET number='X00000002' WHERE number='000000002'"),
    plant(NUMBER, "M000000001", "UPDATE orders SET number='M000000001' WHERE number='N000000001'"),
    plant(CLAIM, "000000003", f"DELETE FROM payment_claims WHERE checkout_id='{PAID}'"),
    plant(CLAIM, "000000003", f"UPDATE payment_claims SET status='let_go' {OF_PAID}"),
    plant(CLAIM, "000000003", f"UPDATE payment_claims SET status='given_up' {OF_PAID}"),
    plant(CLAIM, "000000003", f"UPDATE payment_claims SET payment_id='PAY-9' {OF_PAID}"),
    plant(CLAIM, "000000003", f"UPDATE payment_claims SET payment_id=NULL {OF_PAID}"),
    plant(CLAIM, "000000003", f"UPDATE payment_claims SET checkout_id='another' {OF_PAID}"),
    plant(CLAIM, "000000001", "UPDATE orders SET payment_id='PAY-9' WHERE number='000000001'"),
    plant(GIVEN_UP, "000000003", f"UPDATE payment_claims SET status='given_up' {OF_PAID}"),
    plant(
        GIVEN_UP,
        "000000003",
        "UPDATE payment_claims SET payment_id='PAY-1' WHERE payment_id='PAY-2'",
    ),
    plant(OUTBOX, "000000001", "DELETE FROM outbox WHERE order_number='000000001'"),
    plant(
        ANSWERED,
        "key-of-ordered",
        "UPDATE answers SET order_number='000000002' WHERE order_number='000000001'",
    ),
)


def paying(cart_id: str, payment_id: str) -> Checkout:
    return checkout(cart_id, operation=Operation.COMPLETE_ORDER, payment_id=payment_id)


def fill(shop: Shop) -> None:
    """A store in which everything has happened: sold, paid, held, refused, left alone."""
    shop.stock(apple=5, pear=5, plum=5)
    shop.store.stores.add(Store(code="north", order_prefix="N"))
    shop.store.stores.set_tax_rate("default", tax("8.25", "TX"))
    shop.save("ordered", ("apple", 2))
    shop.save("ordered-too", ("pear", 1))
    shop.save("northern", ("pear", 1), store_code="north")
    shop.save("paid", ("pear", 1))
    for cart_id in ("ordered", "ordered-too", "northern"):
        shop.order(checkout(cart_id))
    shop.order(paying("paid", "PAY-1"))
    for cart_id in ("locked", "refused", "active"):
        shop.save(cart_id, ("pear", 1))
    shop.hold(checkout("locked"))
    shop.hold(checkout("refused"))
    shop.undo(checkout("refused"), refuse(RefusalReason.PAYMENT_METHOD_MISSING))
    shop.save("aborted", ("plum", 1))
    shop.claim(paying("aborted", "PAY-2"))
    shop.undo(paying("aborted", "PAY-2"), refuse(RefusalReason.ABORTED))


@pytest.fixture(scope="module")
def unguarded(new_url: Callable[[], str]) -> Iterator[Opened]:
    """A store in which everything has happened, and no constraint stops a statement."""
    opened = Opened.at(new_url())
    engine = opened.databases[0].engine
    inspector = inspect(engine)
    unguard = ["PRAGMA foreign_keys=OFF", "PRAGMA ignore_check_constraints=ON"]
    if not opened.databases[0].is_sqlite:
        unguard = [
            f"ALTER TABLE {table} DROP CONSTRAINT {constraint['name']}"
            for table in Base.metadata.tables
            for constraint in (
                *inspector.get_check_constraints(table),
                *inspector.get_foreign_keys(table),
            )
        ]
    connection = engine.raw_connection()  # SQLite hears the first only outside of transactions
    for statement in unguard:
        connection.cursor().execute(statement)
    connection.commit()
    connection.close()
    fill(opened.shops()[0])
    opened.keep()
    yield opened
    opened.close()


@pytest.fixture
def frail(unguarded: Opened) -> Shop:
    """The store to be broken."""
    unguarded.restore()
    return unguarded.shops()[0]


def sabotage(shop: Shop, *statements: str) -> None:
    with shop.store.database.transaction() as tx:
        for statement in statements:
            tx.execute(text(statement))


def test_every_rule_is_planted() -> None:
    assert {planted.rule for planted in PLANTS} == set(audit._rules())  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("planted", PLANTS, ids=lambda p: f"{p.rule}: {p.statements[0]}")
def test_a_broken_rule_is_seen_and_names_the_offender(frail: Shop, planted: Plant) -> None:
    frail.counts()
    sabotage(frail, *planted.statements)
    report = frail.store.audit.run()
    assert not report.clean
    broken = {violation.rule: violation for violation in report.violations}
    assert planted.rule in broken, f"broken are only {sorted(broken)}"
    assert broken[planted.rule].examples == (planted.offender,)
    assert broken[planted.rule].count == 1


def test_many_offenders_are_counted_and_five_are_named(frail: Shop) -> None:
    frail.stock(**{f"a_sku_{n}": n for n in range(9)})
    sabotage(frail, "UPDATE stock SET stocked = stocked + 1 WHERE sku LIKE 'a_sku%'")
    (violation,) = frail.store.audit.run().violations
    assert violation.count == 9
    assert violation.examples == tuple(f"a_sku_{n}" for n in range(audit.EXAMPLES))


def test_an_empty_store_is_clean(shop: Shop) -> None:
    assert set(shop.counts().values()) == {0}


def test_everything_is_counted(shop: Shop) -> None:
    fill(shop)
    counts = {
        "orders": 4,
        "carts": 8,
        "carts_locked": 1,
        "holds_open": 1,
        "holds_overdue": 0,
        "holds_undone": 2,
        "orders_uncaptured": 1,
        "orders_in_payment_review": 0,
        "payments_claimed": 0,
        "events_unannounced": 4,
        "units_stocked": 15,
        "units_on_hand": 10,
        "units_held": 1,
        "units_sold": 5,
    }
    assert shop.counts() == counts
    shop.save("waits", ("plum", 1))
    shop.claim(paying("waits", "PAY-3"))
    shop.store.orders.mark_for_review("000000003")
    counts |= {"carts": 9, "carts_locked": 2, "holds_open": 2, "units_held": 2}
    counts |= {"payments_claimed": 1, "orders_in_payment_review": 1, "orders_uncaptured": 0}
    assert shop.counts() == counts
    shop.clock.advance(HOLD_TTL)
    event = shop.event("000000001")
    assert event is not None
    shop.store.orders.mark_announced([event.event_id])
    assert shop.counts() == {**counts, "holds_overdue": 2, "events_unannounced": 3}


def test_the_audit_writes_nothing(shop: Shop) -> None:
    fill(shop)
    before = shop.rows()
    shop.counts()
    assert shop.rows() == before
