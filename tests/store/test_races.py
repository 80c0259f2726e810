"""Races: threads let go at once, on two connection pools of one database as two processes have.

``CHECKOUT_TEST_ROUNDS`` makes them longer.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from commerce.adapters.store.catalog import CatalogError
from commerce.contract import Checkout, LockedCart, OrderPlaced, Outcome
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import Cart, CartSnapshot
from commerce.domain.checks import Check
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import CartNotHeldError
from tests.builders import cart, checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop, nothing_wrong, race

THREADS = 8
ROUNDS = int(os.environ.get("CHECKOUT_TEST_ROUNDS", "6"))
HOT_ROUNDS = 7 * ROUNDS

Shops = tuple[Shop, Shop]
CheckOut = Callable[[Shop, Checkout], Outcome]

either_way = pytest.mark.parametrize(
    "check_out", [Shop.check_out, Shop.check_out_at_once], ids=["by steps", "at once"]
)
"""Lock, hold and check as three transactions or as one."""


def reasons(outcomes: list[Outcome | Exception]) -> Counter[str]:
    """How often which reason; orders count as such, and an exception is raised."""
    counted: Counter[str] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        counted[outcome.reason if isinstance(outcome, Refusal) else "order"] += 1
    return counted


def quiet(shop: Shop) -> dict[str, int]:
    """The audit is clean, and nothing is locked or held any more."""
    counts = shop.counts()
    assert (counts["carts_locked"], counts["holds_open"], counts["units_held"]) == (0, 0, 0)
    return counts


def each(shops: Shops, number: int) -> Shop:
    """Half of the threads work on the one, half on the other."""
    return shops[number % len(shops)]


@either_way
@pytest.mark.parametrize("rivals", [2, THREADS])
def test_the_last_unit_is_sold_once(shops: Shops, rivals: int, check_out: CheckOut) -> None:
    for turn in range(ROUNDS):
        shops[0].stock(apple=1)
        runs = [checkout(f"cart-{turn}-{n}") for n in range(rivals)]
        shops[0].store.carts.save(*(cart(run.request.cart_id) for run in runs))
        calls = [partial(check_out, each(shops, n), run) for n, run in enumerate(runs)]
        assert reasons(race(calls)) == {"order": 1, RefusalReason.OUT_OF_STOCK: rivals - 1}
    assert quiet(shops[0])["units_sold"] == ROUNDS


@either_way
def test_forty_carts_want_ten_units(shops: Shops, check_out: CheckOut) -> None:
    shops[0].stock(apple=10)
    runs = [checkout(f"cart-{n}") for n in range(40)]
    shops[0].store.carts.save(*(cart(run.request.cart_id) for run in runs))

    def some(thread: int) -> list[Outcome]:
        return [check_out(each(shops, thread), run) for run in runs[thread::THREADS]]

    results = race([partial(some, n) for n in range(THREADS)])
    outcomes = [x for result in results if isinstance(result, list) for x in result]
    assert reasons([*outcomes]) == {"order": 10, RefusalReason.OUT_OF_STOCK: 30}
    counts = quiet(shops[0])
    assert (counts["orders"], counts["units_sold"], counts["units_on_hand"]) == (10, 10, 0)


@either_way
def test_two_runs_for_one_cart_make_one_order(shops: Shops, check_out: CheckOut) -> None:
    shops[0].stock(apple=None)

    def run(shop: Shop, one: Checkout) -> Outcome:
        try:
            return check_out(shop, one)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)

    for turn in range(ROUNDS):
        shops[0].save(f"cart-{turn}")
        runs = [checkout(f"cart-{turn}", key=f"{turn}-{n}", run=f"{n}") for n in range(2)]
        outcomes = race([partial(run, each(shops, n), one) for n, one in enumerate(runs)])
        told = reasons(outcomes)
        assert told["order"] >= 1
        assert set(told) <= {"order", RefusalReason.CART_CHANGED, RefusalReason.CART_NOT_ACTIVE}
        assert len({x.order_number for x in outcomes if isinstance(x, OrderPlaced)}) == 1
    assert shops[0].counts()["orders"] == ROUNDS


def test_the_same_step_executed_twice_makes_one_order(shops: Shops) -> None:
    """An activity that timed out is still at work while its next attempt runs."""
    shops[0].stock(apple=100)
    for turn in range(ROUNDS):
        run = checkout(f"cart-{turn}")
        shops[0].save(f"cart-{turn}")
        snapshot = shops[0].freeze(run)
        digest = snapshot.digest()
        holds = [partial(shop.store.stock.hold, run, snapshot) for shop in shops]
        assert race(holds) == [None, None]
        assert shops[0].units("apple")[1] == 1
        creates = [partial(each(shops, n).store.orders.create, run, digest) for n in range(4)]
        outcomes = race(creates)
        assert reasons(outcomes) == {"order": 4}
        assert all(outcome == outcomes[0] for outcome in outcomes)
    assert quiet(shops[0])["units_sold"] == ROUNDS


def test_a_release_and_a_hold_of_one_run_leave_nothing_held(shops: Shops) -> None:
    shops[0].stock(apple=100)

    def hold(run: Checkout, snapshot: CartSnapshot) -> bool:
        try:
            return shops[0].store.stock.hold(run, snapshot) is None
        except CartNotHeldError:
            return False

    for turn in range(ROUNDS):
        run = checkout(f"cart-{turn}")
        shops[0].save(f"cart-{turn}")
        snapshot = shops[0].freeze(run)
        release = partial(shops[1].store.stock.release, run)
        assert race([partial(hold, run, snapshot), release])[0] in (True, False)
        assert shops[0].units("apple") == (100, 0)
        shops[0].store.carts.unlock(run, refuse(RefusalReason.ABORTED))
    quiet(shops[0])


def test_carts_with_their_skus_in_opposite_order_never_deadlock(shops: Shops) -> None:
    shops[0].stock(apple=THREADS, pear=THREADS)
    lines = [("apple", 1), ("pear", 1)]
    snapshots: list[CartSnapshot] = []
    for thread in range(THREADS):
        run = checkout(f"cart-{thread}")
        shops[0].save(f"cart-{thread}", *(lines if thread % 2 else reversed(lines)))
        snapshots.append(shops[0].freeze(run))
        shops[0].store.carts.unlock(run, refuse(RefusalReason.ABORTED))

    def hold_and_release(thread: int) -> int:
        stock = each(shops, thread).store.stock
        for turn in range(HOT_ROUNDS):
            run = checkout(f"cart-{thread}", run=f"{turn}")
            assert stock.hold(run, snapshots[thread]) is None
            stock.release(run)
        return HOT_ROUNDS

    done = race([partial(hold_and_release, n) for n in range(THREADS)])
    assert done == [HOT_ROUNDS] * THREADS
    assert shops[0].store.catalog.units() == {"apple": (8, 0), "pear": (8, 0)}
    quiet(shops[0])


def test_forty_carts_lock_ten_units_and_nothing_is_left_of_those_refused(shops: Shops) -> None:
    shops[0].stock(apple=10)
    runs = [checkout(f"cart-{n}") for n in range(40)]
    shops[0].store.carts.save(*(cart(run.request.cart_id) for run in runs))

    def lock(thread: int) -> list[LockedCart | Outcome]:
        carts = each(shops, thread).store.carts
        return [carts.lock(run, nothing_wrong) for run in runs[thread::THREADS]]

    results = race([partial(lock, n) for n in range(THREADS)])
    found = [x for result in results if isinstance(result, list) for x in result]
    locked = [x for x in found if isinstance(x, LockedCart)]
    refused = [x.reason for x in found if isinstance(x, Refusal)]
    assert all(one.reserved for one in locked)
    assert (len(locked), refused) == (10, [RefusalReason.OUT_OF_STOCK] * 30)
    counts = shops[0].counts()
    assert (counts["carts_locked"], counts["holds_open"], counts["units_held"]) == (10, 10, 10)
    assert len(shops[0].rows()["holds"]) == 10, "not even a trace"


def test_one_lock_executed_several_times_sets_the_stock_aside_once(shops: Shops) -> None:
    """Attempts that timed out are still at work while the next one runs."""
    shops[0].stock(apple=100)
    for turn in range(ROUNDS):
        run = checkout(f"cart-{turn}")
        shops[0].save(f"cart-{turn}", ("apple", 2))
        locks = [partial(each(shops, n).store.carts.lock, run, nothing_wrong) for n in range(4)]
        found = race(locks)
        reserved = [x.reserved for x in found if isinstance(x, LockedCart)]
        assert sorted(reserved) == [False, False, False, True], found
        assert shops[0].units("apple") == (100, 2)
        shops[0].undo(run, refuse(RefusalReason.ABORTED))
    quiet(shops[0])


def test_a_lock_and_its_undo_at_once_leave_nothing(shops: Shops) -> None:
    shops[0].stock(apple=100)
    aborted = refuse(RefusalReason.ABORTED)
    for turn in range(ROUNDS):
        run = checkout(f"cart-{turn}")
        shops[0].save(f"cart-{turn}")
        lock = partial(shops[0].store.carts.lock, run, nothing_wrong)
        found, answered = race([lock, partial(shops[1].store.carts.unlock, run, aborted)])
        assert answered == aborted
        assert isinstance(found, LockedCart) or found == aborted
        assert shops[0].store.carts.lock(run, nothing_wrong) == aborted
        assert shops[0].units("apple") == (100, 0)
    quiet(shops[0])


def test_locks_of_carts_with_their_skus_in_opposite_order_never_deadlock(shops: Shops) -> None:
    shops[0].stock(apple=THREADS, pear=THREADS)
    lines = [("apple", 1), ("pear", 1)]
    for thread in range(THREADS):
        shops[0].save(f"cart-{thread}", *(lines if thread % 2 else reversed(lines)))

    def lock_and_unlock(thread: int) -> int:
        shop = each(shops, thread)
        for turn in range(HOT_ROUNDS):
            run = checkout(f"cart-{thread}", key=f"{thread}-{turn}", run=f"{turn}")
            shop.reserve(run)
            shop.store.carts.unlock(run, refuse(RefusalReason.ABORTED))
        return HOT_ROUNDS

    assert race([partial(lock_and_unlock, n) for n in range(THREADS)]) == [HOT_ROUNDS] * THREADS
    assert shops[0].store.catalog.units() == {"apple": (8, 0), "pear": (8, 0)}
    quiet(shops[0])


@either_way
def test_an_expired_hold_goes_to_its_order_or_to_another_never_to_both(
    shops: Shops, check_out: CheckOut
) -> None:
    won: Counter[str] = Counter()
    for turn in range(ROUNDS):
        shops[0].stock(apple=1)
        slow, fast = checkout(f"slow-{turn}"), checkout(f"fast-{turn}")
        shops[0].save(f"slow-{turn}")
        shops[0].save(f"fast-{turn}")
        digest = shops[0].hold(slow).digest
        shops[0].clock.advance(HOLD_TTL)
        calls: list[Callable[[], Outcome]] = [
            partial(shops[0].store.orders.create, slow, digest),
            partial(check_out, shops[1], fast),
        ]
        outcomes = race(calls if turn % 2 else calls[::-1])
        won.update(reasons(outcomes))
        shops[0].undo(slow, refuse(RefusalReason.ABORTED))
        assert shops[0].units("apple") == (0, 0)
    assert won == {"order": ROUNDS, RefusalReason.OUT_OF_STOCK: ROUNDS}
    assert quiet(shops[0])["units_sold"] == ROUNDS


@either_way
def test_all_that_overdue_holds_free_is_sold_when_everybody_wants_it(
    shops: Shops, check_out: CheckOut
) -> None:
    """Each rival is short at first, and one of them expires the hold that is in the way."""
    for turn in range(ROUNDS):
        shops[0].stock(apple=THREADS)
        shops[0].save(f"old-{turn}", ("apple", THREADS))
        shops[0].hold(checkout(f"old-{turn}"))
        shops[0].clock.advance(HOLD_TTL)
        runs = [checkout(f"cart-{turn}-{n}") for n in range(THREADS)]
        shops[0].store.carts.save(*(cart(run.request.cart_id) for run in runs))
        calls = [partial(check_out, each(shops, n), run) for n, run in enumerate(runs)]
        assert reasons(race(calls)) == {"order": THREADS}
        shops[0].undo(checkout(f"old-{turn}"), refuse(RefusalReason.ABORTED))
    assert quiet(shops[0])["units_sold"] == ROUNDS * THREADS


@either_way
def test_a_catalog_import_races_with_checkouts(
    shops: Shops, seed: int, check_out: CheckOut
) -> None:
    """Stock is set below what is held again and again while checkouts take it."""
    shops[0].stock(apple=10, pear=10)
    carts = [cart(f"cart-{n}", ("apple", 1), ("pear", 2)) for n in range(60)]
    shops[0].store.carts.save(*carts)
    runs = [checkout(one.id) for one in carts]

    def some(thread: int) -> list[Outcome]:
        return [check_out(each(shops, thread), run) for run in runs[thread::6]]

    def restock(thread: int) -> list[Outcome]:
        rng = random.Random(seed + thread)
        for _ in range(20):
            with suppress(CatalogError):  # holds kept coming back, and it says so
                each(shops, thread).stock(apple=rng.randint(0, 6), pear=rng.randint(0, 12))
        return []

    calls = [partial(some, n) for n in range(6)] + [partial(restock, n) for n in range(2)]
    outcomes: list[Outcome] = []
    for result in race(calls):
        if isinstance(result, Exception):
            raise result
        outcomes += result
    told = reasons([*outcomes])
    stock = {RefusalReason.OUT_OF_STOCK, RefusalReason.INSUFFICIENT_STOCK}
    assert set(told) <= {"order", *stock}
    assert quiet(shops[0])["orders"] == told["order"]


@either_way
def test_an_edit_and_a_checkout_of_one_cart_do_not_mix(shops: Shops, check_out: CheckOut) -> None:
    """Either the cart that was checked out is the old one, or it is the edited one."""
    shops[0].stock(apple=None, pear=None)

    def edit(edited: Cart) -> bool:
        try:
            shops[1].store.carts.save(edited)
        except CartEditError:
            return False
        return True

    for turn in range(ROUNDS):
        old = shops[0].save(f"cart-{turn}", ("apple", 1), ("apple", 2))
        edited = cart(f"cart-{turn}", ("pear", 1), ("pear", 2), email="edited@example.com")
        run = checkout(f"cart-{turn}")
        outcome, was_edited = race([partial(check_out, shops[0], run), partial(edit, edited)])
        assert isinstance(outcome, OrderPlaced), outcome
        assert was_edited in (True, False), was_edited
        order = shops[0].find(outcome)
        sold = edited if was_edited else old
        assert [line.sku for line in order.lines] == [line.sku for line in sold.lines]
        assert order.email == sold.email
    quiet(shops[0])


@pytest.mark.parametrize("check", [None, nothing_wrong], ids=["by steps", "at once"])
def test_one_key_for_two_carts_at_once_goes_to_one_of_them(
    shops: Shops, check: Check | None
) -> None:
    shops[0].stock(apple=None)
    for turn in range(ROUNDS):
        runs = [checkout(f"cart-{turn}-{n}", key=f"key-{turn}") for n in range(2)]
        for run in runs:
            shops[0].save(run.request.cart_id)
        locks = [partial(each(shops, n).store.carts.lock, run, check) for n, run in enumerate(runs)]
        outcomes = race(locks)
        assert sum(isinstance(x, LockedCart) for x in outcomes) == 1
        assert refuse(RefusalReason.IDEMPOTENCY_KEY_REUSED) in outcomes
        shops[0].clock.advance(SECOND)
    assert shops[0].counts()["carts_locked"] == ROUNDS
