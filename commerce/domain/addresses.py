"""Postal addresses, and which of their fields must be there."""

from typing import Annotated

from pydantic import Field, StringConstraints

from commerce.domain.cards import NoCardNumber
from commerce.domain.model import Message, Model

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), NoCardNumber]

MAX_STREET_LINES = 4

REQUIRED_FIELDS = (
    "firstname",
    "lastname",
    "street",
    "city",
    "telephone",
    "postcode",
    "countryId",
)
"""What a missing address lacks, under the names and in the order of the documented message."""


class Address(Model):
    """An address as the shopper gave it; incomplete ones are kept and refused at checkout.

    Attributes:
        country_code: ISO 3166-1 alpha-2, upper case.
        region: State, province or prefecture: its code or its name.
        region_id: What tells regions of one code apart, see ``regions``.
    """

    firstname: Line = ""
    lastname: Line = ""
    company: Line = ""
    street: Annotated[tuple[Line, ...], Field(max_length=MAX_STREET_LINES)] = ()
    city: Line = ""
    region: Line = ""
    postcode: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=32), NoCardNumber
    ] = ""
    country_code: Annotated[
        str,
        StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{0,2}$"),
    ] = ""
    telephone: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=64), NoCardNumber
    ] = ""
    region_id: int | None = None
    prefix: Line = ""
    middlename: Line = ""
    suffix: Line = ""
    fax: Line = ""
    vat_id: Line = ""


class AddressProblem(Message):
    """One field that keeps an address from being used.

    Attributes:
        field: The field under its documented name, such as ``postcode`` or ``countryId``.
        missing: True when it is empty, False when it is filled in but wrong.
    """

    field: str
    missing: bool


def missing_address() -> tuple[AddressProblem, ...]:
    """The problems of an address that was never set."""
    return tuple(AddressProblem(field=field, missing=True) for field in REQUIRED_FIELDS)


def missing_person_fields(address: Address) -> tuple[AddressProblem, ...]:
    """The empty fields that every country needs, whatever its postal rules."""
    values = {
        "firstname": address.firstname,
        "lastname": address.lastname,
        "street": "".join(address.street),
        "city": address.city,
        "telephone": address.telephone,
        "postcode": address.postcode or address.country_code,  # a country may have none
        "countryId": address.country_code,
    }
    return tuple(
        AddressProblem(field=field, missing=True) for field, value in values.items() if not value
    )
