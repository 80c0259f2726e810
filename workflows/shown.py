"""What the Temporal UI shows of a run: search attributes, and its story as current details."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from commerce.contract import CheckoutStatus, Incident, OrderPlaced, Outcome
    from commerce.domain.errors import Operation
    from commerce.domain.money import Money

_STATUS = SearchAttributeKey.for_keyword("CheckoutStatus")
_REASON = SearchAttributeKey.for_keyword("CheckoutReason")
_ORDER_NUMBER = SearchAttributeKey.for_keyword("CheckoutOrderNumber")
_OPERATION = SearchAttributeKey.for_keyword("CheckoutOperation")
_STORE = SearchAttributeKey.for_keyword("CheckoutStore")
_TOTAL = SearchAttributeKey.for_int("CheckoutTotal")
_CURRENCY = SearchAttributeKey.for_keyword("CheckoutCurrency")

Update = SearchAttributeUpdate[str] | SearchAttributeUpdate[int]


class Shown:
    """Nothing here is personal: attributes are never encrypted, and details are read by many."""

    def __init__(self) -> None:
        self._status: CheckoutStatus | None = None
        self._reason: str | None = None
        self._facts: list[Update] = []
        self._headline = ""
        self._story: list[str] = []
        self._incidents: Sequence[Incident] = ()

    def started(self, operation: Operation, store_code: str) -> None:
        """The first thing that is shown."""
        self._status = CheckoutStatus.RUNNING
        if _STATUS in workflow.info().typed_search_attributes:
            return  # by whoever started the run
        store = [_STORE.value_set(store_code)] if store_code else []
        _upsert(_STATUS.value_set(self._status), _OPERATION.value_set(operation), *store)

    def cart(self, total: Money, store_code: str = "") -> None:
        """What the checkout is about; shown with the next status, for every change is an event."""
        self._facts = [
            *([_STORE.value_set(store_code)] if store_code else ()),
            _TOTAL.value_set(total.amount_minor),
            _CURRENCY.value_set(total.currency),
        ]

    def becomes(self, status: CheckoutStatus) -> None:
        """How the run stands once nothing waits for an operator; shown with the next change."""
        self._status = status

    def status(self, status: CheckoutStatus) -> None:
        """How the run stands, now."""
        self.becomes(status)
        _upsert(_STATUS.value_set(status), *self._facts)

    def outcome(self, outcome: Outcome, status: CheckoutStatus) -> None:
        """How it ended."""
        self._status = status
        if isinstance(outcome, OrderPlaced):
            self._headline = f"Order {outcome.order_number}, {outcome.total}"
            if not self._facts:  # an earlier run has made it
                self.cart(outcome.total)
            fact = _ORDER_NUMBER.value_set(outcome.order_number)
        else:
            why = f" ({outcome.decline})" if outcome.decline else ""
            self._headline = f"Refused: {outcome.reason}{why}"
            self._reason = outcome.reason
            fact = _REASON.value_set(outcome.reason)
        self.tell(f"**{self._headline}**")
        _upsert(_STATUS.value_set(status), fact, *self._facts)

    def incidents(self, incidents: Sequence[Incident], status: CheckoutStatus | None) -> None:
        """What waits for an operator, and the status meanwhile; None is the one before.

        The reason of an incident is its step.
        """
        step = incidents[-1].step if status else None
        reason = step or self._reason
        shown = status or self._status
        _upsert(
            _STATUS.value_set(shown) if shown else _STATUS.value_unset(),
            _REASON.value_set(reason) if reason else _REASON.value_unset(),
            *self._facts,
        )
        self.advise(incidents)

    def advise(self, incidents: Sequence[Incident]) -> None:
        """What operators read about the incidents, without a change of status."""
        self._incidents = incidents
        self._show()

    def waits(self, waits_for: str) -> None:
        """A payment is pending."""
        self._headline = f"Waiting for the {waits_for}"
        self.tell(f"payment pending: it waits for the {waits_for}")
        self.status(CheckoutStatus.PAYMENT_PENDING)

    def waited(self) -> None:
        """It is no longer."""
        self._headline = ""

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        self._story.append(f"- `{workflow.now():%Y-%m-%d %H:%M:%S}` {line}")
        self._show()

    def _show(self) -> None:
        parts = [f"## {self._headline}"] if self._headline else []
        parts += [_advice(each) for each in self._incidents]
        parts += ["## What happened"] if parts else []
        workflow.set_current_details("\n\n".join([*parts, "\n".join(self._story)]))


def counted(number: int, what: str) -> str:
    """A number of things: ``1 item``, ``2 items``."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def _advice(incident: Incident) -> str:
    """What an operator can do about it, ready to be copied."""
    target = f"{workflow.info().workflow_id} {incident.step}"
    why = f" ({incident.why})" if incident.why else ""
    again = f", also when tried again {counted(incident.tries, 'time')}" if incident.tries else ""
    others = (
        f"checkout skip {target} \\\n  --reason ...\n"
        f"checkout mark-done {target} \\\n  --reason ...\n"
    )
    return (
        f"## Incident: {incident.step}\n\n"
        f"Fails since {incident.since:%Y-%m-%d %H:%M:%S} UTC{why}{again}. It is tried again by"
        " itself, now and then. To settle it:\n\n```\n"
        f"checkout retry {target}\n{'' if incident.only_retry else others}```"
    )


def _upsert(*attributes: Update) -> None:
    workflow.upsert_search_attributes(attributes)  # pyright: ignore[reportUnknownMemberType]
