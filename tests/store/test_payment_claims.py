"""A payment serves one order, ever: who may claim it, who gives it up, and what is ordered then."""

from collections.abc import Callable

import pytest

from commerce.contract import Checkout, OrderPlaced
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import (
    PAID_AT_GATEWAY,
    ClaimStatus,
    PaymentChoice,
    PaymentClaim,
    PaymentMethod,
)
from commerce.ports import CartNotHeldError
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop

ABORTED = refuse(RefusalReason.ABORTED)
CHANGED = refuse(RefusalReason.CART_CHANGED)
PAY, OTHER = "PAY-1", "PAY-2"
BY_CARD = PaymentChoice(method=PaymentMethod.HOSTED_FIELDS, payment_id=PAY)

GIVEN_UP, LET_GO, CLAIMED = ClaimStatus.GIVEN_UP, ClaimStatus.LET_GO, ClaimStatus.CLAIMED


@pytest.fixture(autouse=True)
def products(shop: Shop) -> None:
    shop.stock(apple=50)


def paying(cart_id: str, payment_id: str = PAY, run: str = "run", key: str = "") -> Checkout:
    """A run of ``completeOrder`` with a payment."""
    paid = {"operation": Operation.COMPLETE_ORDER, "payment_id": payment_id}
    return checkout(cart_id, key or f"key-of-{cart_id}-{run}", run, **paid)


def held(shop: Shop, cart_id: str, payment_id: str = PAY) -> tuple[Checkout, str]:
    """A run that has locked its cart and held its stock, and the digest that it goes by."""
    shop.save(cart_id)
    run = paying(cart_id, payment_id)
    return run, shop.hold(run).digest


def next_run(shop: Shop, cart_id: str, payment_id: str = PAY) -> tuple[Checkout, str]:
    """The next run of a cart takes it over: whatever ran before has ended."""
    run = paying(cart_id, payment_id, run="next")
    return run, shop.hold(run).digest


def claim(shop: Shop, run: Checkout, digest: str, payment_id: str = PAY) -> bool:
    return shop.store.claims.claim(run, digest, payment_id)


def due(shop: Shop, placed: OrderPlaced) -> str | None:
    """The payment that is to be captured for an order: over the order's total."""
    found = shop.store.orders.payment_to_capture(placed.order_number)
    assert found is None or found.total == placed.total
    return found and found.payment_id


def unchanged(shop: Shop, call: Callable[[], object]) -> object:
    """What a call answers that must not write anything, or the exception that it raises."""
    before = shop.rows()
    try:
        told = call()
    except CartNotHeldError as error:
        told = error
    assert shop.rows() == before
    return told


def found(shop: Shop, payment_id: str = PAY) -> PaymentClaim:
    """Who has it; for how long it is in hand is asked in tests/api/test_webhooks.py."""
    claim = shop.store.claims.find(payment_id)
    assert claim is not None
    return claim.model_copy(update={"in_hand": False})


# -- claiming --------------------------------------------------------------------------------------


def test_a_payment_is_claimed_once_however_often_it_is_asked(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert shop.store.claims.find(PAY) is None
    assert claim(shop, run, digest)
    shop.clock.advance(SECOND)
    assert unchanged(shop, lambda: claim(shop, run, digest)) is True
    assert found(shop) == PaymentClaim(payment_id=PAY, cart_id="cart", status=CLAIMED)
    assert shop.counts()["payments_claimed"] == 1


def test_another_carts_payment_cannot_be_claimed(shop: Shop) -> None:
    first, digest = held(shop, "first")
    assert claim(shop, first, digest)
    second, other_digest = held(shop, "second")
    assert unchanged(shop, lambda: claim(shop, second, other_digest)) is False
    assert claim(shop, second, other_digest, OTHER), "another payment is free"
    assert (found(shop).cart_id, found(shop, OTHER).cart_id) == ("first", "second")


@pytest.mark.parametrize("ended", ["ordered", "let go", "given up"])
def test_nor_when_the_other_cart_is_done_with_it(shop: Shop, ended: str) -> None:
    first, digest = held(shop, "first")
    assert claim(shop, first, digest)
    if ended == "ordered":
        assert isinstance(shop.store.orders.create(first, digest), OrderPlaced)
    if ended == "let go":
        shop.store.claims.let_go(first)
    if ended == "given up":
        shop.undo(first, ABORTED)
    second, other_digest = held(shop, "second")
    assert unchanged(shop, lambda: claim(shop, second, other_digest)) is False


def test_one_checkout_claims_one_payment(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    assert unchanged(shop, lambda: claim(shop, run, digest, OTHER)) is False
    assert shop.store.claims.find(OTHER) is None


def test_a_payment_that_was_let_go_may_be_claimed_by_the_next_run_of_its_cart(shop: Shop) -> None:
    first, digest = held(shop, "cart")
    assert claim(shop, first, digest)
    shop.store.claims.let_go(first)
    assert found(shop).status is LET_GO
    assert unchanged(shop, lambda: shop.store.claims.let_go(first)) is None
    assert shop.counts()["payments_claimed"] == 0
    shop.store.carts.unlock(first, refuse(RefusalReason.PAYMENT_DECLINED))
    second, digest = next_run(shop, "cart")
    assert claim(shop, second, digest)
    assert found(shop).status is CLAIMED
    placed = shop.store.orders.create(second, digest)
    assert isinstance(placed, OrderPlaced)
    assert found(shop).order_number == placed.order_number


def test_and_by_the_same_run_should_its_step_be_repeated(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    shop.store.claims.let_go(run)
    assert claim(shop, run, digest)
    assert found(shop).status is CLAIMED


def test_a_claim_that_an_ended_run_left_behind_is_taken_over(shop: Shop) -> None:
    dead, digest = held(shop, "cart")
    assert claim(shop, dead, digest)
    live, digest = next_run(shop, "cart")
    assert claim(shop, live, digest)
    assert shop.counts()["payments_claimed"] == 1
    assert unchanged(shop, lambda: shop.store.claims.let_go(dead)) is None
    assert shop.store.claims.give_up(dead) is None, "it has nothing to undo any more"
    placed = shop.store.orders.create(live, digest)
    assert isinstance(placed, OrderPlaced)
    assert found(shop) == PaymentClaim(
        payment_id=PAY, cart_id="cart", status=CLAIMED, order_number=placed.order_number
    )
    shop.counts()


def test_a_payment_that_was_given_up_is_claimed_by_nobody_for_ever(shop: Shop) -> None:
    first, digest = held(shop, "cart")
    assert claim(shop, first, digest)
    shop.undo(first, ABORTED)
    for n, cart_id in enumerate(("cart", "other", "cart")):
        shop.clock.advance(HOLD_TTL)
        shop.save(cart_id)
        run = paying(cart_id, run=f"{n}")
        digest = shop.hold(run).digest
        assert unchanged(shop, lambda r=run, d=digest: claim(shop, r, d)) is False
    assert found(shop).status is GIVEN_UP


@pytest.mark.parametrize("wrong", ["digest", "run", "cart", "active", "ordered", "edited"])
def test_who_does_not_hold_the_cart_claims_nothing(shop: Shop, wrong: str) -> None:
    run, digest = held(shop, "cart")
    match wrong:
        case "digest":
            digest = "0" * 64
        case "run":
            run = paying("cart", run="another")
        case "cart":
            run = paying("unknown")
        case "active":
            shop.undo(run, ABORTED)
        case "ordered":
            assert claim(shop, run, digest)
            assert isinstance(shop.store.orders.create(run, digest), OrderPlaced)
        case _:
            shop.clock.advance(HOLD_TTL)
            shop.save("cart", ("apple", 2))
    told = unchanged(shop, lambda: claim(shop, run, digest))
    assert isinstance(told, CartNotHeldError)


def test_a_cart_that_nobody_edited_is_still_held_after_its_time(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    shop.clock.advance(10 * HOLD_TTL)
    assert claim(shop, run, digest)


# -- giving up -------------------------------------------------------------------------------------


def test_what_is_given_up_is_told_each_time(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    assert shop.store.claims.give_up(run) == PAY
    shop.clock.advance(SECOND)
    assert unchanged(shop, lambda: shop.store.claims.give_up(run)) == PAY
    assert shop.counts()["payments_claimed"] == 0


def test_a_claim_that_comes_after_the_undo_is_refused(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    shop.store.claims.give_up(run)
    told = unchanged(shop, lambda: claim(shop, run, digest))
    assert isinstance(told, CartNotHeldError)


def test_also_when_there_was_nothing_to_give_up_yet(shop: Shop) -> None:
    """The undo overtook the step: else the step would authorize what nobody voids."""
    run, digest = held(shop, "cart")
    assert shop.store.claims.give_up(run) is None
    assert unchanged(shop, lambda: shop.store.claims.give_up(run)) is None
    told = unchanged(shop, lambda: claim(shop, run, digest))
    assert isinstance(told, CartNotHeldError)
    assert shop.store.claims.find(PAY) is None
    shop.undo(run, ABORTED)
    live, digest = next_run(shop, "cart")
    assert claim(shop, live, digest), "the shopper may try again"


def test_what_was_let_go_and_is_undone_all_the_same_is_given_up(shop: Shop) -> None:
    """By a late attempt, after another of the same step had authorized it."""
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    shop.store.claims.let_go(run)
    assert shop.store.claims.give_up(run) == PAY
    told = unchanged(shop, lambda: claim(shop, run, digest))
    assert isinstance(told, CartNotHeldError)
    live, digest = next_run(shop, "cart")
    assert not claim(shop, live, digest)


def test_a_payment_that_nobody_has_any_more_is_abandoned_for_ever(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    assert shop.store.claims.abandon(PAY, "cart")
    assert unchanged(shop, lambda: shop.store.claims.abandon(PAY, "cart")) is True
    late = unchanged(shop, lambda: shop.store.orders.create(run, digest))
    assert late == refuse(RefusalReason.CART_CHANGED)
    live, digest = next_run(shop, "cart")
    assert not claim(shop, live, digest)


def test_but_not_the_payment_of_an_order(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    assert isinstance(shop.store.orders.create(run, digest), OrderPlaced)
    assert unchanged(shop, lambda: shop.store.claims.abandon(PAY, "cart")) is False
    assert found(shop).status is CLAIMED


def test_what_was_given_up_is_not_let_go(shop: Shop) -> None:
    """It is being voided: who claimed it now would order without money."""
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    shop.store.claims.give_up(run)
    assert unchanged(shop, lambda: shop.store.claims.let_go(run)) is None
    assert shop.store.claims.give_up(run) == PAY


def test_the_payment_of_an_order_is_not_given_up(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    placed = shop.store.orders.create(run, digest)
    assert isinstance(placed, OrderPlaced)
    assert unchanged(shop, lambda: shop.store.claims.give_up(run)) is None
    assert due(shop, placed) == PAY
    assert found(shop).status is CLAIMED


def test_nor_let_go(shop: Shop) -> None:
    """A late attempt of the step finds the payment captured, and takes it for one that is spent."""
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    assert isinstance(shop.store.orders.create(run, digest), OrderPlaced)
    assert unchanged(shop, lambda: shop.store.claims.let_go(run)) is None
    assert found(shop).status is CLAIMED
    shop.counts()


def test_an_offline_order_has_nothing_to_give_up(shop: Shop) -> None:
    shop.save("cart")
    shop.order(checkout("cart"))
    assert unchanged(shop, lambda: shop.store.claims.give_up(checkout("cart"))) is None


def test_what_the_dead_run_had_claimed_is_given_up_though_the_live_one_ordered(shop: Shop) -> None:
    dead, digest = held(shop, "cart")
    assert claim(shop, dead, digest)
    live, digest = next_run(shop, "cart", OTHER)
    assert claim(shop, live, digest, OTHER)
    placed = shop.store.orders.create(live, digest)
    assert isinstance(placed, OrderPlaced)
    assert shop.counts()["payments_claimed"] == 1
    assert shop.store.claims.give_up(dead) == PAY
    assert shop.find(placed).payment_id == OTHER
    shop.counts()


def test_a_cart_that_does_not_exist_leaves_a_tombstone_at_most(shop: Shop) -> None:
    assert shop.store.claims.give_up(paying("unknown")) is None
    shop.store.claims.let_go(paying("unknown"))
    assert shop.store.claims.find(PAY) is None


# -- finding ---------------------------------------------------------------------------------------


def test_who_has_it_now_comes_before_who_had_it(shop: Shop) -> None:
    first, digest = held(shop, "cart")
    assert claim(shop, first, digest)
    shop.store.claims.let_go(first)
    second, digest = next_run(shop, "cart")
    assert claim(shop, second, digest)
    assert found(shop).status is CLAIMED, "above one that was let go"
    shop.store.claims.give_up(second)
    assert found(shop).status is GIVEN_UP, "above one that was let go"


def test_the_order_is_told_and_whether_its_money_was_taken(shop: Shop) -> None:
    run, digest = held(shop, "cart")
    assert claim(shop, run, digest)
    placed = shop.store.orders.create(run, digest)
    assert isinstance(placed, OrderPlaced)
    number = placed.order_number
    claimed = PaymentClaim(payment_id=PAY, cart_id="cart", status=CLAIMED, order_number=number)
    assert found(shop) == claimed
    shop.store.orders.mark_for_review(number)
    assert found(shop) == claimed
    shop.store.orders.mark_captured(number)
    assert found(shop) == claimed.model_copy(update={"captured": True})
    assert shop.counts()["payments_claimed"] == 0


# -- ordering --------------------------------------------------------------------------------------


def online(shop: Shop, how: str) -> tuple[Checkout, str]:
    """A cart that is paid at the gateway: by ``completeOrder``, or by the method chosen on it."""
    if how == "complete_order":
        return held(shop, "cart")
    shop.save("cart", payment=BY_CARD)
    run = checkout("cart")
    return run, shop.hold(run).digest


ONLINE = pytest.mark.parametrize("how", ["complete_order", "online method"])


@ONLINE
@pytest.mark.parametrize("claimed", ["never", "let go", "given up", "given up before"])
def test_nothing_that_is_paid_at_the_gateway_is_ordered_without_a_claim(
    shop: Shop, how: str, claimed: str
) -> None:
    run, digest = online(shop, how)
    if claimed in ("let go", "given up"):
        assert claim(shop, run, digest)
    if claimed == "let go":
        shop.store.claims.let_go(run)
    if claimed.startswith("given up"):
        shop.store.claims.give_up(run)
    assert unchanged(shop, lambda: shop.store.orders.create(run, digest)) == CHANGED


@pytest.mark.parametrize("method", ["checkmo", PaymentMethod.HOSTED_FIELDS])
def test_an_order_has_the_payment_that_was_claimed_and_its_method(shop: Shop, method: str) -> None:
    """Also when a later request joined whose own payment is another."""
    run, digest = online(shop, "complete_order" if method == "checkmo" else "online method")
    assert claim(shop, run, digest)
    joined = run.request.model_copy(update={"payment_id": OTHER})
    placed = shop.store.orders.create(run.model_copy(update={"request": joined}), digest)
    assert isinstance(placed, OrderPlaced)
    order = shop.find(placed)
    assert order.payment_id == PAY
    assert order.payment_method == (PAID_AT_GATEWAY if method == "checkmo" else method)
    assert placed.paid_at_gateway
    assert due(shop, placed) == PAY
    assert shop.counts()["orders_uncaptured"] == 1


def test_a_purchase_order_number_is_not_kept_where_the_gateway_paid(shop: Shop) -> None:
    choice = PaymentChoice(method="purchaseorder", purchase_order_number="PO-7")
    shop.save("cart", payment=choice)
    order = shop.find(shop.order(paying("cart")))
    assert (order.payment_method, order.purchase_order_number) == (PAID_AT_GATEWAY, "")


def test_offline_orders_have_no_payment(shop: Shop) -> None:
    for cart_id in ("first", "second"):
        shop.save(cart_id)
        placed = shop.order(checkout(cart_id))
        assert not placed.paid_at_gateway
        assert shop.find(placed).payment_id is None
        assert shop.store.orders.payment_to_capture(placed.order_number) is None
    assert shop.store.claims.find("") is None
    assert shop.counts()["orders_uncaptured"] == 0


def test_one_payment_pays_for_one_order(shop: Shop) -> None:
    for cart_id in ("first", "second"):
        shop.save(cart_id)
    assert isinstance(shop.check_out(paying("first")), OrderPlaced)
    refused = shop.check_out(paying("second"))
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.PAYMENT_ID_INVALID
    assert shop.counts()["orders"] == 1
    assert shop.units("apple") == (49, 0)


def test_the_payment_chosen_on_a_cart_is_kept_with_it(shop: Shop) -> None:
    saved = shop.save("cart", payment=BY_CARD)
    assert shop.content("cart")[0] == saved
    locked = shop.lock(checkout("cart"))
    assert locked.payment_id == PAY
    shop.save("offline")
    assert shop.lock(checkout("offline")).payment_id is None


# -- the money -------------------------------------------------------------------------------------


def paid_order(shop: Shop, cart_id: str = "cart", payment_id: str = PAY) -> OrderPlaced:
    shop.save(cart_id)
    return shop.order(paying(cart_id, payment_id))


def status(shop: Shop, placed: OrderPlaced) -> OrderStatus:
    return shop.find(placed).status


def test_taking_the_money_is_noted_once(shop: Shop) -> None:
    orders = shop.store.orders
    placed, other = paid_order(shop), paid_order(shop, "other", OTHER)
    orders.mark_captured(placed.order_number)
    assert unchanged(shop, lambda: orders.mark_captured(placed.order_number)) is None
    assert unchanged(shop, lambda: orders.mark_captured("unknown")) is None
    assert status(shop, placed) is OrderStatus.PROCESSING
    assert status(shop, other) is OrderStatus.PENDING
    assert orders.payment_to_capture(placed.order_number) is None
    assert due(shop, other) == OTHER
    assert orders.payment_to_capture("unknown") is None


def test_an_order_that_is_paid_by_a_word_leaves_its_payment_to_be_looked_at(shop: Shop) -> None:
    placed = paid_order(shop)
    shop.store.orders.mark_captured(placed.order_number, by_hand=True)
    assert status(shop, placed) is OrderStatus.PROCESSING
    assert due(shop, placed) is None
    assert shop.store.gauges.read().payments_unsettled == 1


def test_an_order_in_review_still_has_its_payment_to_capture_which_ends_the_review(
    shop: Shop,
) -> None:
    orders = shop.store.orders
    placed, other = paid_order(shop), paid_order(shop, "other", OTHER)
    orders.mark_for_review(placed.order_number)
    assert unchanged(shop, lambda: orders.mark_for_review(placed.order_number)) is None
    assert unchanged(shop, lambda: orders.mark_for_review("unknown")) is None
    assert status(shop, placed) is OrderStatus.PAYMENT_REVIEW
    assert status(shop, other) is OrderStatus.PENDING
    assert due(shop, placed) == PAY
    counts = shop.counts()
    assert (counts["orders_in_payment_review"], counts["orders_uncaptured"]) == (1, 1)
    orders.mark_captured(placed.order_number)
    assert status(shop, placed) is OrderStatus.PROCESSING
    assert orders.payment_to_capture(placed.order_number) is None
    assert shop.counts()["orders_in_payment_review"] == 0


def test_an_order_whose_money_was_taken_is_never_put_into_review(shop: Shop) -> None:
    placed = paid_order(shop)
    shop.store.orders.mark_captured(placed.order_number)
    late = unchanged(shop, lambda: shop.store.orders.mark_for_review(placed.order_number))
    assert late is None
    assert status(shop, placed) is OrderStatus.PROCESSING


# -- events of a gateway ---------------------------------------------------------------------------


def test_an_event_is_new_until_it_was_noted(shop: Shop) -> None:
    seen = shop.store.seen_events
    assert unchanged(shop, lambda: seen.is_new("stripe", "evt-1")) is True
    seen.note("stripe", "evt-1")
    shop.clock.advance(SECOND)
    assert unchanged(shop, lambda: seen.note("stripe", "evt-1")) is None
    assert not seen.is_new("stripe", "evt-1")
    assert seen.is_new("stripe", "evt-2")
    assert seen.is_new("sandbox", "evt-1"), "another gateway's id is another event"
