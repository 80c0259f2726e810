"""The GraphQL server: settings -> store and client -> resolvers -> HTTP. Run: ``python -m api``."""

import asyncio
import logging
from datetime import timedelta
from functools import partial

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.types import ASGIApp
from temporalio.contrib.pydantic import pydantic_data_converter

from api.app import create_app
from api.codec import CodecServer
from api.context import Authenticate
from api.execution import Executor
from api.identity import (
    BadTokenError,
    CustomerClaims,
    KeyFile,
    SharedSecret,
    TokenIssuer,
    TokenVerifier,
)
from api.resolvers import build_schema
from api.services import Services, make_context
from api.webhooks import Receiver
from client import CheckoutClient
from commerce.adapters.addresses import PostalRules
from commerce.adapters.codec import (
    PayloadCodecError,
    PayloadEncryption,
    is_encrypted,
    tell_of_plain,
)
from commerce.adapters.payments.opened import open_gateway
from commerce.adapters.store.schema import SchemaError, check
from commerce.adapters.store.sql_store import SqlStore, open_store
from commerce.adapters.telemetry import Telemetry, complain, open_telemetry
from commerce.adapters.temporal import TemporalUnreachableError, connect
from commerce.adapters.tokens import SealedTokens, TokenKeyError
from commerce.settings import Settings, wrong_setting

SHUTDOWN_GRACE_S = 5
"""Beyond the deadline of a checkout: every one that runs is answered before the server ends."""

KEEP_ALIVE_S = 75
"""For longer than clients and proxies keep a connection that rests, 60 seconds as a rule: a request
that they send while the server closes it is lost, and an order is nothing to send again blindly."""

logger = logging.getLogger("checkout.api")


def build_app(settings: Settings, store: SqlStore, checkout: CheckoutClient) -> Starlette:
    """The ASGI application.

    Raises:
        OSError: The key file of customer tokens cannot be read.
        ValueError: A key of customer or order tokens, or of the gateway, cannot be used.
    """
    opened = open_gateway(settings)
    services = Services(
        checkout=checkout,
        shopping=store.shopping,
        order_book=store.order_book,
        stores=store.stores,
        address_rules=PostalRules(),
        order_tokens=SealedTokens.parse(settings.order_token_keys.get_secret_value()),
        gateway=opened.gateway,
        payment_orders=opened.orders,
        issuer=token_issuer(settings) if settings.api_development else None,
        deadline=timedelta(seconds=settings.api_deadline_s),
    )

    async def is_ready() -> bool:
        store_answers = await asyncio.to_thread(store.database.answers)
        return store_answers and await checkout.is_available()

    return create_app(
        Executor(build_schema(), development=settings.api_development),
        _authenticate(settings),
        partial(make_context, services),
        is_ready=is_ready,
        origins=settings.origins,
        explorer=settings.api_development,
        receiver=Receiver(
            opened.webhooks, store.claims, store.seen_events, checkout.payment_changed
        ),
        codec=codec_server(settings),
        close=opened.aclose,
    )


def _authenticate(settings: Settings) -> Authenticate:
    secret = settings.customer_token_secret.get_secret_value()
    if settings.customer_token_keys is not None:
        keys = KeyFile(settings.customer_token_keys)
    elif secret:
        keys = SharedSecret(secret.encode())
    else:
        return _no_customers
    return TokenVerifier(keys, settings.customer_issuer, settings.customer_audience).verify


def _no_customers(_token: str) -> CustomerClaims:
    raise BadTokenError("no key of customer tokens is set")


def codec_server(settings: Settings) -> CodecServer | None:
    """What opens payloads for operators; None where nobody is named who may ask.

    Raises:
        OSError: The key file of operators' tokens cannot be read.
        ValueError: A key cannot be used, or it is not said what operators' tokens must say.
    """
    token, verify = settings.codec_token.get_secret_value(), None
    if settings.operator_token_keys is not None:
        if not (settings.operator_issuer and settings.operator_audience):
            raise ValueError("CHECKOUT_OPERATOR_ISSUER and CHECKOUT_OPERATOR_AUDIENCE: not set")
        if settings.customer_token_keys is not None and (
            (settings.operator_issuer, settings.operator_audience)
            == (settings.customer_issuer, settings.customer_audience)
        ):
            raise ValueError("CHECKOUT_OPERATOR_AUDIENCE: customers' tokens have the same")
        keys = KeyFile(settings.operator_token_keys)
        verify = TokenVerifier(keys, settings.operator_issuer, settings.operator_audience).verify
    if not token and verify is None:
        return None
    return CodecServer(
        codec=PayloadEncryption.parse(settings.codec_keys.get_secret_value()),
        is_sealed=is_encrypted,
        refusal=PayloadCodecError,
        token=token,
        verify=verify,
        origins=settings.ui_origins,
        token_in_path=settings.api_development,
    )


def token_issuer(settings: Settings) -> TokenIssuer | None:
    """What signs customer tokens in development; None without a shared secret."""
    secret = settings.customer_token_secret.get_secret_value()
    if not secret:
        return None
    return TokenIssuer(secret.encode(), settings.customer_issuer, settings.customer_audience)


def http_config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    """How the app is served over HTTP."""
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        access_log=False,  # a GET's query would be in it, with what only the shopper may know
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.api_deadline_s + SHUTDOWN_GRACE_S,
    )


async def run(settings: Settings, telemetry: Telemetry) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way."""
    codec = PayloadEncryption.parse(settings.codec_keys.get_secret_value())
    tell_of_plain(codec)
    store = open_store(settings)
    check(store.database)
    telemetry.watch(store.database)
    temporal = await connect(
        pydantic_data_converter, codec, runtime=telemetry.runtime, plugins=telemetry.plugins
    )
    app = build_app(settings, store, CheckoutClient(temporal, settings.task_queue))
    await uvicorn.Server(http_config(settings, telemetry.serve(app))).serve()
    store.database.close()


def main() -> int:
    """Run; 2 with one line on standard error when it cannot start."""
    try:
        settings = Settings()
        with open_telemetry(settings, "api") as telemetry:
            asyncio.run(run(settings, telemetry))
    except ValidationError as error:
        return _complain(wrong_setting(error))
    except (
        TokenKeyError,
        SchemaError,
        SQLAlchemyError,
        TemporalUnreachableError,
        OSError,
        ValueError,
    ) as error:
        return _complain(str(error))
    return 0


def _complain(why: str) -> int:
    complain("api", why)
    return 2
