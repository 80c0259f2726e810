"""Is the explorer served, installed and refused as it says? No browser is needed here."""

import base64
import hashlib
import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api import explorer
from api.explorer_assets import PACKAGES, PATHS, AssetsError, Package, fetch, missing, unpack
from tests.api.small_schema import World, small_app

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
IMMUTABLE = "public, max-age=31536000, immutable"


async def get(path: str, accept: str = CHROMIUM) -> httpx.Response:
    transport = httpx.ASGITransport(app=small_app(World(), explorer=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers={"Accept": accept})


def archive(path: Path, files: dict[str, bytes]) -> str:
    """Write an npm archive; its integrity."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


async def test_only_a_browser_that_opens_the_url_gets_the_page() -> None:
    answer = await get("/graphql")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    for accept in ("*/*", "application/json", "application/graphql-response+json"):
        assert (await get("/graphql", accept)).status_code == 400
    assert (await get("/graphql?query={hello}")).json() == {"data": {"hello": "Hello world"}}


async def test_the_page_names_only_files_of_this_server_and_all_are_there() -> None:
    answer = await get("/graphql")
    named = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    named.remove("data:,")
    assert len(named) == 5
    for url in named:
        file = await get(url)
        assert url.startswith("/graphql/explorer/")
        assert file.status_code == 200
        expected = "text/css" if url.endswith(".css") else "text/javascript"
        assert file.headers["content-type"] == f"{expected}; charset=utf-8"
        versioned = any(package.title in url for package in PACKAGES)
        assert file.headers["cache-control"] == (IMMUTABLE if versioned else "no-cache")
    assert re.findall(r"<script>|<script [^s]", answer.text) == []


@pytest.mark.parametrize("path", ["", "explorer.py", "..%2fexplorer.py", "%2fetc%2fpasswd"])
async def test_no_other_file_is_served(path: str) -> None:
    assert (await get(f"/graphql/explorer/{path}")).status_code == 404


async def test_without_its_files_the_page_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explorer, "missing", lambda: ["graphiql.min.js"])
    answer = await get("/graphql")
    assert answer.status_code == 503
    assert "make explorer" in answer.text
    assert "<script" not in answer.text


def test_only_the_pinned_archive_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "react.tgz"
    integrity = archive(path, {"umd/react.js": b"good", "other.js": b"not asked for"})
    good = Package("react", "1.0.0", integrity, ("umd/react.js",))
    with pytest.raises(AssetsError, match="not the pinned one"):
        unpack(replace(good, integrity=PACKAGES[0].integrity), path, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()
    unpack(good, path, tmp_path / "good")
    assert [file.name for file in (tmp_path / "good").iterdir()] == ["react.js"]


@pytest.mark.parametrize(
    ("npm", "said"),
    [("echo no registry >&2; exit 1", "no registry"), ("touch x.tgz", "no archive")],
)
def test_a_failed_fetch_changes_nothing(
    npm: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "npm"
    program.write_text(f"#!/bin/sh\n{npm}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    folder = tmp_path / "folder"
    (folder / "react-1.0.0").mkdir(parents=True)
    with pytest.raises(AssetsError, match=said):
        fetch(folder)
    assert [path.name for path in folder.iterdir()] == ["react-1.0.0"]
    assert missing(folder) == list(PATHS)
