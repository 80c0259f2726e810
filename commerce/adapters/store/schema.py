"""Bringing a database to the newest schema, by Alembic."""

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
    with database.engine.begin() as connection:
        command.upgrade(_config(connection), "head")


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
