"""What every file of commands needs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import click
from pydantic import ValidationError
from rich.console import Console

from cli.errors import CliError
from commerce.adapters.store.catalog import CatalogError
from commerce.adapters.store.stores import StoreSettingsError
from commerce.domain.cart_errors import CartEditError
from commerce.domain.model import first_problem
from commerce.domain.money import MoneyError
from commerce.domain.taxes import TaxRateError

console = Console(highlight=False, markup=False)
Result = TypeVar("Result")


def data_dir_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option by which every command finds its data."""
    return click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="CHECKOUT_DATA_DIR",
        default=Path(".checkout"),
        show_default=True,
        help="Where the data is; also CHECKOUT_DATA_DIR.",
    )(command)


def said(line: str) -> str:
    """What a line of a log says: of a JSON object, its message."""
    try:
        found: object = json.loads(line)
    except ValueError:
        return line
    if not isinstance(found, dict):
        return line
    fields = cast("dict[str, object]", found)
    error = str(fields.get("exception", "")).strip().splitlines()[-1:]
    return ": ".join([str(fields.get("message", line)), *error])


def or_cli_error(call: Callable[[], Result]) -> Result:
    """The call's result; what it refuses is one line for the user.

    Raises:
        CliError: It refused.
    """
    try:
        return call()
    except ValidationError as error:
        raise CliError(first_problem(error)) from None
    except (
        CartEditError,
        CatalogError,
        MoneyError,
        StoreSettingsError,
        TaxRateError,
    ) as error:
        raise CliError(str(error)) from None
