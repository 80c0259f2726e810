"""Do histories tell who a person was, before they are erased from the store or after?"""

from datetime import timedelta

from client import Operation, OrderPlaced, Shopper
from tests.builders import EMAIL, TEXAS, cart
from tests.payloads import decoded
from tests.world import DEADLINE, World

PEOPLE = (EMAIL, TEXAS.firstname, TEXAS.lastname, TEXAS.street[0], TEXAS.city, TEXAS.telephone)


async def told(world: World, cart_id: str) -> bytes:
    """All that the history says, decrypted."""
    history = await world.handle(cart_id).fetch_history()
    return b"\n".join([await decoded(world.temporal, event) for event in history.events])


async def test_no_history_tells_who_was_erased(world: World) -> None:
    customer = world.id("customer")
    carts = {operation: world.id(str(operation)) for operation in Operation}
    shopper = Shopper.customer(customer)
    for cart_id in carts.values():
        world.store.carts.save(cart(cart_id, customer_id=customer))
    world.pay(carts[Operation.COMPLETE_ORDER], "15.00")
    answers = [
        await world.client.place_order(
            carts[Operation.PLACE_ORDER], shopper=shopper, deadline=DEADLINE
        ),
        await world.client.complete_order(
            carts[Operation.COMPLETE_ORDER], "PAY1", shopper=shopper, deadline=DEADLINE
        ),
    ]
    assert [type(answer) for answer in answers] == [OrderPlaced, OrderPlaced]
    for cart_id in carts.values():
        await world.handle(cart_id).result()
    before = {cart_id: await told(world, cart_id) for cart_id in carts.values()}
    done = world.store.erasure.erase(customer)
    assert (done.carts, done.orders, done.under_way) == (2, 2, ())
    for cart_id, said in before.items():
        assert cart_id.encode() in said, "it is read at all"
        assert await told(world, cart_id) == said
        for person in PEOPLE:
            assert person.encode() not in said
    world.assert_clean(orders=2)


async def test_a_cart_that_waits_for_its_payment_is_erased_once_that_is_over(world: World) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, email="waits@example.com"))
    world.pay(cart_id, "15.00", script="3ds_abandoned")
    await world.client.complete_order(cart_id, "PAY1", deadline=timedelta(seconds=5))
    assert world.store.erasure.erase(email="waits@example.com").under_way == (cart_id,)
    world.gateway.shopper("PAY1", "authenticate")
    await world.client.payment_changed(cart_id, "PAY1")
    await world.handle(cart_id).result()
    done = world.store.erasure.erase(email="waits@example.com")
    assert (done.orders, done.under_way) == (1, ())
    world.assert_clean(orders=1)
