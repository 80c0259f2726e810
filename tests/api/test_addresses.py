"""Are addresses taken, or refused by the eight documented rules, in their order?"""

from typing import Any

import pytest

from tests.storefront import ADDRESS, Answer, Storefront

SHIP = """
mutation ($cart: String!, $addresses: [ShippingAddressInput]!) {
  setShippingAddressesOnCart(input: {cart_id: $cart, shipping_addresses: $addresses}) {
    cart { shipping_addresses { ...address } billing_address { ...address } }
  }
}
"""
BILL = """
mutation ($cart: String!, $address: BillingAddressInput!) {
  setBillingAddressOnCart(input: {cart_id: $cart, billing_address: $address}) {
    cart { shipping_addresses { ...address } billing_address { ...address } }
  }
}
"""
FRAGMENT = """
fragment address on CartAddressInterface {
  firstname lastname company street city region { code label region_id } postcode
  country { code label } telephone vat_id
}
"""
CALIFORNIA = {"code": "CA", "label": "California", "region_id": 12}
SHOWN = {
    "firstname": "John",
    "lastname": "Doe",
    "company": None,
    "street": ["320 N Crescent Drive", "Beverly Hills"],
    "city": "Los Angeles",
    "region": CALIFORNIA,
    "postcode": "90210",
    "country": {"code": "US", "label": "US"},
    "telephone": "123-456-0000",
    "vat_id": None,
}
ROLES = ["shipping", "billing"]
Told = tuple[int, str, str]


async def ship(shop: Storefront, cart_id: str, *entries: Any) -> Answer:
    return await shop.post(SHIP + FRAGMENT, {"cart": cart_id, "addresses": list(entries)})


async def bill(shop: Storefront, cart_id: str, **entry: Any) -> Answer:
    return await shop.post(BILL + FRAGMENT, {"cart": cart_id, "address": entry})


async def locate(shop: Storefront, cart_id: str, role: str, **changes: Any) -> Answer:
    """Set an address of this role; None leaves a field out."""
    address = {name: each for name, each in {**ADDRESS, **changes}.items() if each is not None}
    if role == "shipping":
        return await ship(shop, cart_id, {"address": address})
    return await bill(shop, cart_id, address=address)


def shown(answer: Answer, role: str) -> dict[str, Any]:
    """The address of the cart in this role."""
    (payload,) = answer.data.values()
    cart = payload["cart"]
    return cart["shipping_addresses"][0] if role == "shipping" else cart["billing_address"]


def told(answer: Answer) -> Told:
    """Status, category and message of a refusal."""
    assert list(answer.body["data"].values()) == [None]
    return answer.status, answer.category, answer.message


def required(field: str) -> str:
    return f'"{field}" is required. Enter and try again.'


# -- what is taken ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
async def test_an_address_is_kept_on_an_empty_cart_already(market: Storefront, role: str) -> None:
    assert shown(await locate(market, await market.a_cart(), role), role) == SHOWN


async def test_every_field_of_an_address_is_shown(market: Storefront) -> None:
    more = {
        "prefix": "Dr",
        "middlename": "Q",
        "suffix": "Jr",
        "company": "Acme",
        "fax": "1-2",
        "vat_id": "V1",
    }
    cart_id = await market.a_cart()
    for role in ROLES:
        address = {**ADDRESS, **more, "save_in_address_book": True, "custom_attributes": []}
        assert shown(await locate(market, cart_id, role, **address), role)["company"] == "Acme"
    fields = "prefix middlename suffix company fax vat_id"
    query = f"""query ($cart: String!) {{ cart(cart_id: $cart) {{
      shipping_addresses {{ {fields} }} billing_address {{ {fields} }} }} }}"""
    cart = (await market.post(query, {"cart": cart_id})).data["cart"]
    assert cart == {"shipping_addresses": [more], "billing_address": more}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"country_code": "us", "region": "ca"}, {}),
        ({"region": "California", "region_id": None}, {}),
        ({"region": "california", "region_id": None}, {}),
        ({"region": None}, {}),
        ({"region": "", "region_id": 12}, {}),
        ({"region": "CA", "region_id": 0}, {}),
        ({"street": ["1 Main St", None]}, {"street": ["1 Main St"]}),
        ({"street": ["1 Main St", " "]}, {"street": ["1 Main St"]}),
        ({"firstname": " John "}, {}),
        (
            {"region": "AE", "region_id": 10},
            {"region": {"code": "AE", "label": "Armed Forces Middle East", "region_id": 10}},
        ),
        (
            {"country_code": "GB", "region": "Kent", "region_id": None, "postcode": "CT1 1AA"},
            {
                "country": {"code": "GB", "label": "GB"},
                "region": {"code": "Kent", "label": "Kent", "region_id": None},
                "postcode": "CT1 1AA",
            },
        ),
        (
            {"country_code": "GB", "region": None, "region_id": None, "postcode": "CT1 1AA"},
            {
                "country": {"code": "GB", "label": "GB"},
                "region": {"code": None, "label": None, "region_id": None},
                "postcode": "CT1 1AA",
            },
        ),
        (
            {"country_code": "HK", "region": "Kowloon", "region_id": None, "postcode": None},
            {
                "country": {"code": "HK", "label": "HK"},
                "region": {"code": "Kowloon", "label": "Kowloon", "region_id": None},
                "postcode": None,
            },
        ),
    ],
    ids=str,
)
async def test_an_address_may_be_written_in_many_ways(
    market: Storefront, role: str, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = await locate(market, await market.a_cart(), role, **changes)
    assert shown(answer, role) == {**SHOWN, **expected}


@pytest.mark.parametrize(
    ("region", "region_id", "label"),
    [("TX", 57, "Texas"), ("AZ", 4, "Arizona"), ("NY", 43, "New York")],
)
async def test_the_regions_have_the_ids_that_storefronts_know(
    market: Storefront, region: str, region_id: int, label: str
) -> None:
    for changes in (
        {"region": None, "region_id": region_id},
        {"region": region, "region_id": None},
    ):
        answer = await locate(market, await market.a_cart(), "shipping", **changes)
        expected = {"code": region, "label": label, "region_id": region_id}
        assert shown(answer, "shipping")["region"] == expected


# -- the eight rules ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"country_code": "USS"}, "Country is not available"),
        ({"country_code": "XX"}, "Country is not available"),
        ({"country_code": ""}, "Country is not available"),
        ({"region": None, "region_id": None}, "Region is required."),
        ({"region": " ", "region_id": None}, "Region is required."),
        (
            {"country_code": "CA", "postcode": "K1A 0B1", "region": None, "region_id": None},
            "Region is required.",
        ),
        (
            {"region": "TX", "region_id": 45},
            "The region_id does not match the selected country or region",
        ),
        (
            {"region": "Some text", "region_id": 12},
            "The region_id does not match the selected country or region",
        ),
        (
            {"region": None, "region_id": 66},
            "The region_id does not match the selected country or region",
        ),
        ({"region": "AE", "region_id": None}, "Region input is ambiguous. Specify region_id."),
        (
            {"country_code": "GB", "region": None, "region_id": 57},
            "The specified region is not a part of the selected country or region",
        ),
        (
            {"street": ["one", "two", "three"]},
            '"Street Address" cannot contain more than 2 lines.',
        ),
        ({"street": ["one", None, None]}, '"Street Address" cannot contain more than 2 lines.'),
        ({"postcode": None}, required("postcode")),
        ({"postcode": ""}, required("postcode")),
        ({"region": "Some text", "region_id": None}, required("regionId")),
        ({"firstname": ""}, required("firstname")),
        ({"lastname": " "}, required("lastname")),
        ({"street": []}, required("street")),
        ({"street": [None]}, required("street")),
        ({"city": ""}, required("city")),
        ({"telephone": ""}, required("telephone")),
        ({"city": "x" * 256}, '"city" is invalid. Enter and try again.'),
        ({"city": "a\u0007b"}, '"city" is invalid. Enter and try again.'),
        ({"street": ["a\nb"]}, '"street" is invalid. Enter and try again.'),
        (
            {"custom_attributes": [{"attribute_code": "a", "value": "b"}]},
            '"custom_attributes" is invalid. Enter and try again.',
        ),
    ],
    ids=str,
)
async def test_an_address_against_the_rules_is_refused_and_not_kept(
    market: Storefront, role: str, changes: dict[str, Any], message: str
) -> None:
    cart_id = await market.a_cart()
    refused = await locate(market, cart_id, role, **changes)
    assert told(refused) == (200, "graphql-input", message)
    other = "billing" if role == "shipping" else "shipping"
    (payload,) = (await locate(market, cart_id, other)).data.values()
    kept = payload["cart"]["billing_address"] if other == "shipping" else None
    assert kept is None


@pytest.mark.parametrize("role", ROLES)
async def test_the_rules_are_checked_in_their_order(market: Storefront, role: str) -> None:
    cart_id = await market.a_cart()
    bad: dict[str, Any] = {
        "country_code": "USS",
        "region": None,
        "region_id": None,
        "street": ["one", "two", "three"],
        "firstname": "",
        "postcode": "",
    }
    for cure, message in (
        ({}, "Country is not available"),
        ({"country_code": "US"}, "Region is required."),
        (
            {"region": "AE", "region_id": 45},
            "The region_id does not match the selected country or region",
        ),
        ({"region_id": None}, "Region input is ambiguous. Specify region_id."),
        ({"region": "TX"}, '"Street Address" cannot contain more than 2 lines.'),
        ({"street": ["one"]}, required("firstname")),
        ({"firstname": "Ada"}, required("postcode")),
    ):
        bad.update(cure)
        assert told(await locate(market, cart_id, role, **bad))[2] == message
    assert shown(await locate(market, cart_id, role, **{**bad, "postcode": "78701"}), role)


async def test_a_store_ships_and_bills_where_it_may(market: Storefront) -> None:
    store = market.of_new_store(allowed_countries=("CA", "CH"))
    cart_id = await store.a_cart()
    bern = {"country_code": "ch", "region": None, "region_id": None, "postcode": "3011"}
    for role in ROLES:
        assert told(await locate(store, cart_id, role))[2] == "Country is not available"
        assert shown(await locate(store, cart_id, role, **bern), role)["country"]["code"] == "CH"


async def test_a_store_has_as_many_lines_of_street_as_it_says(market: Storefront) -> None:
    store = market.of_new_store(street_lines=3)
    cart_id = await store.a_cart()
    answer = await locate(store, cart_id, "shipping", street=["Kerkstraat", "12", None])
    assert shown(answer, "shipping")["street"] == ["Kerkstraat", "12"]
    answer = await locate(store, cart_id, "shipping", street=["a", "b", "c", None])
    assert told(answer)[2] == '"Street Address" cannot contain more than 3 lines.'


async def test_customers_have_no_address_book_and_guests_none_at_all(market: Storefront) -> None:
    guest = (403, "graphql-authorization", "The current customer isn't authorized.")
    for shop, book, expected in (
        (market, {"customer_address_id": 1}, guest),
        (market, {"customer_address_uid": "MQ=="}, guest),
        (market.as_customer(), {"customer_address_id": 100}, not_in_book("100")),
        (market.as_customer(), {"customer_address_uid": "MTAw"}, not_in_book("MTAw")),
    ):
        cart_id = await shop.a_cart()
        assert told(await ship(shop, cart_id, book)) == expected
        assert told(await bill(shop, cart_id, **book)) == expected


def not_in_book(address_id: str) -> Told:
    return 200, "graphql-no-such-entity", f'Could not find a address with ID "{address_id}"'


# -- shipping -----------------------------------------------------------------------------------


NEITHER: list[Any] = [{}]
EMPTY: list[Any] = []


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (EMPTY, 'Required parameter "shipping_addresses" is missing'),
        (
            NEITHER,
            'The shipping address must contain either "customer_address_id" or "address".',
        ),
        (
            [None],
            'The shipping address must contain either "customer_address_id" or "address".',
        ),
        (
            [{"address": ADDRESS, "customer_address_id": 1}],
            'The shipping address cannot contain "customer_address_id" and "address"'
            " at the same time.",
        ),
        (
            [{"address": ADDRESS}, {"address": ADDRESS}],
            "You cannot specify multiple shipping addresses.",
        ),
        ([{"pickup_location_code": "txt"}], "Orders cannot be picked up here."),
    ],
    ids=str,
)
async def test_exactly_one_shipping_address_is_wanted(
    market: Storefront, entries: list[Any], message: str
) -> None:
    answer = await ship(market, await market.a_cart(), *entries)
    assert told(answer) == (200, "graphql-input", message)


async def test_where_nothing_is_shipped_there_is_no_shipping_address(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items", items=[("ebook", 1)])
    message = "Shipping address is not allowed on cart: cart contains no items for shipment."
    assert told(await locate(market, cart_id, "shipping")) == (200, "graphql-input", message)
    await market.take(cart_id, "items", items=[("apple", 1)])
    assert shown(await locate(market, cart_id, "shipping"), "shipping") == SHOWN


# -- billing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {},
            'The billing address must contain either "customer_address_id", "address", or'
            ' "same_as_shipping".',
        ),
        (
            {"same_as_shipping": False, "use_for_shipping": True},
            'The billing address must contain either "customer_address_id", "address", or'
            ' "same_as_shipping".',
        ),
        (
            {"address": ADDRESS, "customer_address_id": 1},
            'The billing address cannot contain "customer_address_id" and "address"'
            " at the same time.",
        ),
        (
            {"same_as_shipping": True},
            'Could not use the "same_as_shipping" option, because the shipping address has not'
            " been set.",
        ),
        (
            {"same_as_shipping": True, "address": ADDRESS},
            'Could not use the "same_as_shipping" option, because the shipping address has not'
            " been set.",
        ),
    ],
    ids=str,
)
async def test_a_billing_address_has_to_come_from_somewhere(
    market: Storefront, entry: dict[str, Any], message: str
) -> None:
    answer = await bill(market, await market.a_cart(), **entry)
    assert told(answer) == (200, "graphql-input", message)


async def test_same_as_shipping_wins_over_an_address_beside_it(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await locate(market, cart_id, "shipping")
    other = {**ADDRESS, "lastname": "Smith"}
    answer = await bill(
        market, cart_id, address=other, same_as_shipping=True, use_for_shipping=True
    )
    assert shown(answer, "billing") == SHOWN
    assert shown(answer, "shipping") == SHOWN


async def test_a_copied_address_stays_when_its_original_changes(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await locate(market, cart_id, "shipping")
    assert shown(await bill(market, cart_id, same_as_shipping=True), "billing") == SHOWN
    moved = await locate(market, cart_id, "shipping", lastname="Smith")
    assert shown(moved, "shipping") == {**SHOWN, "lastname": "Smith"}
    assert shown(moved, "billing") == SHOWN


async def test_a_billing_address_can_be_used_for_shipping(market: Storefront) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items")
    answer = await bill(market, cart_id, address=ADDRESS, use_for_shipping=True)
    assert (shown(answer, "billing"), shown(answer, "shipping")) == (SHOWN, SHOWN)


async def test_where_nothing_is_shipped_a_billing_address_is_for_billing_only(
    market: Storefront,
) -> None:
    cart_id = await market.a_cart()
    await market.take(cart_id, "items", items=[("ebook", 1)])
    answer = await bill(market, cart_id, address=ADDRESS, use_for_shipping=True)
    (payload,) = answer.data.values()
    assert payload["cart"] == {"shipping_addresses": [], "billing_address": SHOWN}


async def test_both_addresses_can_be_set_by_one_document(market: Storefront) -> None:
    document = f"""mutation ($cart: String!, $address: CartAddressInput!) {{
      setShippingAddressesOnCart(
        input: {{cart_id: $cart, shipping_addresses: [{{address: $address}}]}}) {{ cart {{ id }} }}
      setBillingAddressOnCart(
        input: {{cart_id: $cart, billing_address: {{same_as_shipping: true}}}}) {{
        cart {{ billing_address {{ ...address }} shipping_addresses {{ same_as_billing }} }} }}
      }} {FRAGMENT}"""
    answer = await market.post(document, {"cart": await market.a_cart(), "address": ADDRESS})
    assert answer.data["setBillingAddressOnCart"]["cart"] == {
        "billing_address": SHOWN,
        "shipping_addresses": [{"same_as_billing": True}],
    }
