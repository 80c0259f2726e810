"""What published storefronts send, fetched from their packages: is it valid, and does it run?"""

import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, cast

import pytest
import pytest_asyncio
from graphql import (
    NoSchemaIntrospectionCustomRule,
    specified_rules,
    validate,
)

from api.errors import RequestError
from api.limits import Limits, parse_within
from api.present.values import Object, money
from api.resolvers import build_schema
from tests.builders import product, tax
from tests.storefront import Answer, Storefront
from tests.storefronts.clients import (
    CLIENTS,
    WITHOUT_ORDER_PAGE,
    Client,
    RefusedError,
    by_get,
    by_post,
)
from tests.storefronts.documents import Document, documents, out_of_scope
from tests.storefronts.shops import Shop
from tests.storefronts.variables import VARIABLES, variables_of

FOUND = {
    "@dropins/storefront-cart": 15,
    "@dropins/storefront-checkout": 13,
    "@dropins/storefront-order": 18,
    "@graphcommerce/": 55,
    "@magento/peregrine": 116,
    "@magento/venia-ui": 30,
    "@vue-storefront/": 33,
}
"""How many documents of each family are in scope, and run."""

BY_GET = ("@dropins/", "@magento/")
"""Whose queries are sent by GET."""

A_FEW = 3
"""So many may go with a newer version of a package."""

Send = Callable[[Storefront, Document, dict[str, Any]], Awaitable[Answer]]

_NO_OPTIONS = "Products with options are not sold here."
_NO_COUPON = "The coupon code isn't valid. Verify the code and try again."
_NO_GIFT_CARDS = "Gift cards are not accepted here."
_NO_CANCELLATION = "Orders are not cancelled here."
_NO_RETURNS = "Orders are not returned here."
_NO_ADDRESS_BOOK = 'Could not find a address with ID "1"'

REFUSED = {
    # Root fields of what does not exist here.
    "addBundleProductsToCart": _NO_OPTIONS,
    "addDownloadableProductsToCart": _NO_OPTIONS,
    "applyCouponToCart": _NO_COUPON,
    "applyCouponsToCart": _NO_COUPON,
    "applyGiftCardToCart": _NO_GIFT_CARDS,
    "removeGiftCardFromCart": _NO_GIFT_CARDS,
    "cancelOrder": _NO_CANCELLATION,
    "confirmCancelOrder": _NO_CANCELLATION,
    "requestGuestOrderCancel": _NO_CANCELLATION,
    "confirmReturn": _NO_RETURNS,
    "requestGuestReturn": _NO_RETURNS,
    "requestReturn": _NO_RETURNS,
    "reorderItems": "Orders cannot be repeated here.",
    # Operations that ask of an existing field what does not exist here.
    "SET_GIFT_OPTIONS_ON_CART_MUTATION": "Gift options are not offered here.",
    "SetCustomerAddressOnCart": _NO_ADDRESS_BOOK,
    "SetCustomerBillingAddressOnCart": _NO_ADDRESS_BOOK,
    "SetCustomerShippingAddressOnCart": _NO_ADDRESS_BOOK,
    "SetCustomerShippingBillingAddressOnCart": _NO_ADDRESS_BOOK,
    "setSelectedPaymentMethod": "The requested Payment Method is not available.",
}
"""The documented refusals, by root field or operation; anything else that is refused is a bug."""

OUT_OF_STOCK = "Unable to place order: Some of the products are out of stock."

TAKEN_FOR_GRANTED = {
    "applied_gift_cards",
    "grand_total",
    "items",
    "itemsV2",
    "prices",
    "shipping_addresses",
    "small_image",
    "thumbnail",
    "url",
}
"""Fields that a client reads through without looking, whatever the schema says: null breaks it."""


@pytest_asyncio.fixture(scope="module")
async def shop(market: Storefront) -> Shop:
    return await Shop.opened(market, "reader-of-documents")


def of_family(family: str) -> list[Document]:
    return [each for each in documents() if each.package.startswith(family)]


# -- what was found -------------------------------------------------------------------------------


def test_every_family_yields_its_documents() -> None:
    found = {family: len(of_family(family)) for family in FOUND}
    left_out = Counter(out_of_scope().values())
    sys.stdout.write(f"in scope: {json.dumps(found)}, left out: {json.dumps(left_out)}\n")
    assert sum(found.values()) == len(documents())
    fewer = {family: each for family, each in found.items() if each < FOUND[family] - A_FEW}
    assert fewer == {}, found


def test_the_lists_name_nothing_that_is_gone() -> None:
    named = {(each.package, each.name) for each in documents()}
    assert VARIABLES.keys() - named == set()
    sent = {name for each in documents() for name in (each.name, *each.roots)}
    assert REFUSED.keys() - sent == set()


def test_every_document_is_valid() -> None:
    schema = build_schema()
    rules = (*specified_rules, NoSchemaIntrospectionCustomRule)
    wrong: dict[str, str] = {}
    for each in documents():
        try:
            problems = validate(schema, parse_within(Limits(), each.text), rules)
        except RequestError as refused:
            problems = refused.errors
        if problems:
            wrong[str(each)] = problems[0].message
    assert wrong == {}


# -- whether it runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FOUND)
async def test_every_document_runs(shop: Shop, family: str) -> None:
    assert await what_goes_wrong(shop, of_family(family), by_post) == {}


@pytest.mark.parametrize("family", [each for each in FOUND if each.startswith(BY_GET)])
async def test_queries_run_by_get(shop: Shop, family: str) -> None:
    queries = [each for each in of_family(family) if each.is_query]
    assert queries
    assert await what_goes_wrong(shop, queries, by_get) == {}


async def test_what_needs_a_login_says_so(shop: Shop) -> None:
    needs = {"customer", "customerCart", "mergeCarts"}
    asked = [each for each in documents() if needs & {*each.roots}]
    for each in asked:
        variables = variables_of(each, await shop.known(each))
        answer = await by_post(shop.guest, each, variables)
        assert answer.status == 403, each
        told = {(x["message"], x["extensions"]["category"]) for x in answer.body["errors"]}
        assert told == {("The current customer isn't authorized.", "graphql-authorization")}, each
    assert len(asked) > 30


# -- from an empty cart to the order --------------------------------------------------------------


@pytest.mark.parametrize("storefront", CLIENTS)
async def test_a_shopper_gets_the_order(market: Storefront, storefront: type[Client]) -> None:
    client = storefront(shop_for(market, storefront), "apple")
    shown = await client.fill()
    number = await client.place()
    order = market.world.store.order_book.find(number)
    assert order is not None
    assert [(line.sku, line.quantity) for line in order.lines] == [("apple", 2)]
    assert money(order.totals.grand_total)["value"] == shown
    assert await client.order_page() == (None if storefront in WITHOUT_ORDER_PAGE else shown)


@pytest.mark.parametrize("storefront", CLIENTS)
async def test_a_refused_shopper_knows_why(market: Storefront, storefront: type[Client]) -> None:
    catalog, sku = market.world.store.catalog, f"rare-{storefront.__name__}"
    catalog.put([product(sku, 2)])
    client = storefront(shop_for(market, storefront), sku)
    await client.fill()
    catalog.put([product(sku, 0)])
    with pytest.raises(RefusedError) as told:
        await client.place()
    assert set(str(told.value).split("\n")) == {OUT_OF_STOCK}
    catalog.put([product(sku, 2)])
    assert await client.place()


def shop_for(market: Storefront, storefront: type[Client]) -> Storefront:
    """A store of its own, whose tax makes totals that are no round numbers."""
    return market.of_new_store(tax("8.25"), street_lines=storefront.street_lines)


# -- what is wrong with an answer -----------------------------------------------------------------


async def what_goes_wrong(shop: Shop, sent: Iterable[Document], send: Send) -> dict[str, str]:
    """Send each document; what is wrong with its answer, by the document."""
    wrong: dict[str, str] = {}
    for each in sent:
        variables = variables_of(each, await shop.known(each))
        problem = what_is_wrong(each, await send(shop.sender(each), each, variables))
        if problem:
            wrong[str(each)] = problem
    return wrong


def what_is_wrong(document: Document, answer: Answer) -> str | None:
    """Why the answer is not what the document's client can work with."""
    refusals = {REFUSED[name] for name in (document.name, *document.roots) if name in REFUSED}
    if answer.status != 200 or not isinstance(answer.body.get("data"), dict):
        return f"{answer.status} {answer.body}"
    told = set(messages(answer.body))
    if told != refusals:
        return f"told {told}, not {refusals}"
    nulls = {name for name, value in answer.body["data"].items() if value is None}
    if nulls and not refusals:
        return f"null for {nulls}"
    broken = set(nulls_taken_for_granted(answer.body["data"]))
    return f"null within for {broken}" if broken else None


def messages(body: dict[str, Any]) -> Iterator[str]:
    """What a client finds to tell its shopper, at the top and in each root field."""
    yield from (each["message"] for each in body.get("errors", []))
    for value in body["data"].values():
        if isinstance(value, dict):
            output = cast("Object", value)
            for name in ("errors", "user_errors", "userInputErrors"):
                told: list[Object] = output.get(name) or []
                yield from (each["message"] for each in told)
            if output.get("error"):
                yield output["error"]
            if output.get("errorV2"):
                yield output["errorV2"]["message"]


def nulls_taken_for_granted(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, object]", value).items():
            if inner is None and name in TAKEN_FOR_GRANTED:
                yield name
            yield from nulls_taken_for_granted(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from nulls_taken_for_granted(inner)
