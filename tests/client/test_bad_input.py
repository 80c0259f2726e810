"""Is bad input a clear error or a documented refusal, with nothing written and nothing held?"""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from client import InvalidRequestError, RefusalReason, Refused
from commerce.contract import INVALID_INPUT, WORKFLOW_TYPE
from tests.builders import cart
from tests.world import World


@pytest.mark.parametrize(
    "changes",
    [
        {"cart_id": 7},
        {"cart_id": ["a"]},
        {"shopper": "7"},
        {"shopper": {"customer_id": ""}},
        {"store": None},
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 256},
        {"idempotency_key": "with space"},
        {"idempotency_key": "na\u00efve"},
        {"idempotency_key": 7},
        {"shopper": ""},
        {"shopper": False},
        {"deadline": 5},
        {"deadline": timedelta()},
        {"expected_total": 15.0},
        {"expected_total": {"amount_minor": 10**16, "currency": "USD"}},
        {"expected_total": {"amount_minor": -1, "currency": "USD"}},
        {"expected_total": {"amount_minor": 1, "currency": "XXX"}},
    ],
    ids=str,
)
async def test_a_malformed_call_is_a_clear_error_and_sends_nothing(
    world: World, changes: dict[str, Any]
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    arguments: dict[str, Any] = {"cart_id": cart_id, **changes}
    with pytest.raises(InvalidRequestError) as raised:
        await world.client.place_order(**arguments)
    assert "\n" not in str(raised.value)
    assert await world.client.outcome(cart_id) is None
    world.assert_clean(orders=0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("", "PAY1"), RefusalReason.CART_ID_MISSING),
        (("\x00", "PAY1"), RefusalReason.CART_NOT_FOUND),
        (("../etc/passwd", "PAY1"), RefusalReason.CART_NOT_FOUND),
        (("' OR 1=1 --", "PAY1"), RefusalReason.CART_NOT_FOUND),
        (("x" * 10_000, "PAY1"), RefusalReason.CART_NOT_FOUND),
        (("<cart>", ""), RefusalReason.PAYMENT_ID_INVALID),
        (("<cart>", "'; DROP TABLE orders; --"), RefusalReason.PAYMENT_ID_INVALID),
        (("<cart>", "p" * 10_000), RefusalReason.PAYMENT_ID_INVALID),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_an_id_that_cannot_exist_is_refused_as_documented(
    world: World, arguments: tuple[str, str], reason: RefusalReason
) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    answer = await world.client.complete_order(
        arguments[0].replace("<cart>", cart_id), arguments[1]
    )
    assert isinstance(answer, Refused)
    assert answer.reason is reason
    assert len(answer.message) < 200
    world.assert_clean(orders=0)


@pytest.mark.parametrize(
    "poison", [{"cart_id": 7}, {}, [], "text", 7, None, {"operation": "steal"}], ids=str
)
async def test_a_run_started_by_hand_with_poison_fails_cleanly(world: World, poison: Any) -> None:
    handle = await world.temporal.start_workflow(
        WORKFLOW_TYPE, poison, id=world.id("poison"), task_queue=world.task_queue
    )
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == INVALID_INPUT
    world.assert_clean(orders=0)
