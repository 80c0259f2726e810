"""What becomes of answers that localstripe cannot give? Against a scripted server."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import stripe
from pydantic import SecretStr

from commerce.adapters.payments.stripe import StripeGateway
from commerce.adapters.payments.stripe_http import MAX_ANSWER_BYTES
from commerce.domain.money import Money
from commerce.domain.payments import (
    DeclineReason,
    GatewayOutcome,
    Payment,
    PaymentApproved,
    PaymentDeclined,
    PaymentInvalid,
    PaymentPending,
    PaymentStatus,
    PaymentUnknown,
    WaitsFor,
    may_pay,
)
from tests.stripe.payments import SECRET_KEY
from tests.stripe.scripted import (
    EXPANDED_CHARGE,
    PAYMENT_ID,
    Answer,
    ScriptedStripe,
    a_server,
    an_error,
    an_intent,
)

DUE = Money(amount_minor=1234, currency="USD")
CART = "cart-1"
PAYMENT = Payment(id=PAYMENT_ID, cart_id=CART, amount=DUE, status=PaymentStatus.AUTHORIZED)
APPROVED, INVALID, UNKNOWN = PaymentApproved(), PaymentInvalid(), PaymentUnknown()
SHOPPERS_TURN = PaymentPending(waits_for=WaitsFor.SHOPPER)
GATEWAYS_TURN = PaymentPending(waits_for=WaitsFor.GATEWAY)
REFUNDED = {"latest_charge": EXPANDED_CHARGE | {"refunded": True}}
CHANGES = ("capture", "void", "refund")

WRONG_STATE = Answer(400, an_error("payment_intent_unexpected_state"))


async def change(gateway: StripeGateway, name: str) -> GatewayOutcome:
    return await getattr(gateway, name)(PAYMENT, f"order-1/{name}")


async def looked_up(gateway: StripeGateway, scripted: ScriptedStripe, answer: Any) -> object:
    scripted.answers(answer)
    return await gateway.look_up(PAYMENT_ID)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "card_declined", "decline_code": "generic_decline"}, DeclineReason.DECLINED),
        (
            {"code": "card_declined", "decline_code": "insufficient_funds"},
            DeclineReason.INSUFFICIENT_FUNDS,
        ),
        ({"code": "expired_card", "decline_code": "expired_card"}, DeclineReason.EXPIRED),
        ({"code": "expired_card"}, DeclineReason.EXPIRED),
        ({"code": "payment_intent_authentication_failure"}, DeclineReason.DECLINED),
        ({"code": None}, DeclineReason.DECLINED),
    ],
)
async def test_a_shopper_is_told_why_as_far_as_they_may(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    error: dict[str, str],
    reason: DeclineReason,
) -> None:
    intent = an_intent("requires_payment_method", last_payment_error=error)
    scripted.answers(intent, intent, Answer(402, {"error": {"type": "card_error"} | error}))
    payment = await scripted_gateway.look_up(PAYMENT_ID)
    assert isinstance(payment, Payment)
    assert (payment.status, payment.decline) == (PaymentStatus.DECLINED, reason)
    assert await scripted_gateway.authorize(PAYMENT, "a") == PaymentDeclined(reason=reason)
    assert await change(scripted_gateway, "capture") == PaymentDeclined(reason=reason)


async def test_processing_is_the_gateways_turn(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway
) -> None:
    payment = await looked_up(scripted_gateway, scripted, an_intent("processing"))
    assert isinstance(payment, Payment)
    assert (payment.status, payment.waits_for) == (PaymentStatus.PENDING, WaitsFor.GATEWAY)


@pytest.mark.parametrize(
    ("intent", "amount_minor"),
    [
        (an_intent("requires_capture", amount_capturable=1000), 1000),
        (an_intent("succeeded", amount_received=1000, capture_method="automatic"), 1000),
        (an_intent("succeeded", amount_received=1000) | REFUNDED, 1000),
        (an_intent("requires_action"), 1234),
        (an_intent("canceled"), 1234),
    ],
)
async def test_the_amount_is_what_is_set_aside_or_taken(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    intent: dict[str, object],
    amount_minor: int,
) -> None:
    payment = await looked_up(scripted_gateway, scripted, intent)
    assert isinstance(payment, Payment)
    assert payment.amount == Money(amount_minor=amount_minor, currency="USD")
    assert may_pay(payment, CART, DUE) is (intent["status"] == "requires_action")


@pytest.mark.parametrize(
    "fields",
    [{"currency": "xyz"}, {"currency": "isk", "amount": 150}, {"amount": 10**16}],
)
async def test_money_that_no_cart_can_have_pays_for_none(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, fields: dict[str, object]
) -> None:
    intent = an_intent("requires_action", **fields)
    assert await looked_up(scripted_gateway, scripted, intent) == INVALID


@pytest.mark.parametrize(
    "answer",
    [
        *(Answer(status, an_error("oops")) for status in (401, 403, 409, 429, 500, 503)),
        Answer(400, an_error("parameter_unknown")),
        Answer(402, an_error("card_declined", "card_error")),
        Answer(502, "<html>Bad gateway</html>"),
        Answer(200, "<html>Welcome</html>"),
        Answer(302, "", {"Location": "/elsewhere"}),
        Answer(200, ""),
        Answer(200, [an_intent("succeeded")]),
        Answer(200, "null"),
        Answer(400, {"error": None}),
        Answer(400, {"error": []}),
        Answer(400, {"error": "invalid_client"}),
        Answer(400, []),
        Answer(200, {}),
        Answer(200, an_intent("succeeded", id="pi_3Another")),
        Answer(200, an_intent("succeeded", id=7)),
        Answer(200, an_intent("requires_thinking")),
        Answer(200, an_intent("succeeded", amount="1234")),
        Answer(200, an_intent("succeeded", amount=12.34)),
        Answer(200, an_intent("succeeded", amount=-1234)),
        Answer(200, an_intent("succeeded", metadata={"cart_id": 7})),
        Answer(200, an_intent("succeeded", currency=None)),
        Answer(200, an_intent("succeeded", description="x" * MAX_ANSWER_BYTES)),
    ],
    ids=lambda answer: f"{answer.status} {str(answer.body)[:60]}",
)
async def test_an_answer_that_says_nothing_leaves_it_unknown(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, answer: Answer
) -> None:
    assert await looked_up(scripted_gateway, scripted, answer) == UNKNOWN
    assert len(scripted.requests) == 1


async def test_an_answer_without_what_is_optional_is_understood(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway
) -> None:
    needed = ("id", "object", "status", "amount", "currency", "capture_method")
    intent = {name: an_intent("succeeded")[name] for name in needed}
    payment = await looked_up(scripted_gateway, scripted, intent)
    assert isinstance(payment, Payment)
    assert (payment.cart_id, payment.status) == ("", PaymentStatus.CAPTURED)


NO_IDS = (
    "",
    "pi_",
    "..",
    "pi_1/../pi_2",
    "pi_1?expand=x",
    "pi_1\n",
    "ch_1",
    "pi_é",
    "pi_" + "1" * 201,
)


@pytest.mark.parametrize("payment_id", NO_IDS)
async def test_an_id_of_another_shape_is_invalid_and_not_sent(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, payment_id: str
) -> None:
    payment = PAYMENT.model_copy(update={"id": payment_id})
    assert await scripted_gateway.look_up(payment_id) == INVALID
    assert await scripted_gateway.authorize(payment, "a") == INVALID
    assert await scripted_gateway.capture(payment, "c") == INVALID
    assert await scripted_gateway.void(payment, "v") == INVALID
    assert await scripted_gateway.refund(payment, "r") == INVALID
    assert scripted.requests == []


async def test_requests_carry_the_key_and_the_idempotency_key(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway
) -> None:
    scripted.answers(
        an_intent("requires_payment_method"), an_intent("succeeded"), an_intent("canceled"),
        {"object": "refund", "status": "succeeded"},
    )  # fmt: skip
    made = await scripted_gateway.create(CART, DUE, "cc", "order-1/create")
    assert isinstance(made, Payment)
    for name in CHANGES:
        assert await change(scripted_gateway, name) == APPROVED
    assert [(each.method, each.path, each.key) for each in scripted.requests] == [
        ("POST", "/v1/payment_intents", "order-1/create"),
        ("POST", f"/v1/payment_intents/{PAYMENT_ID}/capture", "order-1/capture"),
        ("POST", f"/v1/payment_intents/{PAYMENT_ID}/cancel", "order-1/void"),
        ("POST", "/v1/refunds", "order-1/refund"),
    ]
    assert all(
        each.headers["authorization"] == f"Bearer {SECRET_KEY}" for each in scripted.requests
    )
    assert scripted.requests[0].form == {
        "amount": ["1234"], "currency": ["usd"], "capture_method": ["manual"],
        "metadata[cart_id]": [CART], "metadata[source]": ["cc"],
    }  # fmt: skip
    assert scripted.requests[3].form == {"payment_intent": [PAYMENT_ID]}


async def test_a_payment_made_for_something_else_is_unknown(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway
) -> None:
    scripted.answers(
        an_intent("requires_payment_method", amount=1),
        an_intent("requires_payment_method", metadata={}),
        Answer(500, an_error("oops")),
    )
    for _ in range(3):
        assert await scripted_gateway.create(CART, DUE, "cc", "k") == UNKNOWN


REFUSED = [
    ("capture", an_intent("succeeded"), APPROVED),
    ("capture", an_intent("succeeded", amount_received=1000), INVALID),
    ("capture", an_intent("succeeded") | REFUNDED, INVALID),
    ("capture", an_intent("requires_confirmation"), INVALID),
    ("capture", an_intent("requires_payment_method"), INVALID),
    ("capture", an_intent("requires_capture"), INVALID),
    ("capture", an_intent("canceled"), INVALID),
    ("capture", an_intent("requires_action"), SHOPPERS_TURN),
    ("capture", an_intent("processing"), GATEWAYS_TURN),
    ("void", an_intent("canceled"), APPROVED),
    ("void", an_intent("succeeded"), INVALID),
    ("void", an_intent("succeeded") | REFUNDED, INVALID),
    ("void", an_intent("processing"), GATEWAYS_TURN),
    ("void", an_intent("requires_capture"), UNKNOWN),
    ("void", an_intent("requires_action"), UNKNOWN),
    ("refund", an_intent("succeeded") | REFUNDED, APPROVED),
    ("refund", an_intent("succeeded"), INVALID),
    ("refund", an_intent("requires_capture"), INVALID),
    ("refund", an_intent("canceled"), INVALID),
]


@pytest.mark.parametrize(
    ("name", "intent", "outcome"), REFUSED, ids=lambda each: getattr(each, "kind", None)
)
async def test_a_refusal_is_explained_by_the_state(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    name: str,
    intent: dict[str, object],
    outcome: GatewayOutcome,
) -> None:
    scripted.answers(WRONG_STATE, intent)
    assert await change(scripted_gateway, name) == outcome
    assert [each.method for each in scripted.requests] == ["POST", "GET"]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_refusal_that_cannot_be_explained_is_unknown(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, name: str
) -> None:
    scripted.answers(WRONG_STATE, Answer(500, an_error("oops")))
    assert await change(scripted_gateway, name) == UNKNOWN


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("status", [401, 403, 409, 429, 500])
async def test_a_change_without_an_answer_is_unknown_and_not_tried_again(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, name: str, status: int
) -> None:
    scripted.answers(Answer(status, an_error("oops", "api_error")))
    assert await change(scripted_gateway, name) == UNKNOWN
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("name", CHANGES)
async def test_a_key_that_was_used_for_something_else_is_invalid(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, name: str
) -> None:
    scripted.answers(Answer(400, an_error("", "idempotency_error")))
    assert await change(scripted_gateway, name) == INVALID
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("name", "status", "outcome"),
    [
        ("capture", "requires_capture", UNKNOWN),
        ("capture", "processing", GATEWAYS_TURN),
        ("void", "processing", GATEWAYS_TURN),
        ("void", "succeeded", UNKNOWN),
    ],
    ids=lambda each: getattr(each, "kind", None),
)
async def test_a_success_that_did_nothing_is_no_success(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    name: str,
    status: str,
    outcome: GatewayOutcome,
) -> None:
    scripted.answers(an_intent(status))
    assert await change(scripted_gateway, name) == outcome


@pytest.mark.parametrize("status", [400, 402, 500])
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("capture", an_intent("succeeded")),
        ("void", an_intent("canceled")),
        ("refund", {"object": "refund", "status": "succeeded"}),
    ],
)
async def test_a_failure_that_stripe_repeats_from_memory_is_not_believed_for_ever(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    name: str,
    answer: dict[str, Any],
    status: int,
) -> None:
    repeated = {"Idempotent-Replayed": "true"}
    scripted.answers(Answer(status, an_error("oops"), repeated), answer)
    assert await change(scripted_gateway, name) == APPROVED
    first, second = scripted.requests
    assert (first.path, first.form) == (second.path, second.form)
    assert first.key == f"order-1/{name}" != second.key


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", APPROVED),
        ("pending", APPROVED),
        ("requires_action", SHOPPERS_TURN),
        ("failed", INVALID),
        ("canceled", INVALID),
        ("thinking", UNKNOWN),
        (None, UNKNOWN),
    ],
)
async def test_a_refund_is_judged_by_its_own_status(
    scripted: ScriptedStripe,
    scripted_gateway: StripeGateway,
    status: str | None,
    outcome: GatewayOutcome,
) -> None:
    scripted.answers({"id": "re_1", "object": "refund", "status": status})
    assert await change(scripted_gateway, "refund") == outcome


async def test_a_refused_key_is_logged_once_and_nothing_of_stripe_ever(
    scripted: ScriptedStripe, scripted_gateway: StripeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for status in (401, 403, 401, 402, 400, 500):
        scripted.answers(Answer(status, an_error("oops", param="key"), {"Request-Id": "req_1"}))
        await scripted_gateway.look_up(PAYMENT_ID)
    assert [each.levelname for each in caplog.records if each.name == "checkout.payments"] == [
        "ERROR"
    ]
    for secret in (SECRET_KEY, PAYMENT_ID, "Provider text", "req_1"):
        assert secret not in caplog.text


@pytest.mark.parametrize("key", ["", "sk_test\n", "sk_tést"])
def test_a_key_that_cannot_be_sent_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="gateway key"):
        StripeGateway(SecretStr(key), "", 1)


async def test_stripes_own_address_is_the_default() -> None:
    gateway = StripeGateway(SecretStr(SECRET_KEY), "", 1)
    addresses = gateway._intents._requestor.base_addresses  # pyright: ignore[reportPrivateUsage]
    assert addresses.get("api") == stripe.DEFAULT_API_BASE == "https://api.stripe.com"
    await gateway.aclose()


def test_a_gateway_serves_whichever_event_loop_is_running(localstripe: str) -> None:
    gateway = StripeGateway(SecretStr(SECRET_KEY), localstripe, 30)
    with asyncio.Runner() as one, asyncio.Runner() as another:
        assert one.run(gateway.look_up("pi_none")) == INVALID
        left_open = gateway._http._client  # pyright: ignore[reportPrivateUsage]
        assert left_open
        assert another.run(gateway.look_up("pi_none")) == INVALID
        another.run(gateway.aclose())
        assert another.run(gateway.look_up("pi_none")) == INVALID
        another.run(gateway.aclose())
        one.run(left_open.aclose())


# -- servers that are none ----------------------------------------------------------------------


@asynccontextmanager
async def impatient(url: str) -> AsyncGenerator[StripeGateway]:
    gateway = StripeGateway(SecretStr(SECRET_KEY), url, 0.2)
    yield gateway
    await gateway.aclose()


async def all_unknown(gateway: StripeGateway) -> bool:
    asked = (
        gateway.look_up(PAYMENT_ID),
        gateway.create(CART, DUE, "cc", "k"),
        gateway.authorize(PAYMENT, "a"),
        *(change(gateway, name) for name in CHANGES),
    )
    return all(answer == UNKNOWN for answer in await asyncio.gather(*asked))


async def test_a_server_that_never_answers_leaves_everything_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        async with impatient(f"http://127.0.0.1:{black_hole.getsockname()[1]}") as gateway:
            assert await all_unknown(gateway)


async def test_a_server_that_never_ends_its_answer_leaves_everything_unknown() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await asyncio.sleep(0.02)  # each byte comes in time, and all of them never do

    async with a_server(drip) as url, impatient(url) as gateway:
        assert await all_unknown(gateway)


async def test_a_server_that_hangs_up_leaves_everything_unknown() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with a_server(hang_up) as url, impatient(url) as gateway:
        assert await all_unknown(gateway)


async def test_a_refusal_that_is_not_explained_in_time_is_unknown(scripted: ScriptedStripe) -> None:
    scripted.answers(WRONG_STATE)

    async def refuse_then_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if scripted.script:
            await scripted.serve(reader, writer)
        else:
            await reader.read()  # until the client gives up

    async with a_server(refuse_then_hang) as url, impatient(url) as gateway:
        assert await change(gateway, "capture") == UNKNOWN
