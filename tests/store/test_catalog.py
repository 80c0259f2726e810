"""Products, prices and stock, set from outside while checkouts run."""

import pytest
from pydantic import ValidationError

from commerce.adapters.store.catalog import MAX_STOCK, CatalogError
from commerce.contract import OrderPlaced
from commerce.domain.carts import ProductKind
from commerce.domain.errors import RefusalReason
from commerce.domain.money import MAX_AMOUNT_MINOR, MoneyError
from tests.builders import checkout, product, usd
from tests.store.conftest import SECOND, Shop


def held(shop: Shop, cart_id: str, units: int, sku: str = "apple") -> str:
    """A cart that holds so many units; each one is newer than the one before."""
    shop.clock.advance(SECOND)
    shop.save(cart_id, (sku, units))
    return shop.hold(checkout(cart_id)).digest


def test_products_are_created_and_replaced(shop: Shop) -> None:
    first = [product("apple", 5), product("ebook", None, kind=ProductKind.VIRTUAL)]
    assert shop.store.catalog.put(first) == 2
    again = product("apple", 7, price="12.34", kind=ProductKind.VIRTUAL)
    assert shop.store.catalog.put([again, product("pear", 0)]) == 2
    assert shop.store.catalog.units() == {"apple": (7, 0), "pear": (0, 0)}
    shop.save("cart", ("apple", 2))
    (line,) = shop.freeze(checkout("cart")).lines
    assert (line.kind, line.price) == (ProductKind.VIRTUAL, usd("12.34"))


def test_putting_the_same_again_changes_nothing(shop: Shop) -> None:
    products = [product("apple", 5), product("ebook", None), product("pear", 0)]
    shop.store.catalog.put(products)
    held(shop, "cart", 2)
    before = shop.rows()
    assert shop.store.catalog.put(products) == 3
    assert shop.rows() == before


def test_putting_nothing_is_fine(shop: Shop) -> None:
    assert shop.store.catalog.put([]) == 0
    assert shop.store.catalog.units() == {}


def test_more_products_than_go_into_one_statement_are_put_at_once(shop: Shop) -> None:
    shop.store.catalog.put(product(f"sku-{n}", n) for n in range(1100))
    assert shop.store.catalog.units() == {f"sku-{n}": (n, 0) for n in range(1100)}
    shop.store.catalog.put(product(f"sku-{n}", 2) for n in range(1100))
    assert set(shop.store.catalog.units().values()) == {(2, 0)}
    assert shop.counts()["units_stocked"] == 2200


def test_a_sku_given_twice_is_refused_and_nothing_is_written(shop: Shop) -> None:
    shop.stock(apple=5)
    before = shop.rows()
    with pytest.raises(CatalogError, match="'pear' is given twice"):
        shop.store.catalog.put([product("apple", 9), product("pear", 1), product("pear", 1)])
    assert shop.rows() == before


@pytest.mark.parametrize("quantity", [-1, MAX_STOCK + 1, 2**63, 1.5])
def test_a_quantity_that_is_none_is_no_product(quantity: int) -> None:
    with pytest.raises(ValidationError):
        product("apple", quantity)


@pytest.mark.parametrize("price", ["10000000000000.01", "-0.01", "0.001", "1e99", "NaN"])
def test_a_price_that_is_none_is_no_product(price: str) -> None:
    with pytest.raises(MoneyError):
        product("apple", price=price)


def test_the_largest_stock_and_price_are_kept_and_sold(shop: Shop) -> None:
    dear = product("dear", MAX_STOCK, price="9999999999995.00")
    assert dear.price.amount_minor == MAX_AMOUNT_MINOR - 500
    shop.store.catalog.put([dear, product("cheap", MAX_STOCK, price="0.00")])
    shop.save("dear", ("dear", 1))
    assert shop.order(checkout("dear")).total.amount_minor == MAX_AMOUNT_MINOR
    shop.save("many", *[("cheap", 1_000_000)] * 500, shipping_method=None)
    assert shop.order(checkout("many")).total == usd("0.00")
    assert shop.units("cheap") == (MAX_STOCK - 500_000_000, 0)
    shop.store.catalog.put([product("cheap", MAX_STOCK)])
    assert shop.counts()["units_sold"] == 500_000_001


def test_one_cent_too_much_is_refused_and_not_an_error(shop: Shop) -> None:
    shop.store.catalog.put([product("dear", price="9999999999995.01")])
    shop.save("cart", ("dear", 1))
    refused = shop.check_out(checkout("cart"))
    assert not isinstance(refused, OrderPlaced)
    assert refused.reason is RefusalReason.TOTAL_TOO_LARGE


def test_what_was_sold_stays_sold_when_stock_is_set(shop: Shop) -> None:
    shop.stock(apple=5)
    shop.save("cart", ("apple", 3))
    shop.order(checkout("cart"))
    shop.stock(apple=10)
    assert shop.units("apple") == (10, 0)
    counts = shop.counts()
    assert (counts["units_sold"], counts["units_stocked"]) == (3, 13)


def test_stock_as_large_as_what_is_held_leaves_every_hold(shop: Shop) -> None:
    shop.stock(apple=9)
    held(shop, "old", 2)
    held(shop, "new", 3)
    shop.stock(apple=5)
    assert shop.units("apple") == (5, 5)
    assert shop.counts()["holds_open"] == 2


@pytest.mark.parametrize(
    ("units", "left"), [(4, ("old",)), (2, ("old",)), (1, ()), (0, ())], ids=str
)
def test_stock_below_what_is_held_ends_the_newest_holds(
    shop: Shop, units: int, left: tuple[str, ...]
) -> None:
    shop.stock(apple=9, pear=9)
    digests = {"old": held(shop, "old", 2), "new": held(shop, "new", 3)}
    held(shop, "pears", 1, "pear")
    shop.stock(apple=units, pear=9)
    assert shop.units("apple") == (units, 2 if left else 0)
    assert shop.units("pear") == (9, 1)
    shop.counts()
    outcomes = {x: shop.store.orders.create(checkout(x), digests[x]) for x in ("old", "new")}
    assert tuple(x for x, y in outcomes.items() if isinstance(y, OrderPlaced)) == (
        ("old",) if units >= 2 else ()
    )
    shop.store.stock.release(checkout("old"))
    shop.store.stock.release(checkout("new"))
    assert shop.units("apple") == (units - 2 if left else units, 0)


def test_a_hold_that_was_ended_takes_its_stock_again_when_there_is_some(shop: Shop) -> None:
    shop.stock(apple=9)
    digest = held(shop, "cart", 3)
    shop.stock(apple=0)
    shop.stock(apple=3)
    assert isinstance(shop.store.orders.create(checkout("cart"), digest), OrderPlaced)
    assert shop.units("apple") == (0, 0)
    assert shop.counts()["units_sold"] == 3


def test_a_hold_over_several_skus_ends_as_a_whole(shop: Shop) -> None:
    shop.stock(apple=9, pear=9)
    shop.save("cart", ("apple", 3), ("pear", 4))
    shop.hold(checkout("cart"))
    shop.stock(apple=2)
    assert shop.store.catalog.units() == {"apple": (2, 0), "pear": (9, 0)}
    assert shop.counts()["holds_open"] == 0


def test_stock_can_stop_being_managed_and_be_managed_again(shop: Shop) -> None:
    shop.stock(apple=3)
    digest = held(shop, "before", 2)
    shop.stock(apple=None)
    assert shop.store.catalog.units() == {}
    shop.save("meanwhile", ("apple", 100))
    shop.order(checkout("meanwhile"))
    assert isinstance(shop.store.orders.create(checkout("before"), digest), OrderPlaced)
    shop.stock(apple=4)
    assert shop.units("apple") == (4, 0)
    shop.save("after", ("apple", 5))
    refused = shop.check_out(checkout("after"))
    assert not isinstance(refused, OrderPlaced)
    assert refused.reason is RefusalReason.INSUFFICIENT_STOCK
    assert shop.counts()["units_sold"] == 2, "what was ordered unmanaged never was in stock"


def test_a_product_that_was_never_managed_becomes_so_under_a_hold(shop: Shop) -> None:
    shop.stock(apple=None)
    digest = held(shop, "cart", 9)
    shop.stock(apple=1)
    assert shop.units("apple") == (1, 0)
    assert isinstance(shop.store.orders.create(checkout("cart"), digest), OrderPlaced)
    assert shop.units("apple") == (1, 0)
    assert shop.counts()["units_sold"] == 0


def test_a_price_in_another_currency_stands_beside_the_first(shop: Shop) -> None:
    shop.store.catalog.put([product("apple", price="10.00")])
    shop.store.catalog.put([product("apple", price="9.00", currency="EUR")])
    shop.save("cart", ("apple", 1))
    assert shop.lock(checkout("cart")).total == usd("15.00")
