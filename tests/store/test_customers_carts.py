"""The one cart that a customer fills in a store: theirs, merged into, taken over from a guest."""

from typing import Any

import pytest

from commerce.contract import Refusal
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import Cart, CartStatus, CartView, Shopper
from commerce.domain.errors import RefusalReason, refuse
from commerce.domain.stores import Store
from tests.builders import checkout, product, usd
from tests.store.conftest import HOLD_TTL, SECOND, Shop
from tests.store.shoppers import ADA, adding, changing, joining, lines, taking, taking_along

EVE = Shopper.customer("eve")


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=10, pear=10)


def new(cart_id: str, customer_id: str = "ada", **changes: Any) -> Cart:
    """An empty cart of a customer."""
    return Cart(id=cart_id, store_code="default", customer_id=customer_id).model_copy(
        update=changes
    )


def own(shop: Shop, new_id: str, customer_id: str = "ada", store_code: str = "default") -> str:
    """The id of the cart that a customer fills; the new one's if it had to be made."""
    made = new(new_id, customer_id, store_code=store_code)
    return shop.store.shopping.of_customer(customer_id, store_code, made)


def view(shop: Shop, cart_id: str) -> CartView:
    found = shop.store.shopping.view(cart_id)
    assert found is not None
    return found


def refused(shop: Shop, call: Any) -> CartProblem:
    """What the call is refused with; it changes nothing."""
    before = shop.rows()
    with pytest.raises(CartEditError) as error:
        call()
    assert shop.rows() == before
    return error.value.problem


# -- their own -------------------------------------------------------------------------------------


def test_a_customer_without_a_cart_gets_the_new_one(shop: Shop) -> None:
    made = new("first", email="ada@example.com")
    assert shop.store.shopping.of_customer("ada", "default", made) == "first"
    found = view(shop, "first")
    assert (found.cart, found.status) == (made, CartStatus.ACTIVE)


def test_and_keeps_it_from_then_on(shop: Shop) -> None:
    own(shop, "first")
    before = shop.rows()
    assert own(shop, "second") == "first"
    assert shop.rows() == before
    assert shop.store.shopping.view("second") is None


def test_every_customer_has_another_one_and_so_has_every_store(shop: Shop) -> None:
    shop.store.stores.add(Store(code="north"))
    assert own(shop, "first") == "first"
    assert own(shop, "second", "eve") == "second"
    assert own(shop, "third", "ada", "north") == "third"
    assert view(shop, "third").store.code == "north"
    assert own(shop, "fourth") == "first"


@pytest.mark.parametrize("state", ["active", "locked", "expired"])
def test_a_cart_that_may_still_be_filled_stays_theirs(shop: Shop, state: str) -> None:
    shop.save("imported", customer_id="ada")
    assert own(shop, "first") == "imported"
    if state != "active":
        shop.hold(checkout("imported", shopper=ADA))
    if state == "expired":
        shop.clock.advance(HOLD_TTL)
    assert own(shop, "second") == "imported"


def test_after_the_order_they_get_a_new_one(shop: Shop) -> None:
    own(shop, "first")
    shop.save("first", customer_id="ada")
    shop.order(checkout("first", shopper=ADA))
    assert own(shop, "second") == "second"
    assert own(shop, "third") == "second"


def test_an_imported_cart_of_theirs_is_found_the_one_changed_last(shop: Shop) -> None:
    for cart_id in ("older", "newest", "newer"):
        shop.save(cart_id, customer_id="ada")
    shop.save("guests")
    shop.clock.advance(SECOND)
    shop.save("newest", customer_id="ada")
    shop.save("eves", customer_id="eve")
    shop.save("ordered", customer_id="ada")
    shop.order(checkout("ordered", shopper=ADA))
    assert own(shop, "first") == "newest"
    assert shop.store.shopping.view("first") is None


@pytest.mark.parametrize("whose", ["ada", "eve", None])
def test_an_id_that_is_taken_does_not_become_theirs(shop: Shop, whose: str | None) -> None:
    """Callers may name the id of a new cart: it must not be a way to somebody else's."""
    shop.save("taken", customer_id=whose)
    shop.order(checkout("taken", shopper=Shopper(customer_id=whose)))
    shop.save("guests")
    for cart_id in ("taken", "guests"):
        taken = refused(shop, lambda wanted=cart_id: own(shop, wanted))
        assert taken is CartProblem.CART_ID_TAKEN
    assert own(shop, "free") == "free"


def test_a_cart_that_an_import_gave_to_another_is_theirs_no_longer(shop: Shop) -> None:
    """Else they would be refused as not its owner, for ever."""
    assert own(shop, "first") == "first"
    shop.save("first", customer_id="eve")
    assert own(shop, "second") == "second"
    assert own(shop, "third", "eve") == "first"


# -- merged ----------------------------------------------------------------------------------------


def test_what_was_chosen_as_a_guest_goes_into_the_customers_cart(shop: Shop) -> None:
    shop.save("guests", ("pear", 2), ("apple", 1))
    shop.save("own", ("apple", 3), customer_id="ada", email="ada@example.com")
    before = view(shop, "own").cart
    merged = shop.store.shopping.merge("guests", "own", joining())
    assert lines(merged) == [(1, "apple", 4), (2, "pear", 2)]
    assert merged == view(shop, "own")
    assert merged.cart == before.model_copy(update={"lines": merged.cart.lines})
    assert view(shop, "guests").status is CartStatus.MERGED
    assert own(shop, "first") == "own"
    shop.counts()


def test_a_merged_cart_is_over_for_everybody(shop: Shop) -> None:
    shop.save("guests", ("pear", 2))
    shop.save("own", customer_id="ada")
    shop.store.shopping.merge("guests", "own", joining())
    shopping = shop.store.shopping
    for call in (
        lambda: shopping.edit("guests", changing(email=None)),
        lambda: shopping.merge("guests", "own", joining()),
        lambda: shopping.assign("guests", "ada", taking_along(), taking()),
        lambda: shop.save("guests", ("apple", 1)),
    ):
        assert refused(shop, call) is CartProblem.CART_NOT_ACTIVE
    before = shop.rows()
    shopping.show_total("guests", usd("1.00"))
    assert shop.rows() == before


def test_placing_an_order_of_a_merged_cart_is_refused_and_names_no_order(shop: Shop) -> None:
    shop.save("guests", ("pear", 2))
    shop.save("own", customer_id="ada")
    shop.store.shopping.merge("guests", "own", joining())
    placed = shop.order(checkout("own", shopper=ADA))
    assert shop.find(placed).lines[1].sku == "pear"
    not_active = Refusal(reason=RefusalReason.CART_NOT_ACTIVE, order_number=None)
    for shopper in (Shopper.guest(), ADA):
        run = checkout("guests", key=f"of-{shopper.customer_id}", run="late", shopper=shopper)
        assert shop.check_out(run) == not_active
        assert shop.store.carts.answer(run.request, not_active) == not_active
    assert shop.counts()["orders"] == 1


@pytest.mark.parametrize(
    ("source", "destination", "named"),
    [("never", "own", "never"), ("guests", "never", "never"), ("never", "nor", "never")],
)
def test_a_cart_that_was_never_made_is_not_merged(
    shop: Shop, source: str, destination: str, named: str
) -> None:
    shop.save("guests")
    shop.save("own", customer_id="ada")
    with pytest.raises(CartEditError) as error:
        shop.store.shopping.merge(source, destination, joining())
    assert error.value.message == f'Could not find a cart with ID "{named}"'
    assert view(shop, "guests").status is CartStatus.ACTIVE


def test_if_the_merge_is_refused_both_stay_as_they_were(shop: Shop) -> None:
    shop.save("guests")
    shop.save("own", customer_id="ada")
    shop.hold(checkout("guests"))
    shopping = shop.store.shopping
    assert refused(shop, lambda: shopping.merge("guests", "own", joining())) is (
        CartProblem.CART_LOCKED
    )
    shop.undo(checkout("guests"), refuse(RefusalReason.ABORTED))
    assert refused(shop, lambda: shopping.merge("guests", "own", joining(EVE))) is (
        CartProblem.NOT_CART_OWNER
    )


def test_a_merge_after_both_locks_expired_ends_both_holds(shop: Shop) -> None:
    shop.save("guests", ("pear", 2))
    shop.save("own", ("apple", 3), customer_id="ada")
    runs = checkout("guests"), checkout("own", shopper=ADA)
    digests = [shop.hold(run).digest for run in runs]
    shop.clock.advance(HOLD_TTL)
    merged = shop.store.shopping.merge("guests", "own", joining())
    assert (shop.units("apple"), shop.units("pear")) == ((10, 0), (10, 0))
    assert {sku: x.available for sku, x in merged.products.items()} == {"apple": 10, "pear": 10}
    for run, digest in zip(runs, digests, strict=True):
        assert shop.store.orders.create(run, digest) == refuse(RefusalReason.CART_CHANGED)
    assert shop.counts()["holds_open"] == 0


@pytest.mark.parametrize(("price", "shown"), [("10.00", "45.00"), ("12.00", "15.00")])
def test_the_total_that_was_shown_moves_with_a_merge_if_it_was_right_before(
    shop: Shop, price: str, shown: str
) -> None:
    shop.save("guests", ("pear", 2))
    shop.save("own", ("apple", 1), customer_id="ada")
    shop.store.shopping.show_total("own", usd("15.00"))
    shop.store.catalog.put([product("apple", 10, price=price)])
    merged = shop.store.shopping.merge("guests", "own", joining())
    assert merged.cart.shown_total == usd(shown)


# -- taken over ------------------------------------------------------------------------------------


def test_a_guests_cart_becomes_the_customers_own(shop: Shop) -> None:
    shop.save("guests", ("pear", 2))
    taken = shop.store.shopping.assign("guests", "ada", taking_along(), taking())
    assert taken == view(shop, "guests")
    assert (taken.cart.customer_id, lines(taken)) == ("ada", [(1, "pear", 2)])
    assert own(shop, "first") == "guests"
    assert shop.order(checkout("guests", shopper=ADA)).total == usd("30.00")


def test_what_the_customer_had_before_goes_into_it(shop: Shop) -> None:
    shop.save("own", ("apple", 1), ("pear", 1), customer_id="ada")
    shop.save("guests", ("pear", 2))
    taken = shop.store.shopping.assign("guests", "ada", taking_along(), taking())
    assert (taken.cart.customer_id, lines(taken)) == ("ada", [(1, "pear", 3), (2, "apple", 1)])
    assert view(shop, "own").status is CartStatus.MERGED
    assert own(shop, "first") == "guests"


def test_what_they_have_ordered_before_does_not(shop: Shop) -> None:
    shop.save("own", ("apple", 1), customer_id="ada")
    assert own(shop, "first") == "own"
    shop.order(checkout("own", shopper=ADA))
    shop.save("guests", ("pear", 2))
    taken = shop.store.shopping.assign("guests", "ada", taking_along(), taking())
    assert lines(taken) == [(1, "pear", 2)]
    assert view(shop, "own").status is CartStatus.CONVERTED


@pytest.mark.parametrize("has_a_cart", [True, False])
@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("never", CartProblem.CART_NOT_FOUND),
        ("eves", CartProblem.NOT_CART_OWNER),
        ("locked", CartProblem.CART_LOCKED),
        ("converted", CartProblem.CART_NOT_ACTIVE),
    ],
)
def test_a_cart_that_cannot_be_taken_is_left_alone(
    shop: Shop, state: str, problem: CartProblem, has_a_cart: bool
) -> None:
    shop.save("eves", customer_id="eve")
    shop.save("locked")
    shop.hold(checkout("locked"))
    shop.save("converted")
    shop.order(checkout("converted"))
    if has_a_cart:
        own(shop, "own")
    shopping = shop.store.shopping
    assert refused(shop, lambda: shopping.assign(state, "ada", taking_along(), taking())) is problem


def test_a_cart_is_taken_into_the_store_that_it_is_of(shop: Shop) -> None:
    shop.store.stores.add(Store(code="north"))
    assert own(shop, "own") == "own"
    shop.save("guests", store_code="north")
    shop.store.shopping.assign("guests", "ada", taking_along(), taking())
    assert own(shop, "first", store_code="north") == "guests"
    assert own(shop, "first") == "own"
    assert view(shop, "own").status is CartStatus.ACTIVE


def test_the_numbers_of_lines_go_on_in_the_cart_that_was_taken(shop: Shop) -> None:
    shop.save("own", ("apple", 1), customer_id="ada")
    shop.save("guests", ("pear", 2))
    shop.store.shopping.assign("guests", "ada", taking_along(), taking())
    changed = shop.store.shopping.edit("guests", adding("apple", 1, ADA))
    assert lines(changed) == [(1, "pear", 2), (2, "apple", 2)]
    shop.stock(plum=5)
    changed = shop.store.shopping.edit("guests", adding("plum", 1, ADA), ["plum"])
    assert lines(changed)[2:] == [(3, "plum", 1)]
