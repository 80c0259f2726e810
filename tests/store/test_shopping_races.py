"""Races of shoppers: two devices, two tabs, an edit and a checkout, all at the same time.

Some are made to happen at a named point, on PostgreSQL only: there transactions overlap.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from commerce.contract import OrderPlaced, Outcome
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import Cart, CartStatus, CartView, Shopper
from commerce.domain.errors import Refusal, RefusalReason
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, Meanwhile, Shop, at, on_postgresql_only, race
from tests.store.shoppers import ADA, adding, joining, lines, taking, taking_along
from tests.store.test_races import ROUNDS, THREADS, Shops, each

Call = Callable[[], CartView]


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=None, pear=None)


def statuses(shop: Shop, *cart_ids: str) -> list[CartStatus]:
    return [shop.content(cart_id)[1] for cart_id in cart_ids]


def won(calls: Sequence[Call]) -> list[CartView | str]:
    """The view of those that won and the problem of those that were refused; no other error."""
    results: list[CartView | str] = []
    for result in race(calls):
        if isinstance(result, Exception) and not isinstance(result, CartEditError):
            raise result
        results.append(result.problem if isinstance(result, CartEditError) else result)
    return results


def refusals(results: Sequence[CartView | str]) -> Counter[str]:
    return Counter(each for each in results if isinstance(each, str))


def own(shop: Shop, new_id: str) -> str:
    new = Cart(id=new_id, store_code="default", customer_id="ada")
    return shop.store.shopping.of_customer("ada", "default", new)


def test_a_customer_who_comes_twice_at_once_gets_one_cart(shops: Shops) -> None:
    for turn in range(ROUNDS):
        calls = [partial(own, each(shops, n), f"cart-{turn}-{n}") for n in range(THREADS)]
        (cart_id,) = {str(result) for result in race(calls)}
        assert shops[0].counts()["carts"] == turn + 1
        shops[0].save(cart_id, customer_id="ada")
        shops[0].order(checkout(cart_id, shopper=ADA))


def test_products_put_into_a_cart_at_once_are_all_in_it(shops: Shops) -> None:
    shops[0].stock(**{f"sku_{n}": 10 for n in range(THREADS)})
    shops[0].store.shopping.create(Cart(id="cart", store_code="default"))

    def add(thread: int) -> CartView:
        shopping = each(shops, thread).store.shopping
        shopping.edit("cart", adding(f"sku_{thread}"), [f"sku_{thread}"])
        return shopping.edit("cart", adding("apple"), ["apple"])

    results = won([partial(add, n) for n in range(THREADS)])
    assert not refusals(results)
    found = shops[0].store.shopping.view("cart")
    assert found is not None
    bought = lines(found)
    assert [number for number, _, _ in bought] == list(range(1, THREADS + 2))
    assert {sku: quantity for _, sku, quantity in bought} == {
        "apple": THREADS,
        **{f"sku_{n}": 1 for n in range(THREADS)},
    }


def test_one_cart_merged_into_two_at_once_goes_into_one_of_them(shops: Shops) -> None:
    for turn in range(ROUNDS):
        guests, first, second = (f"{name}-{turn}" for name in ("guests", "a-own", "z-own"))
        shops[0].save(guests, ("pear", 1))
        for cart_id in (first, second):
            shops[0].save(cart_id, customer_id="ada")
        calls = [
            partial(each(shops, n).store.shopping.merge, guests, into, joining())
            for n, into in enumerate((first, second))
        ]
        results = won(calls)
        assert refusals(results) == {"CART_NOT_ACTIVE": 1}
        pears = sum(
            line.sku == "pear"
            for into in (first, second)
            for line in shops[0].content(into)[0].lines
        )
        assert pears == 1
        assert statuses(shops[0], guests, first, second) == ["merged", "active", "active"]


def test_the_same_merge_made_twice_at_once_is_made_once(shops: Shops) -> None:
    for turn in range(ROUNDS):
        guests, into = f"guests-{turn}", f"own-{turn}"
        shops[0].save(guests, ("pear", 1))
        shops[0].save(into, customer_id="ada")
        results = won([partial(x.store.shopping.merge, guests, into, joining()) for x in shops])
        assert refusals(results) == {"CART_NOT_ACTIVE": 1}
        pear = shops[0].content(into)[0].lines[1]
        assert (pear.sku, pear.quantity) == ("pear", 1)


def test_two_carts_merged_into_each_other_end_as_one(shops: Shops) -> None:
    """Both transactions want both carts."""

    def either(source: CartView, destination: CartView) -> Cart:
        return joining(Shopper.guest())(source, destination)

    for turn in range(ROUNDS):
        pair = f"a-{turn}", f"z-{turn}"
        for cart_id in pair:
            shops[0].save(cart_id)
        calls = [
            partial(shops[0].store.shopping.merge, *pair, either),
            partial(shops[1].store.shopping.merge, *pair[::-1], either),
        ]
        assert refusals(won(calls)) == {"CART_NOT_ACTIVE": 1}
        assert sorted(statuses(shops[0], *pair)) == ["active", "merged"]


def test_a_cart_is_merged_or_ordered_never_both(shops: Shops) -> None:
    orders = 0
    for turn in range(ROUNDS):
        guests, into = f"guests-{turn}", f"own-{turn}"
        shops[0].save(guests, ("pear", 1))
        shops[0].save(into, customer_id="ada")
        calls: list[Callable[[], Outcome | CartView]] = [
            partial(shops[0].check_out, checkout(guests)),
            partial(shops[1].store.shopping.merge, guests, into, joining()),
        ]
        outcome, merged = race(calls)
        if isinstance(outcome, OrderPlaced):
            orders += 1
            assert isinstance(merged, CartEditError)
            assert merged.problem in ("CART_LOCKED", "CART_NOT_ACTIVE")
        else:
            assert outcome == Refusal(reason=RefusalReason.CART_NOT_ACTIVE)
            assert isinstance(merged, CartView)
        skus = [line.sku for line in shops[0].content(into)[0].lines]
        assert skus == (["apple"] if isinstance(outcome, OrderPlaced) else ["apple", "pear"])
    assert shops[0].counts()["orders"] == orders


def test_a_guests_cart_taken_by_two_customers_at_once_goes_to_one(shops: Shops) -> None:
    customers = ADA, Shopper.customer("eve")
    for turn in range(ROUNDS):
        shops[0].save(f"guests-{turn}")
        calls = [
            partial(
                each(shops, n).store.shopping.assign,
                f"guests-{turn}",
                str(customer.customer_id),
                taking_along(customer),
                taking(customer),
            )
            for n, customer in enumerate(customers)
        ]
        assert refusals(won(calls)) == {"NOT_CART_OWNER": 1}


def test_two_guests_carts_taken_by_one_customer_at_once_end_as_one(shops: Shops) -> None:
    for turn in range(ROUNDS):
        pair = f"a-{turn}", f"z-{turn}"
        for cart_id in pair:
            shops[0].save(cart_id, ("pear", 1))
        calls = [
            partial(x.store.shopping.assign, cart_id, "ada", taking_along(), taking())
            for x, cart_id in zip(shops, pair, strict=True)
        ]
        assert not refusals(won(calls))
        assert sorted(statuses(shops[0], *pair)) == ["active", "merged"]
        last = own(shops[0], "never-needed")
        assert last in pair
        (pears,) = shops[0].content(last)[0].lines
        assert pears.quantity == 2 + 2 * turn, "what was there before came along each time"


def test_logging_in_on_two_devices_takes_what_was_chosen_along_once(shops: Shops) -> None:
    """One merges the guest's cart into the customer's, the other does it the other way round."""
    for turn in range(ROUNDS):
        guests, theirs = f"guests-{turn}", f"own-{turn}"
        shops[0].save(guests, ("pear", 1))
        shops[0].save(theirs, ("apple", 1), customer_id="ada")
        assert own(shops[0], "never-needed") == theirs
        calls: list[Call] = [
            partial(shops[0].store.shopping.merge, guests, theirs, joining()),
            partial(shops[1].store.shopping.assign, guests, "ada", taking_along(), taking()),
        ]
        (problem,) = refusals(won(calls)).elements()
        assert problem in ("CART_NOT_ACTIVE", "NOT_CART_OWNER")
        assert sorted(statuses(shops[0], guests, theirs)) == ["active", "merged"]
        left = shops[0].content(own(shops[0], "never-needed"))[0]
        assert sorted((line.sku, line.quantity) for line in left.lines) == [
            ("apple", 1),
            ("pear", 1),
        ]
        shops[0].order(checkout(left.id, shopper=ADA))


# -- at named points -------------------------------------------------------------------------------


@on_postgresql_only
@pytest.mark.parametrize("swapped", [True, False])
def test_a_merge_does_not_deadlock_with_the_expiry_of_both_holds(
    shops: Shops, swapped: bool
) -> None:
    """The merge has ended the hold of one cart and goes for the other's; so does the expiry."""
    shop, other = shops
    shop.stock(apple=5, pear=5)
    pair = sorted(["one", "two"], key=lambda cart_id: checkout(cart_id).id, reverse=swapped)
    guests, theirs = pair
    shop.save(guests, ("pear", 1))
    shop.save(theirs, ("apple", 1), customer_id="ada")
    shop.hold(checkout(guests))
    shop.hold(checkout(theirs, shopper=ADA))
    shop.clock.advance(HOLD_TTL)
    expiry = Meanwhile(other.store.database, other.store.stock.expire_overdue)
    with at(shop.store.database, "FOR UPDATE OF stock", expiry):
        merged = shop.store.shopping.merge(guests, theirs, joining())
    assert isinstance(expiry.result(), int), expiry.result()
    assert [sku for _, sku, _ in lines(merged)] == ["apple", "pear"]
    assert shop.store.catalog.units() == {"apple": (5, 0), "pear": (5, 0)}
    assert shop.counts()["holds_open"] == 0


@on_postgresql_only
def test_an_edit_that_waited_for_a_checkout_sees_the_order(shops: Shops) -> None:
    shop, other = shops
    shop.save("cart")
    digest = shop.hold(checkout("cart")).digest
    edit = Meanwhile(
        other.store.database, lambda: other.store.shopping.edit("cart", adding("apple"))
    )
    with at(shop.store.database, "COMMIT", edit):
        placed = shop.store.orders.create(checkout("cart"), digest)
    assert isinstance(placed, OrderPlaced)
    refused = edit.result()
    assert isinstance(refused, CartEditError)
    assert refused.message == "The cart isn't active."


@on_postgresql_only
def test_a_checkout_that_waited_for_an_edit_orders_the_edited_cart(shops: Shops) -> None:
    shop, other = shops
    shop.save("cart")
    order = Meanwhile(other.store.database, lambda: other.check_out(checkout("cart")))
    with at(shop.store.database, "COMMIT", order):
        shop.store.shopping.edit("cart", adding("pear"), ["pear"])
    placed = order.result()
    assert isinstance(placed, OrderPlaced)
    assert [line.sku for line in shop.find(placed).lines] == ["apple", "pear"]


@on_postgresql_only
def test_a_customer_whose_cart_is_being_made_waits_and_gets_it(shops: Shops) -> None:
    shop, other = shops
    second = Meanwhile(other.store.database, lambda: own(other, "second"))
    with at(shop.store.database, "INSERT INTO carts", second):
        assert own(shop, "first") == "first"
    assert second.result() == "first"
    assert shop.counts()["carts"] == 1
