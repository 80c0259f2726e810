"""The command that makes a Temporal namespace ready."""

import asyncio
from pathlib import Path

import click
from temporalio.client import Client

from cli.common import console, data_dir_option
from cli.data_dir import load_settings
from cli.errors import CliError
from cli.temporal import connected, one_line_errors
from commerce.adapters.setup import SetupError, setup
from commerce.settings import Settings


@click.command("setup")
@data_dir_option
@click.option(
    "--search-attributes/--no-search-attributes",
    default=True,
    show_default=True,
    help="Whether to register them, too; on Temporal Cloud they are registered by its own tools.",
)
def setup_command(data_dir: Path, search_attributes: bool) -> None:
    """Make the Temporal namespace ready: search attributes, and the schedule of the sweep.

    May be repeated; run it again when CHECKOUT_SWEEP_INTERVAL_S or CHECKOUT_TASK_QUEUE change. It
    connects as TEMPORAL_ADDRESS and so on say, or to the `checkout dev` on the data directory.
    """
    settings = load_settings(data_dir)
    with one_line_errors():
        added = asyncio.run(_set_up(data_dir, settings, search_attributes))
    for name in added:
        console.print(f"search attribute {name} registered")
    console.print(f"the sweep runs every {settings.sweep_interval_s} s")


async def _set_up(data_dir: Path, settings: Settings, attributes: bool) -> tuple[str, ...]:
    return await _one_line(await connected(data_dir, keyless=True), settings, attributes)


def set_up_embedded(address: str, settings: Settings) -> None:
    """Make the server of `checkout dev` ready; the user's own TEMPORAL_ variables are not for it.

    Raises:
        CliError: It cannot be made ready.
    """

    async def ready() -> None:
        await _one_line(await Client.connect(address), settings)

    asyncio.run(ready())


async def _one_line(client: Client, settings: Settings, attributes: bool = True) -> tuple[str, ...]:
    try:
        return await setup(client, settings, attributes=attributes)
    except SetupError as error:
        raise CliError(str(error)) from None
