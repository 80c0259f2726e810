"""Which requests does the gateway refuse, and does it stay up?"""

import re
import sqlite3
import string
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gateway import running_gateway
from tests.sandbox.merchant import Merchant

GOOD: dict[str, Any] = {"cart_id": "cart", "amount_minor": 1000, "currency": "USD"}


async def test_a_made_up_id_has_the_shape_of_paypals(merchant: Merchant) -> None:
    assert re.fullmatch("[0-9A-Z]{17}", await merchant.make())


async def test_a_payment_is_shown_whole(merchant: Merchant) -> None:
    made = await merchant.ask("POST", "/payments", {**GOOD, "id": "my-own_ID"}, key="a")
    assert made.status_code == 201
    assert made.json() == {
        **GOOD,
        "id": "my-own_ID",
        "status": "created",
        "waits_for": None,
        "decline": None,
    }


async def test_an_id_is_taken_once(merchant: Merchant) -> None:
    await merchant.make(id="taken")
    again = await merchant.ask("POST", "/payments", {**GOOD, "id": "taken"}, key="b")
    assert again.status_code == 409


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 1.5},
        {"amount_minor": "1000"},
        {"amount_minor": True},
        {"amount_minor": 10**15 + 1},
        {"amount_minor": 10**400},
        {"currency": "usd"},
        {"currency": "DOLLAR"},
        {"currency": None},
        {"cart_id": ""},
        {"cart_id": "a\x00b"},
        {"cart_id": "x" * 256},
        {"id": "a/b"},
        {"id": "x" * 65},
        {"script": "no such script"},
        {"script": {"authorize": "no such thing"}},
        {"script": {"unknown": 1}},
        {"script": {"faults": [{"call": "capture", "mode": "fail_after", "times": 0}]}},
        {"script": {"slow_s": -1}},
        {"unknown": 1},
    ],
    ids=str,
)
async def test_a_payment_that_cannot_be_made(merchant: Merchant, change: dict[str, Any]) -> None:
    refused = await merchant.ask("POST", "/payments", {**GOOD, **change}, key="a")
    assert refused.status_code == 400
    assert refused.json()["error"]
    assert (await merchant.ask("GET", "/ledger")).json() == {"payments": [], "totals": {}}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"does": "\\ud800"}', b"[" * 50_000, b'{"does": 1}'],
)
async def test_a_body_that_cannot_be_read(merchant: Merchant, body: bytes) -> None:
    payment_id = await merchant.make(approve=False)
    headers = {"Authorization": f"Bearer {merchant.key}"}
    path = f"/payments/{payment_id}/shopper"
    answer = await merchant.http.post(path, content=body, headers=headers)
    assert answer.status_code == 400
    assert await merchant.status(payment_id) == "created"


async def test_a_body_that_is_too_large(merchant: Merchant) -> None:
    answer = await merchant.ask("PUT", "/webhook", {"url": "http://x", "secret": "s" * 70_000})
    assert answer.status_code == 413


@pytest.mark.parametrize("key", [None, "", "x" * 256])
async def test_every_change_of_money_needs_a_key(merchant: Merchant, key: str | None) -> None:
    payment_id = await merchant.make()
    paths = ["/payments", *(f"/payments/{payment_id}/{call}" for call in ("authorize", "void"))]
    for path in paths:
        assert (await merchant.ask("POST", path, GOOD, key=key)).status_code == 400
    assert await merchant.status(payment_id) == "approved"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/payments/none"),
        ("GET", "/payments/%00"),
        ("GET", "/payments/a%2Fb"),
        ("GET", "/payments/"),
        ("POST", "/payments/none/capture"),
        ("POST", "/payments/none/shopper"),
        ("GET", "/elsewhere"),
    ],
)
async def test_what_there_is_not(merchant: Merchant, method: str, path: str) -> None:
    answer = await merchant.ask(method, path, {"does": "approve"}, key="a")
    assert answer.status_code == 404
    assert answer.json()["error"]


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer " + "x" * 600])
async def test_a_request_of_nobody(merchant: Merchant, header: str) -> None:
    payment_id = await merchant.make()
    for method, path in (
        ("POST", "/payments"),
        ("GET", f"/payments/{payment_id}"),
        ("POST", f"/payments/{payment_id}/capture"),
        ("POST", f"/payments/{payment_id}/shopper"),
        ("GET", "/ledger"),
        ("PUT", "/webhook"),
    ):
        answer = await merchant.http.request(method, path, headers={"Authorization": header})
        assert answer.status_code == 401


def test_only_known_keys_are_accepted_when_there_are_some(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with running_gateway(keys=("known", "also"), file=file) as url:
        for key, status in (("known", 200), ("also", 200), ("unknown", 401), ("know", 401)):
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx.get(f"{url}/ledger", headers=headers, trust_env=False)
            assert answer.status_code == status
    assert b"also" not in file.read_bytes()


async def test_the_ledger_cannot_be_rewritten(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with running_gateway(file=file) as url:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            merchant = Merchant(http, "a merchant")
            payment_id = await merchant.make()
            await merchant.call(payment_id, "authorize")
        rows = sqlite3.connect(file)
        try:
            for change in ("UPDATE entries SET amount_minor = 1", "DELETE FROM entries"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    rows.execute(change)
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                rows.execute(
                    "INSERT INTO entries (merchant, payment_id, kind, amount_minor, currency, key,"
                    " at) SELECT merchant, payment_id, kind, amount_minor, currency, 'x', at"
                    " FROM entries"
                )
        finally:
            rows.close()
    assert file.stat().st_mode & 0o077 == 0
    assert b"a merchant" not in file.read_bytes()


async def test_it_says_that_it_is_up_and_what_it_can_do(merchant: Merchant) -> None:
    assert (await merchant.http.get("/health")).status_code == 200
    scripts = (await merchant.http.get("/scripts")).json()
    assert all(description for description in scripts.values())
    assert all(set(name) <= {*string.ascii_lowercase, *string.digits, "_"} for name in scripts)
