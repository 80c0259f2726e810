"""Is a request one trace, from HTTP to the statements, with nothing personal in it?"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from tests.builders import EMAIL, TEXAS
from tests.telemetry.conftest import CART_ID, KEY, PAYMENT_ID, TRACE_ID, Traced

Span = dict[str, Any]
LAST = "RunWorkflow:checkout"


async def test_a_request_is_one_trace_from_http_to_sql(traced: Traced) -> None:
    number = traced.answer["data"]["placeOrder"]["orderV2"]["number"]
    assert number
    spans = await spans_of(traced, TRACE_ID)
    by_id = {span["context"]["span_id"]: span for span in spans}
    (request,) = [span for span in spans if span["parent_id"] not in by_id]
    assert request["name"] == "POST /graphql placeOrder"
    assert request["parent_id"] == "0xb7ad6b7169203331", "it continues the caller's trace"
    processes: dict[str, set[str]] = {}
    for span in spans:
        process = span["resource"]["attributes"]["service.name"]
        processes.setdefault(process, set()).add(span["name"])
    assert "StartUpdateWithStartWorkflow:checkout" in processes["checkout-api"]
    assert processes["checkout-worker"] >= {
        "HandleUpdate:answer",
        "RunWorkflow:checkout",
        "StartActivity:lock_cart",
        "RunActivity:lock_cart",
        "RunActivity:create_order",
        "INSERT",
    }
    (order,) = [span for span in spans if statement(span).startswith("INSERT INTO orders")]
    assert list(names_up_to_the_root(order, by_id)) == [
        "RunActivity:create_order",
        "StartActivity:create_order",
        "RunWorkflow:checkout",
        "StartUpdateWithStartWorkflow:checkout",
        "POST /graphql placeOrder",
    ]


async def test_a_span_is_as_long_as_what_it_is_about(traced: Traced) -> None:
    spans = {span["name"]: span for span in await spans_of(traced, TRACE_ID)}
    outer, inner = spans["RunWorkflow:checkout"], spans["RunActivity:create_order"]
    assert outer["start_time"] < inner["start_time"] < inner["end_time"] <= outer["end_time"]


async def test_nothing_personal_is_in_a_span(traced: Traced) -> None:
    await spans_of(traced, TRACE_ID)
    text = traced.spans.read_text()
    order = traced.answer["data"]["placeOrder"]["orderV2"]
    secrets = (CART_ID, KEY, PAYMENT_ID, order["token"], EMAIL, "canary", TEXAS.lastname)
    assert [each for each in secrets if each.lower() in text.lower()] == []
    assert "GET other" in text, "a path that is none of ours"


async def test_an_attempt_that_failed_is_marked_but_does_not_say_why(traced: Traced) -> None:
    text = traced.spans.read_text()
    spans: list[Span] = [json.loads(line) for line in text.splitlines()]
    failed = [
        span
        for span in spans
        if span["name"] == "RunActivity:verify_payment" and span["status"]["status_code"] == "ERROR"
    ]
    assert failed
    for span in failed:
        assert "description" not in span["status"]
        assert [set(event["attributes"]) for event in span["events"]] == [{"exception.type"}]


async def test_the_gauges_and_probes_make_no_traces(traced: Traced) -> None:
    text = traced.spans.read_text()
    assert "/health/" not in text
    statements = {statement(json.loads(line)) for line in text.splitlines()}
    assert not statements & {"SELECT 1", "SELECT count(*) AS count_1 FROM holds"}
    assert not [each for each in statements if "min(outbox" in each]


async def spans_of(traced: Traced, trace_id: str) -> list[Span]:
    """The spans of a trace, once the last of them has been written."""
    async with asyncio.timeout(30):
        while True:
            text = traced.spans.read_text() if traced.spans.exists() else ""
            spans: list[Span] = [json.loads(line) for line in text.splitlines()]
            found = [span for span in spans if span["context"]["trace_id"] == f"0x{trace_id}"]
            if {LAST, "POST /graphql placeOrder"} <= {span["name"] for span in found}:
                return found
            await asyncio.sleep(0.1)


def statement(span: Span) -> str:
    return span["attributes"].get("db.query.text", "")


def names_up_to_the_root(span: Span, by_id: dict[str, Span]) -> Iterable[str]:
    while (parent := by_id.get(span["parent_id"])) is not None:
        yield parent["name"]
        span = parent
