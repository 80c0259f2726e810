"""Do storefronts learn what they need of a store before they show a checkout?"""

from typing import Any

from tests.storefront import Storefront

CONFIG = """{ storeConfig {
  store_code is_default_store base_currency_code default_display_currency_code default_country
  is_guest_checkout_enabled is_checkout_agreements_enabled
} }"""
COUNTRY = """query ($id: String) { country(id: $id) {
  id two_letter_abbreviation full_name_english available_regions { id code name }
} }"""


async def config(shop: Storefront) -> dict[str, Any]:
    return (await shop.post(CONFIG)).data["storeConfig"]


async def test_a_store_tells_its_settings(market: Storefront) -> None:
    swiss = market.of_new_store(currency="CHF", allowed_countries=("CH",), guest_checkout=False)
    assert await config(swiss) == {
        "store_code": swiss.headers["Store"],
        "is_default_store": False,
        "base_currency_code": "CHF",
        "default_display_currency_code": "CHF",
        "default_country": "CH",
        "is_guest_checkout_enabled": False,
        "is_checkout_agreements_enabled": False,
    }
    default = await config(market)
    assert default == await config(market.in_store("default"))
    assert (default["is_default_store"], default["base_currency_code"]) == (True, "USD")


async def test_every_store_is_there_to_be_chosen(market: Storefront) -> None:
    made = market.of_new_store().headers["Store"]
    answer = await market.post("{ availableStores { store_code } }")
    codes = [each["store_code"] for each in answer.data["availableStores"]]
    assert {"default", made} <= set(codes)
    assert len(codes) == len(set(codes))


async def test_the_countries_are_those_that_the_store_ships_to(market: Storefront) -> None:
    query = "{ countries { id } }"
    store = market.of_new_store(allowed_countries=("US", "CH"))
    answer = await store.post(query)
    assert {each["id"] for each in answer.data["countries"]} == {"US", "CH"}
    everywhere = (await market.post(query)).data["countries"]
    assert {"US", "CH", "JP", "KW"} <= {each["id"] for each in everywhere}
    assert len(everywhere) > 200


async def test_a_country_has_the_regions_that_its_addresses_take(market: Storefront) -> None:
    country = (await market.post(COUNTRY, {"id": "us"})).data["country"]
    regions = {
        region["id"]: (region["code"], region["name"]) for region in country["available_regions"]
    }
    assert (country["id"], country["two_letter_abbreviation"]) == ("US", "US")
    assert country["full_name_english"] == "United States"
    assert regions[57] == ("TX", "Texas")
    assert regions[12] == ("CA", "California")
    assert (await market.post(COUNTRY, {"id": "CH"})).data["country"]["available_regions"] is None


async def test_what_is_no_country_is_none(market: Storefront) -> None:
    for nothing in ("XX", "", "USA", None):
        assert (await market.post(COUNTRY, {"id": nothing})).data == {"country": None}
