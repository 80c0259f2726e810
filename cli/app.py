"""The commands."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import click
from alembic.util import CommandError
from rich.progress import Progress
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from api.server import token_issuer
from cli.codec import codec
from cli.common import console, data_dir_option, or_cli_error
from cli.data_dir import Running, find_running, load_settings, opened_store, prepare
from cli.demo import run_demo
from cli.embedded import Embedded, Ports, embedded
from cli.erase import erase
from cli.errors import CliError
from cli.files import read_carts, read_catalog
from cli.operate import ACTS
from cli.sandbox import DEFAULT_PORT, sandbox, sandbox_gateway
from cli.setup import setup_command
from cli.show import print_cart, print_order
from cli.stores import store, tax
from cli.stuck import stuck
from commerce.adapters.payments.sandbox import SandboxError, SandboxGateway
from commerce.adapters.store.database import Database, StoreUrlError
from commerce.adapters.store.schema import upgrade
from commerce.domain.carts import Shopper
from commerce.domain.stores import DEFAULT_STORE, Store

WATCH_S = 0.25


def port_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where the embedded Temporal server, its UI, GraphQL and the sandbox gateway listen."""
    defaults = {
        "--temporal-port": 7233,
        "--ui-port": 8233,
        "--api-port": 8000,
        "--gateway-port": DEFAULT_PORT,
    }
    for name, default in reversed(defaults.items()):
        port = click.IntRange(1, 65_535)
        command = click.option(name, type=port, default=default, show_default=True)(command)
    return command


class Commands(click.Group):
    """Commands whose expected failures are one line and exit status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            CliError: The store, Temporal or the file system did not do what it should.
        """
        try:
            return super().invoke(ctx)
        except SQLAlchemyError as error:
            raise CliError(_store_trouble(error)) from error
        except (CommandError, OSError, SandboxError, StoreUrlError) as error:
            raise CliError(str(error)) from error
        except RuntimeError as error:
            if isinstance(error, click.exceptions.Exit | click.Abort):
                raise
            raise CliError(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="durable-checkout")
def main() -> None:
    """A durable checkout: a cart becomes exactly one order, or a documented error."""


main.add_command(store)
main.add_command(tax)
main.add_command(codec)
main.add_command(erase)
main.add_command(sandbox)
main.add_command(sandbox_gateway)
main.add_command(setup_command)
main.add_command(stuck)
for act in ACTS:
    main.add_command(act)


@main.command()
@data_dir_option
@port_options
@click.option(
    "--ui-decodes/--ui-encrypted",
    default=True,
    show_default=True,
    help="Whether whoever opens the UI sees plain text, or only who gives it the codec endpoint.",
)
def dev(
    data_dir: Path,
    temporal_port: int,
    ui_port: int,
    api_port: int,
    gateway_port: int,
    ui_decodes: bool,
) -> None:
    """Run everything embedded: Temporal with UI, store, worker, GraphQL and a sandbox gateway.

    Ctrl-C stops it.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background job ignores SIGINT
        signal.signal(number, stop)
    try:
        ports = Ports(temporal_port, ui_port, api_port, gateway_port)
        with embedded(data_dir, ports, _tell, ui_decodes) as running:
            console.print(f"GraphQL       {running.api_url} (open it in a browser)")
            console.print(f"Temporal UI   {running.ui_url}")
            if not ui_decodes:
                console.print(f"codec         {running.codec_url}", soft_wrap=True)
            console.print(f"Temporal      {running.address} (namespace default)")
            console.print(f"gateway       {running.gateway_url or 'as the settings say'}")
            for name, url in running.metrics.items():
                console.print(f"metrics       {url} ({name})")
            console.print(f"data          {data_dir.absolute()}", soft_wrap=True)
            console.print(f"worker        process {running.worker_pid}")
            console.print(f"for clients   export TEMPORAL_ADDRESS={running.address}")
            console.print("ready; Ctrl-C stops it")
            while True:
                time.sleep(WATCH_S)
                running.watch(_tell)
    except KeyboardInterrupt:
        _tell("stopped")


@main.command()
@data_dir_option
@port_options
@click.option("--concurrency", type=click.IntRange(1, 200), default=4, show_default=True)
@click.option("--baskets", type=click.IntRange(min=1), help="Only the first so many of the day.")
def demo(
    data_dir: Path,
    temporal_port: int,
    ui_port: int,
    api_port: int,
    gateway_port: int,
    concurrency: int,
    baskets: int | None,
) -> None:
    """Check out a real day of 616 baskets through GraphQL, faulty ones among them; audit it.

    Uses the `checkout dev` that runs on the data directory, or starts one for the time.
    """
    running = find_running(data_dir)
    if running is not None:
        good = _run_demo(data_dir, running, concurrency, baskets)
    else:
        ports = Ports(temporal_port, ui_port, api_port, gateway_port)
        with embedded(data_dir, ports, _tell) as own, own.watched(_tell):
            console.print(f"GraphQL {own.api_url}; Temporal UI {own.ui_url}", soft_wrap=True)
            console.print(f"worker process {own.worker_pid}")
            good = _run_demo(data_dir, own, concurrency, baskets)
        again = f"checkout dev --data-dir {data_dir} --temporal-port {temporal_port}"
        again += f" --ui-port {ui_port} --api-port {api_port} --gateway-port {gateway_port}"
        console.print(f"to look around: {again}", soft_wrap=True)
    if not good:
        sys.exit(1)


@main.command()
@data_dir_option
def migrate(data_dir: Path) -> None:
    """Bring the store to the newest schema."""
    settings = load_settings(data_dir)
    if not settings.database_url.get_secret_value():
        settings = prepare(data_dir)
    database = Database(settings.store_url)
    upgrade(database)
    database.close()
    console.print("the store has the newest schema")


@main.group()
def catalog() -> None:
    """Products, prices and stock."""


@catalog.command("import")
@data_dir_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--currency", help="Of the prices; the default store's if not given.")
def catalog_import(data_dir: Path, file: Path, currency: str | None) -> None:
    """Set products, prices and stock from a CSV FILE: sku,name,type,price,quantity.

    May be repeated while checkouts run. Type is simple or virtual; an empty quantity means that
    stock is not managed. A bad line changes nothing.
    """
    with opened_store(data_dir) as store:
        if currency is None:
            stores = {each.code: each for each in store.stores.all()}
            currency = stores[DEFAULT_STORE].currency
        with console.status(f"reading {file}"):
            products = read_catalog(file, _currency(currency))
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("setting products", total=len(products))

            def done(count: int) -> None:
                progress.update(bar, completed=count)

            count = or_cli_error(lambda: store.catalog.put(products, done))
    console.print(f"{count} products set")


@main.group()
def cart() -> None:
    """Carts."""


@cart.command("import")
@data_dir_option
@click.argument("file", type=click.Path(path_type=Path))
def cart_import(data_dir: Path, file: Path) -> None:
    """Create or replace carts from a JSON FILE: one cart, or a list of them."""
    carts = read_carts(file)
    with opened_store(data_dir) as opened:
        or_cli_error(lambda: opened.carts.save(*carts))
    console.print(f"{len(carts)} carts saved")


@main.command()
@data_dir_option
@click.argument("customer")
@click.option("--email", help="The customer's e-mail address; CUSTOMER@example.com if not given.")
@click.option("--hours", type=click.IntRange(1, 24 * 365), default=24, show_default=True)
def token(data_dir: Path, customer: str, email: str | None, hours: int) -> None:
    """Print a development token that logs CUSTOMER in: Authorization: Bearer TOKEN."""
    or_cli_error(lambda: Shopper.customer(customer))
    settings = load_settings(data_dir)
    issuer = token_issuer(settings)
    if issuer is None or settings.customer_token_keys is not None:
        raise CliError("customers' tokens come from the identity provider: the keys are a file")
    address = email or f"{customer}@example.com"
    click.echo(issuer.issue(customer, address, customer, "Example", timedelta(hours=hours)))


@main.command()
@data_dir_option
@click.argument("cart_or_order")
def show(data_dir: Path, cart_or_order: str) -> None:
    """Show a cart or an order."""
    running = find_running(data_dir)
    with opened_store(data_dir) as opened:
        order = opened.order_book.find(number=cart_or_order) or opened.order_book.find(
            cart_id=cart_or_order
        )
        found = opened.carts.find(order.cart_id if order else cart_or_order)
    if found is None:
        raise CliError(f"no cart and no order {cart_or_order[:64]!r}")
    print_cart(console, *found, running.ui_url if running else None)
    if order:
        print_order(console, order)


@main.command()
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def audit(data_dir: Path, as_json: bool) -> None:
    """Check stock, holds, orders and carts against each other; exit 1 on a violation."""
    with opened_store(data_dir) as opened:
        report = opened.audit.run()
    if as_json:
        click.echo(json.dumps({"clean": report.clean, **report.model_dump(mode="json")}, indent=2))
    else:
        counts = Table("counted", "", show_header=False)
        for name, value in report.counts.items():
            counts.add_row(name.replace("_", " "), f"{value:,}")
        console.print(counts)
        for violation in report.violations:
            examples = ", ".join(violation.examples)
            console.print(f"VIOLATION: {violation.rule}: {violation.count} ({examples})")
        console.print("clean" if report.clean else "NOT clean")
    if not report.clean:
        sys.exit(1)


def _run_demo(
    data_dir: Path, running: Running | Embedded, concurrency: int, baskets: int | None
) -> bool:
    if not running.gateway_url:
        raise CliError("the demo pays at the sandbox gateway, and CHECKOUT_GATEWAY names another")
    settings = load_settings(data_dir)
    gateway = SandboxGateway(running.gateway_url, settings.gateway_key.get_secret_value())
    with opened_store(data_dir) as opened:
        day = run_demo(
            console,
            opened,
            running.api_url,
            token_issuer(settings),
            gateway,
            running.ui_url,
            concurrency,
            baskets,
        )
        return asyncio.run(day)


def _tell(line: str) -> None:
    console.print(line, style="dim", soft_wrap=True)


def _currency(code: str) -> str:
    return or_cli_error(lambda: Store(code=DEFAULT_STORE, currency=code)).currency


def _store_trouble(error: SQLAlchemyError) -> str:
    """One line about a store that does not answer; the address and password are not in it."""
    cause = getattr(error, "orig", None)
    lines = str(cause).splitlines() if cause else []
    return f"the store does not answer: {lines[0] if lines else type(error).__name__}"
