"""Is a form read as documented, and what is wrong with it told in the documented order?

The rules and texts are those of "Address rules" in section 5 of the contract.
"""

from typing import Any

import pytest

from commerce.adapters.addresses import PostalRules
from commerce.domain.address_forms import AddressForm, ensure_complete, to_address
from commerce.domain.addresses import Address, AddressProblem
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.stores import Store

RULES = PostalRules()
DEFAULT = Store(code="default")
TEXAN = AddressForm(
    firstname="Ada",
    lastname="Canary-Lovelace",
    street=("12 Canary Street",),
    city="Austin",
    region="TX",
    postcode="78701",
    country_code="US",
    telephone="5125550100",
)
LONDON = {"country_code": "GB", "region": "", "postcode": "SW1A 1AA", "city": "London"}
NO_COUNTRY = "Country is not available"
NO_REGION = "Region is required."
MISMATCH = "The region_id does not match the selected country or region"
AMBIGUOUS = "Region input is ambiguous. Specify region_id."
FOREIGN = "The specified region is not a part of the selected country or region"
TWO_LINES = '"Street Address" cannot contain more than 2 lines.'


def read(store: Store = DEFAULT, /, **changes: Any) -> Address:
    """Take a Texan's form with these changes, as the shopper's call does."""
    form = AddressForm.model_validate({**TEXAN.model_dump(), **changes})
    country = form.country
    known, needs_region = RULES.is_country(country), RULES.needs_region(country)
    address = to_address(form, store, known, needs_region)
    ensure_complete(RULES.problems(address))
    return address


def refused(store: Store = DEFAULT, /, **changes: Any) -> str:
    """What a Texan with these changes is told."""
    with pytest.raises(CartEditError) as told:
        read(store, **changes)
    assert told.value.rule.category == "graphql-input"
    return told.value.message


# -- what is read ----------------------------------------------------------------------------------


def test_a_form_becomes_its_address() -> None:
    others = {"company": "Canary", "prefix": "Dr", "middlename": "B", "suffix": "Jr"}
    others |= {"fax": "1", "vat_id": "GB1"}
    assert read(**others) == Address.model_validate(
        {**TEXAN.model_dump(), **others, "region_id": 57}
    )


@pytest.mark.parametrize("region", ["tx", "TX", " tx ", "texas", "Texas"])
@pytest.mark.parametrize("country_code", ["us", "US", " us "])
def test_lower_case_is_taken_and_given_back_as_the_country_writes_it(
    country_code: str, region: str
) -> None:
    address = read(country_code=country_code, region=region)
    assert (address.country_code, address.region, address.region_id) == ("US", "TX", 57)


@pytest.mark.parametrize(
    ("region", "region_id"), [("TX", 57), ("Texas", 57), ("", 57), ("tx", 57), ("TX", 0)]
)
def test_a_region_may_be_given_by_its_id_with_or_without_its_code(
    region: str, region_id: int
) -> None:
    address = read(region=region, region_id=region_id)
    assert (address.region, address.region_id) == ("TX", 57)


@pytest.mark.parametrize("region", ["57", " 57 ", "057"])
def test_an_id_may_stand_where_the_region_goes(region: str) -> None:
    """Some storefronts' forms put it there."""
    address = read(region=region)
    assert (address.region, address.region_id) == ("TX", 57)


@pytest.mark.parametrize("region", ["0", "79", "57x", "²", "1" * 100])
def test_a_number_that_is_no_id_is_no_region(region: str) -> None:
    assert refused(region=region) == '"regionId" is required. Enter and try again.'


def test_a_number_that_is_no_id_is_free_text_where_no_region_is_needed() -> None:
    assert read(**{**LONDON, "region": "57"}).region == "57"


def test_a_region_of_thousands_of_digits_is_not_even_a_number() -> None:
    assert refused(region="1" * 5000) == '"region" is invalid. Enter and try again.'


@pytest.mark.parametrize(("region_id", "postcode"), [(6, "09012"), (10, "09012")])
def test_the_id_tells_the_military_posts_apart(region_id: int, postcode: str) -> None:
    address = read(region="AE", region_id=region_id, postcode=postcode, city="APO")
    assert (address.region, address.region_id) == ("AE", region_id)


def test_canadian_regions_have_ids_too() -> None:
    montreal = {"country_code": "ca", "city": "Montreal", "postcode": "H2Y 1C6"}
    address = read(**montreal, region="quebec")
    assert (address.country_code, address.region, address.region_id) == ("CA", "QC", 76)


@pytest.mark.parametrize("region", ["Greater London", "TX", "", "x" * 255])
def test_where_no_region_is_needed_it_is_free_text_without_an_id(region: str) -> None:
    address = read(**{**LONDON, "region": region})
    assert (address.region, address.region_id) == (region, None)


@pytest.mark.parametrize(
    ("street", "kept"),
    [
        (("x",), ("x",)),
        (("x", None), ("x",)),
        ((None, "x"), ("x",)),
        (("x", ""), ("x",)),
        (("x", " "), ("x",)),
        ((" x ", "y"), ("x", "y")),
    ],
)
def test_entries_of_the_street_that_say_nothing_are_left_out(
    street: tuple[str | None, ...], kept: tuple[str, ...]
) -> None:
    assert read(street=street).street == kept


@pytest.mark.parametrize("third", ["Flat 3", None])
def test_a_street_of_three_entries_is_for_stores_that_have_as_many_lines(third: str | None) -> None:
    """GraphCommerce sends a street, a house number, and an addition or nothing."""
    three = ("Canary Street", "12", third)
    assert refused(street=three) == TWO_LINES
    address = read(Store(code="default", street_lines=3), street=three)
    assert address.street == tuple(filter(None, three))


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "country_code", ["USS", "U", "", " ", "ZZ", "12", "ÜS", "US\n1", "\x00\x00"]
)
def test_a_country_that_there_is_not_is_not_available(country_code: str) -> None:
    assert refused(country_code=country_code) == NO_COUNTRY


def test_nor_is_one_that_the_store_does_not_ship_to() -> None:
    german = Store(code="default", allowed_countries=("DE",))
    assert refused(german) == NO_COUNTRY
    assert read(Store(code="default", allowed_countries=("DE", "US"))).country_code == "US"


@pytest.mark.parametrize("country_code", ["US", "CA", "AU", "JP"])
@pytest.mark.parametrize("region", ["", "  "])
@pytest.mark.parametrize("region_id", [None, 0])
def test_a_region_is_required_where_the_country_has_them(
    country_code: str, region: str, region_id: int | None
) -> None:
    assert refused(country_code=country_code, region=region, region_id=region_id) == NO_REGION


@pytest.mark.parametrize(
    ("country_code", "region", "region_id"),
    [
        ("US", "TX", 45),
        ("US", "Bavaria", 57),
        ("US", "TX", 79),
        ("US", "TX", -57),
        ("US", "", 66),
        ("US", "AE", 57),
        ("CA", "ON", 57),
        ("JP", "Tokyo", 57),
    ],
)
def test_an_id_has_to_be_the_one_of_the_region_in_the_country(
    country_code: str, region: str, region_id: int
) -> None:
    assert refused(country_code=country_code, region=region, region_id=region_id) == MISMATCH


@pytest.mark.parametrize("region", ["AE", "ae"])
def test_a_code_of_several_regions_is_ambiguous(region: str) -> None:
    assert refused(region=region) == AMBIGUOUS


@pytest.mark.parametrize("country_code", ["GB", "UA", "VA"])
@pytest.mark.parametrize("region", ["", "TX", "Anywhere"])
def test_where_no_region_is_needed_an_id_is_foreign(country_code: str, region: str) -> None:
    assert refused(country_code=country_code, region=region, region_id=57) == FOREIGN


@pytest.mark.parametrize(
    "street", [("a", "b", "c"), ("a", None, None), (None, None, None), ("a", "", ""), ("x",) * 1000]
)
def test_every_entry_of_the_street_counts_even_those_that_are_null(
    street: tuple[str | None, ...],
) -> None:
    assert refused(street=street) == TWO_LINES


def test_the_text_names_how_many_lines_the_store_has() -> None:
    one_line = Store(code="default", street_lines=1)
    told = '"Street Address" cannot contain more than 1 lines.'
    assert refused(one_line, street=("a", "b")) == told


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"postcode": ""}, "postcode"),
        ({"region": "Bavaria"}, "regionId"),
        ({"firstname": ""}, "firstname"),
        ({"lastname": " "}, "lastname"),
        ({"street": ()}, "street"),
        ({"street": (None, "")}, "street"),
        ({"city": ""}, "city"),
        ({"telephone": ""}, "telephone"),
    ],
)
def test_what_is_missing_is_named_as_documented(change: dict[str, Any], field: str) -> None:
    assert refused(**change) == f'"{field}" is required. Enter and try again.'


@pytest.mark.parametrize("char", ["\x00", "\x1f", "\t", "\n", "\x7f"])
@pytest.mark.parametrize(
    "field",
    [
        *("firstname", "lastname", "company", "city", "region", "postcode", "telephone"),
        *("prefix", "middlename", "suffix", "fax", "vat_id"),
    ],
)
def test_a_control_character_makes_a_field_invalid(field: str, char: str) -> None:
    told = f'"{field}" is invalid. Enter and try again.'
    assert refused(**{field: f"a{char}b"}) == told


def test_nor_may_a_street_have_one_or_a_region_that_is_free_text() -> None:
    assert refused(street=("a", "b\x00")) == '"street" is invalid. Enter and try again.'
    free_text = {**LONDON, "region": "Greater\x00London"}
    assert refused(**free_text) == '"region" is invalid. Enter and try again.'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("firstname", "x" * 256),
        ("company", "x" * 256),
        ("street", ("x" * 256,)),
        ("postcode", "x" * 33),
        ("telephone", "1" * 65),
        ("vat_id", "x" * 256),
    ],
)
def test_a_field_that_is_too_long_is_invalid(field: str, value: object) -> None:
    assert refused(**{field: value}) == f'"{field}" is invalid. Enter and try again.'


def test_a_postcode_that_is_only_wrong_is_kept_until_checkout() -> None:
    assert read(postcode="99999").postcode == "99999"


# -- in which order --------------------------------------------------------------------------------


def test_of_all_that_is_wrong_the_first_in_the_table_is_told() -> None:
    wrong: dict[str, Any] = {
        "country_code": "USS",
        "region": "",
        "region_id": None,
        "street": ("a", "b", "c"),
        "city": "Aus\ttin",
        "telephone": "",
        "postcode": "",
    }
    steps: list[tuple[dict[str, Any], str]] = [
        ({}, NO_COUNTRY),
        ({"country_code": "US"}, NO_REGION),
        ({"region": "AE", "region_id": 45}, MISMATCH),
        ({"region": "AE", "region_id": None}, AMBIGUOUS),
        ({"region": "TX"}, TWO_LINES),
        ({"street": ("a", None)}, '"city" is invalid. Enter and try again.'),
        ({"city": "Austin"}, '"telephone" is required. Enter and try again.'),
        ({"telephone": "1"}, '"postcode" is required. Enter and try again.'),
    ]
    for cure, told in steps:
        wrong |= cure
        assert refused(**wrong) == told
    assert read(**{**wrong, "postcode": "78701"}).region_id == 57


def test_a_foreign_id_is_told_before_the_street_and_what_is_missing() -> None:
    wrong = {**LONDON, "region_id": 57, "street": ("a", "b", "c"), "postcode": ""}
    assert refused(**wrong) == FOREIGN
    assert refused(**{**wrong, "region_id": None}) == TWO_LINES


def test_the_first_thing_missing_is_told_and_what_is_only_wrong_is_not() -> None:
    wrong = AddressProblem(field="postcode", missing=False)
    missing = [AddressProblem(field=field, missing=True) for field in ("city", "telephone")]
    ensure_complete([wrong])
    with pytest.raises(CartEditError) as told:
        ensure_complete([wrong, *missing])
    assert told.value.problem is CartProblem.FIELD_REQUIRED
    assert told.value.message == '"city" is required. Enter and try again.'
