"""A whole checkout paid at Stripe, played by localstripe: orders, refusals, and what is undone."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio.client import Client

from client import OrderPlaced, Pending, RefusalReason, Refused, WaitsFor
from commerce.domain.orders import OrderStatus
from commerce.domain.payments import PaymentMethod
from commerce.settings import GatewayKind
from tests.builders import cart, usd
from tests.faults import Mode
from tests.server import a_server
from tests.stripe.payments import DECLINES, NEEDS_3D_SECURE, SECRET_KEY, Storefront
from tests.world import DEADLINE, World, a_world


@pytest_asyncio.fixture(scope="session")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Client]:
    async with a_server(tmp_path_factory.mktemp("temporal")) as client:
        yield client


@pytest_asyncio.fixture
async def world(temporal: Client, localstripe: str, tmp_path: Path) -> AsyncGenerator[World]:
    stripe: dict[str, Any] = {
        "gateway": GatewayKind.STRIPE,
        "gateway_url": localstripe,
        "gateway_key": SecretStr(SECRET_KEY),
    }
    async with a_world(temporal, tmp_path, changed=stripe) as made:
        made.store.stores.change(
            "default", {"payment_methods": ["checkmo", PaymentMethod.HOSTED_FIELDS]}
        )
        yield made


def ready(world: World, **changes: Any) -> str:
    """A cart of 15.00 that lacks nothing."""
    cart_id = world.id("cart")
    world.store.carts.save(cart(cart_id, **changes))
    return cart_id


async def complete(world: World, payment_id: str, **how: Any) -> Any:
    given: dict[str, Any] = {"deadline": DEADLINE, **how}
    return await world.client.complete_order(world.id("cart"), payment_id, **given)


async def test_a_confirmed_payment_is_captured_once_the_order_exists(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"))
    key = world.id("key")
    answer = await complete(world, payment, idempotency_key=key)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).result()
    assert (await storefront.get(payment))["status"] == "succeeded"
    assert await storefront.taken(payment) == [1500]
    found = world.store.order_book.find(number=answer.order_number)
    assert found is not None
    assert (found.status, found.payment_id) == (OrderStatus.PROCESSING, payment)
    assert await complete(world, payment, idempotency_key=key) == answer
    assert await storefront.taken(payment) == [1500]
    world.assert_clean(orders=1)


async def test_it_pays_for_an_order_that_is_placed_with_an_online_method(
    world: World, storefront: Storefront
) -> None:
    payment = await storefront.pay(world.id("cart"), usd("15.00"))
    choice = {"method": PaymentMethod.HOSTED_FIELDS, "payment_id": payment}
    cart_id = ready(world, payment=choice)
    answer = await world.client.place_order(cart_id, deadline=DEADLINE)
    assert isinstance(answer, OrderPlaced)
    await world.handle(cart_id).result()
    assert await storefront.taken(payment) == [1500]


@pytest.mark.parametrize("amount", ["14.99", "15.01"])
async def test_a_payment_of_another_amount_is_left_as_it_is(
    world: World, storefront: Storefront, amount: str
) -> None:
    await assert_invalid(world, storefront, await storefront.pay(ready(world), usd(amount)))


async def test_so_is_one_of_another_cart(world: World, storefront: Storefront) -> None:
    ready(world)
    await assert_invalid(world, storefront, await storefront.pay("another-cart", usd("15.00")))


async def test_so_is_one_that_was_not_confirmed(world: World, storefront: Storefront) -> None:
    payment = await storefront.make(ready(world), usd("15.00"))
    await assert_invalid(world, storefront, payment)


async def test_so_is_one_that_was_cancelled(world: World, storefront: Storefront) -> None:
    payment = await storefront.pay(ready(world), usd("15.00"))
    await storefront.post(f"/v1/payment_intents/{payment}/cancel", {})
    await assert_invalid(world, storefront, payment)


async def test_an_id_that_stripe_does_not_know_is_invalid(world: World) -> None:
    ready(world)
    answer = await complete(world, f"pi_{uuid.uuid4().hex}")
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_ID_INVALID


async def assert_invalid(world: World, storefront: Storefront, payment: str) -> None:
    before = await storefront.get(payment)
    answer = await complete(world, payment)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_ID_INVALID
    assert await storefront.get(payment) == before
    world.assert_clean(orders=0)


async def test_a_declined_card_is_refused_and_another_may_pay(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"), DECLINES)
    answer = await complete(world, payment)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_DECLINED
    another = await storefront.pay(cart_id, usd("15.00"))
    assert isinstance(await complete(world, another), OrderPlaced)
    await world.handle(cart_id).result()
    assert await storefront.taken(another) == [1500]
    world.assert_clean(orders=1)


async def test_3d_secure_is_waited_for_and_the_order_follows(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"), NEEDS_3D_SECURE)
    pending = await complete(world, payment)
    assert isinstance(pending, Pending)
    assert pending.waits_for is WaitsFor.SHOPPER
    waiting = asyncio.create_task(pending.wait(DEADLINE))
    await storefront.authenticate(payment, success=True)
    await world.client.payment_changed(cart_id, payment)
    assert isinstance(await waiting, OrderPlaced)
    await world.handle(cart_id).result()
    assert await storefront.taken(payment) == [1500]


async def test_3d_secure_that_fails_is_a_decline(world: World, storefront: Storefront) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"), NEEDS_3D_SECURE)
    pending = await complete(world, payment)
    assert isinstance(pending, Pending)
    await storefront.authenticate(payment, success=False)
    await world.client.payment_changed(cart_id, payment)
    answer = await pending.wait(DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_DECLINED
    assert (await storefront.get(payment))["status"] == "requires_payment_method"
    world.assert_clean(orders=0)


async def test_a_declined_payment_whose_checkout_is_gone_is_cancelled_for_it_could_be_confirmed(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"), NEEDS_3D_SECURE)
    assert isinstance(await complete(world, payment), Pending)
    await world.handle(cart_id).terminate()
    await storefront.authenticate(payment, success=False)
    await world.client.payment_changed(cart_id, payment)
    assert (await world.handle(cart_id).result())["what"] == "voided"
    assert (await storefront.get(payment))["status"] == "canceled"


async def test_what_was_authorized_for_an_order_that_cannot_be_made_is_cancelled(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"))
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    answer = await complete(world, payment)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SERVER_ERROR
    assert (await storefront.get(payment))["status"] == "canceled"
    world.assert_clean(orders=0)


async def test_what_was_taken_at_once_is_refunded(world: World, storefront: Storefront) -> None:
    cart_id = ready(world)
    payment = await storefront.make(cart_id, usd("15.00"), capture_method="automatic")
    await storefront.confirm(payment)
    world.faults.fail("create_order", Mode.BEFORE, for_good=True)
    answer = await complete(world, payment)
    assert isinstance(answer, Refused)
    charge = (await storefront.get(payment))["latest_charge"]
    assert (charge["amount"], charge["amount_refunded"]) == (1500, 1500)
    world.assert_clean(orders=0)


async def test_what_was_taken_at_once_pays_for_its_order(
    world: World, storefront: Storefront
) -> None:
    cart_id = ready(world)
    payment = await storefront.make(cart_id, usd("15.00"), capture_method="automatic")
    await storefront.confirm(payment)
    assert isinstance(await complete(world, payment), OrderPlaced)
    await world.handle(cart_id).result()
    assert await storefront.taken(payment) == [1500]
    world.assert_clean(orders=1)


async def test_a_payment_pays_for_one_order_ever(world: World, storefront: Storefront) -> None:
    cart_id = ready(world)
    payment = await storefront.pay(cart_id, usd("15.00"))
    assert isinstance(await complete(world, payment), OrderPlaced)
    await world.handle(cart_id).result()
    other = f"{cart_id}-other"
    world.store.carts.save(cart(other))
    answer = await world.client.complete_order(other, payment, deadline=DEADLINE)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAYMENT_ID_INVALID
    assert await storefront.taken(payment) == [1500]
