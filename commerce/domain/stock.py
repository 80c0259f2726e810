"""Stock and holds: hold, commit, release, expire."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from commerce.domain.carts import SnapshotLine
from commerce.domain.model import Message


class HoldStatus(StrEnum):
    """Where a hold stands. Only a ``HELD`` one takes stock away from others."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


class Shortage(Message):
    """The first SKU, in SKU order, of which there is too little."""

    sku: str
    wanted: int
    available: int


def demand(lines: Iterable[SnapshotLine]) -> dict[str, int]:
    """Units wanted per SKU, in SKU order: the order in which stock rows are locked."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.sku] += line.quantity
    return dict(sorted(wanted.items()))


def shortage(wanted: Mapping[str, int], available: Mapping[str, int]) -> Shortage | None:
    """The first SKU that cannot be had in full; SKUs without managed stock are never short."""
    for sku, quantity in wanted.items():
        if sku in available and available[sku] < quantity:
            return Shortage(sku=sku, wanted=quantity, available=max(available[sku], 0))
    return None
