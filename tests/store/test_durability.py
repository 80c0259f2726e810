"""Does every commit wait for the disk? Other tests' do not: what production does is seen here."""

from pathlib import Path

from sqlalchemy import text

from commerce.adapters.store.database import Database
from commerce.settings import Settings

FULL = 2
"""The number by which SQLite says it."""


def test_every_commit_to_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database(Settings(data_dir=tmp_path).store_url)
    for engine in database.engines:
        with engine.connect() as connection:
            asked = ("synchronous", "journal_mode")
            said = [connection.execute(text(f"PRAGMA {each}")).scalar() for each in asked]
            assert said == [FULL, "wal"]
    database.close()
