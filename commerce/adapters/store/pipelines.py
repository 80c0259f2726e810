"""Transactions on PostgreSQL that wait only for the results that they need.

A round trip for each statement, for BEGIN and for COMMIT was a third of a step's time, and while
rows are locked others wait for them (docs/adr/0018). Statements that are marked as LATER are sent
with those after them; the last wait is the commit's.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.exc import DBAPIError

_LATER, _PIPELINE = "later", "pipeline"
LATER = {_LATER: True}
"""Execution options of a statement whose result nobody asks for."""


@contextmanager
def pipeline(connection: Connection) -> Generator[None]:
    """One transaction, committed at the end, on a connection that begins none by itself.

    On an exception nothing is committed; whoever opened the connection rolls back.
    """
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    assert driver is not None
    try:
        with driver.pipeline() as opened:
            connection.execution_options(**{_PIPELINE: opened})
            connection.exec_driver_sql("BEGIN", execution_options=LATER)
            yield
            connection.exec_driver_sql("COMMIT", execution_options=LATER)
    except psycopg.Error as error:  # of a statement that nobody had waited for, or of the commit
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def enable_pipelines(engine: Engine) -> None:
    """Have the engine's statements wait for their results, but for those to come LATER."""

    def execute(cursor: Any, statement: Any, parameters: Any, context: ExecutionContext) -> bool:
        cursor.execute(statement, parameters)
        return _sent(context)

    def execute_many(
        cursor: Any, statement: Any, parameters: Any, context: ExecutionContext
    ) -> bool:
        cursor.executemany(statement, parameters)
        return _sent(context)

    event.listen(engine, "do_execute", execute)
    event.listen(engine, "do_executemany", execute_many)


def _sent(context: ExecutionContext) -> bool:
    options = context.execution_options
    if _PIPELINE in options and _LATER not in options:
        options[_PIPELINE].sync()
    return True
