"""Are the house's own rules kept where no linter looks?"""

import ast
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from commerce.adapters.payments.none import NoGateway
from docs.generate_errors import PAGE, page
from worker import build_activities
from workflows import policies

ROOT = Path(__file__).parents[2]
PACKAGES = ("activities", "api", "cli", "client", "commerce", "sandbox_gateway", "workflows")
DETERMINISTIC = ("workflows", "commerce/domain", "commerce/contract.py")
CLOCKS_AND_CHANCE = re.compile(
    r"\b(datetime\.(now|utcnow|today)|date\.today|time\.(time|sleep|monotonic|perf_counter)"
    r"|random\.\w|secrets\.(token|choice|rand)|uuid\.?(uuid)?[14]\(|os\.(environ|getenv|urandom)|open\(|socket\.)"
)
MAX_LINES = 400
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources(*places: str) -> list[Path]:
    paths = [ROOT / place for place in places]
    return [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]


def clocks_in(text: str) -> list[str]:
    return [found.group() for found in CLOCKS_AND_CHANCE.finditer(text)]


@pytest.mark.parametrize("file", sources(*DETERMINISTIC), ids=lambda f: str(f.relative_to(ROOT)))
def test_decisions_know_no_clock_chance_file_or_environment(file: Path) -> None:
    assert clocks_in(file.read_text()) == []


def test_the_search_for_clocks_finds_them() -> None:
    assert clocks_in("a = datetime.now(); b = uuid4(); c = os.environ['X']") != []


@pytest.mark.parametrize("file", sources("workflows"), ids=lambda file: file.name)
def test_workflows_pass_what_they_import_through_the_sandbox(file: Path) -> None:
    inside = {"commerce", "activities", "workflows"}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.module.split(".")[0] not in inside, node.module


@pytest.mark.parametrize("file", sources(*PACKAGES, "worker.py"), ids=lambda f: f.name)
def test_no_file_is_too_long(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MAX_LINES


def registered() -> list[str]:
    class Anything:
        """Stands where activities are only wired, never run."""

        def __getattr__(self, name: str) -> "Anything":
            return self

    anything: Any = Anything()
    found = build_activities(
        anything, NoGateway(), anything, anything, anything, timedelta(minutes=1)
    )
    definitions = [activity._Definition.must_from_callable(each) for each in found]  # pyright: ignore
    return [str(definition.name) for definition in definitions]  # pyright: ignore


def test_every_activity_is_in_the_table_of_policies_and_the_other_way_round() -> None:
    table = {step.name for step in vars(policies).values() if isinstance(step, policies.Step)}  # pyright: ignore
    assert table == set(registered())


def test_every_activity_says_how_it_is_idempotent_and_undone() -> None:
    documented = 0
    for file in sources("activities"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, FUNCTIONS) and node.decorator_list:
                text = ast.get_docstring(node) or ""
                assert "Idempotent by" in text, node.name
                assert re.search(r"Und(one by|oes)|Not undone|Needs no undo", text), node.name
                documented += 1
    assert documented == len(registered())


def test_the_base_install_is_what_the_client_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", each)[0] for each in project["dependencies"]}
    assert names == {"temporalio", "pydantic"}


def test_every_package_is_typed_and_shipped() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shipped = set(build["targets"]["wheel"]["only-include"])
    assert shipped == {*PACKAGES, "worker.py"}
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").exists()


def test_every_pin_is_a_name_and_a_version() -> None:
    pins = (ROOT / "requirements.lock").read_text().splitlines()
    assert len(pins) > 20
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_the_page_of_errors_is_the_catalogues() -> None:
    assert PAGE.read_text() == page()


def test_every_file_that_the_readme_names_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`([\w./-]+(?:\.(?:py|md|yml|graphql|csv)|/))`", readme))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
