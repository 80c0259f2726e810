"""Settings of the server side, from ``CHECKOUT_*`` variables; frozen once read."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from commerce.contract import DEFAULT_TASK_QUEUE
from commerce.domain.model import first_problem

PREFIX = "CHECKOUT_"


class GatewayKind(StrEnum):
    """Which gateway takes the money. The sandbox is for development: no money moves."""

    NONE = "none"
    SANDBOX = "sandbox"
    STRIPE = "stripe"


class LogFormat(StrEnum):
    """How logs are written: for machines, or for people."""

    JSON = "json"
    TEXT = "text"


class Settings(BaseSettings):
    """What a worker or a command runs with. Temporal's own variables are read by its SDK.

    Attributes:
        data_dir: Where ``checkout dev`` keeps its databases and what other commands find it by.
        database_url: An SQLAlchemy URL; empty means SQLite in ``data_dir``.
        order_token_keys: ``version:base64 of 32 bytes``, comma separated, newest first.
        codec_keys: What Temporal's payloads are encrypted with: ``id:base64 of 32 bytes``, comma
            separated, newest first.
        codec_token: What opens the codec server, beside operators' tokens; at least 32 characters.
        codec_origins: Origins of the Temporal UIs whose pages may ask the codec server, comma
            separated.
        operator_token_keys: A JWKS file with the public keys of the operators' identity provider.
        operator_issuer: What ``iss`` of an operator's token must say.
        operator_audience: What ``aud`` of an operator's token must say.
        gateway_url: Where the gateway is; empty is the provider's own address.
        gateway_key: The secret that the gateway knows us by.
        gateway_webhook_secret: What the gateway's webhooks are signed with.
        gateway_timeout_s: Seconds after which a call to the gateway is taken for unanswered, and
            how the payment stands is asked; two calls fit an attempt of a step.
        hold_ttl_s: Seconds for which stock and cart are set aside for one checkout.
        sweep_interval_s: Seconds between two sweeps of what terminated checkouts leave behind;
            ``checkout setup`` puts it into the schedule.
        worker_threads: Steps of one worker that wait for the gateway or for Temporal at a time.
        concurrent_checkouts: Checkouts that one worker works on at a time; the rest queue at the
            server, where another worker can take them and no task times out.
        health_port: Where the worker answers ``/health/live`` and ``/health/ready``; 0 is nowhere.
        metrics_port: Where ``/metrics`` is for Prometheus; 0 is nowhere.
        trace_file: Gets the spans of traces, a JSON object a line; they go to a collector where
            OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT`` names one.
        log_format: ``json`` is one object a line.
        api_deadline_s: Seconds for which GraphQL waits for a checkout before it answers "pending".
        api_development: The explorer, introspection, and tokens for anybody who asks.
        api_origins: Origins of the storefronts whose pages may call, comma separated; ``*`` is any.
        customer_token_secret: Of HS256 customer tokens; at least 32 bytes.
        customer_token_keys: A JWKS file with the public keys of the identity provider instead.
        customer_issuer: What ``iss`` of a customer token must say.
        customer_audience: What ``aud`` of a customer token must say.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Path(".checkout")
    database_url: SecretStr = SecretStr("")
    task_queue: Annotated[str, Field(min_length=1)] = DEFAULT_TASK_QUEUE
    order_token_keys: SecretStr = SecretStr("")
    codec_keys: SecretStr = SecretStr("")
    codec_token: SecretStr = SecretStr("")
    codec_origins: str = ""
    operator_token_keys: Path | None = None
    operator_issuer: str = ""
    operator_audience: str = ""
    gateway: GatewayKind = GatewayKind.NONE
    gateway_url: Annotated[str, Field(pattern=r"^(https?://[^\s]+)?$")] = ""
    gateway_key: SecretStr = SecretStr("")
    gateway_webhook_secret: SecretStr = SecretStr("")
    gateway_timeout_s: Annotated[float, Field(gt=0, le=4)] = 4
    hold_ttl_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 15 * 60
    sweep_interval_s: Annotated[int, Field(ge=10, le=3600)] = 30
    worker_threads: Annotated[int, Field(ge=1, le=256)] = 16
    concurrent_checkouts: Annotated[int, Field(ge=2, le=1000)] = 24
    shutdown_grace_s: Annotated[int, Field(ge=0, le=600)] = 20
    health_host: str = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    trace_file: Path | None = None
    log_format: LogFormat = LogFormat.JSON
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=1, le=65_535)] = 8000
    api_deadline_s: Annotated[int, Field(ge=1, le=300)] = 30
    api_development: bool = False
    api_origins: str = ""
    customer_token_secret: SecretStr = SecretStr("")
    customer_token_keys: Path | None = None
    customer_issuer: str = "durable-checkout"
    customer_audience: str = "storefront"

    @property
    def hold_ttl(self) -> timedelta:
        """``hold_ttl_s`` as a duration."""
        return timedelta(seconds=self.hold_ttl_s)

    @property
    def origins(self) -> tuple[str, ...]:
        """``api_origins``, one by one."""
        return _listed(self.api_origins)

    @property
    def ui_origins(self) -> tuple[str, ...]:
        """``codec_origins``, one by one."""
        return _listed(self.codec_origins)

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store."""
        url = self.database_url.get_secret_value()
        if url:
            return url
        return f"sqlite:///{self.data_dir.absolute() / 'store.db'}"


def wrong_setting(error: ValidationError) -> str:
    """The first setting that is wrong, named by its variable, in one line without the value."""
    name, colon, problem = first_problem(error).partition(":")
    return f"{PREFIX}{name.upper()}{colon}{problem}"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
