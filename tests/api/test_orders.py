"""Do orders open to those whose they are, and to nobody else?"""

import re
from typing import Any

import pytest

from commerce.domain.carts import ProductKind
from tests.builders import product, tax
from tests.storefront import ADDRESS, Answer, Storefront

NOT_LOCATED = "We couldn't locate an order with the information provided."
LOGIN = "Please login to view the order."

GUEST = """
query ($number: String!, $email: String!, $lastname: String!) {
  guestOrder(input: {number: $number, email: $email, lastname: $lastname}) { number token }
}
"""
BY_TOKEN = """
query ($token: String!) { guestOrderByToken(input: {token: $token}) { number token } }
"""
OWN = """
query ($filter: CustomerOrdersFilterInput, $page: Int = 1, $size: Int = 20,
  $sort: CustomerOrderSortInput, $scope: ScopeTypeEnum) {
  customer { orders(
    filter: $filter, currentPage: $page, pageSize: $size, sort: $sort, scope: $scope
  ) {
    items { number } total_count page_info { current_page page_size total_pages }
  } }
}
"""


def told(answer: Answer) -> tuple[int, str, str]:
    """Status, category and message of a refusal."""
    assert answer.body["data"] is None
    return answer.status, answer.category, answer.message


async def by_details(shop: Storefront, number: str, **changes: str) -> Answer:
    details = {"email": "jdoe@example.com", "lastname": "Doe", **changes}
    return await shop.post(GUEST, {"number": number, **details})


async def by_token(shop: Storefront, token: str) -> Answer:
    return await shop.post(BY_TOKEN, {"token": token})


# -- guests -------------------------------------------------------------------------------------


async def test_a_guest_opens_an_order_by_what_only_they_know(market: Storefront) -> None:
    order = await market.an_order()
    opened = (await by_details(market, order["number"])).data["guestOrder"]
    assert opened["number"] == order["number"]
    assert (await by_token(market, opened["token"])).data


async def test_a_guest_opens_an_order_by_its_token_also_by_get(market: Storefront) -> None:
    order = await market.an_order()
    opened = (await by_token(market, order["token"])).data["guestOrderByToken"]
    assert opened["number"] == order["number"]
    document = f'{{ guestOrderByToken(input: {{token: "{order["token"]}"}}) {{ number }} }}'
    assert (await market.get(document)).data["guestOrderByToken"]["number"] == order["number"]


async def test_a_token_has_the_form_of_adobes(market: Storefront) -> None:
    assert re.fullmatch("0:3:[0-9A-Za-z+/]+={0,2}", (await market.an_order())["token"])


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "JDoe@example.com"},
        {"email": "jdoe@example.com "},
        {"email": "someone@example.com"},
        {"email": ""},
        {"lastname": "doe"},
        {"lastname": "Smith"},
        {"lastname": ""},
        {"lastname": "Dœ"},
    ],
    ids=str,
)
async def test_wrong_details_locate_no_order(market: Storefront, changes: dict[str, str]) -> None:
    order = await market.an_order()
    answer = await by_details(market, order["number"], **changes)
    assert told(answer) == (200, "graphql-no-such-entity", NOT_LOCATED)


@pytest.mark.parametrize("number", ["", "0", "999999999", "no number", "1 OR 1=1", "ü", "9" * 500])
async def test_a_wrong_number_locates_no_order(market: Storefront, number: str) -> None:
    assert told(await by_details(market, number)) == (200, "graphql-no-such-entity", NOT_LOCATED)


@pytest.mark.parametrize(
    "garbage", ["", "0:3:", "0:3:AAAA", "1:3:AAAA", "0:2:AAAA", ":::", "ü", "x" * 5000, "9" * 400]
)
async def test_what_is_no_token_locates_no_order(market: Storefront, garbage: str) -> None:
    assert told(await by_token(market, garbage)) == (200, "graphql-no-such-entity", NOT_LOCATED)


async def test_a_token_with_one_flipped_bit_locates_no_order(market: Storefront) -> None:
    token: str = (await market.an_order())["token"]
    for at in range(len(token)):
        flipped = token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :]
        if "\0" not in flipped:
            answer = await by_token(market, flipped)
            assert told(answer) == (200, "graphql-no-such-entity", NOT_LOCATED), flipped


async def test_an_order_is_not_located_in_another_store(market: Storefront) -> None:
    store = market.of_new_store()
    order = await store.an_order()
    for other in (market.in_store("default"), market.of_new_store()):
        for answer in (
            await by_token(other, order["token"]),
            await by_details(other, order["number"]),
        ):
            assert told(answer) == (200, "graphql-no-such-entity", NOT_LOCATED)
    for same in (store, market):
        assert (await by_token(same, order["token"])).data
        assert (await by_details(same, order["number"])).data


async def test_a_customers_order_is_shown_to_who_is_logged_in(market: Storefront) -> None:
    ada = market.as_customer("ada-with-an-order")
    order = await ada.an_order()
    for answer in (
        await by_token(market, order["token"]),
        await by_details(market, order["number"], email="ada-with-an-order@example.com"),
        await by_token(market.as_customer("eve"), order["token"]),
    ):
        assert told(answer) == (403, "graphql-authorization", LOGIN)
    wrong = await by_details(market, order["number"], email="eve@example.com")
    assert told(wrong) == (200, "graphql-no-such-entity", NOT_LOCATED)


# -- the whole order ----------------------------------------------------------------------------


async def test_an_order_says_what_was_ordered_by_whom_and_where_it_goes(
    market: Storefront,
) -> None:
    market.world.store.catalog.put([product("course", None, "5.00", ProductKind.VIRTUAL)])
    store = market.of_new_store(
        tax("10", region="CA"), payment_methods=("purchaseorder",), order_prefix="W-"
    )
    cart_id = await store.a_ready_cart(
        ("apple", 2), ("course", 3), without={"billing_address", "payment_method"}
    )
    billing = {**ADDRESS, "firstname": "Jane", "company": "Acme", "street": ["1 Main St"]}
    await store.take(cart_id, "billing_address", address=billing)
    paid = await store.post(
        """mutation ($cart: String!) { setPaymentMethodOnCart(input: {cart_id: $cart,
        payment_method: {code: "purchaseorder", purchase_order_number: "PO-7"}})
        { cart { id } } }""",
        {"cart": cart_id},
    )
    assert paid.data
    answer = await store.post(WHOLE, {"cart": cart_id})
    order: dict[str, Any] = answer.data["placeOrder"]["orderV2"]
    assert re.fullmatch(r"W-\d{9}", order["number"])
    assert order.pop("order_number") == order.pop("increment_id") == order.pop("number")
    placed = {order.pop(name) for name in ("order_date", "created_at", "order_status_change_date")}
    assert len(placed) == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", placed.pop())
    assert order == {
        "status": "Pending",
        "state": "new",
        "email": "jdoe@example.com",
        "is_virtual": False,
        "shipping_method": "Flat Rate - Fixed",
        "carrier": "Flat Rate",
        "customer_info": {"firstname": "Jane", "lastname": "Doe"},
        "payment_methods": [
            {
                "name": "Purchase Order",
                "type": "purchaseorder",
                "additional_data": [{"name": "Purchase Order Number", "value": "PO-7"}],
            }
        ],
        "shipping_address": {
            **{name: ADDRESS[name] for name in ("firstname", "street", "postcode")},
            "company": None,
            "region": "California",
            "region_id": "12",
            "country_code": "US",
        },
        "billing_address": {
            "firstname": "Jane",
            "street": ["1 Main St"],
            "postcode": "90210",
            "company": "Acme",
            "region": "California",
            "region_id": "12",
            "country_code": "US",
        },
        "items": [
            item("apple", "Product apple", "simple", 2.0, 10.0),
            item("course", "Product course", "virtual", 3.0, 5.0),
        ],
        "total": {"total_tax": {"value": 4.5}, "grand_total": {"value": 49.5}},
        "invoices": [],
        "shipments": [],
        "available_actions": [],
    }


WHOLE = """
mutation ($cart: String!) { placeOrder(input: {cart_id: $cart}) { orderV2 {
  number order_number increment_id order_date created_at order_status_change_date
  status state email is_virtual shipping_method carrier
  customer_info { firstname lastname }
  payment_methods { name type additional_data { name value } }
  shipping_address { ...address } billing_address { ...address }
  items {
    product_sku product_name product_type quantity_ordered product_sale_price { value currency }
  }
  total { total_tax { value } grand_total { value } }
  invoices { id } shipments { id } available_actions
} } }
fragment address on OrderAddress {
  firstname company street postcode region region_id country_code
}
"""


def item(sku: str, name: str, kind: str, quantity: float, price: float) -> dict[str, Any]:
    return {
        "product_sku": sku,
        "product_name": name,
        "product_type": kind,
        "quantity_ordered": quantity,
        "product_sale_price": {"value": price, "currency": "USD"},
    }


async def test_an_order_stays_as_it_was_placed(market: Storefront) -> None:
    market.world.store.catalog.put([product("lemon", None)])
    store = market.of_new_store(tax("10"))
    order = await store.an_order(("lemon", 2))
    query = """query ($token: String!) { guestOrderByToken(input: {token: $token}) {
      items { product_name product_sale_price { value } } total { grand_total { value }
      taxes { rate } } } }"""
    before = (await store.post(query, {"token": order["token"]})).data
    dearer = product("lemon", 0, "99.00").model_copy(update={"name": "Gold"})
    market.world.store.catalog.put([dearer])
    market.world.store.stores.set_tax_rate(store.headers["Store"], tax("20"))
    assert (await store.post(query, {"token": order["token"]})).data == before


# -- customers ----------------------------------------------------------------------------------


class Orders:
    """A customer's orders, asked for in one way or another."""

    def __init__(self, shop: Storefront) -> None:
        self.shop = shop

    async def ask(self, **variables: Any) -> dict[str, Any]:
        answer = await self.shop.post(OWN, variables)
        return answer.data["customer"]["orders"]

    async def numbers(self, **variables: Any) -> list[str]:
        return [each["number"] for each in (await self.ask(**variables))["items"]]

    async def refused(self, **variables: Any) -> str:
        answer = await self.shop.post(OWN, variables)
        assert answer.body["data"] == {"customer": {"orders": None}}
        assert answer.category == "graphql-input"
        return answer.message


async def test_a_customer_sees_their_own_orders_and_nobody_elses(market: Storefront) -> None:
    ada, eve = market.as_customer("ada-orders"), market.as_customer("eve-orders")
    orders = [await ada.an_order() for _ in range(2)]
    other = await eve.an_order()
    guests = await market.an_order()
    found = await Orders(ada).ask()
    assert {each["number"] for each in found["items"]} == {each["number"] for each in orders}
    assert found["total_count"] == 2
    assert await Orders(eve).numbers() == [other["number"]]
    for number in (other["number"], guests["number"]):
        assert await Orders(ada).numbers(filter={"number": {"eq": number}}) == []
    assert await Orders(market.as_customer("newcomer")).numbers() == []


async def test_guests_have_no_orders_of_their_own(market: Storefront) -> None:
    answer = await market.post(OWN)
    assert (answer.status, answer.body["data"]) == (403, {"customer": None})
    assert answer.message == "The current customer isn't authorized."


async def test_orders_are_paged_and_sorted(market: Storefront) -> None:
    ada = market.as_customer("ada-in-pages")
    newest_first = [(await ada.an_order())["number"] for _ in range(3)][::-1]
    orders = Orders(ada)
    assert await orders.numbers() == newest_first
    for field in ("NUMBER", "CREATED_AT"):
        up, down = [{"sort_field": field, "sort_direction": way} for way in ("ASC", "DESC")]
        assert await orders.numbers(sort=up) == newest_first[::-1]
        assert await orders.numbers(sort=down) == newest_first
    second = await orders.ask(page=2, size=2)
    assert second == {
        "items": [{"number": newest_first[2]}],
        "total_count": 3,
        "page_info": {"current_page": 2, "page_size": 2, "total_pages": 2},
    }
    assert await orders.numbers(page=2_000_000_000, size=300) == []
    for variables, message in (
        ({"page": 0}, "currentPage value must be greater than 0."),
        ({"size": 0}, "pageSize value must be from 1 to 300."),
        ({"size": 301}, "pageSize value must be from 1 to 300."),
    ):
        assert await orders.refused(**variables) == message


async def test_orders_are_filtered(market: Storefront) -> None:
    ada = market.as_customer("ada-who-filters")
    small = await ada.an_order(("apple", 1))
    large = await ada.an_order(("apple", 10))
    both = {small["number"], large["number"]}
    today = (await ada.post("{ customer { orders { items { order_date } } } }")).data
    day = today["customer"]["orders"]["items"][0]["order_date"][:10]
    for condition, expected in (
        ({"number": {"eq": small["number"]}}, {small["number"]}),
        ({"number": {"in": [large["number"], "000", None]}}, {large["number"]}),
        ({"number": {"match": small["number"][1:]}}, {small["number"]}),
        ({"number": {"match": "%"}}, set[str]()),
        ({"number": {"eq": "no number"}}, set[str]()),
        ({"grand_total": {"from": "15.01"}}, {large["number"]}),
        ({"grand_total": {"from": "15", "to": "15.00"}}, {small["number"]}),
        ({"grand_total": {"to": "14.99"}}, set[str]()),
        ({"status": {"eq": "Pending"}}, both),
        ({"status": {"in": ["Pending", "Complete"]}}, both),
        ({"status": {"eq": "Processing"}}, set[str]()),
        ({"status": {"eq": "Complete"}}, set[str]()),
        ({"order_date": {"from": day, "to": day}}, both),
        ({"order_date": {"from": f"{day} 00:00:00"}}, both),
        ({"order_date": {"to": "2001-01-01"}}, set[str]()),
        ({"order_date": {"from": "9999-12-31"}}, set[str]()),
        ({"order_date": {"from": f"{day}T00:00:00+14:00"}}, both),
        ({}, both),
    ):
        found = await Orders(ada).numbers(filter=condition)
        assert set(found) == expected, condition


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"order_date": {"from": "yesterday"}}, "order_date must be a date such as 2026-12-31."),
        ({"order_date": {"to": "2026-13-01"}}, "order_date must be a date such as 2026-12-31."),
        (
            {"order_date": {"from": "0001-01-01T00:00:00+14:00"}},
            "order_date must be a date such as 2026-12-31.",
        ),
        (
            {"order_date": {"to": "9999-12-31T23:59:59-14:00"}},
            "order_date must be a date such as 2026-12-31.",
        ),
        (
            {"grand_total": {"from": "ten"}},
            "grand_total: 'ten' is not an amount of zero or more, such as 1.29",
        ),
        (
            {"grand_total": {"to": "1.999"}},
            "grand_total: '1.999' has more decimals than USD has",
        ),
        (
            {"grand_total": {"to": "9" * 16}},
            "grand_total: an amount in USD is larger than 1000000000000000",
        ),
    ],
    ids=str,
)
async def test_a_filter_that_cannot_be_read_is_refused(
    market: Storefront, condition: dict[str, Any], message: str
) -> None:
    assert await Orders(market.as_customer()).refused(filter=condition) == message


async def test_orders_are_those_of_one_store_or_of_all(market: Storefront) -> None:
    ada, store = market.as_customer("ada-in-stores"), market.of_new_store()
    there = store.as_customer("ada-in-stores")
    first, second = (await ada.an_order())["number"], (await there.an_order())["number"]
    here = Orders(market.in_store("default").as_customer("ada-in-stores"))
    for orders, scope, expected in (
        (here, None, [first]),
        (Orders(there), None, [second]),
        (Orders(there), "STORE", [second]),
        (Orders(ada), "STORE", [first]),
        (Orders(ada), None, [second, first]),
        (here, "WEBSITE", [second, first]),
        (here, "GLOBAL", [second, first]),
    ):
        assert await orders.numbers(scope=scope) == expected, scope


# -- signing in, in development -----------------------------------------------------------------

SIGN_IN = """mutation ($email: String!, $password: String!) {
  generateCustomerToken(email: $email, password: $password) { token } }"""


async def signed_in(market: Storefront, email: str) -> Storefront:
    answer = await market.post(SIGN_IN, {"email": email, "password": "any"})
    token = answer.data["generateCustomerToken"]["token"]
    return market.with_header(Authorization=f"Bearer {token}")


async def test_in_development_anybody_signs_in_and_orders(market: Storefront) -> None:
    grace = await signed_in(market, "grace@example.com")
    order = await grace.an_order()
    query = "{ customer { email firstname orders { items { number } } } }"
    again = await signed_in(market, "GRACE@example.com")
    for each, email in ((grace, "grace@example.com"), (again, "GRACE@example.com")):
        customer = (await each.post(query)).data["customer"]
        assert customer["email"] == email
        assert customer["orders"] == {"items": [{"number": order["number"]}]}


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("", "any", 'Specify the "email" value.'),
        ("grace@example.com", "", 'Specify the "password" value.'),
        (
            "grace",
            "any",
            "The account sign-in was incorrect or your account is disabled temporarily. "
            "Please wait and try again later.",
        ),
    ],
)
async def test_signing_in_needs_an_email_address_and_some_password(
    market: Storefront, email: str, password: str, message: str
) -> None:
    answer = await market.post(SIGN_IN, {"email": email, "password": password})
    assert answer.body["data"] == {"generateCustomerToken": None}
    assert answer.message == message


async def test_a_token_that_proves_nothing_is_refused_whatever_is_asked(
    market: Storefront,
) -> None:
    answer = await market.with_header(Authorization="Bearer nonsense").post("{ __typename }")
    assert (answer.status, answer.category) == (401, "graphql-authentication")
    assert answer.message == "The customer token is invalid or has expired."
