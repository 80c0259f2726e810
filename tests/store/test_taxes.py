"""Tax: rates that operators set, carts that show it, orders that keep what was due."""

import pytest

from commerce.adapters.store.stores import StoreSettingsError
from commerce.contract import OrderPlaced
from commerce.domain.carts import ProductKind
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate
from tests.builders import TEXAS, checkout, product, tax, usd
from tests.store.conftest import Shop

COUNTRY, TEXAN = tax("5"), tax("7.5", "TX")


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    ebook = product("ebook", None, price="0.10", kind=ProductKind.VIRTUAL)
    shop.store.catalog.put([product("apple", 100), product("pear", 100, price="0.33"), ebook])


def set_rates(shop: Shop, *rates: TaxRate, code: str = "default") -> None:
    for rate in rates:
        shop.store.stores.set_tax_rate(code, rate)


# -- rates -----------------------------------------------------------------------------------------


def test_rates_are_kept_as_they_were_set_by_country_and_region(shop: Shop) -> None:
    goods_only = tax("19.6", "Bayern", "DE", on_shipping=False)
    set_rates(shop, TEXAN, goods_only, COUNTRY)
    bavarian = goods_only.model_copy(update={"region": "BAYERN"})
    assert shop.store.stores.tax_rates("default") == (bavarian, COUNTRY, TEXAN)


def test_a_rate_set_again_replaces_the_one_before(shop: Shop) -> None:
    set_rates(shop, COUNTRY, TEXAN)
    changed = tax("8.25", "TX", on_shipping=False).model_copy(update={"title": "Texan tax"})
    set_rates(shop, changed)
    assert shop.store.stores.tax_rates("default") == (COUNTRY, changed)


@pytest.mark.parametrize("spelled", ["tx", "Texas", " TX "])
def test_a_region_has_one_rate_however_it_is_spelled(shop: Shop, spelled: str) -> None:
    set_rates(shop, TEXAN, tax("9", spelled))
    assert shop.store.stores.tax_rates("default") == (tax("9", "TX"),)
    shop.store.stores.remove_tax_rate("default", "US", spelled)
    assert shop.store.stores.tax_rates("default") == ()


def test_every_store_has_its_own(shop: Shop) -> None:
    shop.store.stores.add(Store(code="north"))
    set_rates(shop, COUNTRY)
    set_rates(shop, TEXAN, code="north")
    assert shop.store.stores.tax_rates("default") == (COUNTRY,)
    assert shop.store.stores.tax_rates("north") == (TEXAN,)
    assert shop.store.stores.tax_rates("nowhere") == ()


def test_a_store_that_does_not_exist_has_none(shop: Shop) -> None:
    before = shop.rows()
    with pytest.raises(StoreSettingsError, match="'nowhere' does not exist"):
        set_rates(shop, COUNTRY, code="nowhere")
    assert shop.rows() == before


def test_a_rate_is_taken_away_and_the_others_stay(shop: Shop) -> None:
    set_rates(shop, COUNTRY, TEXAN)
    shop.store.stores.remove_tax_rate("default", "US", "TX")
    assert shop.store.stores.tax_rates("default") == (COUNTRY,)
    shop.store.stores.remove_tax_rate("default", "US", "")
    assert shop.store.stores.tax_rates("default") == ()


@pytest.mark.parametrize(
    ("code", "country_code", "region"),
    [("default", "US", "CA"), ("default", "CA", "TX"), ("nowhere", "US", "TX")],
)
def test_a_rate_that_is_not_there_cannot_be_taken_away(
    shop: Shop, code: str, country_code: str, region: str
) -> None:
    set_rates(shop, COUNTRY, TEXAN)
    before = shop.rows()
    with pytest.raises(StoreSettingsError, match="no such tax rate"):
        shop.store.stores.remove_tax_rate(code, country_code, region)
    assert shop.rows() == before


# -- carts -----------------------------------------------------------------------------------------


def test_a_cart_shows_the_tax_of_where_it_goes(shop: Shop) -> None:
    set_rates(shop, COUNTRY, TEXAN)
    for cart_id, region, total in (("texan", "Texas", "64.50"), ("other", "CA", "63.00")):
        there = TEXAS.model_copy(update={"region": region})
        shop.save(cart_id, ("apple", 4), shipping_address=there)
        found = shop.store.shopping.view(cart_id)
        assert found is not None
        assert found.tax_rates == (COUNTRY, TEXAN)
        assert found.total() == usd(total)


def test_what_is_due_when_the_cart_is_locked_has_it_too(shop: Shop) -> None:
    set_rates(shop, COUNTRY, TEXAN)
    shop.save("cart", ("apple", 4))
    run = checkout("cart")
    assert shop.lock(run).total == usd("64.50")
    assert shop.freeze(run).tax_rate == TEXAN


# -- orders ----------------------------------------------------------------------------------------


def test_an_order_keeps_the_tax_on_every_line_and_on_shipping(shop: Shop) -> None:
    set_rates(shop, TEXAN)
    shop.save("cart", ("apple", 4), ("pear", 1), ("ebook", 3))
    run = checkout("cart")
    due = shop.freeze(run).totals()
    order = shop.find(shop.order(run))
    assert order.totals == due
    assert order.totals.line_taxes == (usd("3.00"), usd("0.02"), usd("0.02"))
    assert order.totals.shipping_tax == usd("1.88")
    assert order.totals.tax == usd("4.92")
    assert order.totals.grand_total == usd("70.55")
    assert order.totals.tax_rate == TEXAN
    assert shop.store.order_book.find(cart_id="cart") == order
    assert shop.counts()["orders"] == 1


def test_where_shipping_is_not_taxed_it_is_not_in_the_order_either(shop: Shop) -> None:
    set_rates(shop, tax("7.5", "TX", on_shipping=False))
    shop.save("cart", ("apple", 4))
    totals = shop.find(shop.order(checkout("cart"))).totals
    assert (totals.shipping_tax, totals.tax) == (usd("0.00"), usd("3.00"))
    assert totals.grand_total == usd("63.00")
    assert shop.counts()["orders"] == 1


def test_an_order_without_a_rate_has_none(shop: Shop) -> None:
    set_rates(shop, tax("20", country_code="GB"))
    shop.save("cart")
    totals = shop.find(shop.order(checkout("cart"))).totals
    assert (totals.tax_rate, totals.tax) == (None, usd("0.00"))


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_rate_that_changes_after_the_lock_does_not_change_the_order(
    shop: Shop, change: str
) -> None:
    set_rates(shop, TEXAN)
    shop.save("cart", ("apple", 4))
    run = checkout("cart")
    digest = shop.hold(run).digest
    if change == "changed":
        set_rates(shop, tax("99", "TX"))
    else:
        shop.store.stores.remove_tax_rate("default", "US", "TX")
    placed = shop.store.orders.create(run, digest)
    assert isinstance(placed, OrderPlaced)
    assert placed.total == usd("64.50")
    assert shop.find(placed).totals.tax_rate == TEXAN


def test_nor_does_one_that_changes_after_the_order(shop: Shop) -> None:
    set_rates(shop, TEXAN)
    shop.save("cart", ("apple", 4))
    placed = shop.order(checkout("cart"))
    before = shop.find(placed)
    set_rates(shop, tax("99", "TX"), COUNTRY)
    assert shop.find(placed) == before
    assert shop.counts()["orders"] == 1
