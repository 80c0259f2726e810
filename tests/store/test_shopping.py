"""Carts as shoppers fill them: made, shown, and changed line by line."""

from typing import Any

import pytest

from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import Cart, CartStatus, CartView, OfferedProduct
from commerce.domain.errors import RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.stores import Store
from commerce.ports import CartNotHeldError
from tests.builders import TEXAS, cart, checkout, offered, product, unnumbered, usd
from tests.store.conftest import HOLD_TTL, SECOND, Shop
from tests.store.shoppers import adding, changing, lines, setting


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=10, pear=10)


def view(shop: Shop, cart_id: str = "cart", *skus: str) -> CartView:
    """A cart that exists, as it is shown."""
    found = shop.store.shopping.view(cart_id, skus)
    assert found is not None
    return found


# -- made ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [{}, {"customer_id": "ada", "email": "ada@example.com"}], ids=str)
def test_a_new_cart_is_empty_and_its_shoppers_own(shop: Shop, of: dict[str, Any]) -> None:
    new = Cart(id="new", store_code="default", **of)
    shop.store.shopping.create(new)
    default = Store(code="default")
    made = CartView(cart=new, status=CartStatus.ACTIVE, store=default, products={})
    assert shop.store.shopping.view("new") == made
    assert made.total() == usd("0.00")


@pytest.mark.parametrize("ordered", [True, False])
def test_an_id_that_is_taken_is_refused(shop: Shop, ordered: bool) -> None:
    shop.save("cart")
    if ordered:
        shop.order(checkout("cart"))
    before = shop.rows()
    with pytest.raises(CartEditError) as refused:
        shop.store.shopping.create(Cart(id="cart", store_code="default", customer_id="eve"))
    assert refused.value.message == 'Cart with ID "cart" already exists.'
    assert shop.rows() == before


# -- shown -----------------------------------------------------------------------------------------


def test_a_cart_that_was_never_made_is_not_found(shop: Shop) -> None:
    assert shop.store.shopping.view("never") is None


def test_a_view_has_the_products_of_the_cart_and_those_that_were_asked_for(shop: Shop) -> None:
    shop.stock(plum=5, unasked=5, endless=3)
    shop.stock(endless=None)
    shop.save("other", ("apple", 3))
    shop.hold(checkout("other"))
    saved = shop.save("cart", ("pear", 2), ("apple", 1))
    found = view(shop, "cart", "plum", "endless", "unknown", "pear")
    assert unnumbered(found.cart) == saved
    assert found.products == {
        "apple": offered("apple", 7),
        "pear": offered("pear", 10),
        "plum": offered("plum", 5),
        "endless": offered("endless", None),
    }


def test_prices_are_those_of_the_carts_store_and_nothing_else_is_for_sale(shop: Shop) -> None:
    shop.store.stores.add(Store(code="japan", currency="JPY"))
    shop.store.catalog.put([product("apple", 10, price="1500", currency="JPY")])
    shop.save("cart", ("apple", 2), ("pear", 1), store_code="japan", shipping_method=None)
    found = view(shop)
    yen = Money(amount_minor=1500, currency="JPY")
    assert found.products["apple"] == offered("apple", 10).model_copy(update={"price": yen})
    assert found.products["pear"] == offered("pear", 10, price=None)
    assert found.total() == Money(amount_minor=3000, currency="JPY")


def test_more_products_than_fit_into_one_statement_can_be_asked_for(shop: Shop) -> None:
    skus = [f"sku-{n}" for n in range(1001)]
    shop.store.catalog.put(product(sku, 1) for sku in skus)
    shop.save("cart", ("sku-1000", 1))
    found: dict[str, OfferedProduct] = view(shop, "cart", *skus[:-1]).products
    assert sorted(found) == sorted(skus)


def test_a_cart_is_shown_as_its_shopper_can_use_it(shop: Shop) -> None:
    for cart_id in ("active", "locked", "expired", "converted"):
        shop.save(cart_id)
    shop.hold(checkout("expired"))
    shop.clock.advance(HOLD_TTL)
    shop.hold(checkout("locked"))
    shop.order(checkout("converted"))
    before = shop.rows()
    statuses = {x: view(shop, x).status for x in ("active", "locked", "expired", "converted")}
    assert statuses == {
        "active": CartStatus.ACTIVE,
        "locked": CartStatus.LOCKED,
        "expired": CartStatus.ACTIVE,
        "converted": CartStatus.CONVERTED,
    }
    assert shop.rows() == before, "looking changes nothing"


# -- changed ---------------------------------------------------------------------------------------


def test_a_change_is_kept_and_answered_as_the_cart_is_then_shown(shop: Shop) -> None:
    shop.save("cart", ("apple", 1))
    dallas = TEXAS.model_copy(update={"city": "Dallas"})
    everything = {
        "email": "other@example.com",
        "shipping_address": dallas,
        "billing_address": None,
        "shipping_method": "freeshipping",
        "payment": None,
        "customer_id": "ada",
    }
    shop.clock.advance(SECOND)
    changed = shop.store.shopping.edit("cart", changing(**everything))
    assert changed == view(shop)
    assert unnumbered(changed.cart) == cart("cart", ("apple", 1), **everything)


def test_products_that_are_asked_for_can_be_put_into_the_cart(shop: Shop) -> None:
    shop.store.shopping.create(Cart(id="cart", store_code="default"))
    changed = shop.store.shopping.edit("cart", adding("pear", 3), ["pear"])
    assert lines(changed) == [(1, "pear", 3)]
    assert changed.products == {"pear": offered("pear", 10)}


@pytest.mark.parametrize("lock", ["none", "expired"])
def test_nothing_is_written_if_the_change_is_refused(shop: Shop, lock: str) -> None:
    shop.save("cart")
    if lock == "expired":
        shop.hold(checkout("cart"))
        shop.clock.advance(HOLD_TTL)
    before = shop.rows()

    def refuse_it(_: CartView) -> Cart:
        raise CartEditError(CartProblem.EMAIL_INVALID)

    with pytest.raises(CartEditError, match="Invalid email format"):
        shop.store.shopping.edit("cart", refuse_it)
    assert shop.rows() == before


def test_a_cart_that_was_never_made_cannot_be_changed(shop: Shop) -> None:
    before = shop.rows()
    with pytest.raises(CartEditError) as refused:
        shop.store.shopping.edit("never", changing(email=None))
    assert refused.value.message == 'Could not find a cart with ID "never"'
    assert shop.rows() == before


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("locked", "The cart is locked for processing. Please try again later."),
        ("converted", "The cart isn't active."),
    ],
)
def test_a_change_sees_that_the_cart_cannot_be_changed(
    shop: Shop, state: str, message: str
) -> None:
    shop.save("cart")
    if state == "locked":
        shop.hold(checkout("cart"))
        shop.clock.advance(HOLD_TTL - SECOND)
    else:
        shop.order(checkout("cart"))
    before = shop.rows()
    with pytest.raises(CartEditError) as refused:
        shop.store.shopping.edit("cart", changing(email=None))
    assert refused.value.message == message
    assert shop.rows() == before


def test_a_change_after_the_lock_expired_ends_the_hold_and_the_run(shop: Shop) -> None:
    shop.save("cart", ("apple", 4))
    run = checkout("cart")
    snapshot = shop.freeze(run)
    assert shop.store.stock.hold(run, snapshot) is None
    shop.clock.advance(HOLD_TTL)
    changed = shop.store.shopping.edit("cart", adding("pear"), ["pear"])
    assert lines(changed) == [(1, "apple", 4), (2, "pear", 1)]
    assert changed.products["apple"].available == 10, "what it held is for sale again"
    assert shop.units("apple") == (10, 0)
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(run, snapshot)
    changed_meanwhile = refuse(RefusalReason.CART_CHANGED)
    assert shop.store.orders.create(run, snapshot.digest()) == changed_meanwhile
    assert shop.counts()["orders"] == 0


def test_what_the_cart_held_itself_is_available_to_it_again(shop: Shop) -> None:
    shop.save("cart", ("apple", 6))
    shop.hold(checkout("cart"))
    shop.clock.advance(HOLD_TTL)
    assert lines(shop.store.shopping.edit("cart", setting(_1=10))) == [(1, "apple", 10)]
    assert shop.units("apple") == (10, 0)


# -- the numbers of lines --------------------------------------------------------------------------


def test_a_number_is_never_used_again_even_of_the_last_line(shop: Shop) -> None:
    shopping = shop.store.shopping
    shopping.create(Cart(id="cart", store_code="default"))
    skus = ["apple", "pear"]
    assert lines(shopping.edit("cart", adding("apple"), skus)) == [(1, "apple", 1)]
    shopping.edit("cart", adding("pear"), skus)
    assert lines(shopping.edit("cart", setting(_2=0))) == [(1, "apple", 1)]
    assert lines(shopping.edit("cart", adding("pear"), skus)) == [(1, "apple", 1), (3, "pear", 1)]
    assert lines(shopping.edit("cart", setting(_1=0, _3=0))) == []
    assert lines(shopping.edit("cart", adding("apple"), skus)) == [(4, "apple", 1)]


def test_a_line_keeps_its_number_through_changes_of_everything_else(shop: Shop) -> None:
    shop.save("cart", ("apple", 1), ("pear", 1))
    shopping = shop.store.shopping
    assert lines(shopping.edit("cart", setting(_2=5))) == [(1, "apple", 1), (2, "pear", 5)]
    shopping.edit("cart", changing(email="other@example.com"))
    run = checkout("cart", key="first")
    shop.hold(run)
    shop.undo(run, refuse(RefusalReason.PAYMENT_METHOD_MISSING))
    assert lines(view(shop)) == [(1, "apple", 1), (2, "pear", 5)]


def test_an_import_gives_new_numbers_for_what_it_replaces_are_other_lines(shop: Shop) -> None:
    shop.save("cart", ("apple", 1), ("pear", 1))
    shop.save("other", ("apple", 1))
    shop.save("cart", ("apple", 1), ("pear", 1))
    assert lines(view(shop)) == [(3, "apple", 1), (4, "pear", 1)]
    assert lines(view(shop, "other")) == [(1, "apple", 1)], "each cart counts its own"
