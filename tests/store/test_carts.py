"""Carts as shoppers fill them: what is kept, and when an edit is refused."""

import pytest

from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import Cart, CartStatus
from commerce.domain.errors import RefusalReason, refuse
from commerce.ports import CartNotHeldError
from tests.builders import TEXAS, cart, checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=10, pear=10)


def test_a_cart_is_found_as_it_was_saved(shop: Shop) -> None:
    saved = shop.save("cart", ("pear", 2), ("apple", 1), ("pear", 3), customer_id="ada")
    assert shop.content("cart") == (saved, CartStatus.ACTIVE)


def test_a_cart_that_lacks_everything_is_kept_too(shop: Shop) -> None:
    bare = Cart(id="bare", store_code="default")
    shop.store.carts.save(bare)
    assert shop.store.carts.find("bare") == (bare, CartStatus.ACTIVE)


def test_text_of_every_script_survives(shop: Shop) -> None:
    address = TEXAS.model_copy(update={"lastname": "Ö'\"; DROP--", "city": "東京\u202e😀"})
    saved = shop.save("cart", shipping_address=address, shipping_method="%s {} :x \\")
    assert shop.content("cart") == (saved, CartStatus.ACTIVE)


def test_a_cart_that_was_never_saved_is_not_found(shop: Shop) -> None:
    assert shop.store.carts.find("never") is None


def test_saving_again_replaces_all_of_the_content(shop: Shop) -> None:
    shop.save("cart", ("apple", 1), ("pear", 2))
    replaced = shop.save(
        "cart", ("pear", 7), email=None, shipping_address=None, shipping_method=None, payment=None
    )
    assert shop.content("cart") == (replaced, CartStatus.ACTIVE)


def test_many_carts_are_saved_at_once(shop: Shop) -> None:
    carts = [cart(f"cart-{n}", ("apple", n)) for n in range(1, 30)]
    shop.store.carts.save(*reversed(carts))
    for saved in carts:
        assert shop.content(saved.id) == (saved, CartStatus.ACTIVE)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (cart("bad", ("apple", 1), ("plum", 1)), 'Could not find a product with SKU "plum"'),
        (cart("bad", store_code="nowhere"), 'Requested store is not found: "nowhere"'),
        (cart("converted", ("pear", 1)), "The cart isn't active."),
        (cart("locked", ("pear", 1)), "The cart is locked for processing. Please try again later."),
    ],
)
def test_one_bad_cart_keeps_every_cart_from_being_saved(
    shop: Shop, bad: Cart, message: str
) -> None:
    for cart_id in ("a-good", "z-good", "locked", "converted"):
        shop.save(cart_id)
    shop.hold(checkout("locked"))
    shop.order(checkout("converted"))
    before = shop.rows()
    with pytest.raises(CartEditError) as refused:
        shop.store.carts.save(cart("a-good", ("pear", 5)), bad, cart("z-good"), cart("new"))
    assert str(refused.value) == message
    assert shop.rows() == before


def test_a_cart_is_edited_again_once_it_was_given_back(shop: Shop) -> None:
    shop.save("cart")
    run = checkout("cart")
    shop.hold(run)
    shop.undo(run, refuse(RefusalReason.PAYMENT_METHOD_MISSING))
    edited = shop.save("cart", ("pear", 2))
    assert shop.content("cart") == (edited, CartStatus.ACTIVE)


def test_an_edit_is_refused_until_the_very_end_of_the_lock(shop: Shop) -> None:
    shop.save("cart")
    shop.hold(checkout("cart"))
    shop.clock.advance(HOLD_TTL - SECOND)
    with pytest.raises(CartEditError, match="locked for processing"):
        shop.save("cart", ("pear", 1))
    shop.clock.advance(SECOND)
    edited = shop.save("cart", ("pear", 1))
    assert shop.content("cart") == (edited, CartStatus.ACTIVE)


def test_an_edit_after_the_lock_expired_ends_the_hold_and_the_run(shop: Shop) -> None:
    shop.save("cart", ("apple", 4))
    run = checkout("cart")
    snapshot = shop.freeze(run)
    shop.store.stock.hold(run, snapshot)
    shop.clock.advance(HOLD_TTL)
    shop.save("cart", ("pear", 1))
    assert shop.units("apple") == (10, 0)
    with pytest.raises(CartNotHeldError):
        shop.store.carts.snapshot(run, snapshot.digest())
    with pytest.raises(CartNotHeldError):
        shop.store.stock.hold(run, snapshot)
    changed = refuse(RefusalReason.CART_CHANGED)
    assert shop.store.orders.create(run, snapshot.digest()) == changed
    assert shop.counts()["orders"] == 0


def test_a_customer_may_take_a_guests_cart_over(shop: Shop) -> None:
    shop.save("cart")
    taken = shop.save("cart", customer_id="ada", email=None)
    assert shop.content("cart") == (taken, CartStatus.ACTIVE)


def test_of_a_cart_given_twice_at_once_the_last_counts(shop: Shop) -> None:
    last = cart("cart", ("pear", 2), ("pear", 3))
    shop.store.carts.save(cart("cart", ("apple", 1), ("apple", 2), ("apple", 3)), last)
    assert shop.content("cart") == (last, CartStatus.ACTIVE)


@pytest.mark.parametrize("field", ["email", "shipping_method", "customer_id"])
def test_text_with_a_nul_is_kept_or_refused_as_input(shop: Shop, field: str) -> None:
    """PostgreSQL has no NUL character; what a shopper types must never become a database error."""
    before = shop.rows()
    try:
        saved = shop.save("cart", **{field: "nul\0@example.com"})
    except ValueError:
        assert shop.rows() == before
    else:
        assert shop.content("cart") == (saved, CartStatus.ACTIVE)
