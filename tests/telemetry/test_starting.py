"""What does a process pay for what is off, and what does it say when it cannot start?"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.tokens import SealedTokens

ROOT = Path(__file__).parents[2]
LISTS = "import sys, worker, api.server; print(*(name.partition('.')[0] for name in sys.modules))"


def test_who_does_not_trace_does_not_even_import_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "temporalio" in done.stdout.split()
    assert "opentelemetry" not in done.stdout.split()


def fails_to_start(process: str, **variables: str) -> dict[str, Any]:
    """The one line that a process says before it ends with status 2."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHECKOUT_")}
    done = subprocess.run(
        [sys.executable, "-m", process],
        cwd=ROOT,
        env=clean | variables,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["process"], said["level"]) == (process, "CRITICAL")
    return said


@pytest.mark.parametrize("process", ["worker", "api"])
def test_a_bad_setting_is_one_line(process: str) -> None:
    said = fails_to_start(process, CHECKOUT_METRICS_PORT="soon")
    assert said["message"].startswith("CHECKOUT_METRICS_PORT: ")


@pytest.mark.parametrize("process", ["worker", "api"])
def test_a_bad_database_url_is_one_line_without_it(process: str) -> None:
    said = fails_to_start(
        process,
        CHECKOUT_DATABASE_URL="postgresql://user:p@ss:canary/x@db/shop",
        CHECKOUT_ORDER_TOKEN_KEYS=SealedTokens.new_key(),
        CHECKOUT_CODEC_KEYS=PayloadEncryption.new_key(),
    )
    assert said["message"].startswith("CHECKOUT_DATABASE_URL: ")
    assert "canary" not in json.dumps(said)


@pytest.mark.parametrize("process", ["worker", "api"])
def test_a_port_of_metrics_that_is_taken_is_one_line(process: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = fails_to_start(
            process,
            CHECKOUT_METRICS_PORT=port,
            CHECKOUT_DATA_DIR=str(tmp_path),
            CHECKOUT_ORDER_TOKEN_KEYS=SealedTokens.new_key(),
        )
    assert f"127.0.0.1:{port}" in said["message"]


@pytest.mark.parametrize("process", ["worker", "api"])
def test_a_file_of_traces_that_cannot_be_written_is_one_line(process: str, tmp_path: Path) -> None:
    said = fails_to_start(process, CHECKOUT_TRACE_FILE=str(tmp_path / "nowhere" / "spans.jsonl"))
    assert "spans.jsonl" in said["message"]
