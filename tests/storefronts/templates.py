"""GraphQL documents in JavaScript: template literals whose `${names}` are other such literals."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_DOC_COMMENT = re.compile(r"^\s*/\*\*.*?\*/", re.MULTILINE | re.DOTALL)
_LEAD = r"(?:\s|#[^`\n]*\n|\$\{[^}`]*\})*(?:query|mutation|subscription|fragment)\b"
_REST = r"(?:[^`\\]|\\`)*"
_LITERAL = re.compile(rf"`({_LEAD}{_REST})`")
_NAMED_LITERAL = re.compile(rf"([\w$]+)\s*=\s*(?:gql[\w.\[\]\"]*\s*)?`({_LEAD}{_REST})`")
_NAME_IN_LITERAL = re.compile(r"\$\{\s*([\w$]+)\s*\}")
_IMPORT = re.compile(r"import\s*\{([^}]*)\}\s*from\s*[\"']([^\"']+)[\"']")
_EXPORT = re.compile(r"export\s*\{([^}]*)\}(?!\s*from)")

EDITIONS = ("ce", "ee")
"""The two editions of the shop: a file `x.ce.js` or `x.ee.js` stands for `x` in one of them."""


@dataclass(frozen=True)
class Template:
    """An operation as a bundle sends it, every name replaced by what it stands for."""

    file: str
    constant: str
    text: str


@dataclass
class _Module:
    literals: dict[str, str] = field(default_factory=dict[str, str])
    imports: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    exports: dict[str, str] = field(default_factory=dict[str, str])


def _pairs(names: str) -> Iterator[tuple[str, str]]:
    """`a as b, c` is (a, b) and (c, c)."""
    for each in filter(None, (part.strip() for part in names.split(","))):
        first, _, last = each.partition(" as ")
        yield first.strip(), (last or first).strip()


def _read(text: str, file: str) -> _Module:
    """The literals of a file, and the names that it takes from and gives to others.

    Raises:
        ValueError: A literal that holds a document is not assigned to exactly one name.
    """
    module = _Module()
    text = _DOC_COMMENT.sub("", text)
    for name, raw in _NAMED_LITERAL.findall(text):
        literal = raw.replace(r"\`", "`")
        if module.literals.setdefault(name, literal) != literal:
            raise ValueError(f"{file}: {name} stands for two documents")
    if len(_LITERAL.findall(text)) != len(_NAMED_LITERAL.findall(text)):
        raise ValueError(f"{file}: a document has no name")
    for names, source in _IMPORT.findall(text):
        module.imports.update({local: (source, there) for there, local in _pairs(names)})
    for names in _EXPORT.findall(text):
        module.exports.update({outside: local for local, outside in _pairs(names)})
    return module


class Bundle:
    """The documents of packages that import from one another."""

    def __init__(self, packages: dict[str, Path], edition: str) -> None:
        self._packages = packages
        self._edition = edition
        self._modules: dict[Path, _Module] = {}

    def operations(self, package: str) -> Iterator[Template]:
        """Every operation of a package; files of the other edition are left out."""
        folder = self._packages[package]
        others = tuple(f".{each}.js" for each in EDITIONS if each != self._edition)
        for file in sorted(folder.rglob("*.js")):
            tests = {"__tests__", "__mocks__", "__fixtures__"} & {*file.parts}
            if tests or file.name.endswith(others):
                continue
            for constant, literal in self._module(file).literals.items():
                if not re.match(r"(?:\s|#[^\n]*\n)*fragment\b", literal):
                    text = self._expanded(file, constant)
                    yield Template(str(file.relative_to(folder)), constant, text)

    def _module(self, file: Path) -> _Module:
        if file not in self._modules:
            self._modules[file] = _read(file.read_text(), str(file))
        return self._modules[file]

    def _expanded(self, file: Path, name: str) -> str:
        """The text of a literal, wherever it is written.

        Raises:
            LookupError: Nothing of that name is a document.
        """
        module = self._module(file)
        if name in module.literals:
            text = _NAME_IN_LITERAL.sub(
                lambda found: self._expanded(file, found.group(1)), module.literals[name]
            )
            if "${" in text:
                raise LookupError(f"{file}: {name} holds more than names")
            return text
        if name not in module.imports:
            raise LookupError(f"{file}: {name} is not a document")
        source, there = module.imports[name]
        target = self._located(source, file)
        return self._expanded(target, self._module(target).exports.get(there, there))

    def _located(self, source: str, file: Path) -> Path:
        for name, folder in self._packages.items():
            if source.startswith(f"{name}/"):
                base = folder / source.removeprefix(f"{name}/")
                break
        else:
            base = (file.parent / source).resolve()
        for suffix in (f".{self._edition}.js", ".js", ""):
            candidate = base.with_name(base.name + suffix)
            if candidate.is_file():
                return candidate
        raise LookupError(f"{file}: {source} is not in the packages")
