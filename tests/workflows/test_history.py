"""What stands in a history: few events, no people, and a story for operators."""

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from client import Operation, OrderPlaced
from tests.builders import EMAIL, TEXAS, cart, product
from tests.world import DEADLINE, World, a_world

FIVE_LINES = tuple((f"sku-{n}", 1) for n in range(5))
MAX_EVENTS = 24
MAX_BYTES = 16 * 1024


@pytest.fixture
def cart_id(world: World) -> str:
    world.store.catalog.put([product(sku) for sku, _ in FIVE_LINES])
    made = world.id("cart")
    world.store.carts.save(cart(made, *FIVE_LINES))
    return made


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
    if operation is Operation.PLACE_ORDER:
        answer = await world.client.place_order(cart_id, deadline=DEADLINE)
    else:
        answer = await world.client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
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


async def test_operators_see_steps_story_and_attributes(world: World, cart_id: str) -> None:
    await world.client.place_order(cart_id, deadline=DEADLINE)
    handle = world.handle(cart_id)
    await handle.result()
    summaries = [
        event.user_metadata.summary.data.decode()
        for event in (await handle.fetch_history()).events
        if event.event_type
        in (EventType.EVENT_TYPE_MARKER_RECORDED, EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    ]
    assert summaries == [
        '"Lock the cart"',
        '"Hold 5 items, 5 SKUs"',
        '"Check addresses and shipping"',
        '"Check that 75.00 USD will be paid"',
        '"Create the order over 75.00 USD"',
        '"Announce order 000000001"',
    ]
    shown = await world.attributes(cart_id)
    assert shown["CheckoutStatus"] == "ordered"
    assert shown["CheckoutOperation"] == "place_order"
    assert shown["CheckoutOrderNumber"] == "000000001"
    story = await handle.query("__temporal_workflow_metadata")
    assert "Order 000000001" in str(story)
    assert "stock held" in str(story)


async def test_a_refusal_says_why_where_operators_look(world: World) -> None:
    made = world.id("cart")
    world.store.carts.save(cart(made, payment=None))
    await world.client.place_order(made, deadline=DEADLINE)
    await world.handle(made).result()
    shown = await world.attributes(made)
    assert shown["CheckoutStatus"] == "refused"
    assert shown["CheckoutReason"] == "PAYMENT_METHOD_MISSING"
    story = str(await world.handle(made).query("__temporal_workflow_metadata"))
    assert "undone: Release 1 item" in story
    assert "undone: Give the cart back" in story


async def test_every_task_can_be_replayed_from_the_start(
    env: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("uncached")
    async with a_world(env.client, directory, max_cached_workflows=0) as world:
        ready, faulty = world.id("ready"), world.id("faulty")
        world.store.carts.save(cart(ready), cart(faulty, payment=None))
        world.pay(ready, "15.00")
        await world.client.complete_order(ready, "PAY1", deadline=DEADLINE)
        await world.client.place_order(faulty, deadline=DEADLINE)
        await world.handle(ready).result()
        await world.handle(faulty).result()
        world.assert_clean(orders=1)
