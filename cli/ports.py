"""Ports of this machine."""

import socket
from contextlib import ExitStack

from cli.errors import CliError

LOOPBACK = "127.0.0.1"


def require_free(port: int) -> None:
    """Nothing listens there yet.

    Raises:
        CliError: Something does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            raise CliError(
                f"port {port} is in use: choose others with --temporal-port, --ui-port,"
                " --api-port, --gateway-port"
            ) from None


def free_ports(number: int) -> list[int]:
    """Ports on which nothing listens; held together, or two may be the same."""
    with ExitStack() as held:
        made = [held.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in made]
