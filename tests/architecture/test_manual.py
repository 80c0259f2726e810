"""Does the operators' manual have what alerts, incidents and its own links point to?"""

import re
from pathlib import Path

import yaml

from cli.advice import ADVICE

DOCS = Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "operations.md").read_text()
PERFORMANCE = (DOCS / "performance.md").read_text()
SCALING = (DOCS / "scaling.md").read_text()
ALERTS = yaml.safe_load((DOCS / "observability" / "alerts.yml").read_text())


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


ANCHORS = {anchor(each) for each in re.findall(r"(?m)^#+ (.+)$", MANUAL)}


def test_every_alert_has_a_paragraph_and_every_paragraph_an_alert() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    named = {rule["annotations"]["runbook_url"] for rule in rules}
    written = {each for each in ANCHORS if each.startswith("alert-")}
    assert named == {f"docs/operations.md#{each}" for each in written}


def test_every_incident_has_a_paragraph() -> None:
    assert {anchor(step) for step in ADVICE} - ANCHORS == set()


def test_its_links_and_pictures_exist() -> None:
    links = set(re.findall(r"\]\(#([\w-]+)\)", MANUAL))
    assert len(links) > 5
    assert links - ANCHORS == set()
    shown = set(re.findall(r"\]\(images/([\w.-]+)\)", MANUAL))
    assert shown <= {each.name for each in (DOCS / "images").iterdir()}


def test_every_picture_is_shown_and_small() -> None:
    for picture in (DOCS / "images").iterdir():
        assert f"images/{picture.name}" in MANUAL + PERFORMANCE + SCALING, picture.name
        assert picture.stat().st_size < 300_000, picture.name
