"""Serving the application: connections that can be cut, and an end that waits for nobody."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox_gateway.app import DEFAULT_HANG_S, create_app

SHUTDOWN_GRACE_S = 1
KEEP_ALIVE_S = 60
"""Longer than any client keeps a connection, so that none is closed as it is used again."""


class _Protocol(H11Protocol):
    """Lets the application have the connection, to cut it."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Tells the application first that it ends: it then lets go of what it holds open."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def make_server(
    file: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    keys: Sequence[str] = (),
    hang_s: float = DEFAULT_HANG_S,
) -> uvicorn.Server:
    """A server that is ready to ``run()`` or ``serve()``; see ``create_app``."""
    app = create_app(file, keys=keys, hang_s=hang_s)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    return _Server(config, app.state.closing)


def run(
    host: str,
    port: int,
    file: Path,
    hang_s: float = DEFAULT_HANG_S,
    *,
    keys: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or SIGINT."""
    with suppress(KeyboardInterrupt):
        make_server(file, host=host, port=port, keys=keys, hang_s=hang_s).run()
