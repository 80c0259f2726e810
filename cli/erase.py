"""The command ``checkout erase``: a person's data leave the store."""

from pathlib import Path

import click

from cli.common import console, data_dir_option
from cli.data_dir import opened_store
from cli.errors import CliError
from commerce.contract import workflow_id


@click.command()
@data_dir_option
@click.option("--customer", default="", metavar="ID", help="A customer, by the id in their token.")
@click.option("--email", default="", metavar="ADDRESS", help="Whoever gave this e-mail address.")
def erase(data_dir: Path, customer: str, email: str) -> None:
    """Erase a person for good: their carts and orders keep lines, amounts and numbers only.

    A cart that is being checked out is left alone: run it again then. May be repeated. Exit 1
    while anything is left.
    """
    if not (customer or email):
        raise CliError("name the person: --customer ID or --email ADDRESS, or both")
    with opened_store(data_dir) as opened:
        done = opened.erasure.erase(customer, email)
    console.print(f"carts erased          {done.carts}")
    console.print(f"orders erased         {done.orders}")
    console.print(f"idempotency keys      {done.answers}")
    for cart_id in done.under_way:
        console.print(f"LEFT: {workflow_id(cart_id)} is being checked out", soft_wrap=True)
    for other in done.customers:
        console.print(f"the address was customer {other!r}'s, too: --customer {other}")
    if any(done.guests):
        carts, orders = done.guests
        left = f"{carts} carts and {orders} orders of guests have the same e-mail address"
        console.print(f"{left}, and were not erased: --email ADDRESS", soft_wrap=True)
    if not done.rewritten:
        console.print("LEFT: the database is busy, remnants of deleted rows may be in its file")
    if done.under_way or not done.rewritten:
        raise click.exceptions.Exit(1)
