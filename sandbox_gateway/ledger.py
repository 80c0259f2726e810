"""Payments and the ledger of their money. Every method is one transaction.

LedgerError
  UnknownPaymentError   there is no such payment
  IdTakenError          another payment has this id
  KeyReusedError        this key was used for something else
  DoesNotFitError       the shopper cannot do this now
"""

import json
import secrets
import sqlite3
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox_gateway.book import Book
from sandbox_gateway.outbox import Outbox
from sandbox_gateway.rules import Act, Kind, Outcome, Payment, Status, Step, act, step
from sandbox_gateway.scripts import Call, Mode, Script, Then

_ID_ALPHABET = string.digits + string.ascii_uppercase

Clock = Callable[[], float]


class LedgerError(Exception):
    """What was asked is not done, and nothing has changed."""


class UnknownPaymentError(LedgerError):
    """There is no such payment."""


class IdTakenError(LedgerError):
    """Another payment has this id."""


class KeyReusedError(LedgerError):
    """This key was used for something else."""


class DoesNotFitError(LedgerError):
    """The shopper cannot do this now."""


@dataclass(frozen=True)
class Wanted:
    """A payment to be made; an empty id is made up."""

    cart_id: str
    amount_minor: int
    currency: str
    script: Script
    id: str = ""


class Ledger:
    """Payments by merchant; money moves here and nowhere else."""

    def __init__(self, book: Book, clock: Clock = time.time) -> None:
        self._book = book
        self._clock = clock

    def make(self, merchant: str, key: str, wanted: Wanted) -> Payment:
        """Make a payment, once per key.

        Raises:
            IdTakenError, KeyReusedError
        """
        asked = json.dumps([wanted.cart_id, wanted.amount_minor, wanted.currency, wanted.id])
        asked += wanted.script.model_dump_json()
        with self._book.transaction() as rows:
            bound = _bound(rows, merchant, key)
            if bound is not None:
                if bound["call"] != "make" or bound["asked"] != asked:
                    raise KeyReusedError
                return self._find(rows, merchant, bound["payment_id"])
            made_up = "".join(secrets.choice(_ID_ALPHABET) for _ in range(17))
            payment_id = wanted.id or made_up
            try:
                rows.execute(
                    "INSERT INTO payments (merchant, id, cart_id, amount_minor, currency, status,"
                    " script) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        merchant,
                        payment_id,
                        wanted.cart_id,
                        wanted.amount_minor,
                        wanted.currency,
                        Status.CREATED.value,
                        wanted.script.model_dump_json(),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise IdTakenError from error
            rows.execute(
                "INSERT INTO keys (merchant, key, call, payment_id, asked)"
                " VALUES (?, ?, 'make', ?, ?)",
                (merchant, key, payment_id, asked),
            )
            return self._find(rows, merchant, payment_id)

    def find(self, merchant: str, payment_id: str) -> Payment:
        """A payment as it stands.

        Raises:
            UnknownPaymentError
        """
        with self._book.transaction() as rows:
            return self._find(rows, merchant, payment_id)

    def occurrence(self, merchant: str, payment_id: str, call: Call) -> tuple[Script, Mode | None]:
        """Note that a call was made: the payment's script, and how this call goes wrong.

        Raises:
            UnknownPaymentError
        """
        with self._book.transaction() as rows:
            script = self._find(rows, merchant, payment_id).script
            if not any(fault.call is call for fault in script.faults):
                return script, None
            (times,) = rows.execute(
                "INSERT INTO occurrences VALUES (?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
                (merchant, payment_id, call.value),
            ).fetchone()
            return script, script.fault(call, times)

    def call(self, merchant: str, payment_id: str, call: Call, key: str) -> Outcome:
        """Authorize, capture, void or refund; a call that took effect is only answered again.

        Raises:
            UnknownPaymentError, KeyReusedError
        """
        with self._book.transaction() as rows:
            payment = self._find(rows, merchant, payment_id)
            bound = _bound(rows, merchant, key)
            if bound is not None and (bound["call"], bound["payment_id"]) != (call, payment_id):
                raise KeyReusedError
            if bound is not None and bound["answer"] is not None:
                answer: Outcome = json.loads(bound["answer"])
                return answer
            done = step(call, payment, again=bound is not None)
            if done.outcome["outcome"] == "invalid":
                return done.outcome
            is_final = done.becomes is not None and done.becomes is not Status.PENDING
            rows.execute(
                "INSERT INTO keys (merchant, key, call, payment_id, answer)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET answer = excluded.answer",
                (
                    merchant,
                    key,
                    call.value,
                    payment_id,
                    json.dumps(done.outcome) if is_final else None,
                ),
            )
            self._change(rows, payment, done, key)
            return done.outcome

    def act(self, merchant: str, payment_id: str, does: Act) -> Payment:
        """What the shopper does.

        Raises:
            UnknownPaymentError, DoesNotFitError
        """
        with self._book.transaction() as rows:
            payment = self._find(rows, merchant, payment_id)
            done = act(does, payment)
            if done is None:
                raise DoesNotFitError
            self._change(rows, payment, done, "")
            return self._find(rows, merchant, payment_id)

    def behave(self, merchant: str, payment_id: str, script: Script) -> Payment:
        """From now on the payment behaves by another script; what has happened stays.

        Raises:
            UnknownPaymentError
        """
        with self._book.transaction() as rows:
            self._find(rows, merchant, payment_id)
            rows.execute(
                "UPDATE payments SET script = ? WHERE merchant = ? AND id = ?",
                (script.model_dump_json(), merchant, payment_id),
            )
            rows.execute(
                "DELETE FROM occurrences WHERE merchant = ? AND payment_id = ?",
                (merchant, payment_id),
            )
            return self._find(rows, merchant, payment_id)

    def resolve(self) -> int:
        """Settle every payment that has been pending for as long as its script says."""
        with self._book.transaction() as rows:
            due = rows.execute(
                "SELECT merchant, id FROM payments WHERE resolves_at <= ?", (self._clock(),)
            ).fetchall()
            for merchant, payment_id in due:
                self._find(rows, merchant, payment_id)
        return len(due)

    def report(self, merchant: str, payment_id: str = "", cart_id: str = "") -> dict[str, Any]:
        """What happened to a merchant's money: by payment, and in total by currency."""
        self.resolve()
        wanted = {"p.merchant": merchant, "p.id": payment_id, "p.cart_id": cart_id}
        wanted = {column: value for column, value in wanted.items() if value}
        where = " AND ".join(f"{column} = ?" for column in wanted)
        with self._book.transaction() as rows:
            found = rows.execute(
                f"{_REPORT} WHERE {where} GROUP BY p.rowid ORDER BY p.rowid",
                tuple(wanted.values()),
            ).fetchall()
            counted = rows.execute(
                "SELECT payment_id, call, times FROM occurrences WHERE merchant = ?", (merchant,)
            ).fetchall()
        payments: list[dict[str, Any]] = [{**dict(each), "calls": {}} for each in found]
        calls = {each["id"]: each["calls"] for each in payments}
        for of_payment, call, times in counted:
            calls.get(of_payment, {})[call] = times
        totals: dict[str, dict[str, int]] = {}
        for each in payments:
            total = totals.setdefault(each["currency"], dict.fromkeys((*_AMOUNTS, "open_minor"), 0))
            for name in _AMOUNTS:
                total[name] += each[name]
            total["open_minor"] += (
                each["authorized_minor"] - each["captured_minor"] - each["voided_minor"]
            )
        return {"payments": payments, "totals": totals}

    # -- inside a transaction ---------------------------------------------------------------

    def _find(self, rows: sqlite3.Connection, merchant: str, payment_id: str) -> Payment:
        payment = _read(rows, merchant, payment_id)
        if payment.resolves_at is None or payment.resolves_at > self._clock():
            return payment
        does = Act.AUTHENTICATE if payment.script.then is Then.APPROVE else Act.DECLINE
        done = act(does, payment)
        assert done is not None, "only a pending payment resolves"
        self._change(rows, payment, done, "")
        return _read(rows, merchant, payment_id)

    def _change(self, rows: sqlite3.Connection, payment: Payment, done: Step, key: str) -> None:
        """The one place where a payment changes: its status, its entry and its event."""
        if done.becomes is None:
            return
        now = self._clock()
        resolves = done.becomes is Status.PENDING and payment.script.then is not Then.NOTHING
        rows.execute(
            "UPDATE payments SET status = ?, waits_for = ?, decline = ?, resolves_at = ?"
            " WHERE merchant = ? AND id = ?",
            (
                done.becomes.value,
                done.waits_for,
                done.decline,
                now + payment.script.after_s if resolves else None,
                payment.merchant,
                payment.id,
            ),
        )
        if done.entry is not None:
            rows.execute(
                "INSERT INTO entries (merchant, payment_id, kind, amount_minor, currency, key, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    payment.merchant,
                    payment.id,
                    done.entry.value,
                    0 if done.entry is Kind.CANCEL else payment.amount_minor,
                    payment.currency,
                    key,
                    now,
                ),
            )
        Outbox.add(rows, payment, done.becomes, now)


_COUNTED = (
    (Kind.AUTHORIZE, "authorizations", "authorized_minor"),
    (Kind.CAPTURE, "captures", "captured_minor"),
    (Kind.VOID, "voids", "voided_minor"),
    (Kind.REFUND, "refunds", "refunded_minor"),
)
_AMOUNTS = [amount for _, _, amount in _COUNTED]
_SUMS = ", ".join(
    f"COUNT(CASE WHEN e.kind = '{kind.value}' THEN 1 END) AS {count},"
    f" COALESCE(SUM(CASE WHEN e.kind = '{kind.value}' THEN e.amount_minor END), 0) AS {amount}"
    for kind, count, amount in _COUNTED
)
_REPORT = (
    f"SELECT p.id, p.cart_id, p.amount_minor, p.currency, p.status, {_SUMS} FROM payments p"  # noqa: S608 (ours)
    " LEFT JOIN entries e ON e.merchant = p.merchant AND e.payment_id = p.id"
)


def _bound(rows: sqlite3.Connection, merchant: str, key: str) -> sqlite3.Row | None:
    """What a key was used for."""
    found: sqlite3.Row | None = rows.execute(
        "SELECT call, payment_id, asked, answer FROM keys WHERE merchant = ? AND key = ?",
        (merchant, key),
    ).fetchone()
    return found


def _read(rows: sqlite3.Connection, merchant: str, payment_id: str) -> Payment:
    found = rows.execute(
        "SELECT * FROM payments WHERE merchant = ? AND id = ?", (merchant, payment_id)
    ).fetchone()
    if found is None:
        raise UnknownPaymentError
    return Payment(
        merchant=merchant,
        id=payment_id,
        cart_id=found["cart_id"],
        amount_minor=found["amount_minor"],
        currency=found["currency"],
        status=Status(found["status"]),
        waits_for=found["waits_for"],
        decline=found["decline"],
        script=Script.model_validate_json(found["script"]),
        resolves_at=found["resolves_at"],
    )
