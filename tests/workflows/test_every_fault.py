"""Whatever one or two faults hit the gateway and the steps: do money and orders agree?"""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from commerce.domain.payments import PaymentMethod
from tests.builders import product
from tests.workflows.enumerator import PATHS, play, violations
from tests.world import a_world


@pytest.mark.parametrize("name", PATHS)
async def test_every_fault_and_every_pair_of_faults(
    own_env: WorkflowEnvironment, tmp_path: Path, name: str
) -> None:
    async with a_world(own_env.client, tmp_path, gateway_hang_s=0, gateway_timeout_s=4) as world:
        world.store.catalog.put([product("apple", 1_000_000)])
        methods = ["checkmo", PaymentMethod.SMART_BUTTONS]
        world.store.stores.change("default", {"payment_methods": methods})
        runs, payments = await play(world, PATHS[name])
        assert violations(world, runs, payments) == []
        report = world.store.audit.run()
        assert report.violations == ()
        assert (report.counts["holds_open"], report.counts["carts_locked"]) == (0, 0)
