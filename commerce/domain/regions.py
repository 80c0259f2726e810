"""Regions with the ids that storefronts know them by: the United States and Canada.

The ids are Adobe Commerce's. Regions of other countries have none: they are kept as text.
"""

from dataclasses import dataclass

from commerce.domain.addresses import Address


@dataclass(frozen=True)
class Region:
    """A state, province or military post.

    Attributes:
        region_id: None for a region without an id.
    """

    code: str
    name: str
    region_id: int | None = None


_FIRST_ID = {"US": 1, "CA": 66}
_NAMES = {
    "US": (
        "AL Alabama|AK Alaska|AS American Samoa|AZ Arizona|AR Arkansas|AE Armed Forces Africa|"
        "AA Armed Forces Americas|AE Armed Forces Canada|AE Armed Forces Europe|"
        "AE Armed Forces Middle East|AP Armed Forces Pacific|CA California|CO Colorado|"
        "CT Connecticut|DE Delaware|DC District of Columbia|FM Federated States Of Micronesia|"
        "FL Florida|GA Georgia|GU Guam|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|"
        "KY Kentucky|LA Louisiana|ME Maine|MH Marshall Islands|MD Maryland|MA Massachusetts|"
        "MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|"
        "NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|"
        "ND North Dakota|MP Northern Mariana Islands|OH Ohio|OK Oklahoma|OR Oregon|PW Palau|"
        "PA Pennsylvania|PR Puerto Rico|RI Rhode Island|SC South Carolina|SD South Dakota|"
        "TN Tennessee|TX Texas|UT Utah|VT Vermont|VI Virgin Islands|VA Virginia|WA Washington|"
        "WV West Virginia|WI Wisconsin|WY Wyoming"
    ),
    "CA": (
        "AB Alberta|BC British Columbia|MB Manitoba|NL Newfoundland and Labrador|"
        "NB New Brunswick|NS Nova Scotia|NT Northwest Territories|NU Nunavut|ON Ontario|"
        "PE Prince Edward Island|QC Quebec|SK Saskatchewan|YT Yukon Territory"
    ),
}
REGIONS: dict[str, tuple[Region, ...]] = {
    country: tuple(
        Region(code=entry[:2], name=entry[3:], region_id=_FIRST_ID[country] + n)
        for n, entry in enumerate(names.split("|"))
    )
    for country, names in _NAMES.items()
}


def regions_named(country_code: str, text: str) -> tuple[Region, ...]:
    """The regions that a code or a name means: several for the military code ``AE``."""
    wanted = text.strip().casefold()
    known = REGIONS.get(country_code, ())
    return tuple(r for r in known if wanted in (r.code.casefold(), r.name.casefold()))


def region_with_id(country_code: str, region_id: int) -> Region | None:
    """The region of a country that has this id."""
    return next((r for r in REGIONS.get(country_code, ()) if r.region_id == region_id), None)


def canonical_region(country_code: str, text: str) -> str:
    """One spelling for a region: its code where it is known, else the text in capitals."""
    named = regions_named(country_code, text)
    return named[0].code if named else text.strip().upper()


def region_of(address: Address) -> Region | None:
    """The region of an address; free text, where nothing better is known, as code and name."""
    if address.region_id is not None:
        found = region_with_id(address.country_code, address.region_id)
        if found:
            return found
    named = regions_named(address.country_code, address.region)
    if len(named) == 1:
        return named[0]
    return Region(code=address.region, name=address.region) if address.region else None
