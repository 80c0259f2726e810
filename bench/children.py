"""Programs that run beside the stage, and end with it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli.errors import CliError

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
POLL_S = 0.05
_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).parents[1]


@contextmanager
def child(command: Sequence[str], log: Path, said: str) -> Generator[int]:
    """Run a program until the block ends; its process id, once it is ready.

    Args:
        command: The program and its arguments.
        log: What it prints.
        said: What its log has when it is ready.

    Raises:
        CliError: It ended, or was not ready in time; with the end of its log.
    """
    environment = {
        name: each for name, each in os.environ.items() if not name.startswith("TEMPORAL_")
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for the parent
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while said not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CliError(f"{command[:4]} did not start: {log.read_text()[-500:]}")
            time.sleep(POLL_S)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this tree."""
    return [sys.executable, "-m", module, *arguments]
