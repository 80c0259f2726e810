"""The data directory: what ``checkout dev`` keeps, and how other commands find it."""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from cli.errors import CliError
from commerce.adapters.codec import PLAIN, VARIABLE, CodecKeyError, PayloadEncryption
from commerce.adapters.store.schema import SchemaError, check
from commerce.adapters.store.sql_store import SqlStore, open_store
from commerce.adapters.tokens import SealedTokens, TokenKeyError
from commerce.settings import Settings, wrong_setting

_STATE, _LOCK = "dev.json", "dev.lock"
_OURS = 0o700
CODEC_KEYS = "codec.keys"
"""The file of the keys that payloads are encrypted with."""

_SECRETS: dict[str, tuple[str, Callable[[], str]]] = {
    "order_token_keys": ("order-token.keys", SealedTokens.new_key),
    "codec_keys": (CODEC_KEYS, lambda: f"{PayloadEncryption.new_key()},{PLAIN}"),
    "codec_token": ("codec.token", lambda: secrets.token_urlsafe(48)),
    "customer_token_secret": ("customer-token.secret", lambda: secrets.token_urlsafe(48)),
    "gateway_key": ("gateway.key", lambda: secrets.token_urlsafe(48)),
    "gateway_webhook_secret": ("gateway-webhook.secret", lambda: secrets.token_urlsafe(48)),
}
"""Made at the first start where the environment gives none: setting, file, how."""

_NEVER_MADE_UP = {"codec_keys", "codec_token"}
"""What a command would send under a key that nobody else has would stop the run that gets it."""


class Running(BaseModel):
    """Where a running ``checkout dev`` is."""

    pid: int
    worker_pid: int
    temporal_address: str
    ui_url: str
    api_url: str
    gateway_url: str = ""
    metrics: dict[str, str] = {}


def load_settings(data_dir: Path, *, making: bool = False) -> Settings:
    """The settings of the environment, with this data directory and its secrets.

    Args:
        data_dir: The directory.
        making: Keys of payloads are made up where there are none; else there are none then.

    Raises:
        CliError: A variable or a secret has a wrong value.
    """
    try:
        settings = Settings(data_dir=data_dir)
    except ValidationError as error:
        raise CliError(wrong_setting(error)) from None
    found: dict[str, SecretStr] = {}
    for setting, (name, new) in _SECRETS.items():
        if not getattr(settings, setting).get_secret_value():
            file = data_dir / name
            if file.exists():
                found[setting] = SecretStr(file.read_text(errors="replace").strip())
            elif making or setting not in _NEVER_MADE_UP:
                found[setting] = SecretStr(new())
    settings = settings.model_copy(update=found)
    try:
        SealedTokens.parse(settings.order_token_keys.get_secret_value())
        if settings.codec_keys.get_secret_value():
            PayloadEncryption.parse(settings.codec_keys.get_secret_value())
    except TokenKeyError as error:
        raise CliError(f"{data_dir / _SECRETS['order_token_keys'][0]}: {error}") from None
    except CodecKeyError as error:
        raise CliError(f"{data_dir / CODEC_KEYS}: {error}") from None
    return settings


def load_codec(data_dir: Path) -> PayloadEncryption:
    """What payloads are encrypted with.

    Raises:
        CliError: There are no keys.
    """
    keys = load_settings(data_dir).codec_keys.get_secret_value()
    if not keys:
        raise CliError(f"no keys of payloads: set {VARIABLE}, or run 'checkout dev' first")
    return PayloadEncryption.parse(keys)


def prepare(data_dir: Path) -> Settings:
    """Make the directory and, at first, its secrets; the settings for it.

    Raises:
        CliError: The directory cannot be made.
    """
    try:
        data_dir.mkdir(mode=_OURS, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        settings = load_settings(data_dir, making=True)
        for setting, (name, _) in _SECRETS.items():
            given = os.environ.get(f"CHECKOUT_{setting.upper()}")
            if not given and not (data_dir / name).exists():
                descriptor = os.open(data_dir / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(getattr(settings, setting).get_secret_value())
    except OSError as error:
        raise CliError(f"cannot use {str(data_dir)!r}: {error.strerror}") from error
    return settings


def _close_to_others(data_dir: Path) -> None:
    """Databases and logs are the shoppers'; a directory of others, or of everybody, stays so."""
    now = data_dir.stat()
    if now.st_uid == os.getuid() and not now.st_mode & stat.S_ISVTX:
        data_dir.chmod(_OURS)


@contextmanager
def opened_store(data_dir: Path) -> Generator[SqlStore]:
    """The store of the data directory, or of ``CHECKOUT_DATABASE_URL``.

    Raises:
        CliError: There is none, or it has another schema.
        SQLAlchemyError: It cannot be reached.
    """
    settings = load_settings(data_dir)
    embedded = not settings.database_url.get_secret_value()
    if embedded and not (data_dir / "store.db").exists():
        raise CliError(
            f"no checkout data in {str(data_dir)!r}: "
            "run 'checkout dev' first, or name its --data-dir"
        )
    try:
        store = open_store(settings)
        check(store.database)
        yield store
    except (SchemaError, TokenKeyError) as error:
        raise CliError(str(error)) from error
    store.database.close()


@contextmanager
def owned(data_dir: Path) -> Generator[None]:
    """Keep every other ``checkout dev`` off this data directory, and other users off its files.

    Raises:
        CliError: One is running on it.
    """
    before = os.umask(0o077)  # for the child processes as well
    with ExitStack() as undone:
        undone.callback(os.umask, before)
        lock = undone.enter_context((data_dir / _LOCK).open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CliError(f"a checkout is running on {str(data_dir)!r} already") from None
        try:
            yield
        finally:
            (data_dir / _STATE).unlink(missing_ok=True)


def announce(data_dir: Path, running: Running) -> None:
    """Let other commands find this process; they never see half of it."""
    new = data_dir / f"{_STATE}.new"
    new.write_text(running.model_dump_json())
    new.replace(data_dir / _STATE)


def find_running(data_dir: Path) -> Running | None:
    """The ``checkout dev`` that runs on this data directory, if one does."""
    try:
        with (data_dir / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BlockingIOError:
        try:
            return Running.model_validate(json.loads((data_dir / _STATE).read_text()))
        except (FileNotFoundError, ValueError):
            return None  # it is only starting
    return None
