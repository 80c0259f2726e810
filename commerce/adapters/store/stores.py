"""Settings of the stores."""

from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from commerce.adapters.store.database import Database, run
from commerce.adapters.store.models import StoreRow, TaxRateRow
from commerce.domain.regions import canonical_region
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate

_TAX_RATES = (
    select(*(getattr(TaxRateRow, name) for name in TaxRate.model_fields))
    .where(TaxRateRow.store_code == bindparam("this"))
    .order_by(TaxRateRow.country_code, TaxRateRow.region)
)


class StoreSettingsError(ValueError):
    """A store that exists already, or does not exist."""


class SqlStores:
    """Reads and changes stores; a change is in force for every cart locked after it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Store]:
        """Every store, by code."""
        with self._database.reading() as tx:
            return [to_store(row) for row in tx.scalars(select(StoreRow).order_by(StoreRow.code))]

    def find(self, code: str) -> Store | None:
        """A store, None when there is none of this code."""
        with self._database.reading() as tx:
            row = tx.get(StoreRow, code)
            return None if row is None else to_store(row)

    def add(self, store: Store) -> None:
        """Create a store.

        Raises:
            StoreSettingsError: The code is taken.
        """
        with self._database.transaction() as tx:
            added = tx.execute(
                self._database.insert(StoreRow)
                .values(_columns(store))
                .on_conflict_do_nothing()
                .returning(StoreRow.code)
            ).scalar_one_or_none()
        if added is None:
            raise StoreSettingsError(f"store {store.code!r} exists already")

    def change(self, code: str, changes: dict[str, Any]) -> Store:
        """Change some settings, all at once.

        Raises:
            StoreSettingsError: No such store, or its code is to be changed.
            ValidationError: A setting does not exist or has a wrong value; nothing was changed.
        """
        if "code" in changes and changes["code"] != code:
            raise StoreSettingsError("the code of a store cannot be changed")
        with self._database.transaction() as tx:
            row = tx.get(StoreRow, code, with_for_update=True)
            if row is None:
                raise StoreSettingsError(f"store {code[:64]!r} does not exist")
            changed = Store.model_validate({**to_store(row).model_dump(), **changes})
            for name, value in _columns(changed).items():
                setattr(row, name, value)
            return changed

    # -- tax --------------------------------------------------------------------------------

    def tax_rates(self, code: str) -> tuple[TaxRate, ...]:
        """The store's tax rates, by country and region."""
        with self._database.reading() as tx:
            return read_tax_rates(tx, code)

    def set_tax_rate(self, code: str, rate: TaxRate) -> None:
        """Set the rate of one country or region; it is in force for every cart shown or locked.

        Raises:
            StoreSettingsError: No such store.
        """
        with self._database.transaction() as tx:
            if tx.get(StoreRow, code) is None:
                raise StoreSettingsError(f"store {code[:64]!r} does not exist")
            region = canonical_region(rate.country_code, rate.region)
            tx.merge(TaxRateRow(store_code=code, **{**rate.model_dump(), "region": region}))

    def remove_tax_rate(self, code: str, country_code: str, region: str) -> None:
        """Take a rate away.

        Raises:
            StoreSettingsError: There is none for just this country and region.
        """
        with self._database.transaction() as tx:
            removed = tx.execute(
                delete(TaxRateRow)
                .where(
                    TaxRateRow.store_code == code,
                    TaxRateRow.country_code == country_code,
                    TaxRateRow.region == canonical_region(country_code, region),
                )
                .returning(TaxRateRow.region)
            ).scalar_one_or_none()
        if removed is None:
            raise StoreSettingsError("there is no such tax rate")


def read_tax_rates(tx: Session, code: str) -> tuple[TaxRate, ...]:
    """A store's tax rates, by country and region."""
    return tuple(TaxRate.model_validate(row) for row in run(tx, _TAX_RATES, this=code).mappings())


def to_store(row: StoreRow) -> Store:
    """The domain's view of a row."""
    return Store.model_validate({name: getattr(row, name) for name in Store.model_fields})


def _columns(store: Store) -> dict[str, Any]:
    return store.model_dump(mode="json")
