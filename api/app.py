"""GraphQL over HTTP: what is read from a request before it is executed, and how it is answered.

Beside it are the webhooks of payment providers and what an operator asks for.
"""

import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from email.message import Message as HeaderMessage
from functools import partial
from inspect import iscoroutinefunction
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from api.cards import refuse_card_numbers, refuse_card_numbers_in
from api.codec import CodecCors, CodecServer, codec_routes
from api.context import Authenticate, Caller, Report, read_caller
from api.errors import INTERNAL, ApiError, RequestError
from api.execution import INVALID, Executor
from api.explorer import explorer_routes, page, wants_html
from api.limits import Limits, body_within, check_length
from api.webhooks import Receiver, webhook_routes
from commerce.domain.errors import Category
from commerce.domain.model import first_problem

MakeContext = Callable[[Caller, Report], Awaitable[Any]]
IsReady = Callable[[], Awaitable[bool]] | Callable[[], bool]

REQUEST_HEADERS = (
    "Authorization",
    "Content-Currency",
    "Content-Type",
    "Idempotency-Key",
    "Store",
    "X-ReCaptcha",
)
"""What a storefront in a browser may send from another origin."""

NOTED = ("Content-Currency", "Idempotency-Key", "Store")
"""Headers of which something is kept or told."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class GraphQLRequest(BaseModel):
    """The parameters of a request, of whichever method."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    query: Annotated[str, Field(min_length=1)]
    variables: dict[str, Any] | None = None
    operation_name: Annotated[str | None, Field(alias="operationName")] = None


class JsonAnswer(Response):
    """Compact JSON."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        """UTF-8, with what JSON cannot say refused."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()


def create_app(
    executor: Executor,
    authenticate: Authenticate,
    make_context: MakeContext,
    *,
    is_ready: IsReady,
    origins: Sequence[str] = (),
    explorer: bool = False,
    receiver: Receiver | None = None,
    codec: CodecServer | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> Starlette:
    """The ASGI application.

    Args:
        executor: Executes what was read.
        authenticate: From a bearer token to the customer; raises ``BadTokenError``.
        make_context: What resolvers get as ``info.context``, with the report it must expose.
        is_ready: Whether requests can be answered; a plain function runs in a thread.
        origins: Of the storefronts whose pages may call from a browser; ``*`` is any.
        explorer: Whether a browser that opens the endpoint gets GraphiQL.
        receiver: Of webhooks; None where there are none.
        codec: Opens payloads for operators; None where nobody may.
        close: Called when the server ends.
    """

    async def graphql(request: Request) -> Response:
        if explorer and wants_html(request):
            return await page(request)
        _check_origin(request, origins)
        refuse_card_numbers_in(each for name in NOTED for each in request.headers.getlist(name))
        caller = read_caller(request, authenticate)
        is_post = request.method == "POST"
        limits = executor.limits
        asked = await _read_post(request, limits) if is_post else _read_get(request, limits)
        request.state.operation = INVALID
        status, body = await executor.execute(
            asked.query,
            asked.variables,
            asked.operation_name or None,
            partial(make_context, caller),
            allow_mutation=is_post,
        )
        request.state.operation = executor.field_of(asked.query, asked.operation_name or None)
        return _respond(status, body)

    async def live(_request: Request) -> Response:
        return Response(headers=_HEADERS)

    async def ready(_request: Request) -> Response:
        if iscoroutinefunction(is_ready):
            answer = await is_ready()
        else:
            answer = await run_in_threadpool(cast("Callable[[], bool]", is_ready))
        return Response(status_code=200 if answer else 503, headers=_HEADERS)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        if close is not None:
            await close()

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/health/live", live),
            Route("/health/ready", ready),
            *(explorer_routes() if explorer else ()),
            *(webhook_routes(receiver, executor.limits) if receiver else ()),
            *(codec_routes(codec, executor.limits) if codec else ()),
        ],
        middleware=[
            Middleware(
                CodecCors,
                others=partial(
                    CORSMiddleware,
                    allow_origins=origins,
                    allow_methods=("GET", "POST"),
                    allow_headers=REQUEST_HEADERS,
                ),
                origins=codec.origins if codec else (),
            )
        ],
        exception_handlers={
            RequestError: _answer_refused,
            HTTPException: _answer_http,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_bug,
        },
    )


def _respond(status: int, body: dict[str, Any]) -> Response:
    headers = dict(_HEADERS)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        headers["Allow"] = "POST"
    return JsonAnswer(body, status, headers)


async def _answer_refused(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, RequestError)
    return _respond(refused.status, refused.body)


async def _answer_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = RequestError.because(error.detail).body
    return JsonAnswer(body, error.status_code, {**_HEADERS, **(error.headers or {})})


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)


async def _answer_bug(_request: Request, _error: Exception) -> Response:
    """Starlette raises the exception again once this is sent, and the server logs it."""
    error = ApiError("Internal server error", INTERNAL)
    return _respond(500, RequestError([error]).body)


def _check_origin(request: Request, origins: Sequence[str]) -> None:
    """Browsers name the page that sends a request: ours, a storefront's that is known, or none."""
    origin = request.headers.get("Origin")
    if origin is None or "*" in origins or origin in origins:
        return
    if origin.partition("://")[2] != request.headers.get("Host", ""):
        error = ApiError("This origin is not allowed.", Category.AUTHORIZATION)
        raise RequestError([error], status=403)


async def _read_post(request: Request, limits: Limits) -> GraphQLRequest:
    header = HeaderMessage()
    header["Content-Type"] = request.headers.get("Content-Type", "")
    is_utf8 = header.get_content_charset("utf-8") == "utf-8"
    if header.get_content_type() != "application/json" or not is_utf8:
        raise RequestError.because("The content type must be application/json in UTF-8.", 415)
    body = await body_within(limits, request)
    parameters = _parsed(body, "The body")
    refuse_card_numbers(parameters, limits.tokens)
    return _validated(parameters)


def _read_get(request: Request, limits: Limits) -> GraphQLRequest:
    raw: bytes = request.scope["query_string"]
    check_length(limits, len(raw))
    parameters: dict[str, Any] = {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RequestError.because("The query string must be UTF-8, percent-encoded.") from None
    refuse_card_numbers_in(name for name, _ in pairs)
    for name, value in pairs:
        if name in parameters:
            raise RequestError.because(f"{name}: must not be given more than once.")
        parameters[name] = value
    if "variables" in parameters:
        text = parameters["variables"] or "null"
        parameters["variables"] = _parsed(text, "variables")
    refuse_card_numbers(parameters, limits.tokens)
    return _validated(parameters)


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        raise RequestError.because(f"{what} must be JSON in UTF-8.") from None


def _validated(parameters: Any) -> GraphQLRequest:
    if not isinstance(parameters, dict):
        raise RequestError.because("The body must be one JSON object; batches are not supported.")
    _check_values(cast("dict[str, Any]", parameters))
    try:
        return GraphQLRequest.model_validate(parameters)
    except ValidationError as error:
        raise RequestError.because(first_problem(error)) from None


def _check_values(parameters: dict[str, Any]) -> None:
    """No NUL, which no database takes, and no number that overflowed to infinity."""
    stack: list[Any] = [parameters]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            stack += [*inner.keys(), *inner.values()]
        elif isinstance(value, list):
            stack += cast("list[Any]", value)
        elif isinstance(value, str) and "\0" in value:
            raise RequestError.because("The request must not contain NUL characters.")
        elif isinstance(value, float) and not math.isfinite(value):
            raise RequestError.because("The request must not contain numbers beyond range.")
