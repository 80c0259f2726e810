"""Does the adapter do with payments at Stripe what the port promises? Against localstripe."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from commerce.adapters.payments.stripe import StripeGateway
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
from tests.programs import free_port
from tests.stripe.payments import (
    DECLINES,
    DECLINES_AFTER_3D_SECURE,
    NEEDS_3D_SECURE,
    Storefront,
)

DUE = Money(amount_minor=1234, currency="USD")
CART = "cart-1"
APPROVED, INVALID, UNKNOWN = PaymentApproved(), PaymentInvalid(), PaymentUnknown()

Change = Callable[[Payment, str], Awaitable[GatewayOutcome]]


async def found(gateway: StripeGateway, payment_id: str) -> Payment:
    payment = await gateway.look_up(payment_id)
    assert isinstance(payment, Payment), payment
    return payment


@pytest.fixture
async def authorized(storefront: Storefront, gateway: StripeGateway) -> Payment:
    return await found(gateway, await storefront.pay(CART, DUE))


@pytest.fixture
async def captured(gateway: StripeGateway, authorized: Payment) -> Payment:
    assert await gateway.capture(authorized, f"capture {authorized.id}") == APPROVED
    return await found(gateway, authorized.id)


async def test_a_confirmed_payment_may_pay_its_own_cart(authorized: Payment) -> None:
    assert authorized.status is PaymentStatus.AUTHORIZED
    assert (authorized.cart_id, authorized.amount) == (CART, DUE)
    assert may_pay(authorized, CART, DUE)


async def test_an_unconfirmed_payment_is_created(
    storefront: Storefront, gateway: StripeGateway
) -> None:
    payment_id = await storefront.make(CART, DUE)
    assert (await found(gateway, payment_id)).status is PaymentStatus.CREATED
    await storefront.choose(payment_id, NEEDS_3D_SECURE)
    assert (await found(gateway, payment_id)).status is PaymentStatus.CREATED


async def test_a_payment_of_no_cart_pays_for_none(
    storefront: Storefront, gateway: StripeGateway
) -> None:
    fields = {"amount": "1234", "currency": "usd", "capture_method": "manual"}
    payment_id = (await storefront.post("/v1/payment_intents", fields))["id"]
    assert (await found(gateway, payment_id)).cart_id == ""


@pytest.mark.parametrize("success", [True, False])
async def test_3d_secure_is_waited_for(
    storefront: Storefront, gateway: StripeGateway, success: bool
) -> None:
    payment = await found(gateway, await storefront.pay(CART, DUE, NEEDS_3D_SECURE))
    assert (payment.status, payment.waits_for) == (PaymentStatus.PENDING, WaitsFor.SHOPPER)
    assert await gateway.authorize(payment, "a") == PaymentPending(waits_for=WaitsFor.SHOPPER)
    await storefront.authenticate(payment.id, success=success)
    outcome = await gateway.authorize(payment, "a")
    assert outcome == (APPROVED if success else PaymentDeclined())
    assert (await found(gateway, payment.id)).waits_for is None


async def test_a_card_may_be_declined_at_once_or_after_3d_secure(
    storefront: Storefront, gateway: StripeGateway
) -> None:
    at_once = await storefront.pay(CART, DUE, DECLINES)
    later = await storefront.pay(CART, DUE, DECLINES_AFTER_3D_SECURE)
    await storefront.authenticate(later, success=True)
    for payment_id in (at_once, later):
        payment = await found(gateway, payment_id)
        assert (payment.status, payment.decline) == (
            PaymentStatus.DECLINED,
            DeclineReason.DECLINED,
        )
        assert await gateway.authorize(payment, "a") == PaymentDeclined()


async def test_a_payment_taken_when_it_was_confirmed_says_so(
    storefront: Storefront, gateway: StripeGateway
) -> None:
    payment_id = await storefront.make(CART, DUE, capture_method="automatic")
    await storefront.confirm(payment_id)
    payment = await found(gateway, payment_id)
    assert (payment.status, payment.captured_at_once) == (PaymentStatus.CAPTURED, True)
    assert may_pay(payment, CART, DUE)
    assert await gateway.authorize(payment, "a") == APPROVED
    assert await gateway.capture(payment, "c") == APPROVED
    assert await gateway.void(payment, "v") == INVALID


async def test_only_a_confirmed_payment_is_authorized(
    storefront: Storefront, gateway: StripeGateway, captured: Payment
) -> None:
    created = await found(gateway, await storefront.make(CART, DUE))
    assert await gateway.authorize(created, "a") == INVALID
    assert await gateway.authorize(captured, "a") == INVALID


@pytest.mark.parametrize("keys", [("one key", "one key"), ("a key", "another key")])
async def test_capturing_twice_takes_the_money_once(
    storefront: Storefront, gateway: StripeGateway, authorized: Payment, keys: tuple[str, str]
) -> None:
    for key in keys:
        assert await gateway.capture(authorized, f"{key} {authorized.id}") == APPROVED
    payment = await found(gateway, authorized.id)
    assert (payment.status, payment.captured_at_once) == (PaymentStatus.CAPTURED, False)
    assert not may_pay(payment, CART, DUE)
    assert await storefront.taken(payment.id) == [DUE.amount_minor]


async def test_captures_at_the_same_time_are_all_approved(
    storefront: Storefront, gateway: StripeGateway, authorized: Payment
) -> None:
    captures = [gateway.capture(authorized, f"{n} {authorized.id}") for n in range(8)]
    assert await asyncio.gather(*captures) == [APPROVED] * 8
    assert await storefront.taken(authorized.id) == [DUE.amount_minor]


async def test_voiding_ends_a_payment_and_may_be_repeated(
    gateway: StripeGateway, authorized: Payment
) -> None:
    for key in ("one key", "one key", "another key"):
        assert await gateway.void(authorized, f"{key} {authorized.id}") == APPROVED
    payment = await found(gateway, authorized.id)
    assert payment.status is PaymentStatus.VOIDED
    assert not may_pay(payment, CART, DUE)
    assert await gateway.authorize(payment, "a") == INVALID


@pytest.mark.parametrize("card", ["", DECLINES, NEEDS_3D_SECURE])
async def test_whatever_is_not_captured_can_be_voided(
    storefront: Storefront, gateway: StripeGateway, card: str
) -> None:
    payment_id = await storefront.make(CART, DUE)
    if card:
        await storefront.confirm(payment_id, card)
    payment = await found(gateway, payment_id)
    assert await gateway.void(payment, f"void {payment_id}") == APPROVED
    assert (await found(gateway, payment_id)).status is PaymentStatus.VOIDED


async def test_a_captured_payment_is_refunded_and_not_voided(
    gateway: StripeGateway, captured: Payment
) -> None:
    assert await gateway.void(captured, f"void {captured.id}") == INVALID
    for _ in range(2):
        assert await gateway.refund(captured, f"refund {captured.id}") == APPROVED
    payment = await found(gateway, captured.id)
    assert (payment.status, payment.amount) == (PaymentStatus.REFUNDED, DUE)
    assert not may_pay(payment, CART, DUE)


async def test_one_key_refunds_once(
    storefront: Storefront, gateway: StripeGateway, captured: Payment
) -> None:
    for _ in range(2):
        assert await gateway.refund(captured, f"refund {captured.id}") == APPROVED
    charge = (await storefront.get(captured.id))["latest_charge"]
    assert charge["amount_refunded"] == DUE.amount_minor


async def test_a_key_used_for_something_else_is_invalid(
    gateway: StripeGateway, authorized: Payment
) -> None:
    key = f"one key {authorized.id}"
    assert await gateway.capture(authorized, key) == APPROVED
    assert await gateway.refund(authorized, key) == INVALID


@pytest.mark.parametrize(
    ("due", "at_stripe"),
    [
        (Money(amount_minor=1234, currency="EUR"), (1234, "eur")),
        (Money(amount_minor=500, currency="JPY"), (500, "jpy")),
        (Money(amount_minor=5120, currency="KWD"), (5120, "kwd")),
        (Money(amount_minor=5, currency="ISK"), (500, "isk")),
        (Money(amount_minor=5, currency="UGX"), (500, "ugx")),
        (Money(amount_minor=500, currency="MGA"), (5, "mga")),
    ],
)
async def test_a_payment_is_made_once_for_its_cart_in_stripes_minor_units(
    storefront: Storefront, gateway: StripeGateway, due: Money, at_stripe: tuple[int, str]
) -> None:
    key = f"create {due}"
    made = [await gateway.create(CART, due, "cc", key) for _ in range(2)]
    assert isinstance(made[0], Payment)
    assert made[0] == made[1]
    assert (made[0].cart_id, made[0].amount) == (CART, due)
    assert made[0].status is PaymentStatus.CREATED
    intent = await storefront.get(made[0].id)
    assert (intent["amount"], intent["currency"]) == at_stripe
    assert intent["capture_method"] == "manual"
    await storefront.confirm(made[0].id)
    assert may_pay(await found(gateway, made[0].id), CART, due)


async def test_a_payment_that_cannot_be_is_not_made(gateway: StripeGateway) -> None:
    nothing = Money.zero("USD")
    fraction = Money(amount_minor=120, currency="MGA")  # Stripe takes whole ariary only
    assert await gateway.create(CART, nothing, "cc", "create nothing") == INVALID
    assert await gateway.create(CART, fraction, "cc", "create a fraction") == INVALID


async def test_an_unknown_payment_is_invalid(gateway: StripeGateway) -> None:
    payment = Payment(id="pi_none", cart_id=CART, amount=DUE, status=PaymentStatus.AUTHORIZED)
    assert await gateway.look_up(payment.id) == INVALID
    assert await gateway.authorize(payment, "a") == INVALID
    assert await gateway.capture(payment, "capture none") == INVALID
    assert await gateway.void(payment, "void none") == INVALID
    assert await gateway.refund(payment, "refund none") == INVALID


async def test_a_wrong_key_leaves_everything_unknown(
    localstripe: str, authorized: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = StripeGateway(SecretStr("wrong_key"), localstripe, 30)
    try:
        assert await stranger.look_up(authorized.id) == UNKNOWN
        assert await stranger.capture(authorized, "c") == UNKNOWN
        assert await stranger.create(CART, DUE, "cc", "k") == UNKNOWN
    finally:
        await stranger.aclose()
    assert [(each.name, each.levelname) for each in caplog.records] == [
        ("checkout.payments", "ERROR")
    ]
    assert "wrong_key" not in caplog.text
    assert authorized.id not in caplog.text


async def test_without_a_server_everything_is_unknown(authorized: Payment) -> None:
    nowhere = StripeGateway(SecretStr("sk_test_1"), f"http://127.0.0.1:{free_port()}", 30)
    changes: list[Change] = [nowhere.authorize, nowhere.capture, nowhere.void, nowhere.refund]
    try:
        assert await nowhere.look_up(authorized.id) == UNKNOWN
        assert await nowhere.create(CART, DUE, "cc", "k") == UNKNOWN
        for change in changes:
            assert await change(authorized, "k") == UNKNOWN
    finally:
        await nowhere.aclose()
