"""Does the workflow still make the decisions that stand in every recorded history?"""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from commerce.contract import WORKFLOW_TYPE, CheckoutRequest, LockedCart, Outcome, SnapshotRef
from commerce.domain.errors import Refusal
from tests.replay.record import HISTORIES, PATHS
from workflows.checkout import CheckoutWorkflow
from workflows.late_payment import LatePaymentWorkflow
from workflows.payloads import checkout_data_converter
from workflows.sweep import SweepWorkflow

RECORDED = sorted(HISTORIES.glob("*.json"))


def history(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("checkout-replayed", file.read_text())


def replayer(kind: type = CheckoutWorkflow) -> Replayer:
    workflows = [kind, LatePaymentWorkflow, SweepWorkflow]
    return Replayer(workflows=workflows, data_converter=checkout_data_converter)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path) -> None:
    await replayer().replay_workflow(history(file))


def test_every_path_is_recorded() -> None:
    assert {file.stem.split("-", 1)[1] for file in RECORDED} == {path.__name__ for path in PATHS}


@workflow.defn(name=WORKFLOW_TYPE, sandboxed=False)
class Reordered(CheckoutWorkflow):
    """A careless change: addresses are checked before stock is held."""

    async def _hold_stock(self, cart: SnapshotRef, locked: LockedCart) -> Refusal | None:
        return await super()._validate_addresses(cart)

    @workflow.run
    async def run(self, request: CheckoutRequest) -> Outcome:
        """The same, otherwise."""
        return await super().run(request)


async def test_a_careless_change_is_caught() -> None:
    placed = next(file for file in RECORDED if file.stem.endswith("-place"))
    with pytest.raises(workflow.NondeterminismError):
        await replayer(Reordered).replay_workflow(history(placed))
