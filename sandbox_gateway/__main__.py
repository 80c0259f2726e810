"""Run: ``python -m sandbox_gateway --port 8700 --data gateway.db``."""

import argparse
import logging
import os
from pathlib import Path

from sandbox_gateway.app import DEFAULT_HANG_S
from sandbox_gateway.server import run

KEYS_VARIABLE = "SANDBOX_GATEWAY_KEYS"


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox_gateway",
        description="A stand-in payment provider: no money moves.",
        epilog=f"{KEYS_VARIABLE}: comma-separated merchant keys, the only ones then accepted.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the ledger, an SQLite file")
    parser.add_argument(
        "--hang-s",
        type=float,
        default=DEFAULT_HANG_S,
        help="how long a call that is not answered stays open (default: %(default)s)",
    )
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for every webhook otherwise
    keys = [key.strip() for key in os.environ.get(KEYS_VARIABLE, "").split(",") if key.strip()]
    run(asked.host, asked.port, asked.data, asked.hang_s, keys=keys)


main()
