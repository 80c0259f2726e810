"""A pending payment: when it is asked for, and for how long cart and stock are kept for it."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from commerce.contract import Extension, PaymentResult, SnapshotRef
    from commerce.domain.errors import RefusalReason, refuse
    from commerce.domain.payments import PaymentPending, WaitsFor
    from workflows.policies import (
        ASK_FOR_PAYMENT,
        EXTEND_HOLD,
        FIRST_ASK,
        HOLD_LIMIT,
        LAST_ASK,
        PAYMENT_GROUP,
        PAYMENT_WAIT_LIMITS,
        UNKNOWN_HOLD_S,
        StepError,
    )
    from workflows.shown import Shown


class PaymentWait:
    """The clockwork of one wait; every time is the workflow's."""

    def __init__(self, now: datetime) -> None:
        self._began = now
        self._since = now
        self._waits_for: WaitsFor | None = None
        self._asked_at = now
        self._ask_after = FIRST_ASK
        self._hold_at: datetime | None = now
        self._kept_until = now

    def keep_until(self, until: datetime, now: datetime) -> datetime:
        """An operator gives it more time: cart and stock are kept right away; when it ends now."""
        self._kept_until = max(self._kept_until, until)
        self._hold_at = now
        return self._end(self._waits_for or WaitsFor.SHOPPER)

    def is_over(self, waits_for: WaitsFor, now: datetime) -> bool:
        """The payment has been waiting for the same one for too long."""
        if waits_for is not self._waits_for:
            self._since = self._began if self._waits_for is None else now
            self._waits_for = waits_for
        return now >= self._end(waits_for)

    def wants_hold(self, now: datetime) -> bool:
        """Cart and stock are to be kept for longer."""
        return self._hold_at is not None and now >= self._hold_at

    def extended(self, now: datetime, seconds: float) -> None:
        """They are kept for so long from now; half of it is left when they are extended again."""
        again = now + timedelta(seconds=seconds / 2)
        limit = max(self._began + HOLD_LIMIT, self._kept_until)
        self._hold_at = again if again < limit else None

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
        return max(self._since + PAYMENT_WAIT_LIMITS[waits_for], self._kept_until)


class PendingPayment:
    """The wait for a gateway to decide.

    Attributes:
        waits_for: Whose turn it is; None while no payment is pending.
        changed: The gateway is to be asked, now.
    """

    def __init__(self, shown: Shown, check_not_stopped: Callable[[], None]) -> None:
        self._shown = shown
        self._check_not_stopped = check_not_stopped
        self._wait: PaymentWait | None = None
        self.waits_for: WaitsFor | None = None
        self.changed = False

    def keep(self, minutes: int) -> datetime:
        """Wait for so long from now at least, and ask the gateway; until when.

        Raises:
            AssertionError: No payment is pending.
        """
        assert self._wait is not None
        until = workflow.now() + timedelta(minutes=minutes)
        self.changed = True
        return self._wait.keep_until(until, workflow.now())

    async def until_decided(self, cart: SnapshotRef, pending: PaymentPending) -> PaymentResult:
        """Keep cart and stock for a payment until the gateway has decided, or it takes too long."""
        wait = self._wait = PaymentWait(workflow.now())
        result: PaymentResult = pending
        try:
            while isinstance(result, PaymentPending):
                self._check_not_stopped()  # a stop that a step has swallowed
                self._wait_for(result.waits_for)
                if wait.is_over(result.waits_for, workflow.now()):
                    return refuse(RefusalReason.PAYMENT_EXPIRED)
                if wait.wants_hold(workflow.now()):
                    wait.extended(workflow.now(), await self._keep_hold(cart))
                if await self._may_have_changed(wait, result.waits_for):
                    result = await self._ask(cart, result)
        finally:
            self.waits_for = self._wait = None
            self._shown.waited()
        return result

    async def _keep_hold(self, cart: SnapshotRef) -> float:
        """Keep cart and stock for longer; for how many seconds, also when that did not work."""
        try:
            extension = await EXTEND_HOLD.run(cart, "Keep cart and stock set aside")
        except StepError:
            return UNKNOWN_HOLD_S
        if not isinstance(extension, Extension):
            return UNKNOWN_HOLD_S
        if not extension.held:
            self._shown.tell(
                "some of the stock is gone; it is looked for again when the money comes"
            )
        return extension.seconds

    async def _may_have_changed(self, wait: PaymentWait, waits_for: WaitsFor) -> bool:
        """Sleep until a webhook comes, it is time to ask, or something else is due."""
        try:
            await workflow.wait_condition(
                lambda: self.changed,
                timeout=wait.pause(waits_for, workflow.now()),
                timeout_summary=f"The payment waits for the {waits_for}",
                event_groups=[workflow.create_event_group(PAYMENT_GROUP)],
            )
        except TimeoutError:
            return wait.is_time_to_ask(waits_for, workflow.now())
        return True

    async def _ask(self, cart: SnapshotRef, pending: PaymentPending) -> PaymentResult:
        self.changed = False
        try:
            return await ASK_FOR_PAYMENT.run(cart, "Ask the gateway for the pending payment")
        except StepError:
            self._shown.tell("the gateway does not answer; the payment is waited for")
            return pending

    def _wait_for(self, waits_for: WaitsFor) -> None:
        """Callers are told that the payment is pending."""
        if waits_for is not self.waits_for:
            self.waits_for = waits_for
            self._shown.waits(waits_for)
