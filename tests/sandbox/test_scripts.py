"""Does a payment behave as its script says?"""

import asyncio
from typing import Any

import httpx
import pytest

from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.domain.payments import Payment
from sandbox_gateway.scripts import SCRIPTS
from tests.gateway import running_gateway
from tests.sandbox.merchant import TEN, Merchant, until

APPROVED, UNKNOWN, INVALID = "approved", "unknown", "invalid"
STORIES: dict[str, tuple[list[str], list[str]]] = {
    # script: what authorize says each time, and then capture
    "approved": ([APPROVED], [APPROVED]),
    "declined": (["declined"], [INVALID]),
    "insufficient_funds": (["insufficient_funds"], [INVALID]),
    "expired": (["expired"], [INVALID]),
    "3ds_abandoned": (["shopper", "shopper"], [INVALID]),
    "timeout_with_effect": ([UNKNOWN, APPROVED], [APPROVED]),
    "timeout_without_effect": ([UNKNOWN, APPROVED], [APPROVED]),
    "capture_timeout_with_effect": ([APPROVED], [UNKNOWN, APPROVED]),
    "capture_timeout_without_effect": ([APPROVED], [UNKNOWN, APPROVED]),
    "server_error": ([UNKNOWN, UNKNOWN, APPROVED], [APPROVED]),
    "capture_server_error": ([APPROVED], [UNKNOWN, UNKNOWN, APPROVED]),
    "slow": ([UNKNOWN, UNKNOWN], [UNKNOWN, UNKNOWN]),
    "capture_declined": ([APPROVED], ["declined", "declined"]),
    "duplicate_webhooks": ([APPROVED], [APPROVED]),
    "out_of_order_webhooks": ([APPROVED], [APPROVED]),
}
BY_THEMSELVES = {
    "3ds_approved": ("shopper", "authorized"),
    "3ds_declined": ("shopper", "declined"),
    "review_approved": ("gateway", "authorized"),
    "review_declined": ("gateway", "declined"),
}


def said(outcome: Any) -> str:
    for detail in ("reason", "waits_for"):
        if hasattr(outcome, detail):
            return str(getattr(outcome, detail))
    return str(outcome.kind)


def test_every_named_script_is_tested() -> None:
    assert {*STORIES, *BY_THEMSELVES} == set(SCRIPTS)


@pytest.mark.parametrize("script", STORIES)
async def test_a_named_script(gateway: SandboxGateway, hasty: SandboxGateway, script: str) -> None:
    authorizes, captures = STORIES[script]
    payment = await gateway.make("cart", TEN, script=script)
    for story, call in ((authorizes, "authorize"), (captures, "capture")):
        for expected in story:
            # Only a call that is not answered in time may be sent in haste.
            is_silent = expected == UNKNOWN and "error" not in script
            send = getattr(hasty if is_silent else gateway, call)
            assert said(await send(payment, f"{script}-{call}")) == expected
    (account,) = (await gateway.ledger(payment.id)).payments
    is_authorized = authorizes[-1] == APPROVED or script == "slow"
    is_captured = captures[-1] == APPROVED or script == "slow"
    assert (account.authorizations, account.captures) == (is_authorized, is_captured)


async def test_pending_payments_settle_by_themselves(
    gateway: SandboxGateway, merchant: Merchant
) -> None:
    payments = {each: await gateway.make("cart", TEN, script=each) for each in BY_THEMSELVES}
    for script, payment in payments.items():
        assert said(await gateway.authorize(payment, script)) == BY_THEMSELVES[script][0]
    for script, payment in payments.items():
        waited_for = BY_THEMSELVES[script][1]

        async def settled(payment: Payment = payment, waited_for: str = waited_for) -> bool:
            return await merchant.status(payment.id) == waited_for

        await until(settled)
        authorized = APPROVED if waited_for == "authorized" else "declined"
        assert said(await gateway.authorize(payment, script)) == authorized
        (account,) = (await gateway.ledger(payment.id)).payments
        assert account.authorizations == (waited_for == "authorized")


async def test_a_slow_payment_is_answered_late(gateway: SandboxGateway) -> None:
    payment = await gateway.make("cart", TEN, script={"slow_s": 0.2})
    assert said(await gateway.authorize(payment, "a")) == APPROVED


async def test_a_script_of_ones_own_is_composed(
    gateway: SandboxGateway, hasty: SandboxGateway
) -> None:
    faults = [
        {"call": "look_up", "mode": "fail_after"},
        {"call": "void", "mode": "fail_after"},
        {"call": "void", "mode": "time_out_before"},
        {"call": "authorize", "mode": "fail_before", "times": 2},
        {"call": "authorize", "mode": "time_out_after"},
        {"call": "look_up", "mode": "time_out_before"},
    ]
    payment = await gateway.make("cart", TEN, script={"faults": faults})
    looked = [await each.look_up(payment.id) for each in (gateway, hasty, gateway)]
    assert [isinstance(each, Payment) for each in looked] == [False, False, True]
    authorizing = ((gateway, UNKNOWN), (gateway, UNKNOWN), (hasty, UNKNOWN), (gateway, APPROVED))
    for sender, expected in authorizing:
        assert said(await sender.authorize(payment, "a")) == expected
    for sender, expected in ((gateway, UNKNOWN), (hasty, UNKNOWN), (gateway, APPROVED)):
        assert said(await sender.void(payment, "v")) == expected
    (account,) = (await gateway.ledger(payment.id)).payments
    assert (account.authorizations, account.voids, account.open_minor) == (1, 1, 0)


@pytest.mark.parametrize("mode", ["fail_before", "fail_after", "time_out_before", "time_out_after"])
@pytest.mark.parametrize("call", ["authorize", "capture", "void", "refund"])
async def test_a_fault_has_the_effect_it_says(
    gateway: SandboxGateway, hasty: SandboxGateway, merchant: Merchant, call: str, mode: str
) -> None:
    before = {
        "authorize": [],
        "capture": ["authorize"],
        "void": ["authorize"],
        "refund": ["authorize", "capture"],
    }
    counted = {"authorize": "authorizations"}.get(call, f"{call}s")
    payment = await gateway.make("cart", TEN, script={"faults": [{"call": call, "mode": mode}]})
    for each in before[call]:
        assert await merchant.call(payment.id, each) == {"outcome": "approved"}
    sender = hasty if mode.startswith("time_out") else gateway
    assert said(await getattr(sender, call)(payment, "key")) == UNKNOWN
    assert (await merchant.account(payment.id))[counted] == mode.endswith("after")
    assert said(await getattr(gateway, call)(payment, "key")) == APPROVED
    assert (await merchant.account(payment.id))[counted] == 1


async def test_a_call_that_is_not_answered_ends_without_a_word() -> None:
    with running_gateway(hang_s=0.1) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
            merchant = Merchant(http, "merchant")
            payment_id = await merchant.make(script="timeout_with_effect")
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await merchant.call(payment_id, "authorize", key="a")
            assert await merchant.call(payment_id, "authorize", key="a") == {"outcome": APPROVED}


async def test_calls_that_are_never_answered_hold_up_nobody(
    gateway: SandboxGateway, merchant: Merchant
) -> None:
    faults = [{"call": "authorize", "mode": "time_out_before", "times": 50}]
    payment = await gateway.make("cart", TEN, script={"faults": faults})
    hanging = [asyncio.create_task(gateway.authorize(payment, f"key-{each}")) for each in range(50)]
    other = await merchant.make()
    assert await merchant.call(other, "authorize") == {"outcome": "approved"}
    assert not any(each.done() for each in hanging)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
