"""Orders to be read: which of a customer's are found, in which order, page by page."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from commerce.domain.orders import MAX_PAGE_SIZE, OrderPage, OrderQuery, OrderStatus
from commerce.domain.stores import Store
from tests.builders import checkout
from tests.store.conftest import Shop
from tests.store.shoppers import ADA

DAY = timedelta(days=1)
FIRST, SECOND, THIRD = "000000001", "000000003", "N-000000001"
"""The numbers of Ada's orders, a day apart."""


@pytest.fixture
def ordered(shop: Shop) -> Shop:
    """Three orders of Ada's over 15, 30 and 45 dollars, and one each of Eve and a guest."""
    shop.stock(apple=100)
    shop.store.stores.add(Store(code="north", order_prefix="N-"))
    for cart_id, customer_id, units, store_code in (
        ("first", "ada", 1, "default"),
        ("eves", "eve", 1, "default"),
        ("second", "ada", 2, "default"),
        ("third", "ada", 3, "north"),
        ("guests", None, 1, "north"),
    ):
        shop.save(cart_id, ("apple", units), customer_id=customer_id, store_code=store_code)
        shopper = ADA.model_copy(update={"customer_id": customer_id})
        shop.order(checkout(cart_id, shopper=shopper))
        if cart_id in ("eves", "second"):
            shop.clock.advance(DAY)
    shop.store.orders.mark_captured(SECOND)
    return shop


def page(shop: Shop, customer_id: str = "ada", **conditions: Any) -> OrderPage:
    return shop.store.order_book.of_customer(customer_id, OrderQuery(**conditions))


def numbers(shop: Shop, **conditions: Any) -> list[str]:
    """The numbers on the page; the count says the same."""
    found = page(shop, **conditions)
    assert found.total_count == len(found.orders)
    return [order.number for order in found.orders]


def test_an_order_is_found_by_its_number_and_by_its_cart(ordered: Shop) -> None:
    book = ordered.store.order_book
    found = book.find(SECOND)
    assert found is not None
    assert (found.cart_id, found.customer_id, found.status) == ("second", "ada", "processing")
    assert book.find(cart_id="second") == found
    assert book.find("000000009") is None
    assert book.find(cart_id="never") is None


def test_a_customers_orders_come_newest_first_and_whole(ordered: Shop) -> None:
    found = page(ordered)
    assert [order.number for order in found.orders] == [THIRD, SECOND, FIRST]
    assert found.orders == tuple(ordered.store.order_book.find(x.number) for x in found.orders)
    assert found.total_count == 3


def test_nobody_sees_the_orders_of_another(ordered: Shop) -> None:
    assert [order.number for order in page(ordered, "eve").orders] == ["000000002"]
    nothing = OrderPage(orders=(), total_count=0)
    assert page(ordered, "nobody") == page(ordered, "") == nothing
    for conditions in ({"numbers": ("000000002",)}, {"number_contains": "000000002"}):
        assert numbers(ordered, **conditions) == []


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"ascending": True}, [FIRST, SECOND, THIRD]),
        ({"by_number": True}, [THIRD, SECOND, FIRST]),
        ({"by_number": True, "ascending": True}, [FIRST, SECOND, THIRD]),
    ],
    ids=str,
)
def test_they_are_sorted_as_asked(
    ordered: Shop, conditions: dict[str, Any], expected: list[str]
) -> None:
    assert numbers(ordered, **conditions) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"numbers": (FIRST,)}, [FIRST]),
        ({"numbers": (FIRST, THIRD, "000000009")}, [THIRD, FIRST]),
        ({"numbers": ("00000000",)}, []),
        ({"number_contains": "00003"}, [SECOND]),
        ({"number_contains": "N-"}, [THIRD]),
        ({"number_contains": "n-"}, [THIRD]),
        ({"number_contains": "%"}, []),
        ({"number_contains": "0_0"}, []),
        ({"number_contains": "/"}, []),
        ({"statuses": (OrderStatus.PENDING,)}, [THIRD, FIRST]),
        ({"statuses": (OrderStatus.PROCESSING,)}, [SECOND]),
        ({"statuses": tuple(OrderStatus)}, [THIRD, SECOND, FIRST]),
        ({"statuses": ()}, []),
        ({"total_from_minor": 1500}, [THIRD, SECOND, FIRST]),
        ({"total_from_minor": 1501}, [THIRD, SECOND]),
        ({"total_to_minor": 3000}, [SECOND, FIRST]),
        ({"total_to_minor": 2999}, [FIRST]),
        ({"total_from_minor": 3000, "total_to_minor": 3000}, [SECOND]),
        ({"store_code": "north"}, [THIRD]),
        ({"store_code": "default"}, [SECOND, FIRST]),
        ({"store_code": "nowhere"}, []),
        ({"store_code": "default", "statuses": (OrderStatus.PENDING,)}, [FIRST]),
    ],
    ids=str,
)
def test_every_condition_holds_for_what_is_found(
    ordered: Shop, conditions: dict[str, Any], expected: list[str]
) -> None:
    assert numbers(ordered, **conditions) == expected


def test_the_times_are_inclusive(ordered: Shop) -> None:
    first, second, third = (placed_at(ordered, x) for x in (FIRST, SECOND, THIRD))
    assert numbers(ordered, placed_from=second) == [THIRD, SECOND]
    assert numbers(ordered, placed_to=second) == [SECOND, FIRST]
    assert numbers(ordered, placed_from=second, placed_to=second) == [SECOND]
    assert numbers(ordered, placed_from=third + DAY) == []
    assert numbers(ordered, placed_to=first - DAY) == []


def placed_at(shop: Shop, number: str) -> Any:
    found = shop.store.order_book.find(number)
    assert found is not None
    return found.created_at


def test_pages_follow_one_another_and_end(shop: Shop) -> None:
    """All were placed at one moment: even then no page repeats or leaves out an order."""
    shop.stock(apple=100)
    for n, prefix in enumerate("CBACBAC"):
        shop.store.stores.change("default", {"order_prefix": prefix})
        shop.save(f"cart-{n}", customer_id="ada")
        shop.order(checkout(f"cart-{n}", shopper=ADA))
    pages = [page(shop, page=n, page_size=3) for n in range(1, 5)]
    assert [len(each.orders) for each in pages] == [3, 3, 1, 0]
    assert {each.total_count for each in pages} == {7}
    seen = [order.number for each in pages for order in each.orders]
    assert seen == numbers(shop, page_size=MAX_PAGE_SIZE)
    assert seen == [f"{prefix}00000000{n}" for prefix, n in zip("AABBCCC", "1212123", strict=True)]


@pytest.mark.parametrize("wrong", [{"page": 0}, {"page_size": 0}, {"page_size": MAX_PAGE_SIZE + 1}])
def test_a_page_that_there_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderQuery(**wrong)
