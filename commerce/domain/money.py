"""Money: integer minor units with a currency (ISO 4217), never a float."""

import re
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from commerce.domain.model import Model

MAX_AMOUNT_MINOR = 10**15
"""The largest amount, in minor units: exact in a JSON number and far inside a 64-bit column."""

_NUMBER = re.compile(r"([0-9]{1,16})(?:\.([0-9]+))?")

# ISO 4217, active currencies by their number of minor-unit digits.
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS: dict[str, int] = {
    code: digits
    for digits, codes in ((0, _NO_DIGITS), (2, _TWO_DIGITS), (3, _THREE_DIGITS))
    for code in codes.split()
}


class MoneyError(ValueError):
    """An amount that is not money: unreadable, too precise for its currency, or too large."""


def _known_currency(code: str) -> str:
    if code not in _DIGITS:
        raise ValueError(f"{code!r} is not an active ISO 4217 currency code, such as USD")
    return code


Currency = Annotated[str, AfterValidator(_known_currency)]
AmountMinor = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT_MINOR)]


def minor_digits(currency: str) -> int:
    """Digits after the decimal point: 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        MoneyError: No such currency.
    """
    digits = _DIGITS.get(currency)
    if digits is None:
        raise MoneyError(f"{currency[:32]!r} is not an active ISO 4217 currency code")
    return digits


class Money(Model):
    """An amount that is due or paid, never negative.

    Attributes:
        amount_minor: Minor units (cents), 0 to ``MAX_AMOUNT_MINOR``.
        currency: ISO 4217 code.
    """

    amount_minor: AmountMinor
    currency: Currency

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in ``currency``."""
        return cls(amount_minor=0, currency=currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read a decimal such as ``"1.29"``.

        Raises:
            MoneyError: Not plain digits with at most one point, more decimals than the currency
                has, or more than ``MAX_AMOUNT_MINOR``.
        """
        digits = minor_digits(currency)
        number = _NUMBER.fullmatch(text)
        if number is None:
            raise MoneyError(f"{text[:32]!r} is not an amount of zero or more, such as 1.29")
        whole, fraction = number[1], number[2] or ""
        if len(fraction) > digits:
            raise MoneyError(f"{text[:32]!r} has more decimals than {currency} has")
        return cls._checked(int(whole + fraction.ljust(digits, "0")), currency)

    @classmethod
    def of_units(cls, units: int, currency: str) -> Self:
        """Whole major units: ``of_units(5, "USD")`` is 5.00, ``of_units(5, "JPY")`` is 5."""
        return cls._checked(units * 10 ** minor_digits(currency), currency)

    @classmethod
    def _checked(cls, amount_minor: int, currency: str) -> Self:
        if amount_minor > MAX_AMOUNT_MINOR:
            raise MoneyError(f"an amount in {currency} is larger than {MAX_AMOUNT_MINOR}")
        return cls(amount_minor=amount_minor, currency=currency)

    def plus(self, other: "Money") -> "Money":
        """The sum.

        Raises:
            MoneyError: Currencies differ, or the sum is too large.
        """
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} cannot be added")
        return self._checked(self.amount_minor + other.amount_minor, self.currency)

    def times(self, quantity: int) -> "Money":
        """The amount for ``quantity`` units.

        Raises:
            MoneyError: The product is too large.
        """
        return self._checked(self.amount_minor * quantity, self.currency)

    def __str__(self) -> str:
        digits = _DIGITS[self.currency]
        return f"{Decimal(self.amount_minor).scaleb(-digits):.{digits}f} {self.currency}"
