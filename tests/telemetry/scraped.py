"""What a Prometheus endpoint exports, and what expressions ask for."""

import asyncio
import re
import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? \S+")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)\s*\{(?P<matchers>[^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[(?:\d+[a-z]+|\$\w+)\]|\boffset \d+[a-z]+")
_WORD = re.compile(r"[a-zA-Z_:][\w:]*")
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")
PATIENCE_S = 60
FUNCTIONS = {
    *("absent", "by", "histogram_quantile", "increase", "max", "min", "or", "rate", "sum", "time"),
    "unless",
}
PROMETHEUS_OWN = {"up": {"job": {"checkout-worker", "checkout-api"}}}
"""What Prometheus itself makes of a scrape; the jobs are those of ``prometheus.yml``."""

Exported = dict[str, dict[str, set[str]]]
"""Of each metric, the values of each of its labels."""


def scrape(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


async def exports(url: str, name: str) -> str:
    """What is exported, once something of this name is."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            text = scrape(url)
            if name in text:
                return text
            await asyncio.sleep(0.1)


def exported(*texts: str) -> Exported:
    found: Exported = defaultdict(lambda: defaultdict(set))
    for line in "\n".join(texts).splitlines():
        if line.startswith("#") or not line:
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        labels = found[sample["name"]]
        for name, value in _LABEL.findall(sample["labels"] or ""):
            labels[name].add(value)
    return found


@dataclass
class Asked:
    """What an expression asks for.

    Attributes:
        metrics: By name, the matchers of its labels: name, operator, value.
        groups: Labels that it groups by.
    """

    metrics: dict[str, set[tuple[str, str, str]]] = field(
        default_factory=lambda: defaultdict(set[tuple[str, str, str]])
    )
    groups: set[str] = field(default_factory=set[str])


def asked(expression: str) -> Asked:
    """Roughly what PromQL asks for; a word that is nothing else is taken for a metric."""
    found = Asked()
    rest = _RANGE.sub(" ", expression)
    for selector in _SELECTOR.finditer(rest):
        found.metrics[selector["name"]] |= set(_MATCHER.findall(selector["matchers"]))
    rest = _SELECTOR.sub(" ", rest)
    for group in _GROUPING.findall(rest):
        found.groups |= set(_WORD.findall(group))
    rest = _NUMBER.sub(" ", _GROUPING.sub(" ", rest))
    for name in _WORD.findall(rest):
        if name not in FUNCTIONS:
            found.metrics[name] |= set()
    return found


def missing(expression: str, found: Exported) -> list[str]:
    """What the expression asks for and nobody exports."""
    wanted = asked(expression)
    wrong: list[str] = []
    for metric, matchers in wanted.metrics.items():
        labels = {**found, **PROMETHEUS_OWN}.get(metric)
        if labels is None:
            wrong.append(metric)
            continue
        wrong += [f"{metric}: label {name}" for name in wanted.groups - labels.keys()]
        for name, operator, value in matchers:
            values = labels.get(name, set())
            pattern = value if operator == "=~" else re.escape(value)
            if not any(re.fullmatch(pattern, each) for each in values):
                wrong.append(f"{metric}: {name}{operator}{value}")
    return wrong
