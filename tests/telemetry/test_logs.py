"""Is every log one JSON object a line, with the run it is of and nothing personal?"""

import json
import logging
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cli.common import said
from commerce.adapters.telemetry.logs import MAX_MESSAGE_CHARS, JsonLines, TextLines
from tests.builders import EMAIL
from tests.telemetry.conftest import CART_ID, KEY, PAYMENT_ID, Traced


def record(message: str = "said", *args: object, **given: Any) -> logging.LogRecord:
    error = given.pop("error", None)
    made = logging.LogRecord("checkout.x", logging.WARNING, "x.py", 1, message, args, error)
    vars(made).update(given)
    return made


def fields(logged: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines("worker").format(logged)
    assert "\n" not in line
    assert line.isascii()
    return json.loads(line)


def test_a_line_says_when_who_and_what() -> None:
    logged = fields(record("%d polls %s", 7, "checkout"))
    made = datetime.fromisoformat(logged.pop("time"))
    assert made.utcoffset() == timedelta()
    assert logged == {
        "level": "WARNING",
        "logger": "checkout.x",
        "message": "7 polls checkout",
        "process": "worker",
    }


def test_the_run_and_the_step_are_fields() -> None:
    of_workflow = fields(
        record(
            temporal_workflow={
                "workflow_id": "checkout-1",
                "run_id": "r",
                "attempt": 1,
                "update_id": "the key of a caller",
                "task_queue": "checkout",
            },
            order_number="000000001",
        )
    )
    assert of_workflow["workflow_id"] == "checkout-1"
    assert of_workflow["run_id"] == "r"
    assert of_workflow["order_number"] == "000000001"
    assert "the key of a caller" not in json.dumps(of_workflow)
    of_activity = fields(
        record(
            temporal_activity={
                "workflow_id": "checkout-1",
                "workflow_run_id": "r",
                "activity_type": "hold_stock",
                "attempt": 2,
            }
        )
    )
    assert (of_activity["step"], of_activity["attempt"]) == ("hold_stock", 2)
    assert (of_activity["workflow_id"], of_activity["run_id"]) == ("checkout-1", "r")


def test_what_is_not_known_is_left_out() -> None:
    assert "canary" not in json.dumps(fields(record(customer="canary", cart_id="canary")))


def test_records_of_the_core_keep_their_place_and_lose_their_payloads() -> None:
    core = SimpleNamespace(
        target="temporalio_sdk_core::worker",
        fields={"run_id": "r", "error": f"for {EMAIL}", "completion": "canary"},
    )
    logged = fields(record(temporal_log=core))
    assert (logged["run_id"], logged["error"]) == ("r", "for [hidden]")
    assert logged["target"] == "temporalio_sdk_core::worker"
    assert "canary" not in json.dumps(logged)


def test_an_exception_is_on_the_same_line() -> None:
    try:
        raise ValueError(f"first\nsecond {EMAIL}")
    except ValueError:
        logged = fields(record("broke", error=sys.exc_info()))
    assert logged["message"] == "broke"
    assert logged["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert logged["exception"].endswith("first\nsecond [hidden]")


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "a\x1b[31mb", "a\x00b", "a\x85b"])
def test_control_characters_start_no_line_and_no_colour(text: str) -> None:
    assert fields(record("%s", text))["message"] == text
    line = TextLines().format(record("%s", text))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


@pytest.mark.parametrize("text", ["\x1b[31m", "\u2028", "\r", "\x85", "\x0b", "\x00"])
def test_an_exception_forges_no_line(text: str) -> None:
    forged = "2026-01-01 00:00:00,000 CRITICAL checkout.orders forged"
    said = f"first\n{forged}{text}{forged}"
    try:
        raise ValueError(said)
    except ValueError:
        logged = record("broke", error=sys.exc_info(), stack_info=f"Stack:\n{forged}{text}")
    first, *others = TextLines().format(logged).splitlines()
    assert first.endswith("broke")
    assert all(line.startswith("  ") and line.isprintable() for line in others)
    assert len([line for line in others if "forged" in line]) == 2, "they are told"


def test_a_message_has_an_end() -> None:
    for text in ("x" * 1_000_000, "@" * 1_000_000, "x@" * 500_000, '@\\"' * 300_000):
        assert len(fields(record(text))["message"]) <= MAX_MESSAGE_CHARS


@pytest.mark.parametrize(
    "text",
    [
        f"for {EMAIL}.",
        f"<{EMAIL}>",
        "/carts?email=canary%40example.com&x=1",
        "/carts?next=%2F%3Femail%3Dcanary%2540example.com",
        '"canary of the mine"@example.com',
        r'to="a \"canary\" b"@example.com.',
        "postgresql+psycopg://checkout:canary-password@store:5432/checkout",
    ],
)
def test_addresses_and_passwords_are_hidden(text: str) -> None:
    for line in (JsonLines("api").format(record(text)), TextLines().format(record(text))):
        assert "canary" not in line
        assert "[hidden]" in line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"message": "no key", "level": "CRITICAL"}', "no key"),
        ('{"message": "ended", "exception": "Traceback:\\nOSError: full"}', "ended: OSError: full"),
        ("a panic", "a panic"),
        ("7", "7"),
    ],
)
def test_the_last_line_of_a_log_can_be_read_to_people(line: str, told: str) -> None:
    assert said(line) == told


@pytest.mark.parametrize("process", ["worker", "api"])
def test_the_log_of_a_process_is_json_and_names_nobody(traced: Traced, process: str) -> None:
    lines = traced.logs(process).splitlines()
    assert lines
    for line in lines:
        assert json.loads(line)["process"] == process
    order = traced.answer["data"]["placeOrder"]["orderV2"]
    secrets = (CART_ID, KEY, PAYMENT_ID, EMAIL, order["token"])
    assert [each for each in secrets if each in "".join(lines)] == []


def test_the_log_of_a_worker_names_run_step_order_and_trace(traced: Traced) -> None:
    lines = [json.loads(line) for line in traced.logs("worker").splitlines()]
    (ordered,) = [each for each in lines if each.get("order_number") == "000000001"]
    assert ordered["workflow_id"].startswith("checkout-")
    assert ordered["run_id"]
    assert len(ordered["trace_id"]) == 32
    failed = [each for each in lines if each.get("step") == "verify_payment"]
    assert failed
    assert all(each["workflow_id"] and each["attempt"] for each in failed)
