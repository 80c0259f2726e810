"""Stripe: a payment is a PaymentIntent that the storefront confirms and that is captured by us.

Stripe's status decides everything here. Where Stripe refuses to do something, the payment is looked
up: what was asked may have been done before, by us or by a person at Stripe's dashboard.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import stripe
from pydantic import SecretStr, ValidationError

from commerce.adapters.payments.stripe_answers import (
    PAYMENT_ID,
    Declined,
    Intent,
    Refund,
    read_event,
    to_stripe,
)
from commerce.adapters.payments.stripe_http import StripeHttp, quieten
from commerce.domain.model import Message
from commerce.domain.money import Money
from commerce.domain.payments import (
    DeclineReason,
    GatewayOutcome,
    Payment,
    PaymentApproved,
    PaymentDeclined,
    PaymentEvent,
    PaymentInvalid,
    PaymentPending,
    PaymentStatus,
    PaymentUnknown,
    WaitsFor,
)
from commerce.ports import WebhookError

WEBHOOK_TOLERANCE_S = 300
"""By how much the time of a webhook may differ from ours, either way."""

_NOT_STRIPES = (AttributeError, KeyError, TypeError, ValueError)
"""What the SDK and pydantic raise over an answer of another shape than Stripe's."""

logger = logging.getLogger("checkout.payments")


@dataclass(frozen=True)
class _Failure:
    """Stripe did not do it, or did not say.

    Attributes:
        outcome: What the answer alone tells.
        refused: The payment's state tells more.
        repeated: Stripe has it from memory: it is what the first call under this key was told.
    """

    outcome: PaymentDeclined | PaymentInvalid | PaymentUnknown
    refused: bool = False
    repeated: bool = False


_Answer = TypeVar("_Answer", bound=Message)
_Result = TypeVar("_Result")
_Call = Callable[[stripe.RequestOptions], Awaitable[stripe.StripeObject]]


class StripeGateway:
    """The gateway port over Stripe's API, and the port that makes payments."""

    def __init__(self, key: SecretStr, url: str, timeout_s: float) -> None:
        """Connect lazily; nothing is sent yet.

        Args:
            key: Stripe's secret key, or a restricted one for payment intents and refunds.
            url: Where Stripe is; empty is its own address.
            timeout_s: Seconds after which a method, of up to three requests, is unanswered.

        Raises:
            ValueError: The key cannot be sent.
        """
        secret = key.get_secret_value()
        if not secret or not secret.isascii() or not secret.isprintable():
            raise ValueError("the gateway key is empty, or not printable ASCII")
        quieten()
        self._timeout_s = timeout_s
        self._http = StripeHttp(timeout_s)
        client = stripe.StripeClient(
            secret,
            base_addresses={"api": url.rstrip("/")} if url else {},
            max_network_retries=0,  # Temporal's retries are seen and end
            http_client=self._http,
        )
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._key_refused = False

    async def aclose(self) -> None:
        """Close the connections; a call after this opens new ones."""
        await self._http.close_async()

    async def look_up(self, payment_id: str) -> Payment | PaymentInvalid | PaymentUnknown:
        """The payment as it stands; invalid when Stripe does not know it."""
        if not PAYMENT_ID.fullmatch(payment_id):
            return PaymentInvalid()
        call = self._intents.retrieve_async(payment_id, {"expand": ["latest_charge"]})
        found = await self._in_time(self._ask(Intent, call))
        if isinstance(found, Intent) and found.id == payment_id:
            return found.payment()
        if isinstance(found, _Failure) and isinstance(found.outcome, PaymentInvalid):
            return found.outcome
        return PaymentUnknown()

    async def authorize(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """How the shopper's confirmation came out: that is what authorizes at Stripe."""
        found = await self.look_up(payment.id)
        if isinstance(found, Payment) and found.decline:
            return PaymentDeclined(reason=found.decline)
        return _judge(found, _is_authorized, PaymentInvalid())

    async def capture(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Take all of the money that is set aside."""

        def is_done(found: Payment) -> bool:
            return found.status is PaymentStatus.CAPTURED and found.amount == payment.amount

        def call(options: stripe.RequestOptions) -> Awaitable[stripe.StripeObject]:
            return self._intents.capture_async(payment.id, options=options)

        return await self._in_time(self._settle(payment, call, idempotency_key, is_done))

    async def void(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """End a payment that was not captured."""

        def call(options: stripe.RequestOptions) -> Awaitable[stripe.StripeObject]:
            return self._intents.cancel_async(payment.id, options=options)

        ending = self._settle(payment, call, idempotency_key, _is_voided, may_void=True)
        return await self._in_time(ending)

    async def refund(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Give back all of the money, or what is left of it; a refund under way is approved."""
        return await self._in_time(self._refund(payment, idempotency_key))

    async def _refund(self, payment: Payment, key: str) -> GatewayOutcome:
        if not PAYMENT_ID.fullmatch(payment.id):
            return PaymentInvalid()

        def call(options: stripe.RequestOptions) -> Awaitable[stripe.StripeObject]:
            return self._refunds.create_async({"payment_intent": payment.id}, options)

        answer = await self._change(Refund, call, key)
        if isinstance(answer, _Failure):
            return await self._explain(payment, answer, _is_refunded)
        match answer.status:
            case "succeeded" | "pending":
                return PaymentApproved()
            case "requires_action":
                return PaymentPending(waits_for=WaitsFor.SHOPPER)
            case "failed" | "canceled":
                return PaymentInvalid()

    async def create(
        self, cart_id: str, amount: Money, source: str, idempotency_key: str
    ) -> Payment | PaymentInvalid | PaymentUnknown:
        """Make a PaymentIntent; Stripe offers the payment methods that its dashboard enables."""
        stripe_amount = to_stripe(amount)
        if stripe_amount is None:
            return PaymentInvalid()
        call = self._intents.create_async(
            {
                "amount": stripe_amount,
                "currency": amount.currency.lower(),
                "capture_method": "manual",
                "metadata": {"cart_id": cart_id, "source": source},
            },
            {"idempotency_key": idempotency_key},
        )
        made = await self._in_time(self._ask(Intent, call))
        if isinstance(made, Intent):
            payment = made.payment()
            fits = isinstance(payment, Payment) and _made_for(payment, cart_id, amount)
            return payment if fits else PaymentUnknown()
        if isinstance(made, PaymentUnknown):
            return made
        no = made.refused or isinstance(made.outcome, PaymentInvalid)
        return PaymentInvalid() if no else PaymentUnknown()

    async def _settle(
        self,
        payment: Payment,
        call: _Call,
        key: str,
        is_done: Callable[[Payment], bool],
        *,
        may_void: bool = False,
    ) -> GatewayOutcome:
        if not PAYMENT_ID.fullmatch(payment.id):
            return PaymentInvalid()
        answer = await self._change(Intent, call, key)
        if isinstance(answer, _Failure):
            return await self._explain(payment, answer, is_done, may_void=may_void)
        return _judge(answer.payment(), is_done, PaymentUnknown())

    async def _explain(
        self,
        payment: Payment,
        failure: _Failure,
        is_done: Callable[[Payment], bool],
        *,
        may_void: bool = False,
    ) -> GatewayOutcome:
        """What a failure means in the state that the payment is in."""
        if not failure.refused:
            return failure.outcome
        found = await self.look_up(payment.id)
        if may_void and isinstance(found, Payment) and _is_voidable(found):
            return PaymentUnknown()  # to be tried again: money must not stay set aside
        return _judge(found, is_done, PaymentInvalid())

    async def _change(self, model: type[_Answer], call: _Call, key: str) -> _Answer | _Failure:
        """Change a payment under a key.

        Stripe answers a key as it did the first time, failures included, for a day or more. Such a
        failure is tried anew without the key, which is safe for what can be done to a payment only
        once anyway: capture, cancel and refund in full.
        """
        answer = await self._ask(model, call({"idempotency_key": key}))
        if isinstance(answer, _Failure) and answer.repeated:
            return await self._ask(model, call({}))
        return answer

    async def _ask(
        self, model: type[_Answer], call: Awaitable[stripe.StripeObject]
    ) -> _Answer | _Failure:
        try:
            answer = await call
            return model.model_validate(answer.to_dict())
        except stripe.CardError as error:
            return _Failure(PaymentDeclined(reason=_reason(error)), repeated=_is_repeated(error))
        except stripe.IdempotencyError:
            return _Failure(PaymentInvalid())
        except stripe.InvalidRequestError as error:
            missing = error.http_status == 404 or error.code == "resource_missing"
            outcome = PaymentInvalid() if missing else PaymentUnknown()
            return _Failure(outcome, refused=True, repeated=_is_repeated(error))
        except (stripe.AuthenticationError, stripe.PermissionError):
            self._complain()
            return _Failure(PaymentUnknown())
        except stripe.StripeError as error:
            return _Failure(PaymentUnknown(), repeated=_is_repeated(error))
        except _NOT_STRIPES:
            return _Failure(PaymentUnknown())

    async def _in_time(self, work: Awaitable[_Result]) -> _Result | PaymentUnknown:
        """The HTTP client limits the wait for each part of an answer; this is for all of it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except TimeoutError:
            return PaymentUnknown()

    def _complain(self) -> None:
        if not self._key_refused:
            self._key_refused = True
            logger.error("Stripe refuses our key: no payment can be looked up, taken or undone")


class StripeWebhooks:
    """The webhooks port: Stripe's signature, and its time."""

    def __init__(self, secret: SecretStr, now: Callable[[], float]) -> None:
        """Args:
        secret: The endpoint's signing secret; an empty one lets no webhook through.
        now: The clock, in seconds since 1970: webhooks expire by it.
        """
        self._secret = secret
        self._now = now

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent:
        """The event, once its signature and its time are checked.

        Raises:
            WebhookError: It is forged, too old or from the future, or no event.
        """
        signed_at = self._signed_at(body, headers.get("stripe-signature", ""))
        if signed_at is None:
            raise WebhookError("the webhook's signature is missing or wrong")
        if abs(int(self._now()) - signed_at) > WEBHOOK_TOLERANCE_S:
            raise WebhookError("the webhook is too old, or from the future")
        event = read_event(body)
        if event is None:
            raise WebhookError("the webhook is signed, and no event of Stripe's")
        return event

    def _signed_at(self, body: bytes, header: str) -> int | None:
        try:
            # Without a tolerance: the SDK would read its own clock, and let the future pass.
            stripe.WebhookSignature.verify_header(body, header, self._secret.get_secret_value())  # pyright: ignore[reportUnknownMemberType]
            fields = (field.partition("=") for field in header.split(","))
            return next(int(value) for name, _, value in fields if name == "t")
        except (stripe.SignatureVerificationError, *_NOT_STRIPES):
            return None


_VOIDABLE = {PaymentStatus.CREATED, PaymentStatus.AUTHORIZED, PaymentStatus.DECLINED}


def _is_voidable(found: Payment) -> bool:
    return found.status in _VOIDABLE or found.waits_for is WaitsFor.SHOPPER


def _made_for(payment: Payment, cart_id: str, amount: Money) -> bool:
    return (payment.cart_id, payment.amount) == (cart_id, amount)


def _is_authorized(found: Payment) -> bool:
    return found.status is PaymentStatus.AUTHORIZED or found.captured_at_once


def _is_voided(found: Payment) -> bool:
    return found.status is PaymentStatus.VOIDED


def _is_refunded(found: Payment) -> bool:
    return found.status is PaymentStatus.REFUNDED


def _judge(
    found: Payment | PaymentInvalid | PaymentUnknown,
    is_done: Callable[[Payment], bool],
    otherwise: GatewayOutcome,
) -> GatewayOutcome:
    if not isinstance(found, Payment):
        return found
    if is_done(found):
        return PaymentApproved()
    if found.waits_for:
        return PaymentPending(waits_for=found.waits_for)
    return otherwise


def _reason(error: stripe.CardError) -> DeclineReason:
    try:
        return Declined.model_validate(error.json_body).error.reason
    except ValidationError:
        return DeclineReason.DECLINED


def _is_repeated(error: stripe.StripeError) -> bool:
    return (error.headers or {}).get("idempotent-replayed") == "true"
