"""The SQLite file that everything is kept in: its schema, its lock and its transactions."""

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT_S = 30

_SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
  merchant TEXT NOT NULL,
  id TEXT NOT NULL,
  cart_id TEXT NOT NULL,
  amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
  currency TEXT NOT NULL,
  status TEXT NOT NULL,
  waits_for TEXT CHECK ((waits_for IS NOT NULL) = (status = 'pending')),
  decline TEXT CHECK ((decline IS NOT NULL) = (status = 'declined')),
  script TEXT NOT NULL,
  resolves_at REAL,
  UNIQUE (merchant, id)
);
CREATE INDEX IF NOT EXISTS payments_of_cart ON payments (merchant, cart_id);
CREATE INDEX IF NOT EXISTS payments_that_resolve ON payments (resolves_at)
  WHERE resolves_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS entries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  merchant TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  amount_minor INTEGER NOT NULL,
  currency TEXT NOT NULL,
  key TEXT NOT NULL,
  at REAL NOT NULL,
  UNIQUE (merchant, payment_id, kind)
);
CREATE TRIGGER IF NOT EXISTS entries_stay BEFORE UPDATE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_kept BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE IF NOT EXISTS keys (
  merchant TEXT NOT NULL,
  key TEXT NOT NULL,
  call TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  asked TEXT NOT NULL DEFAULT '',
  answer TEXT,
  PRIMARY KEY (merchant, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS occurrences (
  merchant TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  call TEXT NOT NULL,
  times INTEGER NOT NULL,
  PRIMARY KEY (merchant, payment_id, call)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS webhooks (
  merchant TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  secret TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  merchant TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  body TEXT NOT NULL,
  newest_first INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (due_at);
"""
# The ledger guards itself: an entry of a kind is written once per payment, or not at all.


class Book:
    """One connection, one lock: whoever has it is alone with the file."""

    def __init__(self, file: Path) -> None:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # it holds webhook secrets
        self._lock = threading.Lock()
        self._rows = sqlite3.connect(
            file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._rows.row_factory = sqlite3.Row
        # In WAL this outlives the end of the process at any moment, though not a power cut.
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = NORMAL")
        self._rows.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All of it, or, if anything is raised, nothing."""
        with self._lock:
            self._rows.execute("BEGIN IMMEDIATE")
            try:
                yield self._rows
                self._rows.execute("COMMIT")
            except BaseException:
                if self._rows.in_transaction:
                    self._rows.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._rows.close()
