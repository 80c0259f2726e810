"""Idempotency records: one key, one request, one answer."""

from datetime import timedelta

import pytest

from commerce.contract import Checkout, LockedCart, OrderPlaced, Outcome
from commerce.domain.carts import CartStatus, Shopper
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.stock import Shortage
from tests.builders import checkout, request, usd
from tests.store.conftest import SECOND, Shop

REUSED = refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED)
NO_METHOD = refuse(RefusalReason.PAYMENT_METHOD_MISSING)


@pytest.fixture(autouse=True)
def carts(shop: Shop) -> None:
    shop.stock(apple=10)
    shop.save("cart")
    shop.save("other")


def ask(shop: Shop, run: Checkout) -> Outcome:
    """A later call: a new run, which asks for the lock first."""
    outcome = shop.store.carts.lock(run)
    assert isinstance(outcome, OrderPlaced | Refusal), outcome
    return outcome


def test_the_same_key_gets_the_order_again_however_late(shop: Shop) -> None:
    placed = shop.order(checkout("cart", run="1"))
    shop.clock.advance(1000 * 86400 * SECOND)
    before = shop.rows()
    for run in ("1", "2", "3"):
        assert ask(shop, checkout("cart", run=run)) == placed
    assert shop.rows() == before


def test_the_time_of_asking_is_no_part_of_what_is_asked(shop: Shop) -> None:
    placed = shop.order(checkout("cart"))
    later = checkout("cart", run="2", asked_at=shop.clock.time + SECOND)
    assert ask(shop, later) == placed


def test_a_refusal_of_the_lock_is_stored_even_when_its_cause_is_gone(shop: Shop) -> None:
    shop.save("cart", email=None)
    missing = refuse(RefusalReason.GUEST_EMAIL_MISSING)
    assert ask(shop, checkout("cart", run="1")) == missing
    shop.save("cart")
    assert ask(shop, checkout("cart", run="2")) == missing
    assert isinstance(shop.order(checkout("cart", key="new", run="3")), OrderPlaced)


def test_a_refusal_of_a_later_step_is_stored_when_the_cart_is_given_back(shop: Shop) -> None:
    short = Shortage(sku="apple", wanted=11, available=10)
    refusal = Refusal(reason=RefusalReason.INSUFFICIENT_STOCK, shortage=short)
    shop.save("cart", ("apple", 11))
    assert shop.check_out(checkout("cart", run="1")) == refusal
    shop.stock(apple=20)
    assert ask(shop, checkout("cart", run="2")) == refusal
    assert isinstance(shop.order(checkout("cart", key="new", run="3")), OrderPlaced)


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": Operation.COMPLETE_ORDER},
        {"payment_id": "PAY-1"},
        {"expected_total": usd("15.00")},
        {"store_code": "default"},
        {"shopper": Shopper.customer("ada")},
    ],
)
@pytest.mark.parametrize("answered", [True, False])
def test_the_same_key_with_another_request_is_refused(
    shop: Shop, changes: dict[str, object], answered: bool
) -> None:
    first = checkout("cart", key="key", run="1")
    if answered:
        shop.order(first)
    else:
        shop.hold(first)
    before = shop.rows()
    asked = request("cart", key="key", **changes)
    assert shop.store.carts.lock(Checkout(id="another", request=asked)) == REUSED
    assert shop.store.carts.answer(asked, NO_METHOD) == REUSED
    assert shop.rows() == before


def test_the_key_stays_with_its_request_after_it_was_misused(shop: Shop) -> None:
    placed = shop.order(checkout("cart", key="key", run="1"))
    assert ask(shop, checkout("other", key="key")) == REUSED
    assert ask(shop, checkout("cart", key="key", run="2")) == placed
    found = shop.store.carts.find("other")
    assert found is not None
    assert found[1] is CartStatus.ACTIVE


def test_a_request_that_joined_gets_its_answer_stored_under_its_own_key(shop: Shop) -> None:
    placed = shop.order(checkout("cart", key="first"))
    joined = request("cart", key="joined", asked_at=shop.clock.time)
    assert shop.store.carts.answer(joined, placed) == placed
    shop.clock.advance(SECOND)
    assert shop.store.carts.answer(joined, NO_METHOD) == placed
    late = joined.model_copy(update={"asked_at": shop.clock.time})
    assert ask(shop, Checkout(id="2", request=late)) == placed


def test_the_first_answer_of_a_key_stands(shop: Shop) -> None:
    joined = request("cart", key="joined")
    assert shop.store.carts.answer(joined, NO_METHOD) == NO_METHOD
    other = refuse(RefusalReason.CART_EMPTY)
    assert shop.store.carts.answer(joined, other) == NO_METHOD
    assert ask(shop, Checkout(id="2", request=joined)) == NO_METHOD


def test_giving_a_cart_back_answers_with_its_order_if_there_is_one_after_all(shop: Shop) -> None:
    run = checkout("cart")
    placed = shop.order(run)
    before = shop.rows()
    aborted = refuse(RefusalReason.ABORTED)
    assert shop.undo(run, aborted) == placed
    assert shop.rows() == before


def test_giving_a_cart_back_again_gives_the_first_refusal(shop: Shop) -> None:
    run = checkout("cart")
    shop.hold(run)
    assert shop.undo(run, NO_METHOD) == NO_METHOD
    before = shop.rows()
    assert shop.undo(run, refuse(RefusalReason.ABORTED)) == NO_METHOD
    assert shop.rows() == before


def test_a_run_that_was_refused_does_not_lock_the_cart_again(shop: Shop) -> None:
    run = checkout("cart")
    shop.hold(run)
    shop.undo(run, NO_METHOD)
    before = shop.rows()
    assert ask(shop, run) == NO_METHOD
    assert shop.rows() == before


def test_a_key_without_an_answer_belongs_to_the_next_run_of_its_request(shop: Shop) -> None:
    shop.hold(checkout("cart", run="terminated"))
    placed = shop.order(checkout("cart", run="next"))
    assert ask(shop, checkout("cart", run="later")) == placed
    assert shop.counts()["orders"] == 1


def test_who_was_told_to_ask_again_gets_the_order_that_came_later(shop: Shop) -> None:
    shop.save("cart")
    digest = shop.lock(checkout("cart")).digest
    shop.store.stock.hold(checkout("cart"), shop.store.carts.snapshot(checkout("cart"), digest))
    joiner = request("cart", "joiner", asked_at=shop.clock.time)
    shop.store.carts.note(joiner)
    shop.clock.advance(timedelta(minutes=1))
    placed = shop.store.orders.create(checkout("cart"), digest)
    assert isinstance(placed, OrderPlaced)
    shop.clock.advance(timedelta(minutes=1))
    again = {"asked_at": shop.clock.time}
    assert shop.store.carts.lock(checkout("cart", "joiner", run="2", **again)) == placed
    told = shop.store.carts.lock(checkout("cart", "newcomer", run="3", **again))
    assert isinstance(told, Refusal)
    assert told.reason is RefusalReason.CART_NOT_ACTIVE
    assert shop.store.carts.answer(joiner.model_copy(update=again), told) == placed


def test_who_was_told_to_ask_again_hears_the_refusal_of_the_same_thing(shop: Shop) -> None:
    shop.save("cart")
    shop.lock(checkout("cart"))
    same = request("cart", "same")
    other = request("cart", "other", store_code="default")
    for each in (same, other):
        shop.store.carts.note(each)
    refusal = refuse(RefusalReason.PAYMENT_EXPIRED)
    assert shop.store.carts.unlock(checkout("cart"), refusal) == refusal
    assert shop.store.carts.lock(checkout("cart", "same", run="2")) == refusal
    again = shop.store.carts.lock(checkout("cart", "other", run="3", store_code="default"))
    assert isinstance(again, LockedCart)
