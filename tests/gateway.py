"""The sandbox gateway for tests: a real server on a port of its own, in a thread."""

import socket
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sandbox_gateway.server import make_server

START_TIMEOUT_S = 30


@contextmanager
def running_gateway(
    *, hang_s: float = 30, keys: Sequence[str] = (), file: Path | None = None
) -> Generator[str]:
    """A gateway at the URL given; its ledger is thrown away, unless it is in a ``file``.

    A merchant's key of its own keeps a test apart from all others at the same gateway.
    """
    with tempfile.TemporaryDirectory(prefix="sandbox-gateway-") as folder:
        server = make_server(file or Path(folder) / "gateway.db", keys=keys, hang_s=hang_s)
        # The protocol is named, or asyncio leaves Nagle's algorithm on: 40 ms for every answer.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(2048)
            port = int(listening.getsockname()[1])
            serving = threading.Thread(
                target=server.run, kwargs={"sockets": [listening]}, daemon=True
            )
            serving.start()
            try:
                deadline = time.monotonic() + START_TIMEOUT_S
                while not server.started:
                    assert serving.is_alive(), "the gateway did not start"
                    assert time.monotonic() < deadline, "the gateway is not up"
                    time.sleep(0.01)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.should_exit = True
                serving.join(START_TIMEOUT_S)
                assert not serving.is_alive(), "the gateway does not end"
