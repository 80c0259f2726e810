"""The sandbox gateway over HTTP: a stand-in provider, for development and tests. No money moves."""

import logging
import secrets
import string
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from commerce.adapters.payments.transport import (
    MAX_ANSWER_BYTES,
    NoAnswerError,
    ProviderHttp,
    RefusedError,
)
from commerce.domain.money import Currency, Money
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
)

logger = logging.getLogger("checkout.gateway")
MAX_REPORT_BYTES = 64 * 1024 * 1024

_ID_ALPHABET = string.digits + string.ascii_uppercase
_NO_PATH_SEGMENT = ("", ".", "..")


def new_payment_id() -> str:
    """An id in the shape of PayPal's: 17 characters of ``[0-9A-Z]``."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(17))


class SandboxError(Exception):
    """A development tool was refused by the sandbox gateway, or not answered."""


# -- what the provider says: read, never trusted ------------------------------------------------


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Payment(_Said):
    id: str
    cart_id: Annotated[str, Field(max_length=255)]
    amount_minor: Annotated[int, Field(strict=True, gt=0)]
    currency: Currency
    status: PaymentStatus
    waits_for: WaitsFor | None = None
    decline: DeclineReason | None = None

    def as_payment(self) -> Payment:
        return Payment(
            id=self.id,
            cart_id=self.cart_id,
            amount=Money(amount_minor=self.amount_minor, currency=self.currency),
            status=self.status,
            waits_for=self.waits_for,
            decline=self.decline,
        )


class _Outcome(_Said):
    outcome: Annotated[str, Field(pattern=r"^(approved|declined|pending|invalid)$")]
    reason: DeclineReason | None = None
    waits_for: WaitsFor | None = None

    def as_outcome(self) -> GatewayOutcome:
        if self.outcome == "approved":
            return PaymentApproved()
        if self.outcome == "declined" and self.reason is not None:
            return PaymentDeclined(reason=self.reason)
        if self.outcome == "pending" and self.waits_for is not None:
            return PaymentPending(waits_for=self.waits_for)
        return PaymentInvalid() if self.outcome == "invalid" else PaymentUnknown()


class Totals(_Said):
    """What happened to money of a currency; open is authorized, and neither captured nor voided."""

    authorized_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    open_minor: int


class LedgerPayment(_Said):
    """What the ledger says of a payment: how often something happened, and of how much money.

    Attributes:
        calls: How often each call was made for which the payment's script has faults.
    """

    id: str
    cart_id: str
    amount_minor: int
    currency: str
    status: PaymentStatus
    authorizations: int
    captures: int
    voids: int
    refunds: int
    authorized_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    calls: dict[str, int] = Field(default_factory=dict[str, int])

    @property
    def open_minor(self) -> int:
        """Money that is still set aside."""
        return self.authorized_minor - self.captured_minor - self.voided_minor


class Ledger(_Said):
    """The provider's own account, by payment and in total by currency."""

    payments: tuple[LedgerPayment, ...]
    totals: dict[str, Totals]


_NAMES = TypeAdapter(dict[str, str])
_Read = TypeVar("_Read", bound=_Said)


class SandboxGateway:
    """The gateway port, payments to be made at it, and what development tools need of it.

    Args:
        url: Where the provider is.
        key: The merchant that we are.
        timeout_s: After so long a call is taken for unanswered.

    Raises:
        ValueError: The key cannot be sent.
    """

    def __init__(self, url: str, key: str, timeout_s: float = 5) -> None:
        self._http = ProviderHttp(url, key, timeout_s)
        self._scripts: frozenset[str] | None = None

    async def aclose(self) -> None:
        """Close the connections; a call after this opens new ones."""
        await self._http.aclose()

    # -- the ports --------------------------------------------------------------------------

    async def look_up(self, payment_id: str) -> Payment | PaymentInvalid | PaymentUnknown:
        """The payment as it stands; invalid when the gateway does not know it."""
        if payment_id in _NO_PATH_SEGMENT:
            return PaymentInvalid()
        try:
            answer = await self._http.send("GET", _path(payment_id))
        except RefusedError as error:
            return _refused(error)
        except NoAnswerError:
            return PaymentUnknown()
        payment = _payment(answer)
        return payment if payment is not None and payment.id == payment_id else PaymentUnknown()

    async def authorize(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Set the money aside, for a payment that the shopper has approved."""
        return await self._call("authorize", payment, idempotency_key)

    async def capture(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Take all of the money that is set aside."""
        return await self._call("capture", payment, idempotency_key)

    async def void(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """End a payment that was not captured: nothing can be authorized or captured after it."""
        return await self._call("void", payment, idempotency_key)

    async def refund(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Give back all of the money of a captured payment."""
        return await self._call("refund", payment, idempotency_key)

    async def create(
        self, cart_id: str, amount: Money, source: str, idempotency_key: str
    ) -> Payment | PaymentInvalid | PaymentUnknown:
        """Make a payment, once per key; a ``source`` that names a script is how it behaves."""
        try:
            script = source if source in await self._known_scripts() else ""
            return await self._make(cart_id, amount, script or None, "", idempotency_key)
        except RefusedError as error:
            return _refused(error)
        except NoAnswerError:
            return PaymentUnknown()

    async def _call(self, name: str, payment: Payment, key: str) -> GatewayOutcome:
        if payment.id in _NO_PATH_SEGMENT:
            return PaymentInvalid()
        try:
            answer = await self._http.send("POST", f"{_path(payment.id)}/{name}", key=key)
            return _Outcome.model_validate_json(answer).as_outcome()
        except RefusedError as error:
            return _refused(error)
        except (NoAnswerError, ValidationError):
            return PaymentUnknown()

    async def _known_scripts(self) -> frozenset[str]:
        if self._scripts is None:
            try:
                answer = await self._http.send("GET", "/scripts")
                self._scripts = frozenset(_NAMES.validate_json(answer))
            except ValidationError:
                raise NoAnswerError from None
        return self._scripts

    async def _make(
        self, cart_id: str, amount: Money, script: object, payment_id: str, key: str
    ) -> Payment:
        body: dict[str, Any] = {
            "cart_id": cart_id,
            "amount_minor": amount.amount_minor,
            "currency": amount.currency,
            "id": payment_id,
        }
        if script is not None:
            body["script"] = script
        payment = _payment(await self._http.send("POST", "/payments", body, key=key))
        if payment is None or (payment.cart_id, payment.amount) != (cart_id, amount):
            raise NoAnswerError
        if payment_id and payment.id != payment_id:
            raise NoAnswerError
        return payment

    # -- for development tools and tests ----------------------------------------------------

    async def make(
        self,
        cart_id: str,
        amount: Money,
        *,
        payment_id: str = "",
        script: str | Mapping[str, Any] = "approved",
        approve: bool = True,
    ) -> Payment:
        """Make a payment that behaves by a script, a named one or one of its own.

        Raises:
            SandboxError
        """
        key = f"make-{secrets.token_hex(16)}"
        asked = script if isinstance(script, str) else dict(script)
        try:
            made = await self._make(cart_id, amount, asked, payment_id, key)
        except (RefusedError, NoAnswerError) as error:
            raise _sandbox_error(error) from None
        return await self.approve(made.id) if approve else made

    async def approve(self, payment_id: str) -> Payment:
        """As the shopper, approve a payment that was created.

        Raises:
            SandboxError
        """
        return await self.shopper(payment_id, "approve")

    async def shopper(self, payment_id: str, does: str) -> Payment:
        """As the shopper, ``approve``, ``authenticate`` (3-D Secure, or a review) or ``decline``.

        Raises:
            SandboxError
        """
        answer = await self._ask("POST", f"{_path(payment_id)}/shopper", {"does": does})
        payment = _payment(answer)
        if payment is None or payment.id != payment_id:
            raise SandboxError("the sandbox gateway answered something else")
        return payment

    async def behave(self, payment_id: str, script: str | Mapping[str, Any]) -> Payment:
        """From now on the payment behaves by another script.

        Raises:
            SandboxError
        """
        asked = script if isinstance(script, str) else dict(script)
        answer = await self._ask("PUT", f"{_path(payment_id)}/script", {"script": asked})
        payment = _payment(answer)
        if payment is None or payment.id != payment_id:
            raise SandboxError("the sandbox gateway answered something else")
        return payment

    async def ledger(self, payment_id: str = "", cart_id: str = "") -> Ledger:
        """The provider's own account of our money, of everything or of one payment or cart.

        Raises:
            SandboxError
        """
        asked = httpx.QueryParams({"payment_id": payment_id, "cart_id": cart_id})
        answer = await self._ask("GET", f"/ledger?{asked}", max_bytes=MAX_REPORT_BYTES)
        return _validated(Ledger, answer)

    async def set_webhook(self, url: str, secret: str) -> None:
        """Where we are told of changes from now on, and what signs it.

        Raises:
            SandboxError
        """
        await self._ask("PUT", "/webhook", {"url": url, "secret": secret})

    async def _ask(
        self, method: str, path: str, body: object = None, *, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        try:
            return await self._http.send(method, path, body, max_bytes=max_bytes)
        except (RefusedError, NoAnswerError) as error:
            raise _sandbox_error(error) from None


def _path(payment_id: str) -> str:
    return f"/payments/{quote(payment_id, safe='', errors='replace')}"


def _payment(answer: bytes) -> Payment | None:
    try:
        return _Payment.model_validate_json(answer).as_payment()
    except ValidationError:
        return None


def _validated(kind: type[_Read], answer: bytes) -> _Read:
    try:
        return kind.model_validate_json(answer)
    except ValidationError:
        raise SandboxError("the sandbox gateway answered something else") from None


def _refused(error: RefusedError) -> PaymentInvalid | PaymentUnknown:
    """What a refusal says of the payment: nothing, when it is us whom the gateway refuses."""
    if error.status not in (401, 403):
        return PaymentInvalid()
    logger.error("the sandbox gateway refuses our key")
    return PaymentUnknown()


def _sandbox_error(error: RefusedError | NoAnswerError) -> SandboxError:
    if isinstance(error, RefusedError):
        return SandboxError(f"the sandbox gateway refused it with {error.status}")
    return SandboxError("the sandbox gateway did not answer")
