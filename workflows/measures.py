"""Business metrics, counted once whatever is replayed; never personal, few values a label."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.contract import OrderPlaced, Outcome
    from commerce.domain.errors import Operation
    from commerce.domain.money import Money


def count_outcome(operation: Operation, outcome: Outcome, failed: bool) -> None:
    """A checkout has its outcome; ``failed`` when a step failed for good."""
    if isinstance(outcome, OrderPlaced):
        labels = {"outcome": "ordered", "reason": ""}
    else:
        labels = {"outcome": "failed" if failed else "refused", "reason": outcome.reason}
    workflow.metric_meter().create_counter(
        "checkout_outcomes", "Checkouts that have their outcome"
    ).add(1, {"operation": operation, **labels})


def count_money(what: str, money: Money) -> None:
    """Money was ``ordered`` or ``captured``, in minor units of its currency."""
    workflow.metric_meter().create_counter(
        "checkout_money_minor", "Money, in minor units of its currency"
    ).add(money.amount_minor, {"what": what, "currency": money.currency})


def count_incident(step: str, event: str) -> None:
    """An incident of a step was ``opened``, or settled: ``by_itself``, ``skipped``, and so on."""
    workflow.metric_meter().create_counter(
        "checkout_incidents", "Incidents of steps, by what became of them"
    ).add(1, {"step": step, "event": event})


def count_swept(what: str, number: int) -> None:
    """A sweep did so much: ``holds_expired``, ``payments_unsettled``, and so on."""
    workflow.metric_meter().create_counter("checkout_sweep", "What sweeps found and did").add(
        number, {"what": what}
    )
