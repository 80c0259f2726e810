"""The programs that tests start, all from PyPI, and ports for them."""

import shutil
import socket
import sys
from pathlib import Path


def program(name: str) -> str:
    """The program installed beside this Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
