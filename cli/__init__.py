"""The command-line program ``checkout``: a composition root, like ``worker.py``."""

import sys


def main() -> None:
    """Run the program; one line and status 2 when only the thin client is installed."""
    try:
        from cli.app import main as run  # noqa: PLC0415 (it needs the server extra)
    except ModuleNotFoundError as error:
        needed = f"checkout: {error.name} is missing: pip install 'durable-checkout[server]'"
        print(needed, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    run()
