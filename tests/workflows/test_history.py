"""What stands in a history: few events, no people, and a story for operators."""

import json

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from client import Operation, OrderPlaced
from commerce.contract import workflow_id
from tests.builders import EMAIL, TEXAS, cart, product
from tests.faults import Mode, in_steps
from tests.world import DEADLINE, World, a_world

FIVE_LINES = tuple((f"sku-{n}", 1) for n in range(5))
MAX_EVENTS = 10
MAX_BYTES = 4 * 1024
"""What it takes, with room for longer ids; the product promises 20 events and 12 KiB."""


@pytest.fixture
def cart_id(world: World) -> str:
    world.store.catalog.put([product(sku) for sku, _ in FIVE_LINES])
    made = world.id("cart")
    world.store.carts.save(cart(made, *FIVE_LINES))
    return made


async def ask(world: World, cart_id: str, operation: Operation) -> object:
    if operation is Operation.PLACE_ORDER:
        return await world.client.place_order(cart_id, deadline=DEADLINE)
    return await world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)


async def test_an_offline_checkout_of_five_lines_keeps_its_budget(
    world: World, cart_id: str
) -> None:
    await world.client.place_order(cart_id, deadline=DEADLINE)
    await world.handle(cart_id).result()
    history = await world.handle(cart_id).fetch_history()
    assert len(history.events) <= MAX_EVENTS
    assert sum(event.ByteSize() for event in history.events) <= MAX_BYTES


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("refused", [False, True])
async def test_no_history_names_a_person(
    world: World, cart_id: str, operation: Operation, refused: bool
) -> None:
    if refused:
        street = TEXAS.model_copy(update={"postcode": "1"})
        world.store.carts.save(cart(cart_id, *FIVE_LINES, shipping_address=street))
    world.pay(cart_id, "75.00")
    answer = await ask(world, cart_id, operation)
    assert isinstance(answer, OrderPlaced) is not refused
    await world.handle(cart_id).result()
    history = (await world.handle(cart_id).fetch_history()).to_json()
    raw = b"".join(
        event.SerializeToString() for event in (await world.handle(cart_id).fetch_history()).events
    )
    for person in (EMAIL, TEXAS.firstname, TEXAS.lastname, TEXAS.street[0], TEXAS.telephone):
        assert person not in history
        assert person.encode() not in raw
    assert cart_id.encode() in raw  # payloads are in plain sight: the check above can fail


LOCK = "Lock the cart, hold its stock, check it"
HOLD, ADDRESSES = "Hold 5 items, 5 SKUs", "Check addresses and shipping"
PAY, CREATE = "Check that 75.00 USD will be paid", "Create the order over 75.00 USD"


@pytest.mark.parametrize(
    ("operation", "apart", "steps"),
    [
        (Operation.PLACE_ORDER, False, [LOCK, CREATE]),
        (Operation.PLACE_ORDER, True, [LOCK, HOLD, ADDRESSES, PAY, CREATE]),
        (Operation.COMPLETE_ORDER, False, [LOCK, PAY, CREATE, "Capture 75.00 USD"]),
    ],
)
async def test_operators_see_steps_story_and_attributes(
    world: World,
    cart_id: str,
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
    apart: bool,
    steps: list[str],
) -> None:
    if apart:
        in_steps(monkeypatch)
    world.pay(cart_id, "75.00")
    await ask(world, cart_id, operation)
    handle = world.handle(cart_id)
    await handle.result()
    summaries = [
        json.loads(event.user_metadata.summary.data)
        for event in (await handle.fetch_history()).events
        if event.event_type
        in (EventType.EVENT_TYPE_MARKER_RECORDED, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    ]
    assert summaries == steps
    shown = await world.attributes(cart_id)
    assert shown["CheckoutStatus"] == "ordered"
    assert shown["CheckoutOperation"] == operation
    assert shown["CheckoutOrderNumber"] == "000000001"
    story = await handle.query("__temporal_workflow_metadata")
    assert "Order 000000001" in str(story)
    assert "stock held" in str(story)


@pytest.mark.parametrize(
    ("operation", "apart", "reason", "told"),
    [
        (Operation.PLACE_ORDER, False, "PAYMENT_METHOD_MISSING", ["nothing was set aside"]),
        (
            Operation.PLACE_ORDER,
            True,
            "PAYMENT_METHOD_MISSING",
            ["undone: Release 5 items", "undone: Give cart and stock back"],
        ),
        (
            Operation.COMPLETE_ORDER,
            False,
            "PAYMENT_ID_INVALID",
            ["undone: Give cart and stock back"],
        ),
    ],
)
async def test_a_refusal_says_why_where_operators_look(
    world: World,
    cart_id: str,
    monkeypatch: pytest.MonkeyPatch,
    operation: Operation,
    apart: bool,
    reason: str,
    told: list[str],
) -> None:
    if apart:
        in_steps(monkeypatch)
    world.store.carts.save(cart(cart_id, *FIVE_LINES, payment=None))
    await ask(world, cart_id, operation)
    await world.handle(cart_id).result()
    shown = await world.attributes(cart_id)
    assert (shown["CheckoutStatus"], shown["CheckoutReason"]) == ("refused", reason)
    story = str(await world.handle(cart_id).query("__temporal_workflow_metadata"))
    for line in told:
        assert line in story


async def test_every_task_can_be_replayed_from_the_start(
    env: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("uncached")
    async with a_world(env.client, directory, max_cached_workflows=0) as world:
        ready, faulty, unpaid, lost = map(world.id, ("ready", "faulty", "unpaid", "lost"))
        world.store.carts.save(cart(faulty, payment=None), *map(cart, (ready, unpaid, lost)))
        world.pay(ready, "15.00")
        world.faults.fail("lock_cart", Mode.AFTER, run=workflow_id(lost))
        await ask(world, ready, Operation.COMPLETE_ORDER)
        await ask(world, faulty, Operation.PLACE_ORDER)
        await world.client.complete_order(unpaid, "UNKNOWN", deadline=DEADLINE)
        await ask(world, lost, Operation.PLACE_ORDER)
        for cart_id in (ready, faulty, unpaid, lost):
            await world.handle(cart_id).result()
        assert world.faults.tried["release_stock"] == 0
        assert world.faults.tried["hold_stock"] == 1
        world.assert_clean(orders=2)
