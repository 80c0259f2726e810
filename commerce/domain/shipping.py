"""Shipping methods and what they cost."""

from dataclasses import dataclass
from enum import StrEnum

from commerce.domain.money import Money

FLAT_RATE_UNITS = 5
"""Flat rate: major units per shipped item (Adobe Commerce's default)."""

TABLE_RATE_UNITS = ((100, 5), (50, 10), (0, 15))
"""Table rate: (from this subtotal on, this much), major units, highest subtotal first."""


class ShippingMethod(StrEnum):
    """The offline carriers; each has one method."""

    FLATRATE = "flatrate"
    TABLERATE = "tablerate"
    FREESHIPPING = "freeshipping"

    @property
    def names(self) -> "ShippingNames":
        """What shoppers and storefronts call it."""
        return _NAMES[self]


@dataclass(frozen=True)
class ShippingNames:
    """Adobe Commerce's names of a carrier and its method; the carrier's code is our value."""

    method_code: str
    carrier_title: str
    method_title: str


_NAMES = {
    ShippingMethod.FLATRATE: ShippingNames("flatrate", "Flat Rate", "Fixed"),
    ShippingMethod.TABLERATE: ShippingNames("bestway", "Best Way", "Table Rate"),
    ShippingMethod.FREESHIPPING: ShippingNames("freeshipping", "Free Shipping", "Free"),
}


def shipping_amount(method: ShippingMethod, subtotal: Money, shipped_items: int) -> Money:
    """What shipping costs.

    Args:
        method: The chosen method.
        subtotal: The price of all lines.
        shipped_items: Units of physical products.

    Raises:
        MoneyError: The amount is too large.
    """
    currency = subtotal.currency
    match method:
        case ShippingMethod.FREESHIPPING:
            return Money.zero(currency)
        case ShippingMethod.FLATRATE:
            return Money.of_units(FLAT_RATE_UNITS, currency).times(shipped_items)
        case ShippingMethod.TABLERATE:
            for threshold, units in TABLE_RATE_UNITS:
                if subtotal.amount_minor >= Money.of_units(threshold, currency).amount_minor:
                    return Money.of_units(units, currency)
            raise AssertionError("the table starts at zero")
