"""Locking a cart: every refusal in its order, and the snapshot that is frozen."""

from dataclasses import dataclass, field

import pytest

from commerce.contract import LockedCart
from commerce.domain.carts import CartStatus, ProductKind, Shopper
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.money import MAX_AMOUNT_MINOR, Money
from commerce.domain.stock import Shortage
from commerce.domain.stores import Store
from commerce.ports import CartNotHeldError
from tests.builders import checkout, product, usd
from tests.store.conftest import SECOND, Shop

REASONS = (
    RefusalReason.IDEMPOTENCY_KEY_REUSED,
    RefusalReason.CART_NOT_ACTIVE,
    RefusalReason.WRONG_STORE,
    RefusalReason.NOT_CART_OWNER,
    RefusalReason.GUEST_CHECKOUT_DISABLED,
    RefusalReason.GUEST_EMAIL_MISSING,
    RefusalReason.CART_EMPTY,
    RefusalReason.PRODUCT_UNAVAILABLE,
    RefusalReason.TOTAL_TOO_LARGE,
)
"""What can be wrong with a cart that exists, in the documented order: the first one wins."""


@dataclass
class Case:
    """A cart and a request with everything wrong from one reason on."""

    cart: dict[str, object] = field(default_factory=dict[str, object])
    lines: tuple[tuple[str, int], ...] = (("apple", 1),)
    asked: dict[str, object] = field(default_factory=dict[str, object])
    guests_allowed: bool = True
    ordered: bool = False
    key_used: bool = False

    def make(self, reason: RefusalReason) -> None:
        match reason:
            case RefusalReason.TOTAL_TOO_LARGE:
                self.lines = (("gold", 2),)
            case RefusalReason.PRODUCT_UNAVAILABLE:
                self.lines = (("gold", 2), ("unpriced", 3))
            case RefusalReason.CART_EMPTY:
                self.cart["lines"] = ()
            case RefusalReason.GUEST_EMAIL_MISSING:
                self.cart["email"] = None
            case RefusalReason.GUEST_CHECKOUT_DISABLED:
                self.guests_allowed = False
            case RefusalReason.NOT_CART_OWNER:
                self.asked["shopper"] = Shopper.customer("eve")
            case RefusalReason.WRONG_STORE:
                self.asked["store_code"] = "elsewhere"
            case RefusalReason.CART_NOT_ACTIVE:
                self.ordered = True
            case _:
                self.key_used = True


def test_the_reasons_stand_in_the_order_of_the_catalogue() -> None:
    assert list(REASONS) == [reason for reason in RefusalReason if reason in REASONS]


@pytest.mark.parametrize("reason", REASONS)
def test_of_several_things_that_are_wrong_the_first_is_told(
    shop: Shop, reason: RefusalReason
) -> None:
    gold = Money(amount_minor=MAX_AMOUNT_MINOR, currency="USD")
    shop.store.catalog.put(
        [
            product("apple"),
            product("gold").model_copy(update={"price": gold}),
            product("unpriced", currency="EUR"),
        ]
    )
    case = Case()
    for wrong in reversed(REASONS[REASONS.index(reason) :]):
        case.make(wrong)
    if case.ordered:
        shop.save("cart")
        shop.order(checkout("cart", key="first"))
    else:
        shop.save("cart", *case.lines, **case.cart)
    if case.key_used:
        shop.save("other")
        shop.order(checkout("other", key="again"))
    shop.store.stores.change("default", {"guest_checkout": case.guests_allowed})
    shop.clock.advance(SECOND)
    before = shop.rows()

    outcome = shop.store.carts.lock(checkout("cart", key="again", run="again", **case.asked))

    short = Shortage(sku="unpriced", wanted=3, available=0)
    unavailable = reason is RefusalReason.PRODUCT_UNAVAILABLE
    assert outcome == Refusal(reason=reason, shortage=short if unavailable else None)
    assert {**shop.rows(), "answers": []} == {**before, "answers": []}, "only the answer is kept"


def test_an_unknown_cart_is_refused_and_nothing_is_written(shop: Shop) -> None:
    before = shop.rows()
    not_found = refuse(RefusalReason.CART_NOT_FOUND)
    run = checkout("unknown")
    assert shop.store.carts.lock(run) == not_found
    assert shop.store.carts.unlock(run, not_found) == not_found
    assert shop.store.carts.answer(run.request, not_found) == not_found
    assert shop.rows() == before


def test_a_locked_cart_says_what_will_be_paid_and_nothing_of_people(shop: Shop) -> None:
    shop.stock(apple=9, pear=9)
    shop.save("cart", ("apple", 2), ("pear", 3))
    run = checkout("cart", store_code="default")
    locked = shop.lock(run)
    digest = shop.store.carts.snapshot(run, locked.digest).digest()
    total = usd("75.00")  # five at 10.00, and 5.00 each to ship them
    assert locked == LockedCart(
        digest=digest, store_code="default", items=5, lines=2, skus=2, total=total
    )
    found = shop.store.carts.find("cart")
    assert found is not None
    assert found[1] is CartStatus.LOCKED


def test_locking_again_gives_the_same_even_when_time_and_prices_went_on(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.save("cart")
    locked = shop.lock(checkout("cart"))
    before = shop.rows()["carts"]
    shop.clock.advance(SECOND)
    shop.store.catalog.put([product("apple", price="99.00")])
    assert shop.lock(checkout("cart")) == locked
    assert shop.rows()["carts"] == before


def test_what_changes_after_the_lock_does_not_change_the_snapshot(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.save("cart")
    run = checkout("cart")
    snapshot = shop.freeze(run)
    renamed = product("apple", price="99.00", kind=ProductKind.VIRTUAL)
    shop.store.catalog.put([renamed.model_copy(update={"name": "Renamed"})])
    shop.store.stores.change("default", {"order_prefix": "X", "shipping_methods": ()})
    assert shop.store.carts.snapshot(run, snapshot.digest()) == snapshot
    order = shop.find(shop.order(run))
    assert order.lines == snapshot.lines
    assert order.totals == snapshot.totals()
    assert order.number == "000000001"


def test_a_snapshot_is_given_to_its_run_and_by_its_digest_only(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.save("cart")
    run = checkout("cart")
    digest = shop.lock(run).digest
    for stranger, other in ((run, "0" * 64), (checkout("cart", run="stranger"), digest)):
        with pytest.raises(CartNotHeldError):
            shop.store.carts.snapshot(stranger, other)
    with pytest.raises(CartNotHeldError):
        shop.store.carts.snapshot(checkout("unknown"), digest)


def test_equal_carts_have_equal_digests_and_another_price_another(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.save("cart")
    first = shop.lock(checkout("cart", run="1")).digest
    assert shop.lock(checkout("cart", run="2")).digest == first
    shop.store.catalog.put([product("apple", price="10.01")])
    assert shop.lock(checkout("cart", run="3")).digest != first


def test_a_customer_needs_no_email_and_checks_out_where_guests_may_not(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.store.stores.change("default", {"guest_checkout": False})
    shop.save("cart", customer_id="ada", email=None)
    placed = shop.order(checkout("cart", shopper=Shopper.customer("ada")))
    assert shop.find(placed).customer_id == "ada"


@pytest.mark.parametrize(
    ("owner", "shopper"),
    [("ada", Shopper.guest()), ("ada", Shopper.customer("eve")), (None, Shopper.customer("eve"))],
)
def test_a_cart_of_somebody_else_is_refused(
    shop: Shop, owner: str | None, shopper: Shopper
) -> None:
    shop.stock(apple=9)
    shop.save("cart", customer_id=owner)
    run = checkout("cart", shopper=shopper)
    assert shop.store.carts.lock(run) == refuse(RefusalReason.NOT_CART_OWNER)


def test_prices_are_those_in_the_currency_of_the_carts_store(shop: Shop) -> None:
    shop.store.stores.add(Store(code="japan", currency="JPY"))
    shop.store.catalog.put([product("apple")])
    shop.store.catalog.put([product("apple", price="1500", currency="JPY")])
    shop.save("cart", store_code="japan", shipping_method=None)
    total = shop.lock(checkout("cart")).total
    assert total == Money(amount_minor=1500, currency="JPY")


@pytest.mark.parametrize(
    ("shopper", "asked_after_s", "told"),
    [
        (Shopper.customer("ada"), -1, "order"),
        (Shopper.customer("ada"), 0, "order"),
        (Shopper.customer("ada"), 1, "number"),
        (Shopper.customer("eve"), -1, "nothing"),
        (Shopper.customer("eve"), 1, "nothing"),
        (Shopper.guest(), -1, "nothing"),
    ],
)
def test_of_an_ordered_cart_only_its_owner_hears_and_who_asked_in_time_gets_the_order(
    shop: Shop, shopper: Shopper, asked_after_s: int, told: str
) -> None:
    shop.stock(apple=9)
    shop.save("cart", customer_id="ada")
    shop.clock.advance(100 * SECOND)
    placed = shop.order(checkout("cart", key="first", shopper=Shopper.customer("ada")))
    asked_at = shop.clock.time + asked_after_s * SECOND
    shop.clock.advance(100 * SECOND)
    not_active = refuse(RefusalReason.CART_NOT_ACTIVE)
    named = not_active.model_copy(update={"order_number": placed.order_number})
    expected = {"order": placed, "number": named, "nothing": not_active}[told]
    second = checkout("cart", key="second", run="2", shopper=shopper, asked_at=asked_at)
    third = second.request.model_copy(update={"idempotency_key": "third"})
    assert shop.store.carts.lock(second) == expected
    assert shop.store.carts.answer(third, not_active) == expected


def test_who_expected_another_total_does_not_get_the_order_of_an_ordered_cart(shop: Shop) -> None:
    shop.stock(apple=9)
    shop.save("cart")
    placed = shop.order(checkout("cart", key="first"))
    for key, expected, same in (("wrong", usd("14.99"), False), ("right", usd("15.00"), True)):
        outcome = shop.store.carts.lock(checkout("cart", key=key, run=key, expected_total=expected))
        assert (outcome == placed) is same
        if not same:
            assert isinstance(outcome, Refusal)
            assert outcome.order_number == placed.order_number
