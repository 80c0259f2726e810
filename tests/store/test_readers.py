"""Readers: do they see one moment, keep nobody waiting, and write nothing?"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from commerce.adapters.store.database import READERS
from commerce.domain.orders import OrderQuery
from tests.builders import product, usd
from tests.store.conftest import RACE_TIMEOUT_S, Shop

DEARER = text("UPDATE prices SET amount_minor = 1200 WHERE sku = 'apple'")
PRICE = text("SELECT amount_minor FROM prices WHERE sku = 'apple'")


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=10)
    shop.save("cart")


def total(shop: Shop) -> object:
    found = shop.store.shopping.view("cart")
    assert found is not None
    return found.total()


def test_whoever_reads_does_not_wait_for_who_writes(shop: Shop) -> None:
    """And sees what was before, until it is committed."""
    reads = (
        lambda: total(shop),
        lambda: shop.store.carts.find("cart"),
        lambda: shop.store.order_book.find("000000001"),
        lambda: shop.store.order_book.of_customer("ada", OrderQuery()),
        lambda: shop.store.stores.find("default"),
        lambda: shop.store.stores.all(),
        lambda: shop.store.stores.tax_rates("default"),
        lambda: shop.store.audit.run(),
    )
    before = [read() for read in reads]
    with ThreadPoolExecutor(1) as another, shop.store.database.transaction() as tx:
        tx.execute(DEARER)
        for read, seen in zip(reads, before, strict=True):
            assert another.submit(read).result(RACE_TIMEOUT_S) == seen
    assert total(shop) == usd("17.00")


def test_whoever_writes_does_not_wait_for_who_reads(shop: Shop) -> None:
    """And who reads sees one moment, however long it takes."""
    with ThreadPoolExecutor(1) as another, shop.store.database.reading() as tx:
        assert tx.scalar(PRICE) == 1000
        dearer = [product("apple", 10, price="12.00")]
        assert another.submit(shop.store.catalog.put, dearer).result(RACE_TIMEOUT_S) == 1
        assert tx.scalar(PRICE) == 1000
    assert total(shop) == usd("17.00")


def test_many_read_at_a_time(shop: Shop) -> None:
    with ExitStack() as open_reads, ThreadPoolExecutor(1) as another:
        for _ in range(READERS):
            tx = open_reads.enter_context(shop.store.database.reading())
            assert tx.scalar(PRICE) == 1000
        dearer = [product("apple", 10, price="12.00")]
        assert another.submit(shop.store.catalog.put, dearer).result(RACE_TIMEOUT_S) == 1


@pytest.mark.parametrize(
    "statement", [DEARER, text("DELETE FROM cart_lines"), text("CREATE TABLE t (n INTEGER)")]
)
def test_who_reads_cannot_write(shop: Shop, statement: object) -> None:
    before = shop.rows()
    with (
        pytest.raises(DBAPIError, match=r"read-?only"),
        shop.store.database.reading() as tx,
    ):
        tx.execute(statement)  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert shop.rows() == before
    assert total(shop) == usd("15.00")
