"""Products, prices and stock levels, set from outside while checkouts run."""

from collections.abc import Callable, Iterable
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import PriceRow, ProductRow, StockRow
from commerce.domain.carts import ProductKind, Sku
from commerce.domain.model import PRINTABLE, Model
from commerce.domain.money import Money

MAX_STOCK = 10**12
BATCH = 500
ATTEMPTS = 5


class CatalogError(ValueError):
    """A product that cannot be set; nothing was written."""


class Product(Model):
    """A product with its price in one currency and its stock.

    Attributes:
        quantity: Units on hand from now on; None where stock is not managed.
    """

    sku: Sku
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=PRINTABLE)]
    kind: ProductKind
    price: Money
    quantity: Annotated[int, Field(strict=True, ge=0, le=MAX_STOCK)] | None


class _LessThanHeldError(Exception):
    """Rolls an import back that leaves less than running checkouts hold."""

    def __init__(self, skus: list[str]) -> None:
        self.skus = skus


class SqlCatalog:
    """Sets products, prices and stock."""

    def __init__(self, database: Database, stock: SqlStock) -> None:
        self._database = database
        self._stock = stock

    def put(self, products: Iterable[Product], done: Callable[[int], None] = lambda _: None) -> int:
        """Create or replace products, all or none; how many there were.

        Where less is left than running checkouts hold, the newest of those holds end and the stock
        is lowered at once, whatever becomes of the rest: there is no such stock. Their
        checkouts take it again if they can, or are refused as out of stock.

        Args:
            products: Each SKU once.
            done: Told how many are set, as it goes on.

        Raises:
            CatalogError: A SKU is given twice, or holds kept coming back.
        """
        by_sku: dict[str, Product] = {}
        for product in products:
            if product.sku in by_sku:
                raise CatalogError(f"SKU {product.sku!r} is given twice")
            by_sku[product.sku] = product
        ordered = [by_sku[sku] for sku in sorted(by_sku)]
        for _ in range(ATTEMPTS):
            try:
                with self._database.transaction() as tx:
                    for start in range(0, len(ordered), BATCH):
                        done(start)
                        self._put(tx, ordered[start : start + BATCH])
                return len(ordered)
            except _LessThanHeldError as error:
                for sku in error.skus:
                    self._stock.end_newest(sku, by_sku[sku].quantity or 0)
        raise CatalogError("running checkouts keep taking the stock that is to be set; try again")

    def units(self) -> dict[str, tuple[int, int]]:
        """On hand and held, per managed SKU."""
        with self._database.transaction() as tx:
            rows = tx.execute(
                select(StockRow.sku, StockRow.on_hand, StockRow.held).where(StockRow.managed)
            )
            return {sku: (on_hand, held) for sku, on_hand, held in rows}

    def _put(self, tx: Session, products: list[Product]) -> None:
        insert = self._database.insert
        put = insert(ProductRow)
        tx.execute(
            put.on_conflict_do_update(
                index_elements=["sku"],
                set_={"name": put.excluded.name, "kind": put.excluded.kind},
            ),
            [{"sku": p.sku, "name": p.name, "kind": p.kind} for p in products],
        )
        put = insert(PriceRow)
        tx.execute(
            put.on_conflict_do_update(
                index_elements=["sku", "currency"],
                set_={"amount_minor": put.excluded.amount_minor},
            ),
            [
                {
                    "sku": p.sku,
                    "currency": p.price.currency,
                    "amount_minor": p.price.amount_minor,
                }
                for p in products
            ],
        )
        self._set_stock(tx, {product.sku: product.quantity for product in products})

    def _set_stock(self, tx: Session, quantities: dict[str, int | None]) -> None:
        managed = {sku: units for sku, units in quantities.items() if units is not None}
        empty = {"managed": True, "stocked": 0, "on_hand": 0, "held": 0}
        if managed:
            tx.execute(
                self._database.insert(StockRow).on_conflict_do_nothing(),
                [{"sku": sku, **empty} for sku in managed],
            )
        rows = tx.scalars(
            select(StockRow)
            .where(StockRow.sku.in_(quantities))
            .order_by(StockRow.sku)
            .with_for_update()
        ).all()
        short = [row.sku for row in rows if managed.get(row.sku, row.held) < row.held]
        if short:
            raise _LessThanHeldError(short)
        for row in rows:
            units = managed.get(row.sku, row.on_hand)
            row.managed = row.sku in managed
            row.stocked += units - row.on_hand
            row.on_hand = units
        tx.flush()
