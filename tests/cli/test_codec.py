"""Is what ``checkout dev`` writes encrypted, and shown to who may see it? Are keys rotated?"""

import base64
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from click.testing import CliRunner, Result
from temporalio.client import Client

from cli.app import main
from cli.data_dir import Running, announce, load_settings, owned
from client import OrderPlaced
from commerce.adapters.codec import PayloadEncryption
from commerce.contract import workflow_id
from tests.builders import cart, product
from tests.dev import Dev, a_dev
from tests.payloads import decoded, plain_in
from tests.world import DEADLINE

PLAIN = {
    "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
    "data": base64.b64encode(b'"typed by hand"').decode(),
}


@pytest_asyncio.fixture(scope="module")
async def dev(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dev]:
    async with a_dev(tmp_path_factory.mktemp("dev")) as made:
        yield made


def codec_url(dev: Dev) -> str:
    return dev.running.api_url.replace("/graphql", "/codec")


def token(dev: Dev) -> str:
    return (dev.data_dir / "codec.token").read_text()


async def post(url: str, *payloads: dict[str, Any], **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.post(url, json={"payloads": payloads}, headers=headers)


async def test_histories_are_encrypted_and_read_with_the_keys(dev: Dev) -> None:
    dev.store.catalog.put([product("apple")])
    dev.store.carts.save(cart("dev-encrypted"))
    answer = await (await dev.client()).place_order("dev-encrypted", deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    raw = await Client.connect(dev.running.temporal_address)
    temporal = await dev.temporal()
    history = await raw.get_workflow_handle(workflow_id("dev-encrypted")).fetch_history()
    assert [path for event in history.events for path in plain_in(event)] == []
    assert b"dev-encrypted" not in b"".join(each.SerializeToString() for each in history.events)
    assert b"dev-encrypted" in b"".join([await decoded(temporal, each) for each in history.events])


async def test_the_codec_server_makes_a_round_trip(dev: Dev) -> None:
    url, bearer = codec_url(dev), f"Bearer {token(dev)}"
    sealed = (await post(f"{url}/encode", PLAIN, Authorization=bearer)).json()["payloads"]
    assert b"typed by hand" not in base64.b64decode(sealed[0]["data"])
    opened = await post(f"{url}/decode", *sealed, Authorization=bearer)
    assert opened.json() == {"payloads": [PLAIN]}


async def test_without_a_token_and_from_elsewhere_there_is_nothing(dev: Dev) -> None:
    url, bearer = codec_url(dev), f"Bearer {token(dev)}"
    assert (await post(f"{url}/decode", PLAIN)).status_code == 401
    assert (await post(f"{url}/{'x' * 64}/decode", PLAIN)).status_code == 401
    elsewhere = {"Authorization": bearer, "Origin": "https://evil.example.com"}
    refused = await post(f"{url}/decode", PLAIN, **elsewhere)
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers


async def test_the_ui_is_given_an_address_at_which_it_may_ask(dev: Dev) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        settings = (await http.get(f"{dev.running.ui_url}/api/v1/settings")).json()
    endpoint = settings["Codec"]["Endpoint"]
    assert endpoint == f"{codec_url(dev)}/{token(dev)}"
    for origin in (dev.running.ui_url, dev.running.ui_url.replace("127.0.0.1", "localhost")):
        answer = await post(f"{endpoint}/decode?preserveStorageRefs=true", PLAIN, Origin=origin)
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == origin


async def test_no_key_is_on_a_command_line(dev: Dev) -> None:
    keys = load_settings(dev.data_dir).codec_keys.get_secret_value()
    secret = keys.partition(":")[2].partition(",")[0]
    for child in psutil.Process(dev.process.pid).children(recursive=True):
        assert secret not in " ".join(child.cmdline())
    assert secret not in "".join(dev.output)
    for log in dev.data_dir.glob("*.log"):
        assert secret not in log.read_text()
        assert token(dev) not in log.read_text()


# -- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["worker", "api"])
def test_nothing_starts_without_keys(process: str, tmp_path: Path) -> None:
    clean = {name: each for name, each in os.environ.items() if not name.startswith("CHECKOUT_")}
    done = subprocess.run(
        [sys.executable, "-m", process],
        env={**clean, "CHECKOUT_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "CHECKOUT_CODEC_KEYS" in done.stderr


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CHECKOUT_CODEC_KEYS", raising=False)
    assert run("migrate").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})


def test_keys_are_made_once_and_are_their_owners_alone(data_dir: Path) -> None:
    file = data_dir / "codec.keys"
    made = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("migrate").exit_code == 0
    assert file.read_text() == made


def test_a_rotated_key_encrypts_and_every_older_one_decrypts(data_dir: Path) -> None:
    file = data_dir / "codec.keys"
    before = file.read_text()
    rotated = run("codec", "rotate")
    assert rotated.exit_code == 0
    assert file.read_text().endswith(f",{before}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PayloadEncryption.parse(file.read_text()).ids == ("2", "1", "plain")
    for key in file.read_text().split(","):
        assert key.partition(":")[2] not in rotated.output or key == "plain"
    run("codec", "rotate")
    listed = run("codec", "keys")
    assert [line.partition(":")[0] for line in listed.output.splitlines()] == [
        "3",
        "2",
        "1",
        "plain",
    ]
    assert listed.output.count("and encrypts") == 1
    assert os.listdir(data_dir).count("codec.keys.new") == 0


def test_a_key_is_not_rotated_under_a_checkout_dev_that_runs(data_dir: Path) -> None:
    before = (data_dir / "codec.keys").read_text()
    nowhere = Running(pid=1, worker_pid=1, temporal_address="", ui_url="", api_url="")
    with owned(data_dir):
        announce(data_dir, nowhere)
        refused = run("codec", "rotate")
    assert (refused.exit_code, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert "stop it first" in refused.stderr
    assert (data_dir / "codec.keys").read_text() == before
    assert run("codec", "rotate").exit_code == 0


def test_where_the_keys_are_a_variable_the_new_one_is_printed_and_no_other(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = f"{PayloadEncryption.new_key('7')},{PayloadEncryption.new_key('july')}"
    monkeypatch.setenv("CHECKOUT_CODEC_KEYS", old)
    file = (data_dir / "codec.keys").read_text()
    rotated = run("codec", "rotate")
    assert PayloadEncryption.parse(f"{old},{rotated.stdout.strip()}").ids == ("7", "july", "8")
    assert "Append it" in rotated.stderr
    for key in old.split(","):
        assert key.partition(":")[2] not in rotated.output
    assert (data_dir / "codec.keys").read_text() == file


def test_keys_that_are_none_are_one_line(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data_dir / "codec.keys").write_text("nonsense")
    refused = run("codec", "keys")
    assert (refused.exit_code, len(refused.stderr.strip().splitlines())) == (2, 1)
    assert "CHECKOUT_CODEC_KEYS" in refused.stderr
    assert "nonsense" not in refused.stderr
    monkeypatch.setenv("CHECKOUT_DATA_DIR", str(data_dir / "nowhere"))
    assert "no keys" in run("codec", "rotate").stderr


# -- erasing ------------------------------------------------------------------------------------


def test_a_person_is_erased_and_told_so(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("sku,name,type,price,quantity\napple,A,simple,1.00,9\n")
    (tmp_path / "cart.json").write_text(
        json.dumps(cart("cart", email="gone@example.com").model_dump(mode="json"))
    )
    assert run("catalog", "import", str(tmp_path / "catalog.csv")).exit_code == 0
    assert run("cart", "import", str(tmp_path / "cart.json")).exit_code == 0
    done = run("erase", "--email", "Gone@Example.com")
    assert done.exit_code == 0, done.output
    assert "carts erased          1" in done.output
    assert b"gone@example.com" not in (data_dir / "store.db").read_bytes()
    assert "carts erased          0" in run("erase", "--email", "gone@example.com").output
    assert run("audit").exit_code == 0
    nobody = run("erase")
    assert (nobody.exit_code, len(nobody.stderr.strip().splitlines())) == (2, 1)


def test_what_else_may_be_a_customers_is_counted(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("sku,name,type,price,quantity\napple,A,simple,1.00,9\n")
    assert run("catalog", "import", str(tmp_path / "catalog.csv")).exit_code == 0
    for cart_id, owner in (("theirs", "ada"), ("guests", None)):
        made = cart(cart_id, email="gone@example.com", customer_id=owner)
        (tmp_path / "cart.json").write_text(made.model_dump_json())
        assert run("cart", "import", str(tmp_path / "cart.json")).exit_code == 0
    done = run("erase", "--customer", "ada")
    assert done.exit_code == 0, done.output
    assert "1 carts and 0 orders of guests" in done.output
    assert "--email" in done.output
    assert "gone@" not in done.output
    assert "guests" not in run("erase", "--email", "gone@example.com").output
