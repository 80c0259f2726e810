"""Does ``checkout dev`` run everything, survive the death of its worker, and stop cleanly?"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio

from cli.money import differences
from client import OrderPlaced, Pending, Refused
from commerce.adapters.payments.sandbox import SandboxError, SandboxGateway
from commerce.domain.payments import Payment, PaymentInvalid, PaymentStatus
from tests.builders import cart, product, usd
from tests.dev import Dev, a_dev, checkout
from tests.world import DEADLINE

CARTS = 80


@pytest_asyncio.fixture(scope="module")
async def dev(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dev]:
    async with a_dev(tmp_path_factory.mktemp("dev")) as made:
        yield made


async def test_it_says_where_everything_is(dev: Dev) -> None:
    said = "".join(dev.output)
    assert dev.running.ui_url in said
    assert dev.running.api_url in said
    assert dev.running.temporal_address in said
    assert str(dev.running.worker_pid) in said


async def test_a_second_one_on_the_same_data_is_refused(dev: Dev) -> None:
    status, output = await checkout("dev", "--data-dir", str(dev.data_dir))
    assert (status, len(output.strip().splitlines())) == (2, 1)
    assert "running" in output


async def test_the_demo_uses_the_one_that_runs(dev: Dev) -> None:
    status, output = await checkout(
        "demo", "--data-dir", str(dev.data_dir), "--baskets", "140", "--concurrency", "8"
    )
    assert status == 0, output
    assert "NOT AS DOCUMENTED" not in output
    assert "NOT conserved" not in output
    for code in (
        "CART_NOT_FOUND",
        "GUEST_EMAIL_MISSING",
        "PAYMENT_ID_INVALID",
        "conserved",
        "equal to the orders",
    ):
        assert code in output


@pytest.mark.parametrize("victim", ["worker", "server"])
async def test_every_cart_is_answered_though_a_process_is_killed(dev: Dev, victim: str) -> None:
    """Killed twice under load and started again: one order or one documented refusal each."""
    units = CARTS * 3 // 4
    dev.store.catalog.put([product(f"scarce-{victim}", units)])
    carts = [f"{victim}-killed-{n}" for n in range(CARTS)]
    dev.store.carts.save(*[cart(cart_id, (f"scarce-{victim}", 1)) for cart_id in carts])
    client = await dev.client()
    before = dev.store.audit.run().counts["orders"]
    turn = asyncio.Semaphore(8)
    answered = 0

    async def one(cart_id: str) -> Any:
        nonlocal answered
        async with turn:
            answer = await client.place_order(cart_id, deadline=DEADLINE * 3)
        answered += 1
        if answered in (CARTS // 4, CARTS // 2):
            os.kill(dev.pid(victim), signal.SIGKILL)
        return answer

    answers = await asyncio.gather(*[one(cart_id) for cart_id in carts])
    orders = [answer for answer in answers if isinstance(answer, OrderPlaced)]
    refusals = [answer for answer in answers if isinstance(answer, Refused)]
    assert (len(orders), len(refusals)) == (units, CARTS - units)
    assert {answer.reason for answer in refusals} == {"OUT_OF_STOCK"}
    assert len({answer.order_number for answer in orders}) == units
    status, output = await checkout("audit", "--json", "--data-dir", str(dev.data_dir))
    report = json.loads(output)
    assert (status, report["violations"]) == (0, [])
    assert report["counts"]["orders"] - before == units
    assert report["counts"]["holds_open"] == 0


@pytest.mark.parametrize("victim", ["gateway", "worker", "api"])
async def test_money_and_orders_agree_though_a_process_is_killed(dev: Dev, victim: str) -> None:
    """Paid online, a third of them pending first; killed twice under load and started again."""
    sku = f"paid-{victim}"
    dev.store.catalog.put([product(sku, CARTS)])
    carts = [f"paid-{victim}-killed-{n}" for n in range(CARTS)]
    dev.store.carts.save(*[cart(cart_id, (sku, 1)) for cart_id in carts])
    client, gateway = await dev.client(), dev.gateway()
    turn = asyncio.Semaphore(8)
    answered = 0

    async def one(n: int, cart_id: str) -> Any:
        nonlocal answered
        script = "3ds_approved" if n % 3 == 0 else "approved"
        async with turn:
            payment = await patiently(gateway, cart_id, script)
            answer = await client.complete_order(cart_id, payment, deadline=DEADLINE * 3)
            while isinstance(answer, Pending):
                answer = await answer.wait(DEADLINE * 3)
        answered += 1
        if answered in (CARTS // 4, CARTS // 2):
            os.kill(dev.pid(victim), signal.SIGKILL)
        return answer

    answers = await asyncio.gather(*[one(n, cart_id) for n, cart_id in enumerate(carts)])
    assert [type(answer) for answer in answers] == [OrderPlaced] * CARTS
    wrong = ["not looked yet"]
    async with asyncio.timeout(120):
        while wrong:  # captures come after the answers
            wrong = differences(await gateway.ledger(), dev.store.audit.paid_orders())
            await asyncio.sleep(0.1)
    await gateway.aclose()


async def patiently(gateway: SandboxGateway, cart_id: str, script: str) -> str:
    """A payment of 15.00 by a shopper who tries again while the gateway is away; its id."""
    payment_id = f"PAY-{cart_id}"
    while True:
        found = await gateway.look_up(payment_id)
        try:
            if isinstance(found, PaymentInvalid):
                await gateway.make(
                    cart_id, usd("15.00"), payment_id=payment_id, script=script, approve=False
                )
            elif isinstance(found, Payment) and found.status is PaymentStatus.CREATED:
                await gateway.approve(payment_id)
            elif isinstance(found, Payment):
                return payment_id
        except SandboxError:
            await asyncio.sleep(0.1)


async def test_who_lost_the_answer_repeats_the_request_and_gets_the_one_order(dev: Dev) -> None:
    """The GraphQL server is killed twice under load and started again."""
    dev.store.catalog.put([product("wanted", CARTS)])
    carts = [f"api-killed-{n}" for n in range(CARTS)]
    dev.store.carts.save(*[cart(cart_id, ("wanted", 1)) for cart_id in carts])
    turn = asyncio.Semaphore(8)
    answered, lost = 0, 0

    async def one(http: httpx.AsyncClient, cart_id: str) -> str:
        nonlocal answered, lost
        body = {
            "query": "mutation ($cart: String!) { placeOrder(input: {cart_id: $cart})"
            " { order { order_number } } }",
            "variables": {"cart": cart_id},
        }
        async with turn:
            while True:
                try:
                    key = {"Idempotency-Key": f"key-of-{cart_id}"}
                    answer = await http.post(dev.running.api_url, json=body, headers=key)
                    break
                except httpx.TransportError:
                    lost += 1
                    await asyncio.sleep(0.1)
        answered += 1
        if answered in (CARTS // 4, CARTS // 2):
            os.kill(dev.pid("api"), signal.SIGKILL)
        return answer.json()["data"]["placeOrder"]["order"]["order_number"]

    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        numbers = await asyncio.gather(*[one(http, cart_id) for cart_id in carts])
    assert lost >= 2, "nobody noticed that the server was killed"
    ordered = {cart_id: dev.store.order_book.find(cart_id=cart_id) for cart_id in carts}
    assert numbers == [order.number for order in ordered.values() if order]
    assert len(set(numbers)) == CARTS
    assert dev.store.audit.run().violations == ()


async def test_it_stops_cleanly_and_leaves_nobody_behind(dev: Dev) -> None:
    children = psutil.Process(dev.process.pid).children(recursive=True)
    assert len(children) == 4
    dev.process.send_signal(signal.SIGINT)
    assert await dev.process.wait() == 0
    assert not any(child.is_running() for child in children)
    assert dev.running is None
