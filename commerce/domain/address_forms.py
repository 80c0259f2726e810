"""From what a shopper typed into an address form to an address, or what is wrong with it."""

import re
from collections.abc import Sequence

from pydantic import ValidationError

from commerce.domain.addresses import Address, AddressProblem
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.model import Model
from commerce.domain.regions import Region, region_with_id, regions_named
from commerce.domain.stores import Store

_P = CartProblem
_ID_DIGITS = 3
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AddressForm(Model):
    """What was typed; nothing is checked yet.

    Attributes:
        street: As many entries as the form has lines; unused ones are None.
    """

    firstname: str = ""
    lastname: str = ""
    company: str = ""
    street: tuple[str | None, ...] = ()
    city: str = ""
    region: str = ""
    region_id: int | None = None
    postcode: str = ""
    country_code: str = ""
    telephone: str = ""
    prefix: str = ""
    middlename: str = ""
    suffix: str = ""
    fax: str = ""
    vat_id: str = ""

    @property
    def country(self) -> str:
        """The country code, upper case."""
        return self.country_code.strip().upper()


def to_address(form: AddressForm, store: Store, is_country: bool, needs_region: bool) -> Address:
    """The address, with its region as the country writes it.

    Args:
        form: What was typed.
        store: Where it may be, and how many lines its street may have.
        is_country: Whether there is such a country.
        needs_region: Whether addresses in it need a region.

    Raises:
        CartEditError: The first of the documented checks that fails.
    """
    country = form.country
    if not (is_country and store.ships_to(country)):
        raise CartEditError(_P.COUNTRY_UNAVAILABLE)
    region = _region(form, country, needs_region)
    if len(form.street) > store.street_lines:
        raise CartEditError(_P.TOO_MANY_STREET_LINES, store.street_lines)
    street = tuple(line for line in form.street if line and line.strip())
    for name, value in {**dict(form), "street": "".join(street)}.items():
        if isinstance(value, str) and _CONTROL.search(value):
            raise CartEditError(_P.FIELD_INVALID, name)
    changes = {
        "street": street,
        "country_code": country,
        "region": region.code if region else "",
        "region_id": region.region_id if region else None,
    }
    try:
        return Address.model_validate({**dict(form), **changes})
    except ValidationError as error:
        raise CartEditError(_P.FIELD_INVALID, error.errors()[0]["loc"][0]) from None


def ensure_complete(problems: Sequence[AddressProblem]) -> None:
    """That nothing is missing; whether the post knows its codes is checked at checkout.

    Raises:
        CartEditError: The first field that is missing, or a region that its country does not have.
    """
    for problem in problems:
        if problem.missing or problem.field == "regionId":
            raise CartEditError(_P.FIELD_REQUIRED, problem.field)


def _region(form: AddressForm, country: str, needed: bool) -> Region | None:
    text, region_id = form.region.strip(), form.region_id or None
    digits = text.isdecimal() and len(text) <= _ID_DIGITS
    if region_id is None and digits and region_with_id(country, int(text)):
        text, region_id = "", int(text)  # some storefronts' forms put the id where the text goes
    if needed and not text and region_id is None:
        raise CartEditError(_P.REGION_REQUIRED)
    named = regions_named(country, text) if text else ()
    if region_id is not None:
        return _by_id(country, region_id, text, named, needed)
    if len(named) > 1:
        raise CartEditError(_P.REGION_AMBIGUOUS)
    if named:
        return named[0]
    return Region(code=text, name=text) if text else None


def _by_id(
    country: str, region_id: int, text: str, named: Sequence[Region], needed: bool
) -> Region:
    found = region_with_id(country, region_id)
    if found is None or (text and found not in named):
        raise CartEditError(_P.REGION_ID_MISMATCH if needed else _P.REGION_FOREIGN)
    return found
