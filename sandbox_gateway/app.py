"""The provider's HTTP API."""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox_gateway.answers import (
    PAYMENT_ID,
    BadRequestError,
    Deed,
    NewPayment,
    NewScript,
    NoAnswer,
    Webhook,
    idempotency_key,
    read,
)
from sandbox_gateway.book import Book
from sandbox_gateway.ledger import (
    Clock,
    DoesNotFitError,
    IdTakenError,
    KeyReusedError,
    Ledger,
    LedgerError,
    UnknownPaymentError,
    Wanted,
)
from sandbox_gateway.outbox import Outbox
from sandbox_gateway.scripts import SCRIPTS, Call, Mode, Script
from sandbox_gateway.webhooks import Sender

DEFAULT_HANG_S = 30.0
MAX_KEY_CHARS = 512

_SAYS: dict[type[Exception], tuple[int, str]] = {
    UnknownPaymentError: (404, "there is no such payment"),
    IdTakenError: (409, "the id is taken"),
    DoesNotFitError: (409, "the payment is in another state"),
    KeyReusedError: (422, "the Idempotency-Key was used for something else"),
}


class _Provider:
    """The endpoints. A transaction takes so little that it is made on the event loop."""

    def __init__(self, book: Book, keys: Sequence[str], hang_s: float, clock: Clock) -> None:
        self._merchants = [_digest(key.encode()) for key in keys]
        self._outbox = Outbox(book)
        self._ledger = Ledger(book, clock)
        self._hang_s = hang_s
        self.closing = asyncio.Event()
        self.sender = Sender(self._ledger, self._outbox, clock)

    async def make(self, request: Request) -> Response:
        """``POST /payments``."""
        merchant = self._merchant(request)
        key = idempotency_key(request)
        asked = await read(request, NewPayment)
        wanted = Wanted(
            cart_id=asked.cart_id,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            script=_script(asked.script),
            id=asked.id,
        )
        return JSONResponse(self._ledger.make(merchant, key, wanted).as_json(), 201)

    async def look_up(self, request: Request) -> Response:
        """``GET /payments/{id}``."""
        merchant, payment_id = self._payment(request)

        def look() -> object:
            return self._ledger.find(merchant, payment_id).as_json()

        return await self._as_scripted(merchant, payment_id, Call.LOOK_UP, look)

    def doing(self, call: Call) -> Callable[[Request], Awaitable[Response]]:
        """``POST /payments/{id}/authorize`` and the like."""

        async def do(request: Request) -> Response:
            merchant, payment_id = self._payment(request)
            key = idempotency_key(request)

            def take_effect() -> object:
                return self._ledger.call(merchant, payment_id, call, key)

            return await self._as_scripted(merchant, payment_id, call, take_effect)

        return do

    async def shopper(self, request: Request) -> Response:
        """``POST /payments/{id}/shopper``."""
        merchant, payment_id = self._payment(request)
        deed = await read(request, Deed)
        payment = self._ledger.act(merchant, payment_id, deed.does)
        self.sender.wake()
        return JSONResponse(payment.as_json())

    async def script(self, request: Request) -> Response:
        """``PUT /payments/{id}/script``."""
        merchant, payment_id = self._payment(request)
        wanted = await read(request, NewScript)
        payment = self._ledger.behave(merchant, payment_id, _script(wanted.script))
        return JSONResponse(payment.as_json())

    async def ledger(self, request: Request) -> Response:
        """``GET /ledger``."""
        merchant = self._merchant(request)
        asked = request.query_params
        found = self._ledger.report(
            merchant, asked.get("payment_id", "")[:255], asked.get("cart_id", "")[:255]
        )
        return JSONResponse(found)

    async def webhook(self, request: Request) -> Response:
        """``PUT /webhook``."""
        merchant = self._merchant(request)
        wanted = await read(request, Webhook)
        self._outbox.set_webhook(merchant, wanted.url, wanted.secret)
        return Response(status_code=204)

    async def _as_scripted(
        self, merchant: str, payment_id: str, call: Call, take_effect: Callable[[], object]
    ) -> Response:
        script, fault = self._ledger.occurrence(merchant, payment_id, call)
        answer = take_effect() if fault is None or fault.has_effect else None
        self.sender.wake()
        if script.slow_s:
            await self._wait(script.slow_s)
        if fault in (None, Mode.PASS):
            return JSONResponse(answer)
        if fault.is_silent:
            return NoAnswer(self._hang_s, self.closing)
        return JSONResponse({"error": "the script says so"}, 500)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()

    def _payment(self, request: Request) -> tuple[str, str]:
        payment_id: str = request.path_params["payment_id"]
        merchant = self._merchant(request)
        if re.fullmatch(PAYMENT_ID, payment_id) is None:
            raise UnknownPaymentError
        return merchant, payment_id

    def _merchant(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        merchant = _digest(key.encode("latin-1"))
        is_known = not self._merchants or any(
            hmac.compare_digest(merchant, each) for each in self._merchants
        )
        if scheme.lower() != "bearer" or not 1 <= len(key) <= MAX_KEY_CHARS or not is_known:
            raise BadRequestError("Authorization: Bearer <merchant key> is needed", 401)
        return merchant


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def _script(asked: str | Script) -> Script:
    if isinstance(asked, Script):
        return asked
    if asked not in SCRIPTS:
        raise BadRequestError("script: no script has this name")
    return SCRIPTS[asked][1]


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _scripts(_request: Request) -> Response:
    return JSONResponse({name: description for name, (description, _) in SCRIPTS.items()})


async def _says(_request: Request, error: Exception) -> Response:
    if isinstance(error, BadRequestError):
        status, message = error.status, str(error)
    elif isinstance(error, HTTPException):
        status, message = error.status_code, error.detail
    else:
        status, message = _SAYS[type(error)]
    return JSONResponse({"error": message}, status)


async def _has_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)


def create_app(
    file: Path,
    *,
    keys: Sequence[str] = (),
    hang_s: float = DEFAULT_HANG_S,
    clock: Clock = time.time,
) -> Starlette:
    """The ASGI application; it is to be served by a server of ``server.py``.

    Args:
        file: The ledger, made if there is none.
        keys: The only merchants' keys that are accepted; any, if there are none.
        hang_s: How long a call that is not answered stays open.
        clock: Unix seconds.
    """
    book = Book(file)
    provider = _Provider(book, keys, hang_s, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        sending = asyncio.create_task(provider.sender.run())
        try:
            yield
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            book.close()

    calls = [
        Route(f"/payments/{{payment_id}}/{call}", provider.doing(call), methods=["POST"])
        for call in Call
        if call is not Call.LOOK_UP
    ]
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/scripts", _scripts),
            Route("/ledger", provider.ledger),
            Route("/webhook", provider.webhook, methods=["PUT"]),
            Route("/payments", provider.make, methods=["POST"]),
            Route("/payments/{payment_id}", provider.look_up),
            Route("/payments/{payment_id}/shopper", provider.shopper, methods=["POST"]),
            Route("/payments/{payment_id}/script", provider.script, methods=["PUT"]),
            *calls,
        ],
        exception_handlers={
            BadRequestError: _says,
            LedgerError: _says,
            HTTPException: _says,
            ClientDisconnect: _has_left,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.closing = provider.closing
    return app
