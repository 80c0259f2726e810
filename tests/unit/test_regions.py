"""Are regions known by the ids, codes and names that storefronts send?"""

import pytest

from commerce.adapters.addresses import PostalRules
from commerce.domain.regions import REGIONS, Region, region_of, region_with_id, regions_named
from tests.builders import TEXAS

EVERY_REGION = [
    pytest.param(country, region, id=f"{country} {region.name}")
    for country, regions in REGIONS.items()
    for region in regions
]


@pytest.mark.parametrize(
    ("region_id", "code", "name"),
    [
        (57, "TX", "Texas"),
        (12, "CA", "California"),
        (4, "AZ", "Arizona"),
        (10, "AE", "Armed Forces Middle East"),
        (43, "NY", "New York"),
    ],
)
def test_the_documented_ids_are_those_of_the_documented_regions(
    region_id: int, code: str, name: str
) -> None:
    assert region_with_id("US", region_id) == Region(code=code, name=name, region_id=region_id)


def test_there_are_65_in_the_united_states_and_13_in_canada_and_no_id_is_given_twice() -> None:
    assert {country: len(regions) for country, regions in REGIONS.items()} == {"US": 65, "CA": 13}
    ids = [region.region_id for regions in REGIONS.values() for region in regions]
    assert sorted(filter(None, ids)) == list(range(1, 79))


def test_only_the_military_post_shares_a_code_and_no_two_share_a_name() -> None:
    for regions in REGIONS.values():
        codes = [region.code for region in regions]
        assert {code for code in codes if codes.count(code) > 1} <= {"AE"}
        assert len({region.name for region in regions}) == len(regions)


@pytest.mark.parametrize(("country", "region"), EVERY_REGION)
def test_every_region_is_found_again_by_its_id_and_by_its_name(
    country: str, region: Region
) -> None:
    assert region.region_id is not None
    assert region_with_id(country, region.region_id) == region
    assert regions_named(country, region.name) == (region,)
    assert region in regions_named(country, region.code)


@pytest.mark.parametrize(("country", "region"), EVERY_REGION)
def test_the_post_knows_every_region_by_its_code(country: str, region: Region) -> None:
    """Else a shopper there could fill a cart, and never order it."""
    address = TEXAS.model_copy(update={"country_code": country, "region": region.code})
    assert "regionId" not in [problem.field for problem in PostalRules().problems(address)]


@pytest.mark.parametrize("text", ["tx", "TX", " tx ", "texas", "TEXAS", "\tTexas"])
def test_case_and_blanks_do_not_matter(text: str) -> None:
    assert [region.region_id for region in regions_named("US", text)] == [57]


@pytest.mark.parametrize("text", ["", "T", "TXX", "Tex", "57", "Bavaria"])
def test_what_names_no_region_names_none(text: str) -> None:
    assert regions_named("US", text) == ()


def test_the_military_code_means_four_regions() -> None:
    assert [region.region_id for region in regions_named("US", "ae")] == [6, 8, 9, 10]


@pytest.mark.parametrize(
    ("country", "region_id"), [("CA", 57), ("US", 66), ("US", 0), ("US", 79), ("GB", 1), ("", 1)]
)
def test_an_id_belongs_to_one_country(country: str, region_id: int) -> None:
    assert region_with_id(country, region_id) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"region": "texas"}, Region("TX", "Texas", 57)),
        ({"region": "", "region_id": 57}, Region("TX", "Texas", 57)),
        ({"region": "AE", "region_id": 10}, Region("AE", "Armed Forces Middle East", 10)),
        ({"region": "AE"}, Region("AE", "AE")),
        ({"region": "Bavaria"}, Region("Bavaria", "Bavaria")),
        ({"region": "TX", "country_code": "GB"}, Region("TX", "TX")),
        ({"region": "TX", "country_code": "GB", "region_id": 57}, Region("TX", "TX")),
        ({"region": ""}, None),
    ],
    ids=str,
)
def test_the_region_of_an_address_is_the_best_known_one(
    changes: dict[str, object], expected: Region | None
) -> None:
    assert region_of(TEXAS.model_copy(update=changes)) == expected
