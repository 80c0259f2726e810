"""Does the schema that Alembic makes hold what the models say?"""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import Base
from commerce.adapters.store.schema import SchemaError, check, upgrade
from commerce.adapters.store.stores import SqlStores
from commerce.domain.stores import Store
from tests.store.conftest import Shop


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
