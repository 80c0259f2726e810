"""Requests as they are read, and the answer that never comes."""

import asyncio
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox_gateway.rules import Act
from sandbox_gateway.scripts import DEFAULT, Script

MAX_BODY_BYTES = 64 * 1024
MAX_AMOUNT_MINOR = 10**15
PAYMENT_ID = r"^[0-9A-Za-z_-]{1,64}$"
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
_VISIBLE_ASCII = frozenset(map(chr, range(0x20, 0x7F)))


class BadRequestError(Exception):
    """What was sent cannot be read; the message may be shown to whoever sent it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NewPayment(_Body):
    """Of ``POST /payments``: ``script`` is a name, or a script of its own."""

    cart_id: Annotated[str, Field(max_length=255, pattern=_PRINTABLE)]
    amount_minor: Annotated[int, Field(gt=0, le=MAX_AMOUNT_MINOR)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    # Lax, for a list is what JSON has for the script's tuple.
    script: Annotated[str, Field(max_length=64)] | Annotated[Script, Field(strict=False)] = DEFAULT
    id: Annotated[str, Field(pattern=PAYMENT_ID)] | Literal[""] = ""


class NewScript(_Body):
    """Of ``PUT /payments/{id}/script``."""

    script: Annotated[str, Field(max_length=64)] | Annotated[Script, Field(strict=False)]


class Deed(_Body):
    """Of ``POST /payments/{id}/shopper``."""

    does: Act


class Webhook(_Body):
    """Of ``PUT /webhook``."""

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s/]+")]
    secret: Annotated[str, Field(min_length=1, max_length=255)]


_Read = TypeVar("_Read", bound=_Body)


async def read(request: Request, kind: type[_Read]) -> _Read:
    """The body of a request.

    Raises:
        BadRequestError: It is too large, no JSON, or not what was asked for.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise BadRequestError(f"the body is larger than {MAX_BODY_BYTES} bytes", 413)
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadRequestError(f"{where[:200]}: {first['msg'][:200]}") from None


def idempotency_key(request: Request) -> str:
    """The ``Idempotency-Key``.

    Raises:
        BadRequestError: There is none, or none that can be used.
    """
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= 255 or not _VISIBLE_ASCII.issuperset(key):
        raise BadRequestError("Idempotency-Key: 1 to 255 printable ASCII characters are needed")
    return key


class NoAnswer(Response):
    """Holds the connection open, and closes it without a word: after a time, or at the end."""

    def __init__(self, hang_s: float, closing: asyncio.Event) -> None:
        super().__init__()
        self._hang_s = hang_s
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""
        gone = asyncio.ensure_future(_until_gone(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        await asyncio.wait(
            {gone, closing}, timeout=self._hang_s, return_when=asyncio.FIRST_COMPLETED
        )
        closing.cancel()
        # The server has put it there (server.py): no message of ASGI ends a connection like this.
        scope["state"]["transport"].abort()
        await gone


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
