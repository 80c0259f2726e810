"""Settings of the stores."""

from typing import Any

from sqlalchemy import select

from commerce.adapters.store.database import Database
from commerce.adapters.store.models import StoreRow
from commerce.domain.stores import Store


class StoreSettingsError(ValueError):
    """A store that exists already, or does not exist."""


class SqlStores:
    """Reads and changes stores; a change is in force for every cart locked after it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Store]:
        """Every store, by code."""
        with self._database.transaction() as tx:
            return [to_store(row) for row in tx.scalars(select(StoreRow).order_by(StoreRow.code))]

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


def to_store(row: StoreRow) -> Store:
    """The domain's view of a row."""
    return Store.model_validate({name: getattr(row, name) for name in Store.model_fields})


def _columns(store: Store) -> dict[str, Any]:
    return store.model_dump(mode="json")
