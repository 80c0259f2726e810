"""What terminated checkouts leave behind: is it found, once it is old enough, and nothing else?"""

from datetime import timedelta

import pytest
from sqlalchemy import text

from commerce.contract import Checkout, OrderPlaced
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.domain.leftovers import FoundLeftovers, OpenPayment, UnannouncedOrder
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop, race

AGE = HOLD_TTL + 15 * SECOND
MOST = 100
ABORTED = refuse(RefusalReason.ABORTED)


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=1_000)


def paying(shop: Shop, cart_id: str, payment_id: str = "") -> Checkout:
    """A run that has its cart, its stock and its payment; then it is stopped."""
    shop.save(cart_id)
    paid = {"operation": Operation.COMPLETE_ORDER, "payment_id": payment_id or f"PAY-{cart_id}"}
    run = checkout(cart_id, **paid)
    shop.claim(run)
    return run


def ordered(shop: Shop, run: Checkout) -> str:
    digest = shop.lock(run).digest
    placed = shop.store.orders.create(run, digest)
    assert isinstance(placed, OrderPlaced)
    return placed.order_number


def found(shop: Shop, most: int = MOST) -> FoundLeftovers:
    return shop.store.leftovers.count(AGE, most)


def due(shop: Shop, most: int = MOST) -> list[str]:
    """The carts of the payments to be looked at, in their order."""
    return [each.cart_id for each in shop.store.leftovers.payments(AGE, most)]


# -- payments ---------------------------------------------------------------------------------


def test_a_payment_is_found_once_its_claim_is_old_enough(shop: Shop) -> None:
    run = paying(shop, "cart")
    shop.clock.advance(AGE - SECOND)
    assert due(shop) == []
    assert found(shop).payments == 0
    shop.clock.advance(SECOND)
    assert shop.store.leftovers.payments(AGE, MOST) == [
        OpenPayment(checkout_id=run.id, cart_id="cart", payment_id="PAY-cart")
    ]
    assert found(shop) == FoundLeftovers(holds=1, payments=1)


@pytest.mark.parametrize("stopped", ["given up", "ordered", "in review"])
def test_so_is_one_that_was_given_up_or_whose_order_is_not_paid(shop: Shop, stopped: str) -> None:
    run = paying(shop, "cart")
    if stopped == "given up":
        assert shop.store.claims.give_up(run) == "PAY-cart"
    else:
        number = ordered(shop, run)
        if stopped == "in review":
            shop.store.orders.mark_for_review(number)
    shop.clock.advance(AGE)
    assert due(shop) == ["cart"]


@pytest.mark.parametrize("ended", ["settled", "captured", "captured in review", "let go", "none"])
def test_one_of_which_nothing_is_open_is_not_found(shop: Shop, ended: str) -> None:
    run = paying(shop, "cart")
    if ended == "settled":
        shop.store.claims.give_up(run)
        shop.store.claims.mark_settled("PAY-cart")
        shop.store.claims.mark_settled("PAY-cart")
    if ended.startswith("captured"):
        number = ordered(shop, run)
        if ended.endswith("review"):
            shop.store.orders.mark_for_review(number)
        shop.store.orders.mark_captured(number)
        shop.store.orders.mark_captured(number)
    if ended == "let go":
        shop.store.claims.let_go(run)
    if ended == "none":
        shop.undo(run, ABORTED)
        shop.store.claims.mark_settled("PAY-cart")
        shop.save("other")
        shop.store.claims.give_up(checkout("other"))  # it had not claimed any yet
    shop.clock.advance(AGE)
    assert due(shop) == []
    assert found(shop).payments == 0


def test_a_payment_that_is_claimed_again_is_open_again(shop: Shop) -> None:
    run = paying(shop, "cart")
    shop.store.claims.let_go(run)
    shop.store.claims.mark_settled("PAY-cart")
    assert shop.store.claims.claim(run, shop.lock(run).digest, "PAY-cart")
    shop.clock.advance(AGE)
    assert due(shop) == ["cart"]


def test_one_payment_that_is_settled_settles_no_other(shop: Shop) -> None:
    paying(shop, "first")
    paying(shop, "second")
    shop.store.claims.mark_settled("PAY-first")
    shop.clock.advance(AGE)
    assert due(shop) == ["second"]


def test_those_that_were_looked_at_wait_and_keep_nobody_waiting(shop: Shop) -> None:
    for name in ("a", "b", "c"):
        paying(shop, name)
        shop.clock.advance(SECOND)
    shop.clock.advance(AGE)
    assert due(shop, 2) == ["a", "b"]
    first, second = shop.store.leftovers.payments(AGE, 2)
    shop.store.leftovers.look_again([first], timedelta(minutes=2))
    shop.store.leftovers.look_again([second], timedelta(minutes=1), told=True)
    assert due(shop, 2) == ["c"]
    assert (found(shop).payments, found(shop).unsettled) == (1, 1)
    shop.clock.advance(timedelta(minutes=1))
    assert due(shop) == ["c", "b"]
    shop.clock.advance(timedelta(minutes=1))
    assert due(shop) == ["c", "b", "a"]
    assert [each.told for each in shop.store.leftovers.payments(AGE, MOST)] == [0, 1, 0]
    shop.store.claims.mark_settled("PAY-b")
    assert found(shop).unsettled == 0


def test_nothing_to_look_at_again_changes_nothing(shop: Shop) -> None:
    paying(shop, "cart")
    before = shop.rows()
    shop.store.leftovers.look_again([], timedelta(minutes=1), told=True)
    assert shop.rows() == before


# -- holds ------------------------------------------------------------------------------------


def test_overdue_holds_expire_batch_by_batch_and_others_stay(shop: Shop) -> None:
    for n in range(130):
        shop.save(f"cart{n}")
        shop.hold(checkout(f"cart{n}"))
    shop.clock.advance(HOLD_TTL)
    shop.save("fresh")
    shop.hold(checkout("fresh"))
    assert found(shop).holds == MOST
    assert found(shop, 1_000).holds == 130
    batches = [shop.store.leftovers.expire_overdue() for _ in range(3)]
    assert batches == [100, 30, 0]
    assert found(shop).holds == 0
    assert shop.counts()["holds_open"] == 1
    assert shop.units("apple") == (1_000, 1)


def test_two_sweeps_at_once_expire_each_hold_once(shops: tuple[Shop, Shop]) -> None:
    shop = shops[0]
    for n in range(40):
        shop.save(f"cart{n}")
        shop.hold(checkout(f"cart{n}"))
    shop.clock.advance(HOLD_TTL)
    race([each.store.leftovers.expire_overdue for each in shops * 2])
    assert shop.counts()["holds_open"] == 0
    assert shop.units("apple") == (1_000, 0)


# -- events -----------------------------------------------------------------------------------


def test_an_order_that_was_not_announced_is_found_once_it_is_old_enough(shop: Shop) -> None:
    runs = [paying(shop, name) for name in ("a", "b", "c")]
    numbers: list[str] = []
    for run in runs:
        numbers.append(ordered(shop, run))
        shop.clock.advance(SECOND)
    event = shop.event(numbers[1])
    assert event is not None
    shop.store.orders.mark_announced([event.event_id])
    shop.clock.advance(AGE - 4 * SECOND)
    assert shop.store.leftovers.unannounced(AGE, MOST) == []
    shop.clock.advance(3 * SECOND)
    left = [UnannouncedOrder(checkout_id=runs[n].id, order_number=numbers[n]) for n in (0, 2)]
    assert shop.store.leftovers.unannounced(AGE, MOST) == left
    assert shop.store.leftovers.unannounced(AGE, 1) == left[:1]
    assert shop.store.leftovers.unannounced(AGE, 1, skip=1) == left[1:]
    assert (found(shop).orders, found(shop, 1).orders) == (2, 1)


# -- what it costs ----------------------------------------------------------------------------

QUERIES = {
    "ix_holds_holds_status_holds_expires_at|ix_holds_status": (
        "SELECT count(*) FROM holds WHERE status = 'held' AND expires_at <= '2026-01-01'"
    ),
    "ix_payment_claims_unsettled": (
        "SELECT count(*) FROM payment_claims WHERE settled_at IS NULL"
        " AND status IN ('claimed', 'given_up') AND payment_id IS NOT NULL"
    ),
    "ix_outbox_unannounced": "SELECT count(*) FROM outbox WHERE announced_at IS NULL",
    "ix_orders_status_orders_payment_id": (
        "SELECT count(*) FROM orders WHERE status = 'payment_review'"
    ),
}


@pytest.mark.parametrize("index", QUERIES)
def test_what_is_asked_for_all_the_time_is_answered_by_an_index(shop: Shop, index: str) -> None:
    database = shop.store.database
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.engine.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = str(connection.execute(text(f"{explain} {QUERIES[index]}")).all())
    assert any(name in plan for name in index.split("|")), plan
