"""Tax: a rate per country or region, the more precise one wins."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints

from commerce.domain.addresses import Address
from commerce.domain.model import PRINTABLE, Model
from commerce.domain.money import Money
from commerce.domain.regions import region_of

PPM = 1_000_000
_PPM_PER_PERCENT = PPM // 100


class TaxRateError(ValueError):
    """A percentage that is none."""


class TaxRate(Model):
    """What is added to prices for a destination; prices are without tax.

    Attributes:
        country_code: ISO 3166-1 alpha-2.
        region: Code or name of a region; empty for the whole country.
        rate_ppm: Parts per million: 82500 is 8.25 %.
        on_shipping: Whether shipping is taxed, too.
    """

    country_code: Annotated[str, StringConstraints(to_upper=True, pattern=r"^[A-Za-z]{2}$")]
    region: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] = ""
    title: Annotated[str, Field(min_length=1, max_length=64, pattern=PRINTABLE)]
    rate_ppm: Annotated[int, Field(strict=True, ge=0, le=PPM)]
    on_shipping: bool = True

    @property
    def percent(self) -> Decimal:
        """The rate in percent: 8.25."""
        return Decimal(self.rate_ppm) / _PPM_PER_PERCENT

    def on(self, amount: Money) -> Money:
        """The tax on an amount, rounded half up to its minor unit.

        Raises:
            MoneyError: The amount is too large.
        """
        half_up = (amount.amount_minor * self.rate_ppm + PPM // 2) // PPM
        return Money(amount_minor=half_up, currency=amount.currency)


def percent_to_ppm(percent: str) -> int:
    """Read ``"8.25"`` as parts per million.

    Raises:
        TaxRateError: Not a number from 0 to 100 with at most four decimals.
    """
    whole, _, fraction = percent.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and len(fraction) <= 4 and len(whole) <= 3):
        raise TaxRateError(f"{percent[:32]!r} is not a percentage such as 8.25")
    ppm = int(whole or "0") * _PPM_PER_PERCENT + int(fraction.ljust(4, "0"))
    if ppm > PPM:
        raise TaxRateError(f"{percent[:32]!r} is more than 100 percent")
    return ppm


def rate_for(rates: Iterable[TaxRate], address: Address | None) -> TaxRate | None:
    """The rate for a destination: its region's, else its country's, else none."""
    if address is None:
        return None
    region = region_of(address)
    names = {"", region.code.casefold(), region.name.casefold()} if region else {""}
    fitting = [
        rate
        for rate in rates
        if rate.country_code == address.country_code and rate.region.casefold() in names
    ]
    return max(fitting, key=lambda rate: rate.region != "", default=None)
