"""Do dashboard and alerts ask for nothing but what a running worker and GraphQL server export?"""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker

from commerce.adapters.telemetry.metrics import prometheus
from commerce.adapters.telemetry.sampling import GAUGES
from commerce.domain.errors import Operation, RefusalReason, refuse
from commerce.settings import Settings
from tests.programs import free_port
from tests.server import a_server
from tests.telemetry.conftest import Traced
from tests.telemetry.scraped import Exported, asked, exported, exports, missing

with workflow.unsafe.imports_passed_through():
    from workflows.measures import count_incident, count_outcome, count_swept
    from workflows.payloads import checkout_data_converter

DOCS = Path(__file__).parents[2] / "docs" / "observability"
RULES: dict[str, Any] = yaml.safe_load((DOCS / "alerts.yml").read_text())
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((DOCS / "dashboard.json").read_text())
PANELS: list[dict[str, Any]] = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
QUERIES: list[str] = [target["expr"] for panel in PANELS for target in panel["targets"]]
PAGE = (DOCS / "README.md").read_text()


@activity.defn
async def break_down() -> None:
    raise ApplicationError("broken", non_retryable=True)


@workflow.defn(sandboxed=False)
class Trouble:
    """Counts what only happens when something is wrong, then breaks."""

    @workflow.run
    async def run(self, is_bug: bool) -> None:
        if is_bug:
            raise RuntimeError("a bug")
        refusal = refuse(RefusalReason.SERVER_ERROR)
        count_outcome(Operation.PLACE_ORDER, refusal, failed=True)
        count_incident("capture_payment", "opened")
        count_swept("holds_expired", 1)
        await workflow.execute_local_activity(
            break_down, start_to_close_timeout=timedelta(seconds=5)
        )


@pytest_asyncio.fixture(scope="module")
async def trouble(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a worker exports when everything goes wrong."""
    port = free_port()
    runtime = Runtime(telemetry=TelemetryConfig(metrics=prometheus(Settings(metrics_port=port))))
    async with a_server(tmp_path_factory.mktemp("trouble")) as server:
        address = server.service_client.config.target_host
        client = await Client.connect(
            address, runtime=runtime, data_converter=checkout_data_converter
        )
        worker = Worker(client, task_queue="t", workflows=[Trouble], activities=[break_down])
        async with worker:
            failing = await client.start_workflow(Trouble.run, False, id="fails", task_queue="t")
            with pytest.raises(WorkflowFailureError):
                await failing.result()
            with pytest.raises(RPCError):
                await client.get_workflow_handle("nobody").describe()
            await client.start_workflow(Trouble.run, True, id="breaks", task_queue="t")
            return await exports(
                f"http://127.0.0.1:{port}/metrics", "temporal_workflow_task_execution_failed_total"
            )


@pytest.fixture(scope="module")
def found(traced: Traced, trouble: str) -> Exported:
    """Every metric, label and value of a development server, and of a worker in trouble."""
    return exported(*traced.metrics().values(), trouble)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_is_exported(panel: dict[str, Any], found: Exported) -> None:
    for target in panel["targets"]:
        assert missing(target["expr"], found) == []
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert shown <= asked(target["expr"]).groups


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_what_is_exported_and_says_what_to_do(
    alert: dict[str, Any], found: Exported
) -> None:
    assert missing(alert["expr"], found) == []
    notes = alert["annotations"]
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/operations.md#alert-{alert['alert'].lower()}"
    shown = set(re.findall(r"\$labels\.(\w+)", " ".join(notes.values())))
    assert shown <= asked(alert["expr"]).groups
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_the_page_describes_every_metric_of_ours_and_every_alert(found: Exported) -> None:
    described = set(re.findall(r"^\| `(checkout_\w+)`", PAGE, re.MULTILINE))
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in found if "checkout_" in name}
    assert described == ours
    assert set(re.findall(r"^\| `(Checkout\w+)`", PAGE, re.MULTILINE)) == {
        alert["alert"] for alert in ALERTS
    }


def test_gauges_are_read_by_every_worker_and_summed_by_nobody() -> None:
    for expression in (*QUERIES, *(alert["expr"] for alert in ALERTS)):
        for gauge in (*(metric for metric, _ in GAUGES.values()), "checkout_runs_waiting"):
            before = expression.partition(gauge)[0]
            assert gauge not in expression or re.search(r"max(?: by \(\w+\))? ?\($", before)


def test_no_label_is_made_up_by_a_caller(traced: Traced) -> None:
    labels = exported(traced.metrics()["api"])["checkout_http_request_duration_seconds_count"]
    assert labels.keys() == {"operation", "status"}
    assert labels["operation"] == {
        *("completeOrder", "placeOrder"),
        *("/health/ready", "/webhooks/{gateway}", "invalid", "several", "other"),
    }


def test_a_missing_metric_label_or_value_is_found(found: Exported) -> None:
    assert missing("sum(rate(checkout_gone_total[5m]))", found) == ["checkout_gone_total"]
    assert missing('checkout_outcomes_total{outcome="lost"}', found) != []
    assert missing("sum by (shopper) (checkout_outcomes_total)", found) != []
    assert missing('sum by (outcome) (checkout_outcomes_total{outcome=~"ord.*"})', found) == []
