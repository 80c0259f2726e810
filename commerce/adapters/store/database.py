"""Connections and transactions, for SQLite (embedded) and PostgreSQL."""

import logging
import math
import sqlite3
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    URL,
    CursorResult,
    Engine,
    Executable,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DisconnectionError,
    IntegrityError,
    SQLAlchemyError,
)
from sqlalchemy.orm import DeclarativeBase, Session

from commerce.adapters.store.pipelines import LATER, enable_pipelines, pipeline

_URL = "CHECKOUT_DATABASE_URL"
BUSY_TIMEOUT_S = 10
"""How long a statement waits for another's lock before it fails and its activity is retried."""

logger = logging.getLogger("checkout.store")
PING_AFTER_S = 1.0
"""A connection to PostgreSQL that was idle for so long may have been cut."""

READERS = 8
"""Connections that read from SQLite at a time."""


def utc_now() -> datetime:
    """The wall clock; the only place of the store that reads it."""
    return datetime.now(UTC)


class StoreRuleError(SQLAlchemyError):
    """A constraint that was broken, by name: the database's own text would show the row."""


class StoreUrlError(ValueError):
    """A database URL that cannot be used; the message repeats nothing of it."""


class Database:
    """An engine, its clock, and one way to open a transaction.

    SQLite has one writer connection and begins every transaction with the write lock, so that
    concurrent checkouts queue instead of failing with "database is locked". Readers have
    connections of their own, which neither wait for the writer nor keep it waiting.
    """

    def __init__(self, url: str, now: Callable[[], datetime] = utc_now) -> None:
        """Open lazily; nothing is connected yet.

        Args:
            url: SQLAlchemy URL: ``sqlite:///path`` or ``postgresql+psycopg://...``.
            now: The clock: holds and locks expire by it.

        Raises:
            StoreUrlError: The URL is something else.
        """
        self.now = now
        if url.startswith("sqlite"):
            file = url.removeprefix("sqlite:///")  # whole: a path may have a question mark
            self.engine = _sqlite(file, "BEGIN IMMEDIATE", connections=1)
            self._readers = _sqlite(file, "BEGIN", connections=READERS, query_only="ON")
        else:
            self.engine = self._readers = _postgresql(url)
        begins_nothing = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._lookers = self._readers.execution_options(**begins_nothing)

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Every engine that executes statements, once."""
        return (self.engine,) if self._readers is self.engine else (self.engine, self._readers)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded store."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, *, streams: bool = False) -> Generator[Session]:
        """One transaction: committed at the end, rolled back on any exception.

        Args:
            streams: Results are read as they come, which PostgreSQL does in no pipeline.

        Raises:
            StoreRuleError: The data breaks a rule of the schema.
        """
        begins_itself = streams or self.is_sqlite
        try:
            with _session(self.engine) if begins_itself else self._pipelined() as session:
                yield session
        except (IntegrityError, DataError) as error:
            raise StoreRuleError(_rule(error)) from None

    @contextmanager
    def _pipelined(self) -> Generator[Session]:
        with _session(self._lookers) as session, pipeline(session.connection()):
            yield session
            session.flush()  # later it would be outside of the transaction

    @contextmanager
    def reading(self) -> Generator[Session]:
        """One consistent view of the whole store; nothing is written."""
        with _session(self._readers) as session:
            if not self.is_sqlite:
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield session

    @contextmanager
    def looking(self) -> Generator[Session]:
        """One statement that only reads: it waits for no writer, and keeps none waiting."""
        with _session(self._lookers) as session:
            yield session

    def insert(self, table: type[DeclarativeBase]) -> "postgresql.Insert | sqlite.Insert":
        """An insert that knows ON CONFLICT, in the dialect of this database."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def answers(self) -> bool:
        """Whether the database can be reached."""
        try:
            with self._readers.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            logger.warning("the store does not answer", exc_info=True)
            return False
        return True

    def rewrite(self) -> bool:
        """Write a SQLite file anew, so that nothing deleted is left in it; False if it is busy."""
        if not self.is_sqlite:
            return True
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
            busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return not busy

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._readers.dispose()


def _rule(error: IntegrityError | DataError) -> str:
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:  # SQLite's texts name columns, never values
        return str(error.orig)
    return f"{type(error).__name__} {diagnosis.sqlstate} {diagnosis.constraint_name or ''}".strip()


def run(tx: Session, statement: Executable, **parameters: Any) -> CursorResult[Any]:
    """Execute a statement that was built once, without what only mapped objects need.

    Building a statement anew, and executing it for mapped objects, cost ten times as much
    (docs/adr/0018).
    """
    return tx.connection().execute(statement, parameters)


def run_later(tx: Session, statement: Executable, **parameters: Any) -> None:
    """The same for a statement of which nothing is asked but that it succeeds.

    PostgreSQL gets it with those after it, up to one that is waited for or the commit, and an
    error of it is raised there.
    """
    tx.connection().execute(statement, parameters, execution_options=LATER).close()


def run_many_later(tx: Session, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for many rows at once; at least one."""
    tx.connection().execute(statement, rows, execution_options=LATER).close()


@contextmanager
def _session(engine: Engine) -> Generator[Session]:
    with Session(engine, expire_on_commit=False, autoflush=False) as session, session.begin():
        yield session


def _sqlite(file: str, begin: str, connections: int, query_only: str = "OFF") -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=file),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=60,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a committed order survives power loss (docs/adr/0002)
            "foreign_keys=ON",
            f"query_only={query_only}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", start)
    return engine


def _postgresql(url: str) -> Engine:
    if url.count("@") > 1:  # a piece of the password would be taken for the host, and shown
        raise StoreUrlError(f"{_URL}: @ : / ? and # in a password must be percent-encoded")
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreUrlError(f"{_URL}: must read postgresql://user:password@host/name") from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "postgresql+psycopg":
        raise StoreUrlError(f"{_URL}: must begin with postgresql:// or sqlite:///")
    engine = create_engine(
        parsed,
        pool_size=16,
        max_overflow=4,
        pool_use_lifo=True,  # few are used, and soon know every statement
        hide_parameters=True,
        connect_args={
            "connect_timeout": BUSY_TIMEOUT_S,
            "prepare_threshold": 1,  # executions, after which a statement is prepared
            "keepalives_idle": 30,
            "tcp_user_timeout": 2 * BUSY_TIMEOUT_S * 1000,
            "options": f"-c lock_timeout={BUSY_TIMEOUT_S}s -c timezone=UTC"
            " -c idle_in_transaction_session_timeout=60s",
        },
    )
    _ping_idle(engine)
    enable_pipelines(engine)
    return engine


def _ping_idle(engine: Engine) -> None:
    """Try connections before they are used, but for those that were in use a moment ago.

    SQLAlchemy's own ping is three round trips for every transaction, a quarter of all there were.
    """

    def rests(_connection: Any, record: Any) -> None:
        record.info["since"] = time.monotonic()

    def is_taken(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get("since", -math.inf) < PING_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise DisconnectionError from None  # the pool tries another

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", is_taken)
