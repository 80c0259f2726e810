"""What an incident means, and what each way to settle it does to money, stock and cart."""

from typing import NamedTuple

from activities.payments import CANNOT_BE_CAPTURED
from commerce.contract import Incident

PAYMENT_REVIEW = "payment review"


class Advice(NamedTuple):
    """Ends of sentences, for operators; ``docs/operations.md`` says more."""

    means: str
    retry: str
    skip: str
    mark_done: str


ADVICE = {
    "void_payment": Advice(
        means="no order, and its payment may still be open at the gateway",
        retry="ask the gateway again, and void or refund what is open",
        skip="answer the caller; the sweep has the payment settled later",
        mark_done="you voided or refunded it at the gateway; nobody looks at it again",
    ),
    "release_stock": Advice(
        means="no order, and its stock is still set aside",
        retry="give the stock back now",
        skip="go on; unlocking the cart gives it back, too, or the hold ends by itself",
        mark_done="as skip: nothing is noted",
    ),
    "unlock_cart": Advice(
        means="no order, and its cart is still locked",
        retry="give the cart back and store the refusal now",
        skip="answer the caller; a later checkout takes the cart over. Not after create_order",
        mark_done="as skip: nothing is noted",
    ),
    "announce_order": Advice(
        means="the order exists, and nobody was told",
        retry="announce it now",
        skip="the sweep announces it once the run is over",
        mark_done="you told them; it is never announced again",
    ),
    "capture_payment": Advice(
        means="the order exists, and the gateway does not answer: its money is not taken",
        retry="ask the gateway again, and capture what is authorized",
        skip="end the run; the sweep has the money taken later",
        mark_done="you have the money, and nothing is open there; the order counts as paid",
    ),
    PAYMENT_REVIEW: Advice(
        means="the order exists, and the gateway refuses its money",
        retry="capture again, or see what became of it at the gateway",
        skip="end the run, the order unpaid; the sweep looks again now and then",
        mark_done="you have the money, and nothing is open there; the order counts as paid",
    ),
    "review_payment": Advice(
        means="an order whose money is refused could not be marked for payment review",
        retry="mark it now",
        skip="go on; the order stays pending",
        mark_done="as skip: nothing is noted",
    ),
    "settle_payment": Advice(
        means="a payment changed at the gateway after its checkout, and is not settled",
        retry="ask the gateway again; capture it for its order, else void or refund it",
        skip="end the run; the sweep tries later",
        mark_done="you settled it at the gateway; an order's payment is asked for once more",
    ),
}
"""By step; a capture that is refused is ``PAYMENT_REVIEW``."""

_UNKNOWN = Advice("a newer worker knows", "try again now", "go on without it", "note it as done")


def advice(incident: Incident) -> Advice:
    """What to do about an incident."""
    refused = incident.step == "capture_payment" and incident.why == CANNOT_BE_CAPTURED
    return ADVICE.get(PAYMENT_REVIEW if refused else incident.step, _UNKNOWN)


def commands(workflow_id: str, incident: Incident) -> tuple[tuple[str, str], ...]:
    """Commands that settle it, each with what it does."""
    target, wise = f"{workflow_id} {incident.step}", advice(incident)
    retry = (f"checkout retry {target}", wise.retry)
    if incident.only_retry:
        return (retry,)
    return (
        retry,
        (f"checkout skip {target} --reason ...", wise.skip),
        (f"checkout mark-done {target} --reason ...", wise.mark_done),
    )


def told_of(incident: Incident) -> str:
    """One line about it."""
    why = f" ({incident.why})" if incident.why else ""
    times = "once" if incident.tries == 1 else f"{incident.tries} times"
    again = f", tried again {times}" if incident.tries else ""
    return f"{incident.step} failed{why} since {incident.since:%Y-%m-%d %H:%M:%S} UTC{again}"
