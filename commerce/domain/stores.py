"""A store: what it sells in, where it ships, how it is paid."""

from typing import Annotated

from pydantic import AfterValidator, Field

from commerce.domain.addresses import MAX_STREET_LINES
from commerce.domain.model import Model
from commerce.domain.money import Currency
from commerce.domain.payments import PaymentMethod
from commerce.domain.shipping import ShippingMethod

DEFAULT_STORE = "default"
"""The store that the first migration makes."""


def _country_codes(codes: tuple[str, ...]) -> tuple[str, ...]:
    for code in codes:
        if not (len(code) == 2 and code.isascii() and code.isalpha()):
            raise ValueError(f"{code[:32]!r} is not a two-letter country code, such as US")
    return tuple(dict.fromkeys(code.upper() for code in codes))


class Store(Model):
    """One storefront's settings, in force for every checkout that locks its cart after a change.

    Attributes:
        allowed_countries: ISO 3166-1 alpha-2 codes; empty means every country.
        order_prefix: Put before the nine digits of an order number. Stores with the same prefix
            share one sequence, so that an order number is never given twice.
        street_lines: How many lines the street of an address may have.
    """

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    currency: Currency = "USD"
    allowed_countries: Annotated[tuple[str, ...], AfterValidator(_country_codes)] = ()
    order_prefix: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{0,16}$")] = ""
    guest_checkout: bool = True
    payment_methods: tuple[PaymentMethod, ...] = (PaymentMethod.CHECKMO,)
    shipping_methods: tuple[ShippingMethod, ...] = (ShippingMethod.FLATRATE,)
    street_lines: Annotated[int, Field(ge=1, le=MAX_STREET_LINES)] = 2

    def offered_shipping(self, name: str | None) -> ShippingMethod | None:
        """The shipping method of this name, when the store offers it."""
        return next((each for each in self.shipping_methods if each.value == name), None)

    def ships_to(self, country_code: str) -> bool:
        """Whether an address in this country may be used."""
        return not self.allowed_countries or country_code in self.allowed_countries
