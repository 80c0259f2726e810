"""The connection breaks while a checkout runs: does the caller still get its one order?"""

import pytest

from client import CheckoutClient, OrderPlaced
from tests.builders import cart
from tests.programs import free_port
from tests.proxy import a_proxy
from tests.server import connected
from tests.world import DEADLINE, World


@pytest.mark.parametrize("step", ["lock_cart", "verify_payment", "create_order"])
async def test_a_lost_answer_is_asked_for_again_under_the_same_key(world: World, step: str) -> None:
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id))
    world.pay(cart_id, "15.00")
    server_port = int(world.temporal.service_client.config.target_host.rpartition(":")[2])
    async with a_proxy(free_port(), server_port) as proxy:
        client = CheckoutClient(await connected(proxy.address), world.task_queue)
        world.faults.on(step, proxy.cut)
        answer = await client.complete_order(cart_id, "PAY1", deadline=DEADLINE)
        assert isinstance(answer, OrderPlaced)
        assert proxy.cuts > 0
    await world.handle(cart_id).result()
    assert world.faults.tried[step] == 1
    world.assert_clean(orders=1)
