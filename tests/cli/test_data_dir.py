"""Do other commands find the ``checkout dev`` that runs, at every moment?"""

import threading
from pathlib import Path

from cli.data_dir import Running, announce, find_running, owned

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
