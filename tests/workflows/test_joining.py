"""Many callers, one cart: is there one order, and does every caller learn of it?"""

import asyncio
from datetime import timedelta

import pytest

from client import Answered, Operation, OrderPlaced, Pending, RefusalReason, Refused, Shopper
from tests.builders import cart, usd
from tests.faults import Mode, Soon
from tests.world import DEADLINE, World


async def test_calls_that_meet_a_running_checkout_join_it_whatever_their_keys(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    answers = await asyncio.gather(
        *[world.client.place_order(cart_id, deadline=DEADLINE) for _ in range(8)],
        *[
            world.client.place_order(cart_id, idempotency_key=world.id("K"), deadline=DEADLINE)
            for _ in range(8)
        ],
    )
    assert all(isinstance(answer, OrderPlaced) for answer in answers)
    assert len({str(answer) for answer in answers}) == 1
    world.assert_clean(orders=1)


async def test_both_operations_at_once_become_one_order(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    answers = await asyncio.gather(
        *[world.client.place_order(cart_id, deadline=DEADLINE) for _ in range(4)],
        *[world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE) for _ in range(4)],
    )
    numbers = {
        answer.order_number for answer in answers if isinstance(answer, OrderPlaced | Refused)
    }
    assert numbers == {"000000001"}
    await world.handle(cart_id).result()
    order = world.store.order_book.find(cart_id=cart_id)
    payment = world.payment("PAY1")
    assert order is not None
    assert (payment.status == "captured") is (order.payment_id == "PAY1")
    world.assert_clean(orders=1)


async def test_who_joins_with_another_payment_does_not_have_it_captured(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    world.pay("another-cart", "999.00", id="FOREIGN")
    verifying, goes_on = Soon(), Soon()

    async def wait() -> None:
        verifying.set()
        await goes_on.wait()

    world.faults.on("verify_payment", wait)
    own = asyncio.create_task(world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE))
    await verifying.wait()
    foreign = asyncio.create_task(
        world.client.complete_order(cart_id, "FOREIGN", deadline=DEADLINE)
    )
    await asyncio.wait([foreign], timeout=0.5)
    goes_on.set()
    placed = await own
    assert isinstance(placed, OrderPlaced)
    assert await foreign == placed
    await world.handle(cart_id).result()
    statuses = {
        payment_id: payment.status
        for payment_id in ("PAY1", "FOREIGN")
        if (payment := world.payment(payment_id))
    }
    assert statuses == {"PAY1": "captured", "FOREIGN": "approved"}
    world.assert_clean(orders=1)


@pytest.mark.parametrize(
    ("operation", "step", "reason"),
    [
        (Operation.PLACE_ORDER, "lock_cart", RefusalReason.PAYMENT_METHOD_MISSING),
        (Operation.COMPLETE_ORDER, "verify_payment", RefusalReason.PAYMENT_ID_INVALID),
    ],
)
async def test_another_request_is_not_given_the_refusal_of_the_one_that_runs(
    world: World, operation: Operation, step: str, reason: RefusalReason
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, payment=None))
    world.pay(cart_id, "15.00")
    is_there, goes_on = Soon(), Soon()

    async def wait() -> None:
        is_there.set()
        await goes_on.wait()

    def ask(payment_id: str) -> "asyncio.Task[Answered]":
        return asyncio.create_task(
            world.client.complete_order(cart_id, payment_id, deadline=DEADLINE)
        )

    world.faults.on(step, wait)
    if operation is Operation.PLACE_ORDER:
        first = asyncio.create_task(world.client.place_order(cart_id, deadline=DEADLINE))
    else:
        first = ask("UNKNOWN")
    await is_there.wait()
    second = ask("PAY1")
    await asyncio.wait([second], timeout=0.5)
    goes_on.set()
    refused = await first
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert isinstance(await second, OrderPlaced)


async def test_who_comes_later_under_another_key_is_told_the_order(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    first = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(first, OrderPlaced)
    later = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(later, Refused)
    assert (later.code, later.message) == ("CART_NOT_ACTIVE", "The cart isn't active.")
    assert later.order_number == first.order_number
    other = await world.client.place_order(
        cart_id, shopper=Shopper.customer("9"), deadline=DEADLINE
    )
    assert isinstance(other, Refused)
    assert (other.code, other.order_number) == ("CART_NOT_ACTIVE", None)


async def test_a_key_keeps_its_order_though_another_key_asked_in_between(world: World) -> None:
    cart_id, key = world.id("cart"), world.id("K")
    world.store.carts.save(cart(cart_id))
    first = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    await world.client.place_order(cart_id, deadline=DEADLINE)
    again = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    assert again == first
    world.assert_clean(orders=1)


async def test_a_refused_key_keeps_its_refusal_and_a_new_key_tries_again(world: World) -> None:
    cart_id, key = world.id("cart"), world.id("K")
    world.store.carts.save(cart(cart_id, payment=None))
    refused = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    world.store.carts.save(cart(cart_id))
    assert refused == await world.client.place_order(
        cart_id, idempotency_key=key, deadline=DEADLINE
    )
    assert isinstance(await world.client.place_order(cart_id, deadline=DEADLINE), OrderPlaced)
    assert refused == await world.client.place_order(
        cart_id, idempotency_key=key, deadline=DEADLINE
    )


@pytest.mark.parametrize("closed", [False, True])
async def test_the_same_key_with_another_request_is_refused(world: World, closed: bool) -> None:
    cart_id, key = world.id("cart"), world.id("K")
    world.store.carts.save(cart(cart_id), cart(world.id("other")))
    first = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
    if closed:
        await world.handle(cart_id).result()
        await world.client.place_order(cart_id, deadline=DEADLINE)
    for answer in (
        await world.client.place_order(
            cart_id, idempotency_key=key, expected_total=usd("1.00"), deadline=DEADLINE
        ),
        await world.client.place_order(world.id("other"), idempotency_key=key, deadline=DEADLINE),
    ):
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.IDEMPOTENCY_KEY_REUSED
    assert isinstance(first, OrderPlaced)
    world.assert_clean(orders=1)


async def test_an_outcome_that_is_not_known_in_time_is_pending_and_can_be_awaited(
    world: World,
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    goes_on = Soon()
    world.faults.on("lock_cart", goes_on.wait)
    answer = await world.client.place_order(cart_id, deadline=timedelta(milliseconds=300))
    assert isinstance(answer, Pending)
    assert cart_id not in repr(answer)
    still = await answer.wait(timedelta(milliseconds=100))
    assert isinstance(still, Pending)
    goes_on.set()
    placed = await still.wait(DEADLINE)
    assert isinstance(placed, OrderPlaced)
    assert await answer.wait(DEADLINE) == placed
    world.assert_clean(orders=1)


async def test_the_outcome_can_be_asked_for_without_starting_a_checkout(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id), cart(world.id("empty"), lines=()))
    assert await world.client.outcome(cart_id) is None
    placed = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert await world.client.outcome(cart_id) == placed
    refused = await world.client.place_order(world.id("empty"), deadline=DEADLINE)
    assert await world.client.outcome(world.id("empty")) == refused


async def test_each_joined_key_is_answered_the_same_for_ever(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.faults.fail("create_order", Mode.BEFORE, times=2)
    keys = [world.id(f"K{n}") for n in range(5)]
    calls = [
        world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE) for key in keys
    ]
    answers = await asyncio.gather(*calls)
    await world.handle(cart_id).result()
    await world.client.place_order(cart_id, deadline=DEADLINE)
    for key, answer in zip(keys, answers, strict=True):
        assert isinstance(answer, OrderPlaced)
        again = await world.client.place_order(cart_id, idempotency_key=key, deadline=DEADLINE)
        assert again == answer
