"""The sandbox gateway's commands: a payment provider for development, at which no money moves."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
from pydantic import TypeAdapter
from rich.table import Table

from cli.common import console, data_dir_option, or_cli_error
from cli.data_dir import find_running, load_settings, opened_store, owned, prepare
from cli.embedded import require_free
from cli.errors import CliError
from cli.money import differences
from commerce.adapters.payments.opened import SANDBOX_URL
from commerce.adapters.payments.sandbox import SandboxError, SandboxGateway
from commerce.contract import PaymentId
from commerce.domain.money import Money
from commerce.domain.payments import GatewayOutcome, Payment, PaymentApproved
from sandbox_gateway import server
from sandbox_gateway.scripts import SCRIPTS

DEFAULT_PORT = 8900
Result = TypeVar("Result")


@click.command("sandbox-gateway")
@data_dir_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=DEFAULT_PORT, show_default=True)
def sandbox_gateway(data_dir: Path, host: str, port: int) -> None:
    """Run the sandbox gateway alone; its ledger is gateway.db in the data directory.

    Workers and the GraphQL server find it by CHECKOUT_GATEWAY=sandbox, CHECKOUT_GATEWAY_URL,
    CHECKOUT_GATEWAY_KEY and CHECKOUT_GATEWAY_WEBHOOK_SECRET; the two secrets are gateway.key and
    gateway-webhook.secret in the data directory. It sends no webhooks, so payments that are
    pending are asked for. `checkout dev` runs one of its own, which does.
    """
    key = prepare(data_dir).gateway_key.get_secret_value()
    with owned(data_dir):
        require_free(port)
        console.print(f"sandbox gateway at http://{host}:{port}; Ctrl-C stops it")
        server.run(host, port, data_dir / "gateway.db", keys=[key])


@click.group()
def sandbox() -> None:
    """Payments at the sandbox gateway: make them, act for their shopper, read its ledger."""


@sandbox.command("pay")
@data_dir_option
@click.argument("cart_id")
@click.argument("amount")
@click.option("--id", "payment_id", default="", help="Of the payment; one is made up otherwise.")
@click.option("--script", type=click.Choice(list(SCRIPTS)), default="approved", show_default=True)
@click.option("--approve/--no-approve", default=True, help="Whether the shopper approves at once.")
def pay(
    data_dir: Path, cart_id: str, amount: str, payment_id: str, script: str, approve: bool
) -> None:
    """Make a payment of AMOUNT for a cart, and print its id for complete_order.

    AMOUNT is in the currency of the cart's store, such as 30.40. The script is how the payment
    behaves: see `checkout sandbox scripts`.
    """
    or_cli_error(lambda: TypeAdapter(PaymentId).validate_python(payment_id))
    with opened_store(data_dir) as opened:
        found = opened.carts.find(cart_id)
        if found is None:
            raise CliError(f"no cart {cart_id[:64]!r}")
        stores = {each.code: each for each in opened.stores.all()}
    due = or_cli_error(lambda: Money.parse(amount, stores[found[0].store_code].currency))
    made = _at_gateway(
        data_dir,
        lambda gateway: gateway.make(
            cart_id, due, payment_id=payment_id, script=script, approve=approve
        ),
    )
    click.echo(made.id)


@sandbox.command("shopper")
@data_dir_option
@click.argument("payment_id")
@click.argument("does", type=click.Choice(["approve", "authenticate", "decline"]))
def shopper(data_dir: Path, payment_id: str, does: str) -> None:
    """Act for the shopper of a payment, or for the reviewer who keeps it pending."""
    payment = _at_gateway(data_dir, lambda gateway: gateway.shopper(payment_id, does))
    console.print(f"payment {payment.id} is {payment.status}")


@sandbox.command("operate")
@data_dir_option
@click.argument("payment_id")
@click.argument("does", type=click.Choice(["capture", "void", "refund"]))
def operate(data_dir: Path, payment_id: str, does: str) -> None:
    """Act on a payment by hand, as in the provider's back office."""

    async def acted(gateway: SandboxGateway) -> GatewayOutcome:
        payment = await gateway.look_up(payment_id)
        if not isinstance(payment, Payment):
            raise CliError(f"no payment {payment_id[:64]!r}")
        await gateway.behave(payment_id, "approved")
        calls = {"capture": gateway.capture, "void": gateway.void, "refund": gateway.refund}
        return await calls[does](payment, f"{payment_id}/by-hand/{does}")

    outcome = _at_gateway(data_dir, acted)
    if not isinstance(outcome, PaymentApproved):
        raise CliError(f"the gateway says {outcome.kind}")
    console.print(f"payment {payment_id}: {does} done")


@sandbox.command("scripts")
def scripts() -> None:
    """List how a payment can behave."""
    table = Table("script", "what happens")
    for name, (description, _) in SCRIPTS.items():
        table.add_row(name, description)
    console.print(table)


@sandbox.command("ledger")
@data_dir_option
def ledger(data_dir: Path) -> None:
    """Show the gateway's own account of the money, against the orders; exit 1 if they differ."""
    account = _at_gateway(data_dir, lambda gateway: gateway.ledger())
    table = Table("currency", "authorized", "captured", "voided", "refunded", "open")
    for currency, total in account.totals.items():
        minors = (
            total.authorized_minor,
            total.captured_minor,
            total.voided_minor,
            total.refunded_minor,
            total.open_minor,
        )
        row = [str(Money(amount_minor=each, currency=currency)) for each in minors]
        table.add_row(currency, *row)
    console.print(table)
    with opened_store(data_dir) as opened:
        wrong = differences(account, opened.audit.paid_orders())
    for line in wrong:
        console.print(f"DIFFERENCE: {line}", soft_wrap=True)
    console.print("money and orders differ" if wrong else "money and orders agree")
    if wrong:
        raise click.exceptions.Exit(1)


def _at_gateway(data_dir: Path, call: Callable[[SandboxGateway], Awaitable[Result]]) -> Result:
    """Call the gateway of the running ``checkout dev``, else that of the settings.

    Raises:
        CliError: It refused, or it does not answer.
    """
    running, settings = find_running(data_dir), load_settings(data_dir)
    url = (running.gateway_url if running else "") or settings.gateway_url or SANDBOX_URL

    async def called() -> Result:
        gateway = SandboxGateway(url, settings.gateway_key.get_secret_value())
        try:
            return await call(gateway)
        finally:
            await gateway.aclose()

    try:
        return asyncio.run(called())
    except SandboxError as error:
        raise CliError(f"{error}: {url}") from None
