"""The programs that tests start, all from PyPI, and ports for them."""

import shutil
import sys
from pathlib import Path

from cli.ports import free_ports


def program(name: str) -> str:
    """The program installed beside this Python."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed"
    return found


def free_port() -> int:
    """A port on which nothing listens yet."""
    return free_ports(1)[0]
