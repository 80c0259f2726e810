"""One payment, or the stock of one that is waited for, wanted by several at once.

Threads on both databases; named points on PostgreSQL, where transactions overlap.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from commerce.adapters.store.database import StoreRuleError
from commerce.contract import Checkout, Extension, OrderPlaced, Outcome
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.payments import ClaimStatus
from commerce.ports import CartNotHeldError
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, Meanwhile, Shop, at, on_postgresql_only, race
from tests.store.test_races import ROUNDS, THREADS, each, quiet

ABORTED = refuse(RefusalReason.ABORTED)
CHANGED = refuse(RefusalReason.CART_CHANGED)
PAY = "PAY-1"

Shops = tuple[Shop, Shop]


def held(
    shop: Shop, cart_id: str, payment_id: str = PAY, units: int = 1, run: str = "run"
) -> tuple[Checkout, str]:
    """A checkout with a payment that has locked its cart and held its stock; the digest."""
    shop.save(cart_id, ("apple", units))
    paid = {"operation": Operation.COMPLETE_ORDER, "payment_id": payment_id}
    one = checkout(cart_id, f"key-of-{cart_id}-{run}", run, **paid)
    return one, shop.hold(one).digest


def claiming(shop: Shop, run: Checkout, digest: str) -> Callable[[], bool]:
    return lambda: shop.store.claims.claim(run, digest, run.request.payment_id)


def finish(shop: Shop, run: Checkout, digest: str) -> Outcome:
    """Claim and order, or undo it all."""
    outcome: Outcome = refuse(RefusalReason.PAYMENT_ID_INVALID)
    if claiming(shop, run, digest)():
        outcome = shop.store.orders.create(run, digest)
    return shop.undo(run, outcome) if isinstance(outcome, Refusal) else outcome


def status(shop: Shop, payment_id: str = PAY) -> ClaimStatus | None:
    found = shop.store.claims.find(payment_id)
    return found.status if found else None


# -- let go at once --------------------------------------------------------------------------------


def test_one_payment_for_many_carts_at_once_pays_for_one_order(shops: Shops) -> None:
    shops[0].stock(apple=None)
    for turn in range(ROUNDS):
        runs = [held(shops[0], f"cart-{turn}-{n}", f"PAY-{turn}") for n in range(THREADS)]
        claims = [claiming(each(shops, n), *run) for n, run in enumerate(runs)]
        told = race(claims)
        assert Counter(told) == {True: 1, False: THREADS - 1}, told
        assert [claim() for claim in claims] == told, "and it stays so"
        outcomes = [finish(shops[0], *run) for run in runs]
        assert [isinstance(outcome, OrderPlaced) for outcome in outcomes] == told
    assert quiet(shops[0])["orders"] == ROUNDS


def test_a_late_claim_and_the_undo_of_one_checkout_leave_nothing_claimed(shops: Shops) -> None:
    """What was claimed first is told to the undo, to be voided; what came after it is refused."""
    shops[0].stock(apple=None)
    for turn in range(ROUNDS):
        payment_id = f"PAY-{turn}"
        run, digest = held(shops[0], f"cart-{turn}", payment_id)
        calls: list[Callable[[], object]] = [
            claiming(shops[turn % 2], run, digest),
            partial(shops[1 - turn % 2].store.claims.give_up, run),
        ]
        claimed, given_up = race(calls)
        if claimed is True:
            assert given_up == payment_id
        else:
            assert isinstance(claimed, CartNotHeldError), claimed
            assert given_up is None
        assert shops[0].store.claims.give_up(run) == given_up
        assert status(shops[0], payment_id) is (ClaimStatus.GIVEN_UP if given_up else None)
        shops[0].undo(run, ABORTED)
    assert quiet(shops[0])["payments_claimed"] == 0


def test_an_order_and_the_undo_of_its_payment_exclude_each_other(shops: Shops) -> None:
    shops[0].stock(apple=None)
    orders = 0
    for turn in range(ROUNDS):
        payment_id = f"PAY-{turn}"
        run, digest = held(shops[0], f"cart-{turn}", payment_id)
        assert claiming(shops[0], run, digest)()
        calls: list[Callable[[], object]] = [
            partial(shops[turn % 2].store.orders.create, run, digest),
            partial(shops[1 - turn % 2].store.claims.give_up, run),
        ]
        outcome, given_up = race(calls)
        if isinstance(outcome, OrderPlaced):
            assert given_up is None
            orders += 1
        else:
            assert (outcome, given_up) == (CHANGED, payment_id)
            shops[0].undo(run, CHANGED)
    assert quiet(shops[0])["orders"] == orders


def test_stock_that_is_kept_for_longer_is_expired_by_nobody_or_taken_again(shops: Shops) -> None:
    shops[0].stock(apple=10, pear=10)
    runs: list[tuple[Checkout, str]] = []
    lines = [("apple", 1), ("pear", 1)]
    for n in range(THREADS // 2):
        run = checkout(f"cart-{n}")
        shops[0].save(f"cart-{n}", *(lines if n % 2 else reversed(lines)))
        runs.append((run, shops[0].hold(run).digest))
    for _ in range(ROUNDS):
        shops[0].clock.advance(HOLD_TTL)
        calls: list[Callable[[], object]] = []
        for n, run in enumerate(runs):
            calls.append(partial(each(shops, n).store.carts.extend, *run))
            calls.append(each(shops, n).store.stock.expire_overdue)
        told = race(calls)
        kept = Extension(seconds=HOLD_TTL.total_seconds(), held=True)
        assert told[::2] == [kept] * len(runs)
        assert all(isinstance(expired, int) for expired in told[1::2]), told
        units = len(runs)
        assert shops[0].store.catalog.units() == {"apple": (10, units), "pear": (10, units)}
    for run, digest in runs:
        assert isinstance(shops[0].store.orders.create(run, digest), OrderPlaced)
    assert quiet(shops[0])["units_sold"] == 2 * len(runs)


def test_the_last_unit_goes_to_who_waits_for_a_payment_or_to_another(shops: Shops) -> None:
    for turn in range(ROUNDS):
        shops[0].stock(apple=1)
        waits, digest = checkout(f"waits-{turn}"), ""
        shops[0].save(f"waits-{turn}")
        digest = shops[0].hold(waits).digest
        shops[0].save(f"rival-{turn}")
        shops[0].clock.advance(HOLD_TTL)
        calls: list[Callable[[], object]] = [
            partial(shops[turn % 2].store.carts.extend, waits, digest),
            partial(shops[1 - turn % 2].check_out, checkout(f"rival-{turn}")),
        ]
        extension, rival = race(calls)
        assert isinstance(extension, Extension), extension
        assert extension.held is not isinstance(rival, OrderPlaced), "one of them, and only one"
        outcome = shops[0].store.orders.create(waits, digest)
        assert isinstance(outcome, OrderPlaced) is extension.held
        if isinstance(outcome, Refusal):
            shops[0].undo(waits, outcome)
        assert shops[0].units("apple") == (0, 0)
    assert quiet(shops[0])["units_sold"] == ROUNDS


# -- at named points -------------------------------------------------------------------------------


@on_postgresql_only
@pytest.mark.parametrize("point", ["UPDATE payment_claims", "INSERT INTO payment_claims", "COMMIT"])
def test_a_claim_is_not_taken_from_another_cart_that_was_faster(shops: Shops, point: str) -> None:
    """It was free when it was looked at."""
    shop, other = shops
    shop.stock(apple=None)
    mine, theirs = held(shop, "mine"), held(shop, "theirs")
    rival = Meanwhile(other.store.database, claiming(other, *theirs))
    with at(shop.store.database, point, rival):
        told = claiming(shop, *mine)()
    assert (told, rival.result()) == ((True, False) if point == "COMMIT" else (False, True))
    winner, loser = (mine, theirs) if told else (theirs, mine)
    assert finish(shop, *loser) == refuse(RefusalReason.PAYMENT_ID_INVALID)
    assert isinstance(finish(shop, *winner), OrderPlaced)
    assert shop.counts()["orders"] == 1


@on_postgresql_only
def test_nor_from_one_that_has_its_order_already(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=None)
    mine, theirs = held(shop, "mine"), held(shop, "theirs")
    with at(shop.store.database, "UPDATE payment_claims", lambda: finish(other, *theirs)):
        assert claiming(shop, *mine)() is False
    found = shop.store.claims.find(PAY)
    assert found is not None
    assert (found.cart_id, found.order_number) == ("theirs", "000000001")
    shop.counts()


@on_postgresql_only
def test_an_undo_waits_for_the_claim_under_way(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=None)
    run, digest = held(shop, "cart")
    undo = Meanwhile(other.store.database, lambda: other.store.claims.give_up(run))
    with at(shop.store.database, "COMMIT", undo):
        assert claiming(shop, run, digest)()
    assert undo.result() == PAY
    assert status(shop) is ClaimStatus.GIVEN_UP


@on_postgresql_only
def test_a_claim_that_waits_for_the_undo_is_refused(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=None)
    run, digest = held(shop, "cart")
    late = Meanwhile(other.store.database, claiming(other, run, digest))
    with at(shop.store.database, "COMMIT", late):
        assert shop.store.claims.give_up(run) is None
    assert isinstance(late.result(), CartNotHeldError)
    assert status(shop) is None


@on_postgresql_only
@pytest.mark.parametrize("undo", ["give_up", "let_go"])
def test_what_undoes_a_payment_while_its_order_is_made_leaves_the_order_paid(
    shops: Shops, undo: str
) -> None:
    shop, other = shops
    shop.stock(apple=None)
    run, digest = held(shop, "cart")
    assert claiming(shop, run, digest)()
    late = Meanwhile(other.store.database, lambda: getattr(other.store.claims, undo)(run))
    with at(shop.store.database, "INSERT INTO orders", late):
        outcome = shop.store.orders.create(run, digest)
    assert isinstance(outcome, OrderPlaced)
    assert late.result() is None
    assert status(shop) is ClaimStatus.CLAIMED
    shop.counts()


@on_postgresql_only
def test_an_order_that_waits_for_the_undo_is_not_made(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=None)
    run, digest = held(shop, "cart")
    assert claiming(shop, run, digest)()
    late = Meanwhile(other.store.database, lambda: other.store.orders.create(run, digest))
    with at(shop.store.database, "COMMIT", late):
        assert shop.store.claims.give_up(run) == PAY
    assert late.result() == CHANGED
    assert shop.counts()["orders"] == 0


@on_postgresql_only
def test_the_next_run_that_takes_the_cart_over_waits_for_the_claim_of_the_dead_one(
    shops: Shops,
) -> None:
    shop, other = shops
    shop.stock(apple=None)
    dead, digest = held(shop, "cart")
    paid = {"operation": Operation.COMPLETE_ORDER, "payment_id": PAY}
    live = checkout("cart", "live", "live", **paid)
    take_over = Meanwhile(other.store.database, lambda: other.claim(live))
    with at(shop.store.database, "COMMIT", take_over):
        assert claiming(shop, dead, digest)()
    assert not isinstance(take_over.result(), Exception), take_over.result()
    assert shop.store.claims.give_up(dead) is None
    assert isinstance(shop.store.orders.create(live, shop.lock(live).digest), OrderPlaced)
    assert shop.counts()["payments_claimed"] == 0


@on_postgresql_only
def test_an_event_that_two_note_at_once_is_noted(shops: Shops) -> None:
    shop, other = shops
    note = Meanwhile(other.store.database, lambda: other.store.seen_events.note("stripe", "evt"))
    with at(shop.store.database, "COMMIT", note):
        shop.store.seen_events.note("stripe", "evt")
    assert not isinstance(note.result(), StoreRuleError)
    assert not shop.store.seen_events.is_new("stripe", "evt")


@on_postgresql_only
def test_an_expiry_that_waits_for_an_extension_ends_nothing(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=1)
    run, digest = held(shop, "cart")
    shop.clock.advance(HOLD_TTL)
    expiry = Meanwhile(other.store.database, other.store.stock.expire_overdue)
    with at(shop.store.database, "COMMIT", expiry):
        assert shop.store.carts.extend(run, digest).held
    assert expiry.result() in (0, 1), "it may count what it found, but it ends nothing"
    assert shop.units("apple") == (1, 1)
    assert shop.counts()["holds_overdue"] == 0


@on_postgresql_only
def test_an_extension_that_waits_for_an_expiry_takes_the_stock_again(shops: Shops) -> None:
    shop, other = shops
    shop.stock(apple=1)
    run, digest = held(shop, "cart")
    shop.clock.advance(HOLD_TTL)
    extension = Meanwhile(other.store.database, lambda: other.store.carts.extend(run, digest))
    with at(shop.store.database, "COMMIT", extension):
        assert shop.store.stock.expire_overdue() == 1
    assert extension.result() == Extension(seconds=HOLD_TTL.total_seconds(), held=True)
    assert shop.units("apple") == (1, 1)
    assert shop.counts()["holds_open"] == 1


@on_postgresql_only
@pytest.mark.parametrize("point", ["FOR UPDATE", "COMMIT"])
def test_an_extension_and_a_rival_for_the_same_stock_do_not_deadlock(
    shops: Shops, point: str
) -> None:
    """The hold expired; while it is taken again the rival, with its SKUs the other way round."""
    shop, other = shops
    shop.stock(apple=1, pear=1)
    lines = [("apple", 1), ("pear", 1)]
    waits, rival = checkout("waits"), checkout("rival")
    shop.save("waits", *lines)
    digest = shop.hold(waits).digest
    shop.clock.advance(HOLD_TTL)
    assert shop.store.stock.expire_overdue() == 1
    shop.save("rival", *reversed(lines))
    wants = Meanwhile(other.store.database, lambda: other.check_out(rival))
    with at(shop.store.database, point, wants, nth=2):
        extension = shop.store.carts.extend(waits, digest)
    ordered = wants.result()
    assert isinstance(ordered, OrderPlaced | Refusal), ordered
    assert extension.held is isinstance(ordered, Refusal)
    units = (1, 1) if extension.held else (0, 0)
    assert shop.store.catalog.units() == {"apple": units, "pear": units}
    shop.counts()
