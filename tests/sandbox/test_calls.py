"""What does each call do to a payment, and what does the ledger say of it?"""

import asyncio
import secrets

import pytest

from tests.sandbox.merchant import Merchant

CALLS = ("authorize", "capture", "void", "refund")
OUTCOMES = {
    # before:     authorize,  capture,    void,       refund
    "created": ("invalid", "invalid", "approved", "invalid"),
    "approved": ("approved", "invalid", "approved", "invalid"),
    "pending": ("pending", "invalid", "approved", "invalid"),
    "authorized": ("approved", "approved", "approved", "invalid"),
    "captured": ("invalid", "invalid", "invalid", "approved"),
    "declined": ("declined", "invalid", "invalid", "invalid"),
    "voided": ("invalid", "invalid", "approved", "invalid"),
    "refunded": ("invalid", "invalid", "invalid", "invalid"),
}
AFTER = {"authorize": "authorized", "capture": "captured", "void": "voided", "refund": "refunded"}


async def a_payment(merchant: Merchant, status: str) -> str:
    if status in ("created", "approved"):
        return await merchant.make(approve=status == "approved")
    script = {"pending": "3ds_abandoned", "declined": "declined"}.get(status, "approved")
    payment_id = await merchant.make(script=script)
    await merchant.call(payment_id, "authorize")
    if status == "voided":
        await merchant.call(payment_id, "void")
    if status in ("captured", "refunded"):
        await merchant.call(payment_id, "capture")
    if status == "refunded":
        await merchant.call(payment_id, "refund")
    assert await merchant.status(payment_id) == status
    return payment_id


@pytest.mark.parametrize("status", OUTCOMES)
@pytest.mark.parametrize("call", CALLS)
async def test_every_call_in_every_status(merchant: Merchant, status: str, call: str) -> None:
    payment_id = await a_payment(merchant, status)
    outcome = (await merchant.call(payment_id, call))["outcome"]
    assert outcome == OUTCOMES[status][CALLS.index(call)]
    after = AFTER[call] if outcome == "approved" else status
    assert await merchant.status(payment_id) == after


@pytest.mark.parametrize("status", OUTCOMES)
async def test_the_entries_say_the_same_as_the_status(merchant: Merchant, status: str) -> None:
    expected = {
        "authorized": (1, 0, 0, 0),
        "captured": (1, 1, 0, 0),
        "voided": (1, 0, 1, 0),
        "refunded": (1, 1, 0, 1),
    }.get(status, (0, 0, 0, 0))
    account = await merchant.account(await a_payment(merchant, status))
    counts = ("authorizations", "captures", "voids", "refunds")
    amounts = ("authorized_minor", "captured_minor", "voided_minor", "refunded_minor")
    assert tuple(account[each] for each in counts) == expected
    assert tuple(account[each] for each in amounts) == tuple(1000 * each for each in expected)


async def test_the_totals_are_of_all_payments_by_currency(merchant: Merchant) -> None:
    for status in ("authorized", "captured", "voided", "refunded"):
        await a_payment(merchant, status)
    yen = await merchant.make(currency="JPY", amount_minor=7, cart_id="other")
    await merchant.call(yen, "authorize")
    report = (await merchant.ask("GET", "/ledger")).json()
    assert len(report["payments"]) == 5
    assert report["totals"] == {
        "USD": {
            "authorized_minor": 4000,
            "captured_minor": 2000,
            "voided_minor": 1000,
            "refunded_minor": 1000,
            "open_minor": 1000,
        },
        "JPY": {
            "authorized_minor": 7,
            "captured_minor": 0,
            "voided_minor": 0,
            "refunded_minor": 0,
            "open_minor": 7,
        },
    }
    of_cart = (await merchant.ask("GET", "/ledger?cart_id=other")).json()
    assert [each["id"] for each in of_cart["payments"]] == [yen]
    assert list(of_cart["totals"]) == ["JPY"]


async def test_a_void_before_any_money_ends_the_payment_for_good(merchant: Merchant) -> None:
    payment_id = await merchant.make()
    assert await merchant.call(payment_id, "void") == {"outcome": "approved"}
    assert await merchant.call(payment_id, "authorize") == {"outcome": "invalid"}
    account = await merchant.account(payment_id)
    assert (account["status"], account["authorizations"], account["voids"]) == ("voided", 0, 0)


async def test_a_void_of_a_pending_payment_outruns_the_shopper(merchant: Merchant) -> None:
    payment_id = await a_payment(merchant, "pending")
    await merchant.call(payment_id, "void")
    path = f"/payments/{payment_id}/shopper"
    late = await merchant.ask("POST", path, {"does": "authenticate"})
    assert late.status_code == 409
    assert (await merchant.account(payment_id))["authorized_minor"] == 0


@pytest.mark.parametrize(
    ("status", "does", "becomes"),
    [
        ("created", "approve", "approved"),
        ("created", "decline", "declined"),
        ("pending", "authenticate", "authorized"),
        ("pending", "decline", "declined"),
        ("created", "authenticate", None),
        ("approved", "approve", None),
        ("approved", "decline", None),
        ("authorized", "authenticate", None),
        ("voided", "approve", None),
    ],
)
async def test_what_the_shopper_may_do(
    merchant: Merchant, status: str, does: str, becomes: str | None
) -> None:
    payment_id = await a_payment(merchant, status)
    done = await merchant.ask("POST", f"/payments/{payment_id}/shopper", {"does": does})
    assert done.status_code == (200 if becomes else 409)
    assert await merchant.status(payment_id) == (becomes or status)


# -- keys ---------------------------------------------------------------------------------------


async def test_a_call_is_replayed_under_its_key_whatever_came_after(merchant: Merchant) -> None:
    payment_id = await merchant.make()
    for call in ("authorize", "capture", "refund"):
        assert await merchant.call(payment_id, call, key=call) == {"outcome": "approved"}
    for call in ("authorize", "capture", "refund"):
        assert await merchant.call(payment_id, call, key=call) == {"outcome": "approved"}
    assert await merchant.call(payment_id, "capture", key="another") == {"outcome": "invalid"}
    account = await merchant.account(payment_id)
    assert (account["authorizations"], account["captures"], account["refunds"]) == (1, 1, 1)


async def test_a_declined_call_is_replayed(merchant: Merchant) -> None:
    payment_id = await merchant.make(script="insufficient_funds")
    declined = {"outcome": "declined", "reason": "insufficient_funds"}
    for key in ("one", "one", "another"):
        assert await merchant.call(payment_id, "authorize", key=key) == declined


async def test_a_pending_call_is_replayed_as_things_stand_now(merchant: Merchant) -> None:
    payment_id = await merchant.make(script="3ds_abandoned")
    waits = {"outcome": "pending", "waits_for": "shopper"}
    assert await merchant.call(payment_id, "authorize", key="a") == waits
    assert await merchant.call(payment_id, "authorize", key="a") == waits
    await merchant.shopper(payment_id, "authenticate")
    assert await merchant.call(payment_id, "authorize", key="a") == {"outcome": "approved"}
    await merchant.call(payment_id, "capture")
    assert await merchant.call(payment_id, "authorize", key="a") == {"outcome": "approved"}
    assert (await merchant.account(payment_id))["authorizations"] == 1


async def test_an_invalid_call_may_take_effect_later_under_its_key(merchant: Merchant) -> None:
    payment_id = await merchant.make(approve=False)
    assert await merchant.call(payment_id, "authorize", key="a") == {"outcome": "invalid"}
    await merchant.shopper(payment_id, "approve")
    assert await merchant.call(payment_id, "authorize", key="a") == {"outcome": "approved"}


async def test_a_key_serves_one_call_of_one_payment(merchant: Merchant) -> None:
    payment_id, other = await merchant.make(), await merchant.make()
    await merchant.call(payment_id, "authorize", key="a")
    for path in (f"{payment_id}/capture", f"{other}/authorize"):
        reused = await merchant.ask("POST", f"/payments/{path}", key="a")
        assert reused.status_code == 422
    assert await merchant.status(payment_id) == "authorized"
    assert await merchant.status(other) == "approved"


async def test_a_payment_is_made_once_per_key(merchant: Merchant) -> None:
    body = {"cart_id": "cart", "amount_minor": 1000, "currency": "USD"}
    first = await merchant.ask("POST", "/payments", body, key="make")
    again = await merchant.ask("POST", "/payments", body, key="make")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await merchant.ask("POST", "/payments", {**body, "amount_minor": 1}, key="make")
    assert other.status_code == 422
    assert len((await merchant.ask("GET", "/ledger")).json()["payments"]) == 1


async def test_keys_and_payments_are_each_merchants_own(merchant: Merchant) -> None:
    other = Merchant(merchant.http, secrets.token_hex(8))
    for each in (merchant, other):
        payment_id = await each.make(id="same")
        assert await each.call(payment_id, "authorize", key="a") == {"outcome": "approved"}
    await merchant.call("same", "capture")
    assert await other.status("same") == "authorized"
    hidden = await merchant.make()
    assert (await other.ask("GET", f"/payments/{hidden}")).status_code == 404


@pytest.mark.parametrize("same_key", [True, False])
async def test_calls_at_the_same_time_take_effect_once(merchant: Merchant, same_key: bool) -> None:
    payment_id = await merchant.make()
    for call in ("authorize", "capture"):
        keys = [call if same_key else "" for _ in range(20)]
        answers = await asyncio.gather(*(merchant.call(payment_id, call, key) for key in keys))
        approved = [each for each in answers if each == {"outcome": "approved"}]
        assert len(approved) == (1 if call == "capture" and not same_key else 20)
    account = await merchant.account(payment_id)
    assert (account["authorizations"], account["captures"]) == (1, 1)


async def test_a_void_and_a_capture_at_the_same_time_have_one_winner(merchant: Merchant) -> None:
    for _ in range(10):
        payment_id = await a_payment(merchant, "authorized")
        answers = await asyncio.gather(
            merchant.call(payment_id, "void"), merchant.call(payment_id, "capture")
        )
        assert sorted(each["outcome"] for each in answers) == ["approved", "invalid"]
        account = await merchant.account(payment_id)
        assert account["captures"] + account["voids"] == 1
