"""Can a person place the documented order in the explorer, with nothing but this server?"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.graphiql import Explorer, browsing
from tests.dev import a_dev, checkout

CATALOG = Path(__file__).parents[2] / "examples" / "catalog.csv"


@pytest_asyncio.fixture(scope="module")
async def endpoint(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """``checkout dev`` with the products of the examples."""
    async with a_dev(tmp_path_factory.mktemp("dev")) as dev:
        status, said = await checkout(
            "catalog", "import", str(CATALOG), "--data-dir", str(dev.data_dir)
        )
        assert status == 0, said
        yield dev.running.api_url


@pytest_asyncio.fixture
async def explorer(endpoint: str) -> AsyncGenerator[Explorer]:
    async with browsing(endpoint) as opened:
        yield opened


async def test_the_query_that_it_opens_with_places_an_order(explorer: Explorer) -> None:
    created = await explorer.run("CreateCart")
    cart_id = created["data"]["createGuestCart"]["cart"]["id"]
    await explorer.set_variables({"cart": cart_id})
    filled = (await explorer.run("FillCart"))["data"]
    assert filled["addProductsToCart"] == {"user_errors": []}
    assert filled["setPaymentMethodOnCart"]["cart"]["prices"]["grand_total"]["value"] > 0
    placed = (await explorer.run("PlaceOrder"))["data"]["placeOrder"]
    assert placed["errors"] == []
    assert placed["order"]["order_number"]


async def test_a_documented_error_is_shown(explorer: Explorer) -> None:
    await explorer.set_variables({"cart": "no-such-cart"})
    placed = (await explorer.run("PlaceOrder"))["data"]["placeOrder"]
    assert placed["errors"][0]["code"] == "CART_NOT_FOUND"


async def test_an_invalid_query_shows_the_servers_error(explorer: Explorer) -> None:
    await explorer.set_query("{ thisFieldDoesNotExist }")
    assert "thisFieldDoesNotExist" in (await explorer.run())["errors"][0]["message"]


async def test_headers_are_sent(explorer: Explorer) -> None:
    await explorer.set_headers({"Store": "default"})
    await explorer.set_query("{ __typename }")
    async with explorer.page.expect_request(explorer.endpoint) as sent:
        assert await explorer.run() == {"data": {"__typename": "Query"}}
    assert (await (await sent.value).all_headers())["store"] == "default"


async def test_it_documents_the_schema_and_completes_what_is_typed(explorer: Explorer) -> None:
    assert "Mutation" in await explorer.documentation()
    completions = await explorer.type_query("mutation { placeO")
    await expect(completions.first).to_contain_text("placeOrder")


async def test_a_reload_keeps_what_was_written_but_no_header(explorer: Explorer) -> None:
    assert json.loads(await explorer.variables()) == {"cart": ""}
    await explorer.set_headers({"Authorization": "Bearer secret"})
    await explorer.set_variables({"cart": "mine"})
    await explorer.set_query("query Mine { __typename }")
    await explorer.run("Mine")
    await explorer.page.wait_for_function(
        """() => ["tabState", "variables"].every(
            (name) => localStorage.getItem(`graphiql:${name}`)?.includes("mine"))"""
    )
    await explorer.open()
    assert await explorer.query() == "query Mine { __typename }"
    assert json.loads(await explorer.variables()) == {"cart": "mine"}
    kept = await explorer.page.evaluate("JSON.stringify(localStorage)")
    assert "queries" in kept
    assert "secret" not in kept


async def test_the_page_may_ask_nobody_else_and_is_caught_if_it_tries(endpoint: str) -> None:
    with pytest.raises(AssertionError, match="Content Security Policy"):
        async with browsing(endpoint) as explorer:
            await explorer.page.evaluate("() => fetch('http://localhost:1/').catch(() => 0)")
