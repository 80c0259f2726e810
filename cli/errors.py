"""How the command line fails: one line on standard error, exit status 2."""

from typing import IO, Any

import click


class CliError(click.ClickException):
    """Something the user can mend; nothing was written."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """One line, whatever the message is."""
        line = " ".join(self.format_message().split())
        click.echo(f"checkout: {line}", err=True, file=file)
