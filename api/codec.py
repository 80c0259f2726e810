"""The codec server: payloads in plain text for the Temporal UI and CLI of who may see them.

Temporal's remote codec protocol: ``POST /codec/decode`` and ``/codec/encode`` take and answer
``{"payloads": [{"metadata": {name: base64}, "data": base64}]}``. It opens every payload of every
shopper, so it is off unless somebody is named who may ask.
"""

import hmac
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from api.identity import BadTokenError
from api.limits import Limits, body_within

URL = "/codec"
MIN_TOKEN_CHARS = 32
BODY_BYTES = 8 * 1024 * 1024
"""A page of a history is 4 MiB at most, and base64 is a third longer."""

REQUEST_HEADERS = ("Authorization", "Authorization-Extras", "Content-Type", "X-Namespace")
"""What the Temporal UI sends from its own origin."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

logger = logging.getLogger("checkout.codec")


class CodecTokenError(ValueError):
    """A shared token that is too easy to guess."""


@dataclass(frozen=True)
class CodecServer:
    """Who may ask for what.

    Attributes:
        codec: Encrypts and decrypts.
        is_sealed: Whether a payload is encrypted; others are answered as they are.
        refusal: What the codec raises for what it cannot open.
        token: Whoever shows it may ask; empty is nobody.
        verify: Takes an operator's token, or raises ``BadTokenError``; None where there are none.
        origins: Of the Temporal UIs whose pages may ask.
        token_in_path: Whether ``/codec/<token>/decode`` will do, for the UI of the development
            server, which signs nobody in.
    """

    codec: PayloadCodec
    is_sealed: Callable[[Payload], bool]
    refusal: type[Exception]
    token: str = ""
    verify: Callable[[str], object] | None = None
    origins: Sequence[str] = ()
    token_in_path: bool = False

    def __post_init__(self) -> None:
        """Refuse a token that is too short.

        Raises:
            CodecTokenError: It is.
        """
        if self.token and len(self.token) < MIN_TOKEN_CHARS:
            raise CodecTokenError(
                f"CHECKOUT_CODEC_TOKEN must have at least {MIN_TOKEN_CHARS} characters"
            )

    def kind_of(self, token: str) -> str:
        """What admits whoever shows the token: the shared one, or an operator's; else nothing."""
        if self.token and hmac.compare_digest(token.encode(), self.token.encode()):
            return "shared token"
        if self.verify is None or not token:
            return ""
        try:
            self.verify(token)
        except BadTokenError:
            return ""
        return "operator token"

    async def decoded(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each payload as it was before it was encrypted; as it is, if it never was."""
        return [
            (await self.codec.decode([each]))[0] if self.is_sealed(each) else each
            for each in payloads
        ]

    async def encoded(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Each payload encrypted; as it is, if it was already."""
        return [
            each if self.is_sealed(each) else (await self.codec.encode([each]))[0]
            for each in payloads
        ]


def codec_routes(server: CodecServer, limits: Limits) -> list[Route]:
    """The two operations."""
    longer = replace(limits, body_bytes=BODY_BYTES)
    operations = {"encode": server.encoded, "decode": server.decoded}

    async def answer(request: Request) -> Response:
        operation = operations.get(request.path_params["operation"])
        if operation is None:
            raise HTTPException(404)
        shown = _check_caller(server, request)
        payloads = _read(await body_within(longer, request))
        try:
            answered = await operation(payloads)
        except server.refusal as error:
            return _json({"error": str(error)}, 400)
        done = request.path_params["operation"]
        logger.info("%s of %d payloads by %s", done, len(payloads), shown)
        return _json(MessageToDict(Payloads(payloads=answered)) or {"payloads": []})

    paths = [URL + "/{operation}"]
    if server.token_in_path:
        paths.append(URL + "/{token}/{operation}")
    return [Route(path, answer, methods=["POST"]) for path in paths]


class CodecCors:
    """Cross-origin rules of the codec server for its addresses, and others' for the rest."""

    def __init__(
        self, app: ASGIApp, others: Callable[[ASGIApp], ASGIApp], origins: Sequence[str]
    ) -> None:
        """Args:
        app: What is asked in the end.
        others: The rules of every other address.
        origins: Of the Temporal UIs.
        """
        self._others = others(app)
        self._codec = CORSMiddleware(
            app, allow_origins=origins, allow_methods=("POST",), allow_headers=REQUEST_HEADERS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go by the address."""
        ours = str(scope.get("path", "")).startswith(f"{URL}/")
        await (self._codec if ours else self._others)(scope, receive, send)


def _check_caller(server: CodecServer, request: Request) -> str:
    origin = request.headers.get("Origin")
    if origin is not None and origin not in server.origins:
        raise HTTPException(403, "This origin is not allowed.")
    given = request.headers.getlist("Authorization")
    scheme, _, token = (given[0] if len(given) == 1 else "").strip().partition(" ")
    if scheme.lower() != "bearer":
        token = ""
    if server.token_in_path and not given:
        token = request.path_params.get("token", "")
    shown = server.kind_of(token.strip())
    if not shown:
        raise HTTPException(401, "A token is needed that is valid here.", _CHALLENGE)
    return shown


_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def _read(body: bytes) -> Sequence[Payload]:
    try:
        given = from_json(body)
        if isinstance(given, dict):
            return ParseDict(cast("dict[str, Any]", given), Payloads()).payloads
    except (ParseError, ValueError, AttributeError, TypeError):
        pass
    raise HTTPException(400, 'The body must be {"payloads": [...]}.')


def _json(content: dict[str, Any], status: int = 200) -> Response:
    text = json.dumps(content, separators=(",", ":"))
    return Response(text, status, _HEADERS, media_type="application/json")
