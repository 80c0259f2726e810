"""Does the schema that Alembic makes hold what the models say?"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    MetaData,
    inspect,
    text,
)
from sqlalchemy.exc import IntegrityError

from commerce.adapters.store import schema
from commerce.adapters.store.database import Database
from commerce.adapters.store.models import Base
from commerce.adapters.store.schema import SchemaError, check, upgrade
from commerce.adapters.store.stores import SqlStores
from commerce.contract import OrderPlaced
from commerce.domain.carts import Cart
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.orders import OrderQuery, OrderStatus
from commerce.domain.payments import ClaimStatus, PaymentChoice
from commerce.domain.stores import Store
from tests.builders import TestClock, build, checkout, tax, usd
from tests.store.conftest import HOLD_TTL, SQLITE, Shop
from tests.store.shoppers import ADA, adding, lines


def test_an_empty_database_becomes_a_store_with_the_default_storefront(empty: Database) -> None:
    upgrade(empty)
    check(empty)
    assert SqlStores(empty).all() == [Store(code="default")]


def test_an_empty_database_is_refused_with_what_to_run(empty: Database) -> None:
    with pytest.raises(SchemaError, match=r"schema is empty, not .* run 'checkout migrate'"):
        check(empty)


def test_migrating_again_changes_nothing(shop: Shop) -> None:
    shop.stock(apple=3)
    shop.save("cart")
    before = shop.rows()
    upgrade(shop.store.database)
    check(shop.store.database)
    assert shop.rows() == before


def test_a_failed_migration_leaves_nothing_behind(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.bulk_insert", crash)
        with pytest.raises(RuntimeError):
            upgrade(empty)
    assert inspect(empty.engine).get_table_names() == []
    upgrade(empty)
    check(empty)


def test_the_migrated_schema_is_the_one_of_the_models(shop: Shop) -> None:
    with shop.store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_checks_are_those_of_the_models(shop: Shop) -> None:
    """By name, for each database writes their text in its own way; Alembic compares neither."""
    inspector = inspect(shop.store.database.engine)
    for name, table in Base.metadata.tables.items():
        wanted = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
        assert {found["name"] for found in inspector.get_check_constraints(name)} == wanted, name


# -- with rows in it -------------------------------------------------------------------------------

RECORDED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "version_1.json").read_text()
)
"""What the first version wrote: three orders, carts in every state, a checkout under way."""
LOCKED = "fecc14ca3e066e8eafa7c65fba603e44a8def8cd33e7eb98d62c81db934e814d"
"""The digest that the checkout under way goes by."""

GONE = "sandbox_payments"
"""The development gateway's own; payments are now where they are made, at the gateway."""

Rows = dict[str, list[tuple[Any, ...]]]


def value(column: Column[Any], recorded: Any) -> Any:
    """A recorded value as the driver takes it."""
    if recorded is None:
        return None
    match column.type:
        case DateTime():
            return datetime.fromisoformat(recorded).replace(tzinfo=UTC)
        case Boolean():
            return bool(recorded)
        case JSON():
            return json.loads(recorded)
        case _:
            return recorded


def read(database: Database, tables: MetaData) -> Rows:
    """The rows of all tables, in the columns that they are known to have."""
    with database.engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for name, table in tables.tables.items()
        }


@pytest.fixture
def version_1(empty: Database) -> tuple[Database, MetaData, Rows]:
    """A store as the first version left it, its tables, and all that is in them."""
    tables = MetaData()
    with empty.engine.begin() as connection:
        command.upgrade(schema._config(connection), "0001")  # pyright: ignore[reportPrivateUsage]
    with empty.engine.begin() as connection:
        tables.reflect(connection)
        tables.remove(tables.tables["alembic_version"])
        connection.execute(tables.tables["stores"].delete())
        for table in tables.sorted_tables:
            rows = [
                {name: value(table.columns[name], each[name]) for name in each}
                for each in RECORDED[table.name]
            ]
            if rows:
                connection.execute(table.insert(), rows)
    before = read(empty, tables)
    assert {name: len(rows) for name, rows in before.items()} == {
        name: len(rows) for name, rows in RECORDED.items()
    }
    tables.remove(tables.tables[GONE])
    del before[GONE]
    return empty, tables, before


def test_an_older_store_is_refused_with_what_to_run(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    with pytest.raises(SchemaError, match=r"schema is 0001, not .* run 'checkout migrate'"):
        check(version_1[0])


def test_nothing_that_an_older_store_holds_is_lost(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    database, tables, before = version_1
    upgrade(database)
    check(database)
    assert read(database, tables) == before
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize("table", ["orders", "carts", "stores", "products"])
def test_what_others_refer_to_still_cannot_be_deleted(
    version_1: tuple[Database, MetaData, Rows], table: str
) -> None:
    database, tables, before = version_1
    upgrade(database)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM {table}"))
    assert read(database, tables) == before


def test_the_lines_of_older_carts_keep_their_numbers_and_new_ones_go_on(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    database, _, _ = version_1
    upgrade(database)
    shopping = build(database, HOLD_TTL).shopping
    kept = [(1, "pear", 1), (2, "apple", 2), (3, "pear", 3)]
    changed = shopping.edit("active", adding("ebook", 1, ADA), ["ebook"])
    assert lines(changed) == [*kept, (4, "ebook", 1)]
    assert lines(shopping.edit("empty", adding("ebook"), ["ebook"])) == [(1, "ebook", 1)]


def test_an_older_store_goes_on_with_what_was_under_way(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    """Its checkout is completed over the snapshot that the first version froze."""
    database, _, _ = version_1
    upgrade(database)
    database.now = clock = TestClock()
    clock.advance(timedelta(days=1))
    shop = Shop(build(database, HOLD_TTL), clock)
    shop.counts()
    shop.store.stores.set_tax_rate("default", tax("10"))
    placed = shop.store.orders.create(checkout("locked"), LOCKED)
    assert isinstance(placed, OrderPlaced)
    assert (placed.order_number, placed.total) == ("000000003", usd("52.25"))
    totals = shop.find(placed).totals
    assert (totals.tax, totals.tax_rate) == (usd("0.00"), None)
    counts = shop.counts()
    assert (counts["orders"], counts["holds_open"]) == (4, 0)


def test_older_orders_are_read_and_have_no_tax(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    database, _, _ = version_1
    upgrade(database)
    store = build(database, HOLD_TTL)
    ordered = store.order_book.find("000000001")
    assert ordered is not None
    assert [(line.sku, line.quantity) for line in ordered.lines] == [
        ("apple", 2),
        ("pear", 1),
        ("ebook", 1),
    ]
    assert ordered.totals.line_taxes == (usd("0.00"),) * 3
    assert (ordered.totals.tax, ordered.totals.grand_total) == (usd("0.00"), usd("44.75"))
    theirs = store.order_book.of_customer("ada", OrderQuery(by_number=True))
    assert [order.number for order in theirs.orders] == ["N000000001", "000000002"]
    assert theirs.orders[0].totals.grand_total == Money.parse("14.00", "EUR")


def test_a_customers_cart_of_an_older_store_is_theirs(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    database, _, _ = version_1
    upgrade(database)
    shopping = build(database, HOLD_TTL).shopping
    for customer_id, cart_id in (("ada", "active"), ("eve", "new")):
        new = Cart(id="new", store_code="default", customer_id=customer_id)
        assert shopping.of_customer(customer_id, "default", new) == cart_id


def test_a_migration_that_fails_leaves_the_older_store_as_it_was(
    version_1: tuple[Database, MetaData, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, tables, before = version_1

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.base.BatchOperations.create_index", crash)
        with pytest.raises(RuntimeError):
            upgrade(database)
    assert read(database, tables) == before
    names = inspect(database.engine).get_table_names()
    assert GONE in names
    assert not {"customer_carts", "payment_claims"} & set(names)
    upgrade(database)
    assert read(database, tables) == before


def test_older_orders_that_were_paid_have_claimed_their_payment(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    """Else it could pay for another one."""
    database, _, _ = version_1
    upgrade(database)
    shop = Shop(build(database, HOLD_TTL), TestClock())
    database.now = shop.clock
    paid = shop.store.claims.find("PAY1")
    assert paid is not None
    assert (paid.cart_id, paid.status) == ("paid", ClaimStatus.CLAIMED)
    assert paid.order_number == "000000002"
    order = shop.store.order_book.find("000000002")
    assert order is not None
    with database.engine.connect() as connection:
        claims = connection.execute(Base.metadata.tables["payment_claims"].select()).all()
    ids = [order["checkout_id"] for order in RECORDED["orders"] if order["payment_id"]]
    assert [(row.checkout_id, row.created_at) for row in claims] == [(ids[0], order.created_at)]
    shop.counts()
    shop.save("new")
    run = checkout("new", operation=Operation.COMPLETE_ORDER, payment_id="PAY1")
    assert shop.check_out(run) == refuse(RefusalReason.PAYMENT_ID_INVALID)


@pytest.mark.parametrize("status", OrderStatus)
def test_older_payments_that_were_captured_are_settled_and_no_other(
    version_1: tuple[Database, MetaData, Rows], status: OrderStatus
) -> None:
    """Else the sweep would look at every payment there ever was."""
    database, _, _ = version_1
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE orders SET status='{status}' WHERE number='000000002'"))
    upgrade(database)
    (claim,) = build(database, HOLD_TTL).leftovers.payments(timedelta(), 10) or [None]
    assert (claim is None) is (status is OrderStatus.PROCESSING)


def test_older_carts_have_no_payment_id(version_1: tuple[Database, MetaData, Rows]) -> None:
    database, _, _ = version_1
    upgrade(database)
    shop = Shop(build(database, HOLD_TTL), TestClock())
    assert shop.content("active")[0].payment == PaymentChoice(method="checkmo")
    assert shop.content("empty")[0].payment is None
    assert shop.lock(checkout("locked")).payment_id is None


def test_the_payments_go_down_and_up_again(version_1: tuple[Database, MetaData, Rows]) -> None:
    """What orders say of their payment stays; what was made at the gateway is asked there."""
    database, tables, before = version_1

    def schema_at(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {
            name: {column["name"] for column in found.get_columns(name)}
            for name in found.get_table_names()
        }

    upgrade(database)
    with database.engine.begin() as connection:
        third = schema_at(connection)
        command.downgrade(schema._config(connection), "0002")  # pyright: ignore[reportPrivateUsage]
    with database.engine.begin() as connection:
        second = schema_at(connection)
    new = {"payment_claims", "webhook_events"}
    assert {GONE, *third} - new == set(second)
    assert second[GONE] == set(RECORDED[GONE][0])
    changed = {name: third[name] ^ second[name] for name in set(third) - new}
    assert {name: columns for name, columns in changed.items() if columns} == {
        "carts": {"payment_id"}
    }
    assert read(database, tables) == before
    upgrade(database)
    check(database)
    with database.engine.begin() as connection:
        assert schema_at(connection) == third
    assert read(database, tables) == before
    paid = build(database, HOLD_TTL).claims.find("PAY1")
    assert paid is not None
    assert paid.status is ClaimStatus.CLAIMED


def test_a_payment_is_claimed_by_one_checkout_whatever_is_written(shop: Shop) -> None:
    claims = Base.metadata.tables["payment_claims"]
    row = {"cart_id": "cart", "payment_id": "PAY-1", "created_at": shop.clock.time}
    with shop.store.database.engine.begin() as connection:
        for n, status in enumerate(("claimed", "let_go", "let_go", "given_up", "given_up")):
            connection.execute(claims.insert(), {**row, "checkout_id": f"{n}", "status": status})
    with pytest.raises(IntegrityError), shop.store.database.engine.begin() as connection:
        connection.execute(claims.insert(), {**row, "checkout_id": "9", "status": "claimed"})


@pytest.mark.parametrize("kind", [SQLITE], indirect=True)
def test_rows_that_refer_to_nothing_are_seen_before_the_migration_is_done(
    version_1: tuple[Database, MetaData, Rows],
) -> None:
    """SQLite does not look while tables are rebuilt."""
    database, tables, _ = version_1
    driver = database.engine.raw_connection()
    cursor = driver.cursor()
    for statement in (
        "PRAGMA foreign_keys=OFF",
        "DELETE FROM orders WHERE number='000000001'",
        "PRAGMA foreign_keys=ON",
    ):
        cursor.execute(statement)
    cursor.close()
    driver.close()
    before = read(database, tables)
    with pytest.raises(SchemaError, match="refer to nothing"):
        upgrade(database)
    assert read(database, tables) == before
    with pytest.raises(SchemaError, match="schema is 0001"):
        check(database)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(text("DELETE FROM orders WHERE number='000000002'"))
