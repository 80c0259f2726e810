"""Is every change one transaction? Each is made to fail at each of its statements in turn."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from commerce.adapters.store.models import Base
from commerce.contract import LockedCart, OrderPlaced
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import Cart
from commerce.domain.errors import Operation, RefusalReason, refuse
from tests.builders import cart, checkout, product, tax, usd
from tests.store.conftest import HOLD_TTL, SECOND, Shop, at, nothing_wrong
from tests.store.shoppers import ADA, joining, setting, taking, taking_along

RUN = checkout("cart")
PAYING = checkout("cart", operation=Operation.COMPLETE_ORDER, payment_id="PAY-1")
REFUSAL = refuse(RefusalReason.PAYMENT_METHOD_MISSING)
EVERY_STATEMENT = ""

Change = Callable[[], object]


class CrashError(Exception):
    """The process dies, or the database goes away."""


def crash() -> None:
    raise CrashError


def unless_refused(change: Change) -> Change:
    """A change that is refused once it was made: then it changes nothing."""

    def attempt() -> None:
        with suppress(CartEditError):
            change()

    return attempt


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=5, pear=5)
    shop.save("cart", ("apple", 2), ("pear", 1))


def save(shop: Shop) -> Change:
    return lambda: shop.store.carts.save(cart("new"), cart("cart", ("pear", 1)), cart("other"))


def save_after_the_lock_expired(shop: Shop) -> Change:
    shop.hold(RUN)
    shop.clock.advance(HOLD_TTL)
    return save(shop)


def edit(shop: Shop) -> Change:
    return lambda: shop.store.shopping.edit("cart", setting(_1=4, _2=2)).cart


def edit_after_the_lock_expired(shop: Shop) -> Change:
    shop.hold(RUN)
    shop.clock.advance(HOLD_TTL)
    return edit(shop)


def make_a_cart(shop: Shop) -> Change:
    new = Cart(id="new", store_code="default")
    return unless_refused(lambda: shop.store.shopping.create(new))


def make_a_customers_cart(shop: Shop) -> Change:
    new = Cart(id="new", store_code="default", customer_id="ada")
    return lambda: shop.store.shopping.of_customer("ada", "default", new)


def merge(shop: Shop) -> Change:
    shop.save("own", ("apple", 1), customer_id="ada")
    return unless_refused(lambda: shop.store.shopping.merge("cart", "own", joining()))


def merge_after_both_locks_expired(shop: Shop) -> Change:
    change = merge(shop)
    shop.hold(RUN)
    shop.hold(checkout("own", shopper=ADA))
    shop.clock.advance(HOLD_TTL)
    return change


def take_a_guests_cart(shop: Shop) -> Change:
    assign = shop.store.shopping.assign
    return unless_refused(lambda: assign("cart", "ada", taking_along(), taking()))


def take_it_and_bring_ones_own(shop: Shop) -> Change:
    shop.save("own", ("apple", 1), customer_id="ada")
    return take_a_guests_cart(shop)


def show_a_total(shop: Shop) -> Change:
    return lambda: shop.store.shopping.show_total("cart", usd("45.00"))


def set_a_tax_rate(shop: Shop) -> Change:
    return lambda: shop.store.stores.set_tax_rate("default", tax("5"))


def put(shop: Shop) -> Change:
    shop.hold(RUN)
    return lambda: shop.store.catalog.put([product("new", 1), product("apple", 2)])


def lock(shop: Shop) -> Change:
    return lambda: shop.store.carts.lock(RUN)


def lock_and_refuse(shop: Shop) -> Change:
    shop.save("cart", email=None)
    return lock(shop)


def take_over(shop: Shop) -> Change:
    shop.hold(checkout("cart", run="dead"))
    return lock(shop)


def reserve(shop: Shop) -> Change:
    """Its repeat answers the same, but for who set the stock aside."""

    def change() -> object:
        found = shop.store.carts.lock(RUN, nothing_wrong)
        is_locked = isinstance(found, LockedCart)
        return found.model_copy(update={"reserved": False}) if is_locked else found

    return change


def reserve_what_is_short(shop: Shop) -> Change:
    shop.save("cart", ("apple", 6))
    return reserve(shop)


def reserve_and_object(shop: Shop) -> Change:
    return lambda: shop.store.carts.lock(RUN, lambda _snapshot: REFUSAL)


def take_over_and_reserve(shop: Shop) -> Change:
    shop.reserve(checkout("cart", run="dead"))
    return reserve(shop)


def take_over_and_object(shop: Shop) -> Change:
    shop.reserve(checkout("cart", run="dead"))
    return reserve_and_object(shop)


def unlock_what_was_reserved(shop: Shop) -> Change:
    shop.reserve(RUN)
    return lambda: shop.store.carts.unlock(RUN, REFUSAL)


def create_what_was_reserved(shop: Shop) -> Change:
    digest = shop.reserve(RUN).digest
    return lambda: shop.store.orders.create(RUN, digest)


def hold(shop: Shop) -> Change:
    snapshot = shop.freeze(RUN)
    return lambda: shop.store.stock.hold(RUN, snapshot)


def release(shop: Shop) -> Change:
    shop.hold(RUN)
    return lambda: shop.store.stock.release(RUN)


def expire(shop: Shop) -> Change:
    shop.hold(RUN)
    shop.clock.advance(HOLD_TTL)
    return lambda: shop.store.stock.expire_overdue() <= 1


def unlock(shop: Shop) -> Change:
    shop.hold(RUN)
    shop.store.stock.release(RUN)
    return lambda: shop.store.carts.unlock(RUN, REFUSAL)


def answer(shop: Shop) -> Change:
    return lambda: shop.store.carts.answer(RUN.request, REFUSAL)


def create(shop: Shop) -> Change:
    digest = shop.hold(RUN).digest
    return lambda: shop.store.orders.create(RUN, digest)


def create_after_the_hold_expired(shop: Shop) -> Change:
    change = create(shop)
    shop.clock.advance(HOLD_TTL)
    assert shop.store.stock.expire_overdue() == 1
    return change


def extend(shop: Shop) -> Change:
    digest = shop.hold(RUN).digest
    shop.clock.advance(SECOND)
    return lambda: shop.store.carts.extend(RUN, digest)


def claim(shop: Shop) -> Change:
    digest = shop.hold(PAYING).digest
    return lambda: shop.store.claims.claim(PAYING, digest, PAYING.request.payment_id)


def claim_what_a_dead_run_left(shop: Shop) -> Change:
    shop.claim(PAYING.model_copy(update={"id": "dead"}))
    return claim(shop)


def let_go(shop: Shop) -> Change:
    shop.claim(PAYING)
    return lambda: shop.store.claims.let_go(PAYING)


def give_up(shop: Shop) -> Change:
    shop.claim(PAYING)
    return lambda: shop.store.claims.give_up(PAYING)


def give_up_before_the_claim(shop: Shop) -> Change:
    shop.hold(PAYING)
    return lambda: shop.store.claims.give_up(PAYING)


def create_and_pay(shop: Shop) -> Change:
    digest = shop.claim(PAYING).digest
    return lambda: shop.store.orders.create(PAYING, digest)


def mark_for_review(shop: Shop) -> Change:
    placed = shop.order(PAYING)
    return lambda: shop.store.orders.mark_for_review(placed.order_number)


def note_an_event(shop: Shop) -> Change:
    return lambda: shop.store.seen_events.note("stripe", "evt-1")


def mark_captured(shop: Shop) -> Change:
    placed = shop.order(RUN)
    return lambda: shop.store.orders.mark_captured(placed.order_number)


def mark_announced(shop: Shop) -> Change:
    event = shop.event(shop.order(RUN).order_number)
    assert event is not None
    return lambda: shop.store.orders.mark_announced([event.event_id])


CHANGES = (
    save,
    save_after_the_lock_expired,
    edit,
    edit_after_the_lock_expired,
    make_a_cart,
    make_a_customers_cart,
    merge,
    merge_after_both_locks_expired,
    take_a_guests_cart,
    take_it_and_bring_ones_own,
    show_a_total,
    set_a_tax_rate,
    put,
    lock,
    lock_and_refuse,
    take_over,
    reserve,
    reserve_what_is_short,
    reserve_and_object,
    take_over_and_reserve,
    take_over_and_object,
    unlock_what_was_reserved,
    create_what_was_reserved,
    hold,
    release,
    expire,
    unlock,
    answer,
    create,
    create_after_the_hold_expired,
    extend,
    claim,
    claim_what_a_dead_run_left,
    let_go,
    give_up,
    give_up_before_the_claim,
    create_and_pay,
    mark_for_review,
    note_an_event,
    mark_captured,
    mark_announced,
)


NUMBERED_ANEW = (save, save_after_the_lock_expired)
"""Whose repeat gives the lines of a cart other numbers, for a number is never used again."""

Rows = dict[str, list[tuple[Any, ...]]]


def without(rows: Rows, **columns: str) -> Rows:
    """The rows without one column of some tables."""
    left = dict(rows)
    for table, column in columns.items():
        at_column = list(Base.metadata.tables[table].columns.keys()).index(column)
        left[table] = sorted(
            ((*row[:at_column], *row[at_column + 1 :]) for row in rows[table]), key=repr
        )
    return left


@pytest.mark.parametrize("prepare", CHANGES)
def test_a_failure_at_any_statement_changes_nothing_and_the_repeat_does_it_once(
    shop: Shop, prepare: Callable[[Shop], Change]
) -> None:
    change = prepare(shop)
    database, before = shop.store.database, shop.rows()
    with at(database, EVERY_STATEMENT, lambda: None) as statements, pytest.raises(CrashError):
        crash_at_commit(shop, change)
    assert shop.rows() == before, "failed at the commit"
    for nth in range(1, statements.times + 1):
        with pytest.raises(CrashError), at(database, EVERY_STATEMENT, crash, nth):
            change()
        assert shop.rows() == before, f"failed at statement {nth}"

    result = change()
    after = shop.rows()
    assert after != before
    assert change() == result
    again = shop.rows()
    if prepare in NUMBERED_ANEW:
        after, again = (
            without(rows, cart_lines="line_no", carts="lines_made") for rows in (after, again)
        )
    assert again == after
    shop.counts()


def crash_at_commit(shop: Shop, change: Change) -> None:
    with at(shop.store.database, "COMMIT", crash):
        change()


def test_what_was_ended_for_a_lock_that_failed_stays_ended_and_the_repeat_goes_on(
    shop: Shop,
) -> None:
    """Overdue holds are ended in a transaction of their own, between two attempts at the lock."""
    shop.save("old", ("apple", 5))
    shop.reserve(checkout("old"))
    shop.clock.advance(HOLD_TTL)
    database = shop.store.database
    with at(database, EVERY_STATEMENT, lambda: None) as rehearsal:
        shop.reserve(RUN)
    for nth in range(1, rehearsal.times + 1):
        shop.undo(RUN, REFUSAL)
        run = checkout("cart", key=f"key-{nth}", run=f"run-{nth}")
        shop.save(f"old-{nth}", ("apple", 5))
        shop.reserve(checkout(f"old-{nth}"))
        shop.clock.advance(HOLD_TTL)
        with pytest.raises(CrashError), at(database, EVERY_STATEMENT, crash, nth):
            shop.reserve(run)
        counts = shop.counts()
        assert (counts["carts_locked"], counts["units_held"]) in ((nth + 1, 5), (nth + 1, 0)), nth
        shop.reserve(run)
        assert shop.units("apple") == (5, 2)
        shop.undo(run, REFUSAL)


@pytest.mark.parametrize(
    "point", ["INSERT INTO order_sequences", "INSERT INTO order_lines", "INSERT INTO outbox"]
)
def test_failed_orders_leave_no_gap_in_the_numbers(shop: Shop, point: str) -> None:
    for number in ("000000001", "000000002"):
        run = checkout(f"cart-{number}")
        shop.save(run.request.cart_id)
        digest = shop.hold(run).digest
        for _ in range(3):
            with pytest.raises(CrashError), at(shop.store.database, point, crash):
                shop.store.orders.create(run, digest)
        placed = shop.store.orders.create(run, digest)
        assert isinstance(placed, OrderPlaced)
        assert placed.order_number == number
    assert shop.counts()["orders"] == 2
