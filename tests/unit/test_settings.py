"""Is the environment read once, checked, and kept to itself?"""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from commerce.adapters.store.database import Database, StoreUrlError
from commerce.settings import GatewayKind, Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("CHECKOUT_"):
            monkeypatch.delenv(name)


def test_a_fresh_machine_needs_no_variables() -> None:
    settings = Settings()
    assert settings.task_queue == "checkout"
    assert settings.gateway is GatewayKind.NONE
    assert settings.gateway_url == ""
    assert settings.gateway_key.get_secret_value() == ""
    assert settings.gateway_webhook_secret.get_secret_value() == ""
    assert settings.gateway_timeout_s == 4
    assert settings.hold_ttl == timedelta(minutes=15)
    assert settings.health_port == 0
    assert settings.order_token_keys.get_secret_value() == ""
    assert settings.codec_keys.get_secret_value() == ""
    assert settings.codec_token.get_secret_value() == ""
    assert settings.ui_origins == ()


def test_without_a_database_url_the_store_is_a_file_in_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(tmp_path))
    assert Settings().store_url == f"sqlite:///{tmp_path / 'store.db'}"


def test_a_relative_data_directory_is_found_from_anywhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKOUT_DATA_DIR", "here")
    assert Settings().store_url == f"sqlite:///{tmp_path / 'here' / 'store.db'}"


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("TASK_QUEUE", "blue", "blue"),
        ("GATEWAY", "sandbox", GatewayKind.SANDBOX),
        ("GATEWAY", "stripe", GatewayKind.STRIPE),
        ("GATEWAY_URL", "http://127.0.0.1:8900", "http://127.0.0.1:8900"),
        ("GATEWAY_URL", "https://pay.example.com/v1", "https://pay.example.com/v1"),
        ("GATEWAY_URL", "", ""),
        ("GATEWAY_TIMEOUT_S", "0.5", 0.5),
        ("GATEWAY_TIMEOUT_S", "4", 4.0),
        ("HOLD_TTL_S", "60", 60),
        ("HOLD_TTL_S", "604800", 604800),
        ("WORKER_THREADS", "256", 256),
        ("CONCURRENT_CHECKOUTS", "1000", 1000),
        ("SHUTDOWN_GRACE_S", "0", 0),
        ("HEALTH_HOST", "0.0.0.0", "0.0.0.0"),
        ("HEALTH_PORT", "65535", 65535),
        ("DATA_DIR", "data", Path("data")),
        ("CODEC_ORIGINS", "https://ui.example.com", "https://ui.example.com"),
        ("OPERATOR_TOKEN_KEYS", "operators.json", Path("operators.json")),
        ("OPERATOR_ISSUER", "https://id.example.com", "https://id.example.com"),
        ("OPERATOR_AUDIENCE", "temporal-ui", "temporal-ui"),
    ],
)
def test_every_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: object
) -> None:
    monkeypatch.setenv(f"CHECKOUT_{name}", value)
    assert getattr(Settings(), name.lower()) == read


def test_a_database_url_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://shop:canary@db/shop?sslmode=require"
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", url)
    assert Settings().store_url == url


def test_variables_without_the_prefix_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_QUEUE", "theirs")
    monkeypatch.setenv("GATEWAY", "theirs")
    assert Settings().task_queue == "checkout"


def test_variables_that_are_not_known_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_DEV_UI_PORT", "8233")
    assert Settings().health_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLD_TTL_S", "59"),
        ("HOLD_TTL_S", "604801"),
        ("HOLD_TTL_S", "15m"),
        ("HOLD_TTL_S", "90.5"),
        ("HOLD_TTL_S", "nan"),
        ("HOLD_TTL_S", ""),
        ("WORKER_THREADS", "0"),
        ("WORKER_THREADS", "257"),
        ("CONCURRENT_CHECKOUTS", "1"),
        ("CONCURRENT_CHECKOUTS", "1001"),
        ("SHUTDOWN_GRACE_S", "-1"),
        ("HEALTH_PORT", "65536"),
        ("HEALTH_PORT", "-1"),
        ("GATEWAY", "paypal"),
        ("GATEWAY_URL", "pay.example.com"),
        ("GATEWAY_URL", "ftp://pay.example.com"),
        ("GATEWAY_URL", "https://"),
        ("GATEWAY_URL", "https://pay.example.com\n"),
        ("GATEWAY_URL", "https://pay.example.com/a b"),
        ("GATEWAY_TIMEOUT_S", "0"),
        ("GATEWAY_TIMEOUT_S", "-1"),
        ("GATEWAY_TIMEOUT_S", "4.01"),
        ("GATEWAY_TIMEOUT_S", "nan"),
        ("GATEWAY_TIMEOUT_S", "inf"),
        ("GATEWAY", ""),
        ("TASK_QUEUE", ""),
    ],
)
def test_a_bad_value_is_one_error_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CHECKOUT_{name}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["loc"] for error in refused.value.errors()] == [(name.lower(),)]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().__setattr__("task_queue", "other")


def test_a_later_change_of_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    monkeypatch.setenv("CHECKOUT_TASK_QUEUE", "other")
    assert settings.task_queue == "checkout"


# -- secrets -----------------------------------------------------------------------------------


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_DATABASE_URL", "postgresql://shop:canary@db/shop")
    monkeypatch.setenv("CHECKOUT_ORDER_TOKEN_KEYS", "0:canary")
    monkeypatch.setenv("CHECKOUT_CODEC_KEYS", "1:canary")
    monkeypatch.setenv("CHECKOUT_CODEC_TOKEN", "canary-codec")
    monkeypatch.setenv("CHECKOUT_GATEWAY_KEY", "canary-key")
    monkeypatch.setenv("CHECKOUT_GATEWAY_WEBHOOK_SECRET", "canary-webhook")


@pytest.mark.usefixtures("secrets")
def test_secrets_are_not_shown() -> None:
    settings = Settings()
    assert "canary" in settings.store_url
    assert settings.gateway_key.get_secret_value() == "canary-key"
    assert settings.gateway_webhook_secret.get_secret_value() == "canary-webhook"
    for shown in (repr(settings), str(settings), str(settings.model_dump())):
        assert "canary" not in shown
    assert "canary" not in settings.model_dump_json()


@pytest.mark.usefixtures("secrets")
def test_the_error_of_another_value_does_not_show_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_HOLD_TTL_S", "soon")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "canary" not in str(refused.value)
    assert "hold_ttl_s" in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:canary@ss:w0rd/x@db/shop",
        "postgresql://user:pass@canary:w0rd/x@db/shop",
        "postgresql://user:p@ss:canary/x@db/shop",
        "postgresql://user:p@ss:w0rd/canary@db/shop",
        "postgresql://user:p@canary@db/shop",
        "postgresql://user:p@canary?x@db/shop",
        "postgresql://user:canary",
        "postgresql://user:p@[::canary",
        "postgresql:/user:canary@db/shop",
        "canary",
        "canary://user:canary@db/shop",
        "postgresql+canary://user:canary@db/shop",
        "",
    ],
)
def test_a_database_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(StoreUrlError, match="CHECKOUT_DATABASE_URL: ") as refused:
        Database(url)
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_password_may_have_any_character_that_is_encoded() -> None:
    database = Database("postgresql://user:p%40ss%3Aw0rd%2Fx@db/shop")
    assert database.engine.url.password == "p@ss:w0rd/x"
    assert database.engine.url.host == "db"
