"""Do other commands find the ``checkout dev`` that runs, at every moment, and nobody else?"""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

from cli.data_dir import Running, announce, find_running, owned, prepare

RUNNING = Running(
    pid=1,
    worker_pid=2,
    temporal_address="127.0.0.1:7233",
    ui_url="http://127.0.0.1:8233",
    api_url="http://127.0.0.1:8000/graphql",
)


def test_it_is_found_while_it_announces_itself_again(tmp_path: Path) -> None:
    """As it does when a process that died was started again."""
    done = threading.Event()

    def announce_again_and_again() -> None:
        while not done.is_set():
            announce(tmp_path, RUNNING)

    with owned(tmp_path):
        announce(tmp_path, RUNNING)
        thread = threading.Thread(target=announce_again_and_again)
        thread.start()
        found = {find_running(tmp_path) is not None for _ in range(3000)}
        done.set()
        thread.join()
    assert found == {True}
    assert find_running(tmp_path) is None


# -- other users of the machine -----------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_look_into_it(tmp_path: Path) -> None:
    new, existing = tmp_path / "above" / "new", tmp_path / "existing"
    existing.mkdir(mode=0o755)
    for directory in (new, existing):
        prepare(directory)
        assert mode(directory) == 0o700


def test_a_directory_that_everybody_shares_stays_shared(tmp_path: Path) -> None:
    """``--data-dir /tmp`` takes nothing from anybody."""
    tmp_path.chmod(0o1777)
    prepare(tmp_path)
    assert mode(tmp_path) == 0o1777


def test_what_is_written_while_it_runs_is_nobody_elses(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with owned(tmp_path):
            announce(tmp_path, RUNNING)
            (tmp_path / "ours").touch()
            child = f"open({str(tmp_path / 'a_childs')!r}, 'w')"
            subprocess.run([sys.executable, "-c", child], check=True)
            assert {mode(file) for file in tmp_path.iterdir()} == {0o600}
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
