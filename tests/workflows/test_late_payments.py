"""Payments that come late, stray or twice, and calls that were told to ask again."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from client import InvalidRequestError, Operation, OrderPlaced, Pending, RefusalReason, Refused
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.payments.transport import ProviderHttp, RefusedError
from commerce.contract import LATE_PAYMENT_TYPE, PaymentNotice
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import Payment, PaymentInvalid, PaymentStatus, PaymentUnknown
from tests.faults import Mode
from tests.workflows.test_payments import (
    ORDERED,
    SHOPPER,
    in_review,
    moved,
    order,
    patient,
    ready,
    world,
)
from tests.world import DEADLINE, World

__all__ = ["patient", "world"]
COMPLETE = Operation.COMPLETE_ORDER


# -- who was told to ask again -------------------------------------------------------------------


async def test_who_asked_before_the_order_existed_gets_it_by_any_key(world: World) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    pending = await order(world, COMPLETE)
    assert isinstance(pending, Pending)
    assert isinstance(await order(world, COMPLETE, key="joiner"), Pending)
    placing: dict[str, Any] = {"idempotency_key": world.id("placing"), "deadline": DEADLINE}
    assert isinstance(await world.client.place_order(cart_id, **placing), Pending)
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    answer = await pending.wait(DEADLINE)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).result()
    assert await order(world, COMPLETE, key="joiner") == answer
    assert await world.client.place_order(cart_id, **placing) == answer
    late = await order(world, COMPLETE, key="newcomer")
    assert isinstance(late, Refused)
    assert (late.reason, late.order_number) == (RefusalReason.CART_NOT_ACTIVE, answer.order_number)
    world.assert_clean(orders=1)


async def test_who_joined_hears_why_nothing_came_of_it(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    ready(patient, COMPLETE, script=SHOPPER)
    assert isinstance(await order(patient, COMPLETE), Pending)
    assert isinstance(await order(patient, COMPLETE, key="joiner"), Pending)
    await own_env.sleep(timedelta(minutes=16))
    for key in ("key", "joiner"):
        answer = await order(patient, COMPLETE, key=key)
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.PAYMENT_EXPIRED


async def test_a_key_is_not_used_for_something_else_while_a_payment_is_pending(
    world: World,
) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    for _ in range(2):
        answer = await world.client.place_order(
            cart_id, idempotency_key=world.id("key"), deadline=DEADLINE
        )
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.IDEMPOTENCY_KEY_REUSED
    await world.abort(cart_id, "enough")


async def test_many_who_ask_do_not_use_up_what_an_operator_needs(world: World) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    for n in range(210):
        answer = await order(world, COMPLETE, key=f"key{n}")
        assert isinstance(answer, Pending)
        assert answer.waits_for is not None
    history = await world.handle(cart_id).fetch_history()
    accepted = [each for each in history.events if "update_accepted" in str(each)]
    assert len(accepted) < 210
    await world.abort(cart_id, "enough")
    world.assert_clean(orders=0)


async def test_a_wait_goes_on_when_the_run_was_terminated(world: World) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    pending = await order(world, COMPLETE)
    assert isinstance(pending, Pending)
    waiting = asyncio.create_task(pending.wait(DEADLINE))
    await world.handle(cart_id).terminate()
    world.gateway.shopper("PAY1", "authenticate")
    assert isinstance(await waiting, OrderPlaced)
    await world.handle(cart_id).result()
    assert moved(world) == ORDERED


# -- payments that nobody waits for --------------------------------------------------------------


async def test_an_older_payment_that_succeeds_while_another_is_waited_for_is_given_back(
    world: World,
) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    await world.handle(cart_id).terminate()
    world.pay(cart_id, "15.00", id="PAY2", script=SHOPPER)
    second = await world.client.complete_order(cart_id, "PAY2", deadline=DEADLINE)
    assert isinstance(second, Pending)
    for payment in ("PAY1", "PAY2"):
        world.gateway.shopper(payment, "authenticate")
        await world.client.payment_changed(cart_id, payment)
    assert isinstance(await second.wait(DEADLINE), OrderPlaced)
    await world.handle(cart_id).result()
    assert moved(world, "PAY2") == ORDERED
    assert (world.payment("PAY1").voids, world.payment("PAY1").open_minor) == (1, 0)
    world.assert_clean(orders=1)


async def test_a_success_that_is_told_while_the_rest_is_undone_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    pending = await order(world, COMPLETE)
    assert isinstance(pending, Pending)
    look_up = SandboxGateway.look_up

    async def knows_nothing(_gateway: SandboxGateway, _payment_id: str) -> PaymentInvalid:
        return PaymentInvalid()

    async def late() -> None:
        monkeypatch.setattr(SandboxGateway, "look_up", look_up)
        world.gateway.shopper("PAY1", "authenticate")
        await world.client.payment_changed(cart_id, "PAY1")

    def blind() -> None:
        monkeypatch.setattr(SandboxGateway, "look_up", knows_nothing)

    world.faults.on("void_payment", blind)
    world.faults.on("unlock_cart", late)
    await world.abort(cart_id, "enough")
    assert isinstance(await pending.wait(DEADLINE), Refused)
    await world.handle(cart_id).result()
    assert (world.payment().voids, world.payment().open_minor) == (1, 0)


async def test_news_of_another_cart_or_from_another_workflow_moves_no_money(world: World) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    pending = await order(world, COMPLETE)
    assert isinstance(pending, Pending)
    await world.client.payment_changed(world.id("somebody-elses"), "PAY1")
    assert (await world.handle(world.id("somebody-elses")).result())["what"] == "of another cart"
    notice = PaymentNotice(cart_id=cart_id, payment_id="PAY1")
    forged = await world.temporal.start_workflow(
        LATE_PAYMENT_TYPE, notice, id=world.id("forged"), task_queue=world.task_queue
    )
    await forged.result()
    assert world.payment().status is PaymentStatus.PENDING
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    assert isinstance(await pending.wait(DEADLINE), OrderPlaced)
    with pytest.raises(InvalidRequestError):
        await world.client.payment_changed("no cart id", "PAY1")


async def test_no_order_is_made_of_a_payment_that_was_settled_meanwhile(world: World) -> None:
    """A terminated run's create_order goes on while the webhook of its authorization is settled."""
    cart_id = ready(world, COMPLETE)
    settled = asyncio.Event()

    async def terminated() -> None:
        await world.handle(cart_id).terminate()
        await world.client.payment_changed(cart_id, "PAY1")
        assert (await world.handle(cart_id).result())["what"] == "voided"
        settled.set()

    world.faults.on("create_order", terminated)
    answer = await order(world, COMPLETE)
    await settled.wait()
    assert isinstance(answer, Refused)
    assert world.store.order_book.find(cart_id=cart_id) is None
    assert (world.payment().voids, world.payment().open_minor) == (1, 0)


async def test_a_declined_payment_that_cannot_be_voided_has_nothing_open(world: World) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    assert isinstance(await order(world, COMPLETE), Pending)
    await world.handle(cart_id).terminate()
    world.gateway.shopper("PAY1", "decline")
    await world.client.payment_changed(cart_id, "PAY1")
    assert (await world.handle(cart_id).result())["what"] == "nothing open"
    assert world.store.gauges.read().payments_unsettled == 0


# -- gateways that talk nonsense ------------------------------------------------------------------


async def test_a_payment_that_is_pending_on_nobody_is_not_taken_for_approved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = ready(world, COMPLETE, script=SHOPPER)
    pending = await order(world, COMPLETE)
    assert isinstance(pending, Pending)
    look_up = SandboxGateway.look_up

    async def vague(
        gateway: SandboxGateway, payment_id: str
    ) -> Payment | PaymentInvalid | PaymentUnknown:
        found = await look_up(gateway, payment_id)
        assert isinstance(found, Payment)
        return found.model_copy(update={"waits_for": None})

    monkeypatch.setattr(SandboxGateway, "look_up", vague)
    world.faults.on("verify_payment", lambda: None)
    await world.client.payment_changed(cart_id, "PAY1")
    assert isinstance(await pending.wait(timedelta(seconds=2)), Pending)
    assert world.store.order_book.find(cart_id=cart_id) is None
    monkeypatch.setattr(SandboxGateway, "look_up", look_up)
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    assert isinstance(await pending.wait(DEADLINE), OrderPlaced)


@pytest.mark.parametrize("nth", [2, 3])
async def test_a_payment_that_is_unknown_for_a_moment_is_not_given_away(
    world: World, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """The second look-up is after a lost authorization, the third before the capture."""
    lost = {"faults": [{"call": "authorize", "mode": "fail_after"}]}
    cart_id = ready(world, COMPLETE, script=lost)
    send, looked = ProviderHttp.send, 0

    def forgetful(http: ProviderHttp, method: str, path: str, *rest: Any, **more: Any) -> Any:
        nonlocal looked
        if method == "GET" and path == "/payments/PAY1":
            looked += 1
            if looked == nth:
                return _refuse()
        return send(http, method, path, *rest, **more)

    monkeypatch.setattr(ProviderHttp, "send", forgetful)
    assert isinstance(await order(world, COMPLETE), OrderPlaced)
    await world.handle(cart_id).result()
    assert looked > nth
    assert moved(world) == ORDERED
    world.assert_clean(orders=1)


def _refuse() -> Awaitable[bytes]:
    async def refused() -> bytes:
        raise RefusedError(404)

    return refused()


async def test_a_payment_of_which_a_part_was_taken_is_for_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cart_id = ready(world, COMPLETE)
    look_up = SandboxGateway.look_up

    async def partly(
        gateway: SandboxGateway, payment_id: str
    ) -> Payment | PaymentInvalid | PaymentUnknown:
        found = await look_up(gateway, payment_id)
        assert isinstance(found, Payment)
        part = found.amount.model_copy(update={"amount_minor": 100})
        changes = {"status": PaymentStatus.CAPTURED, "amount": part}
        return found.model_copy(update=changes)

    world.faults.on(
        "capture_payment", lambda: monkeypatch.setattr(SandboxGateway, "look_up", partly)
    )
    answer = await order(world, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await in_review(world, answer.order_number)
    await world.handle(cart_id).terminate()
    await world.client.payment_changed(cart_id, "PAY1")
    assert (await world.handle(cart_id).result())["what"] == "in payment review"
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PAYMENT_REVIEW


# -- in review -----------------------------------------------------------------------------------


async def test_a_review_ends_though_no_webhook_tells_of_the_capture(
    own_env: WorkflowEnvironment, patient: World
) -> None:
    ready(patient, COMPLETE, script="capture_declined")
    answer = await order(patient, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await in_review(patient, answer.order_number)
    patient.gateway.behave("PAY1", "approved")
    await own_env.sleep(timedelta(days=2))
    found = patient.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PROCESSING
    assert moved(patient) == ORDERED


async def test_a_review_ends_when_the_payment_is_voided_and_the_order_stays_marked(
    world: World,
) -> None:
    cart_id = ready(world, COMPLETE, script="capture_declined")
    answer = await order(world, COMPLETE)
    assert isinstance(answer, OrderPlaced)
    await in_review(world, answer.order_number)
    world.gateway.void("PAY1")
    await world.client.payment_changed(cart_id, "PAY1")
    assert await world.handle(cart_id).result()
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert found.status is OrderStatus.PAYMENT_REVIEW
    assert (await world.attributes(cart_id))["CheckoutStatus"] == "payment_review"
    story = str(await world.handle(cart_id).query("__temporal_workflow_metadata"))
    assert "is not paid" in story


async def test_a_refusal_whose_payment_was_given_up_is_not_to_be_repeated(world: World) -> None:
    ready(world, COMPLETE)
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    answer = await order(world, COMPLETE)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.retryable) == (RefusalReason.SERVER_ERROR, False)
