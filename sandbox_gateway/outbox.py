"""Events on their way: written with the change that they tell of, gone once they are received."""

import json
import secrets
import sqlite3
from dataclasses import dataclass

from sandbox_gateway.book import Book
from sandbox_gateway.rules import Payment, Status
from sandbox_gateway.scripts import Sending

MAX_ATTEMPTS = 8
FIRST_RETRY_S = 0.2
QUIET_S = 0.3
"""Events that go out newest first are held back until nothing happened for so long."""

_COPIES = {Sending.ONCE: 1, Sending.DUPLICATED: 3, Sending.REVERSED: 1, Sending.NONE: 0}


@dataclass(frozen=True)
class Event:
    """One event to be sent, and where to."""

    number: int
    merchant: str
    payment_id: str
    body: str
    attempts: int
    url: str
    secret: str


class Outbox:
    """The merchants' webhooks, and what is still to be sent to them."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def set_webhook(self, merchant: str, url: str, secret: str) -> None:
        """Where a merchant is told of changes from now on, and what signs it."""
        with self._book.transaction() as rows:
            rows.execute(
                "INSERT INTO webhooks VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                " SET url = excluded.url, secret = excluded.secret",
                (merchant, url, secret),
            )

    @staticmethod
    def add(rows: sqlite3.Connection, payment: Payment, status: Status, now: float) -> None:
        """Note a change of status, in the transaction that makes it."""
        copies = _COPIES[payment.script.webhooks]
        where = (payment.merchant, payment.id)
        hook = rows.execute("SELECT 1 FROM webhooks WHERE merchant = ?", where[:1]).fetchone()
        if hook is None or not copies:
            return
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "type": f"payment.{status.value}",
            "payment_id": payment.id,
            "status": status.value,
            "at": int(now),
        }
        held = payment.script.webhooks is Sending.REVERSED
        due_at = now + QUIET_S if held else now
        if held:
            rows.execute(
                "UPDATE outbox SET due_at = ?"
                " WHERE merchant = ? AND payment_id = ? AND attempts = 0",
                (due_at, *where),
            )
        rows.executemany(
            "INSERT INTO outbox (merchant, payment_id, body, newest_first, due_at)"
            " VALUES (?, ?, ?, ?, ?)",
            [(*where, json.dumps(event), held, due_at)] * copies,
        )

    def due(self, now: float, limit: int) -> list[Event]:
        """What is to be sent now, in the order of sending."""
        with self._book.transaction() as rows:
            found = rows.execute(
                "SELECT number, merchant, payment_id, body, attempts, url, secret"
                " FROM outbox JOIN webhooks USING (merchant) WHERE due_at <= ?"
                " ORDER BY CASE WHEN newest_first THEN -number ELSE number END LIMIT ?",
                (now, limit),
            ).fetchall()
        return [Event(*each) for each in found]

    def received(self, event: Event) -> None:
        """It has arrived."""
        with self._book.transaction() as rows:
            rows.execute("DELETE FROM outbox WHERE number = ?", (event.number,))

    def failed(self, event: Event, now: float) -> bool:
        """It has not arrived: try again later, or, after the last attempt, never (False)."""
        attempts = event.attempts + 1
        if attempts >= MAX_ATTEMPTS:
            self.received(event)
            return False
        with self._book.transaction() as rows:
            rows.execute(
                "UPDATE outbox SET attempts = ?, due_at = ? WHERE number = ?",
                (attempts, now + FIRST_RETRY_S * 2**event.attempts, event.number),
            )
        return True
