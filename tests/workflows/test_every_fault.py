"""Whatever one or two faults hit gateway, steps and relay: do money, orders and news agree?"""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from activities.payments import PaymentActivities
from commerce.adapters.events import LogOrderEvents
from commerce.adapters.payments.sandbox import SandboxGateway
from commerce.adapters.store.orders import SqlOrders
from commerce.contract import Undo
from commerce.domain.errors import Refusal
from commerce.domain.payments import (
    GatewayOutcome,
    Payment,
    PaymentApproved,
    PaymentDeclined,
    PaymentMethod,
    PaymentUnknown,
)
from tests.builders import product
from tests.workflows.enumerator import (
    PATHS,
    faulty_mark_announced,
    faulty_publish,
    happened,
    play,
    violations,
)
from tests.world import World, a_world

SHARE = 0.4
"""This share of the schedules happens at least: some faults make others impossible."""


@pytest_asyncio.fixture
async def world(
    own_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World]:
    async with a_world(own_env.client, tmp_path, gateway_hang_s=0) as made:
        monkeypatch.setattr(LogOrderEvents, "publish", faulty_publish(made.faults))
        monkeypatch.setattr(SqlOrders, "mark_announced", faulty_mark_announced(made.faults))
        made.store.catalog.put([product("apple", 1_000_000)])
        methods = ["checkmo", PaymentMethod.SMART_BUTTONS]
        made.store.stores.change("default", {"payment_methods": methods})
        yield made


@pytest.mark.parametrize("name", PATHS)
async def test_every_fault_and_every_pair_of_faults(world: World, name: str) -> None:
    runs, payments = await play(world, PATHS[name])
    assert violations(world, runs, payments) == []
    assert [str(run) for run in runs if run.missed] == []
    report = world.store.audit.run()
    assert report.violations == ()
    assert (report.counts["holds_open"], report.counts["carts_locked"]) == (0, 0)
    count = sum(happened(run, payments[run.payment_id]) for run in runs)
    assert count >= len(runs) * SHARE


# -- the enumerator itself: does it notice what it is for? ---------------------------------------


@activity.defn(name="void_payment")
async def voids_nothing(self: PaymentActivities, undo: Undo) -> Refusal | None:
    return None


def takes_no_answer_for_a_no(
    call: Callable[..., Any],
) -> Callable[..., Any]:
    async def called(gateway: SandboxGateway, payment: Payment, key: str) -> GatewayOutcome:
        outcome = await call(gateway, payment, key)
        return PaymentDeclined() if isinstance(outcome, PaymentUnknown) else outcome

    return called


async def captures_nothing(
    gateway: SandboxGateway, payment: Payment, idempotency_key: str
) -> GatewayOutcome:
    return PaymentApproved()


PLANTED = {
    "voids nothing": ("undone", PaymentActivities, "void_payment", voids_nothing),
    "captures nothing": ("order", SandboxGateway, "capture", captures_nothing),
    "takes no answer for a no": (
        "order",
        SandboxGateway,
        "authorize",
        takes_no_answer_for_a_no(SandboxGateway.authorize),
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
async def test_a_planted_bug_is_noticed(
    own_env: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    path, whose, name, wrong = PLANTED[bug]
    monkeypatch.setattr(whose, name, wrong)
    async with a_world(own_env.client, tmp_path, gateway_hang_s=0) as world:
        runs, payments = await play(world, PATHS[path], most_faults=1)
        assert violations(world, runs, payments)
