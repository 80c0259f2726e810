"""The commands ``checkout store`` and ``checkout tax``."""

from pathlib import Path
from typing import Any, cast

import click
from rich.table import Table

from cli.common import console, data_dir_option, or_cli_error
from cli.data_dir import opened_store
from cli.errors import CliError
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate, percent_to_ppm

_LIST_SETTINGS = ("allowed_countries", "payment_methods", "shipping_methods")


@click.group()
def store() -> None:
    """Settings of the stores; a change is in force for every cart checked out after it."""


@store.command("list")
@data_dir_option
def store_list(data_dir: Path) -> None:
    """List the stores."""
    with opened_store(data_dir) as opened:
        for each in opened.stores.all():
            table = Table(show_header=False, title=f"store {each.code}", title_justify="left")
            for name, value in each.model_dump(mode="json", exclude={"code"}).items():
                empty = "all" if name == "allowed_countries" else "none"
                shown = (
                    ", ".join(cast("list[str]", value)) if name in _LIST_SETTINGS else str(value)
                )
                table.add_row(name, shown or empty)
            console.print(table)


@store.command("add")
@data_dir_option
@click.argument("code")
@click.argument("settings", nargs=-1, metavar="KEY=VALUE ...")
def store_add(data_dir: Path, code: str, settings: tuple[str, ...]) -> None:
    """Add a store.

    KEYs: currency, allowed_countries, order_prefix, guest_checkout, payment_methods,
    shipping_methods, street_lines. Lists are comma separated; no allowed_countries means
    every country.
    """
    with opened_store(data_dir) as opened:
        added = or_cli_error(lambda: Store.model_validate({"code": code, **_parsed(settings)}))
        or_cli_error(lambda: opened.stores.add(added))
    console.print(f"store {code} added")


@store.command("set")
@data_dir_option
@click.argument("code")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE ...")
def store_set(data_dir: Path, code: str, settings: tuple[str, ...]) -> None:
    """Change settings of a store, all at once.

    KEYs: currency, allowed_countries, order_prefix, guest_checkout, payment_methods,
    shipping_methods, street_lines. Lists are comma separated; no allowed_countries means
    every country.
    """
    with opened_store(data_dir) as opened:
        or_cli_error(lambda: opened.stores.change(code, _parsed(settings)))
    console.print(f"store {code} changed")


def _parsed(settings: tuple[str, ...]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name == "code":
            raise CliError(f"{setting[:64]!r} is not KEY=VALUE")
        items = [item.strip() for item in value.split(",") if item.strip()]
        parsed[name] = items if name in _LIST_SETTINGS else value
    return parsed


@click.group()
def tax() -> None:
    """Tax rates of the stores; prices are without tax."""


@tax.command("list")
@data_dir_option
@click.argument("store_code", metavar="STORE")
def tax_list(data_dir: Path, store_code: str) -> None:
    """List the tax rates of a STORE."""
    with opened_store(data_dir) as opened:
        rates = opened.stores.tax_rates(store_code)
    table = Table("country", "region", "percent", "title", "on shipping")
    for rate in rates:
        percent = f"{rate.percent:f}"
        table.add_row(
            rate.country_code, rate.region, percent, rate.title, str(rate.on_shipping).lower()
        )
    console.print(table if rates else f"store {store_code} taxes nothing")


@tax.command("set")
@data_dir_option
@click.argument("store_code", metavar="STORE")
@click.argument("place", metavar="COUNTRY[-REGION]")
@click.argument("percent")
@click.option("--title", default="Tax", show_default=True, help="What shoppers read.")
@click.option("--on-shipping/--goods-only", default=True, show_default=True)
def tax_set(
    data_dir: Path, store_code: str, place: str, percent: str, title: str, on_shipping: bool
) -> None:
    """Set what a STORE adds for a country, or a region of it: tax set default US-TX 8.25.

    A region's rate is taken instead of its country's.
    """
    country, _, region = place.partition("-")
    rate = or_cli_error(
        lambda: TaxRate(
            country_code=country,
            region=region,
            title=title,
            rate_ppm=percent_to_ppm(percent),
            on_shipping=on_shipping,
        )
    )
    with opened_store(data_dir) as opened:
        or_cli_error(lambda: opened.stores.set_tax_rate(store_code, rate))
    console.print(f"{rate.title}: {rate.percent:f} % for {place}")


@tax.command("remove")
@data_dir_option
@click.argument("store_code", metavar="STORE")
@click.argument("place", metavar="COUNTRY[-REGION]")
def tax_remove(data_dir: Path, store_code: str, place: str) -> None:
    """Take the rate of a country or region away."""
    country, _, region = place.partition("-")
    with opened_store(data_dir) as opened:
        or_cli_error(lambda: opened.stores.remove_tax_rate(store_code, country.upper(), region))
    console.print(f"no rate for {place} any more")
