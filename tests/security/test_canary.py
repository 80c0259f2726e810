"""Two hundred shoppers: does anything of them stand in Temporal, logs, metrics or traces?"""

import asyncio
import base64
import json
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from temporalio.client import Client

from api.server import token_issuer
from cli.data_dir import load_settings
from commerce.contract import ABORT_UPDATE, Abort, workflow_id
from commerce.domain.money import Money
from tests.builders import TEXAS, cart, product, usd
from tests.dev import Dev, a_dev

SHOPPERS = 200
AT_A_TIME = 8
PATIENCE_S = 60
PENDING = "PENDING"
PLACE = """
mutation Place($cart: String!) {
  placeOrder(input: {cart_id: $cart}) {
    orderV2 { number token email shipping_address { firstname street } } errors { message code }
  }
}
"""
COMPLETE = """
mutation Complete($cart: String!, $payment: String!) {
  completeOrder(input: {cartId: $cart, id: $payment}) {
    orderV2 { number token email } errors { message code }
  }
}
"""
TRIGGERS = (
    """
    CREATE TRIGGER broken BEFORE INSERT ON orders WHEN NEW.email LIKE 'broken%'
    BEGIN SELECT RAISE(ABORT, 'the disk is on fire'); END
    """,
    """
    CREATE TRIGGER lost BEFORE INSERT ON orders WHEN NEW.email LIKE 'lost%'
    BEGIN SELECT json(NEW.email); END
    """,
)
"""One rule of the schema is broken, and once a statement fails, with its values, in the driver."""

UNREACHABLE = {"faults": [{"call": "authorize", "mode": "fail_before", "times": 1000}]}


@dataclass
class Person:
    """A shopper of whom nothing must be found, and what becomes of them."""

    fate: str
    texts: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: secrets.token_hex(6))
    token: str = ""

    @property
    def cart_id(self) -> str:
        return f"cart-{self.mark}"

    @property
    def payment_id(self) -> str:
        return f"PAY-{self.mark}"

    @property
    def email(self) -> str:
        return f"{self.fate.split()[0]}-{self.mark}@example.com"

    @property
    def customer_id(self) -> str | None:
        return f"customer-{self.mark}" if self.fate == "customer" else None

    @property
    def telephone(self) -> str:
        return f"+1 {int(self.mark, 16) % 10**10:010d}"

    @property
    def canaries(self) -> list[str]:
        if self.texts:
            return [*self.texts]
        texts = [
            self.cart_id,
            self.payment_id,
            self.email,
            f"Firstname{self.mark}",
            f"Lastname{self.mark}",
            f"{self.mark} Canary Street",
            self.telephone,
            self.customer_id,
            self.token,
        ]
        return [text for text in texts if text]


FATES = (
    ("placed", 50),
    ("customer", 10),
    ("completed", 50),
    ("aborted", 10),
    ("no such postcode", 15),
    ("out of stock", 15),
    ("no such payment", 15),
    ("declined", 15),
    ("other amount", 10),
    ("broken", 3),
    ("lost", 3),
    ("gateway away", 4),
)
ORDERS = {"placed", "customer", "completed"}
FAILURES = {"broken", "lost", "gateway away"}
PAYS = {"completed", "aborted", "declined", "other amount", "gateway away"}
SCRIPTS = {"declined": "declined", "aborted": "3ds_abandoned", "gateway away": UNREACHABLE}


async def visit(
    person: Person, dev: Dev, http: httpx.AsyncClient, bank: httpx.AsyncClient
) -> dict[str, Any]:
    """Fill a cart and order it over HTTP; what GraphQL answers."""
    changes: dict[str, object] = {"postcode": "1"} if person.fate == "no such postcode" else {}
    changes |= {
        "firstname": f"Firstname{person.mark}",
        "lastname": f"Lastname{person.mark}",
        "street": (f"{person.mark} Canary Street",),
        "telephone": person.telephone,
    }
    address = TEXAS.model_copy(update=changes)
    lines = [("apple", 1_000_000 if person.fate == "out of stock" else 1)]
    filled = cart(
        person.cart_id,
        *lines,
        email=person.email,
        customer_id=person.customer_id,
        shipping_address=address,
        billing_address=address,
    )
    await asyncio.to_thread(dev.store.carts.save, filled)
    if person.fate in PAYS:
        total = usd("1.00" if person.fate == "other amount" else "15.00")
        await pay(bank, person, total, SCRIPTS.get(person.fate, "approved"))
    at_gateway = person.fate in PAYS or person.fate == "no such payment"
    document = COMPLETE if at_gateway else PLACE
    variables = {"cart": person.cart_id, **({"payment": person.payment_id} if at_gateway else {})}
    asked = {"query": document, "variables": variables}
    headers = {"Idempotency-Key": f"{person.cart_id}-key"}
    if person.customer_id:
        headers |= logged_in(dev, person)
    text = PENDING
    while PENDING in text:  # a step that fails for good is tried for a minute before
        text = (await http.post(dev.running.api_url, json=asked, headers=headers)).text
        if person.fate == "aborted" and PENDING in text:
            await abort(dev, person)
    assert '"data"' in text, text
    (given,) = json.loads(text)["data"].values()
    if given["orderV2"]:
        person.token = given["orderV2"]["token"]
    return given


def logged_in(dev: Dev, person: Person) -> dict[str, str]:
    issuer = token_issuer(load_settings(dev.data_dir))
    assert issuer is not None
    assert person.customer_id is not None
    names = f"Firstname{person.mark}", f"Lastname{person.mark}"
    token = issuer.issue(person.customer_id, person.email, *names, timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


async def abort(dev: Dev, person: Person) -> None:
    """An operator who writes down more than they should."""
    handle: Any = (await dev.temporal()).get_workflow_handle(workflow_id(person.cart_id))
    given = Abort(reason=f"asked for by {person.email}", by=f"Lastname{person.mark}")
    await handle.execute_update(ABORT_UPDATE, given)


async def pay(bank: httpx.AsyncClient, person: Person, total: Money, script: Any) -> None:
    """A payment that the shopper has approved."""
    made = {
        "cart_id": person.cart_id,
        "amount_minor": total.amount_minor,
        "currency": total.currency,
        "id": person.payment_id,
        "script": script,
    }
    for path, body in (
        ("/payments", made),
        (f"/payments/{person.payment_id}/shopper", {"does": "approve"}),
    ):
        answer = await bank.post(path, json=body, headers={"Idempotency-Key": secrets.token_hex(8)})
        answer.raise_for_status()


def encodings(text: str) -> Iterator[bytes]:
    """The bytes by which a text would stand somewhere: as it is, in hex, in base64 anywhere."""
    raw = text.encode()
    yield raw
    yield quote(text).encode()
    yield quote_plus(text).encode()
    yield raw.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw)
        yield encoded[-(-shift * 4 // 3) : len(encoded) - 4]


def places(dev: Dev, spans: Path) -> dict[str, bytes]:
    """Everything that is to be searched, by its name."""
    files = [*dev.data_dir.glob("temporal.db*"), *dev.data_dir.glob("*.log"), spans]
    found = {file.name: file.read_bytes() for file in files if file.name != "gateway.log"}
    for name, url in dev.running.metrics.items():
        found[f"metrics of the {name}"] = httpx.get(url, trust_env=False).content
    return found


async def test_nothing_of_two_hundred_shoppers_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = tmp_path / "spans.jsonl"
    monkeypatch.setenv("CHECKOUT_TRACE_FILE", str(spans))
    people = [Person(fate) for fate, number in FATES for _ in range(number)]
    assert len(people) == SHOPPERS
    async with a_dev(tmp_path / "data") as dev:
        dev.store.catalog.put([product("apple", quantity=100_000)])
        with dev.store.database.transaction() as tx:
            for trigger in TRIGGERS:
                tx.connection().exec_driver_sql(trigger)
        fates = await shop(dev, people)
        assert {fate for fate, placed in fates if placed} == ORDERS
        assert not any(placed for fate, placed in fates if fate not in ORDERS)
        control = secrets.token_hex(16)
        await leave_in_plain_sight(dev, control)
        searched = places(dev, spans)
        for name in ("temporal.db", "worker.log", "api.log", "spans.jsonl"):
            assert searched[name], name
    assert any(control.encode() in text for text in searched.values()), "nothing would be found"
    known = workflow_id(people[0].cart_id).encode()
    for name in ("temporal.db", "spans.jsonl"):
        assert known in searched[name], f"{name} is searched in vain"
    people.append(Person("secrets", texts=tuple(secrets_of(tmp_path / "data"))))
    lower = {name: text.lower() for name, text in searched.items()}
    leaks = Counter(
        (name, person.fate, canary.replace(person.mark, "*"))
        for person in people
        for canary in person.canaries
        for encoded in encodings(canary)
        for name in searched
        if encoded in searched[name] or encoded.lower() in lower[name]
    )
    assert not leaks


def secrets_of(data_dir: Path) -> Iterator[str]:
    """Every key and secret of the installation."""
    files = [*data_dir.glob("*.keys"), *data_dir.glob("*.key"), *data_dir.glob("*.secret")]
    assert len(files) >= 5
    for file in files:
        for key in file.read_text().strip().split(","):
            secret = key.rpartition(":")[2]
            if len(secret) >= 32:
                yield secret


def test_what_is_searched_is_what_is_tested() -> None:
    """The processes import what is installed: this very tree."""
    command = [sys.executable, "-P", "-c", "import commerce; print(commerce.__file__)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_relative_to(Path(__file__).parents[2])


async def shop(dev: Dev, people: list[Person]) -> list[tuple[str, bool]]:
    """Everybody's visit; those that fail take a minute, and begin first."""
    gate = asyncio.Semaphore(AT_A_TIME + sum(each.fate in FAILURES for each in people))

    async def one(
        person: Person, http: httpx.AsyncClient, bank: httpx.AsyncClient
    ) -> tuple[str, bool]:
        async with gate:
            given = await visit(person, dev, http, bank)
        return person.fate, given["orderV2"] is not None

    in_order = sorted(people, key=lambda each: each.fate not in FAILURES)
    key = load_settings(dev.data_dir).gateway_key.get_secret_value()
    merchant: dict[str, Any] = {
        "base_url": dev.running.gateway_url,
        "headers": {"Authorization": f"Bearer {key}"},
    }
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http,
        httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False, **merchant) as bank,
    ):
        return await asyncio.gather(*(one(person, http, bank) for person in in_order))


async def leave_in_plain_sight(dev: Dev, text: str) -> None:
    """What is not encrypted is found: a payload of somebody without the keys."""
    client = await Client.connect(dev.running.temporal_address)
    handle = await client.start_workflow("nobody", text, id="plain", task_queue="nobody")
    await handle.terminate()
