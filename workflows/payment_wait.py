"""When a pending payment is asked for, and for how long cart and stock are kept for it."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.domain.payments import WaitsFor
    from workflows.policies import FIRST_ASK, HOLD_LIMIT, LAST_ASK, PAYMENT_WAIT_LIMITS


class PaymentWait:
    """The clockwork of one wait; every time is the workflow's."""

    def __init__(self, now: datetime) -> None:
        self._since = now
        self._asked_at = now
        self._ask_after = FIRST_ASK
        self._hold_at: datetime | None = now

    def is_over(self, waits_for: WaitsFor, now: datetime) -> bool:
        """The payment has been pending for too long."""
        return now >= self._end(waits_for)

    def wants_hold(self, now: datetime) -> bool:
        """Cart and stock are to be kept for longer."""
        return self._hold_at is not None and now >= self._hold_at

    def extended(self, now: datetime, seconds: float) -> None:
        """They are kept for so long from now; half of it is left when they are extended again."""
        again = now + timedelta(seconds=seconds / 2)
        self._hold_at = again if again < self._since + HOLD_LIMIT else None

    def pause(self, waits_for: WaitsFor, now: datetime) -> timedelta:
        """Until something is due: to ask, to extend the hold, or to stop waiting."""
        due = [self._ask_at(waits_for), *([self._hold_at] if self._hold_at else [])]
        return max(min(due) - now, timedelta())

    def is_time_to_ask(self, waits_for: WaitsFor, now: datetime) -> bool:
        """Whether the gateway is to be asked now; the next time is later by twice as much."""
        if now < self._ask_at(waits_for):
            return False
        self._asked_at = now
        self._ask_after = min(self._ask_after * 2, LAST_ASK)
        return True

    def _ask_at(self, waits_for: WaitsFor) -> datetime:
        """When to ask next; once more when the wait ends."""
        return min(self._asked_at + self._ask_after, self._end(waits_for))

    def _end(self, waits_for: WaitsFor) -> datetime:
        return self._since + PAYMENT_WAIT_LIMITS[waits_for]
