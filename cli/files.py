"""Files that the commands read: catalogues as CSV, carts as JSON."""

import csv
import io
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cli.errors import CliError
from commerce.adapters.store.catalog import Product
from commerce.domain.carts import Cart, ProductKind
from commerce.domain.model import first_problem
from commerce.domain.money import Money, MoneyError

CATALOG_COLUMNS = ["sku", "name", "type", "price", "quantity"]
MAX_FILE_BYTES = 32 * 1024 * 1024
"""One file is one transaction, which on SQLite keeps checkouts waiting: some 30 s at this size."""

_CARTS: TypeAdapter[list[Cart]] = TypeAdapter(list[Cart])


def read_catalog(path: Path, currency: str) -> list[Product]:
    """Products of a CSV file with the columns ``sku,name,type,price,quantity``.

    An empty quantity means that the stock of the product is not managed.

    Raises:
        CliError: The file cannot be read, or a line is wrong; the message names it.
    """
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    products: dict[str, Product] = {}
    try:
        if reader.fieldnames != CATALOG_COLUMNS:
            raise CliError(f"{path}:1: the columns must be {','.join(CATALOG_COLUMNS)}")
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise CliError(f"{where}: {len(CATALOG_COLUMNS)} columns are wanted")
            product = _product(row, currency, where)
            if product.sku in products:
                raise CliError(f"{where}: SKU {product.sku!r} is given twice")
            products[product.sku] = product
    except csv.Error as error:
        raise CliError(f"{path}:{reader.line_num + 1}: {error}") from None
    return list(products.values())


def _product(row: dict[str, str], currency: str, where: str) -> Product:
    kinds = [kind.value for kind in ProductKind]
    if row["type"] not in kinds:
        raise CliError(f"{where}: type must be {' or '.join(kinds)}, not {row['type'][:32]!r}")
    quantity = row["quantity"].strip()
    if quantity and not (quantity.isascii() and quantity.isdigit() and len(quantity) <= 18):
        raise CliError(
            f"{where}: quantity must be a whole number of 0 or more, not {quantity[:32]!r}"
        )
    try:
        return Product(
            sku=row["sku"],
            name=row["name"],
            kind=ProductKind(row["type"]),
            price=Money.parse(row["price"], currency),
            quantity=int(quantity) if quantity else None,
        )
    except MoneyError as error:
        raise CliError(f"{where}: price: {error}") from None
    except ValidationError as error:
        raise CliError(f"{where}: {first_problem(error)}") from None


def read_carts(path: Path) -> list[Cart]:
    """Carts of a JSON file: a list of carts, or one.

    Raises:
        CliError: The file cannot be read, or a cart is wrong.
    """
    text = _text(path).strip()
    if not text:
        raise CliError(f"{path}: empty, not JSON")
    try:
        return _CARTS.validate_json(text if text.startswith("[") else f"[{text}]")
    except ValidationError as error:
        raise CliError(f"{path}: {first_problem(error)}") from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise CliError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CliError(f"{path}: not a UTF-8 text") from None
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}") from None
