"""Bringing a database to the newest schema, by Alembic."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from commerce.adapters.store.database import Database

_MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaError(RuntimeError):
    """A database whose schema is not the one that this version needs."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database) -> None:
    """Migrate to the newest schema, in one transaction; nothing to do is fine."""
    with (
        database.engine.connect() as connection,
        _tables_may_be_rebuilt(connection),
        connection.begin(),
    ):
        command.upgrade(_config(connection), "head")
        if database.is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            raise SchemaError("the migration would leave rows that refer to nothing")


@contextmanager
def _tables_may_be_rebuilt(connection: Connection) -> Generator[None]:
    """SQLite changes a constraint by rebuilding its table, which other tables refer to."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.cursor()  # no transaction yet: the setting is refused in one
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")
        driver.close()


def check(database: Database) -> None:
    """Make sure that the schema is the newest.

    Raises:
        SchemaError: It is not; the message says what to run.
    """
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != newest:
        raise SchemaError(
            f"the store's schema is {current or 'empty'}, not {newest}: run 'checkout migrate'"
        )
