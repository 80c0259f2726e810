"""Webhooks of the sandbox gateway: who sent one, and when, is checked before it is read."""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from commerce.domain.payments import PaymentEvent
from commerce.ports import WebhookError

SIGNATURE_HEADER = "sandbox-signature"
TOLERANCE_S = 300
MAX_SIGNATURES = 4


class _EventBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: str
    payment_id: str


class SandboxWebhooks:
    """Reads the sandbox gateway's webhooks.

    Args:
        secret: What they are signed with; with none, nothing is believed.
        clock: Unix seconds.
    """

    def __init__(self, secret: str, clock: Callable[[], float]) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent:
        """The event, once its signature and its time are checked.

        Raises:
            WebhookError: It is forged, too old or from the future, or no event.
        """
        at, signatures = _signature(headers.get(SIGNATURE_HEADER, ""))
        signed = hmac.new(self._secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        matches = [hmac.compare_digest(signed.encode(), each.encode()) for each in signatures]
        if not self._secret or not any(matches):
            raise WebhookError("the signature is not the gateway's")
        if abs(self._clock() - int(at)) > TOLERANCE_S:
            raise WebhookError("the webhook is not of now")
        try:
            said = _EventBody.model_validate_json(body)
            return PaymentEvent(id=said.id, payment_id=said.payment_id)
        except ValidationError:
            raise WebhookError("the webhook is no event") from None


def _signature(header: str) -> tuple[str, list[str]]:
    parts = [part.strip().partition("=") for part in header[:1024].split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
        raise WebhookError("the signature has no time")
    return times[0], [value for name, _, value in parts if name == "v1"][:MAX_SIGNATURES]
