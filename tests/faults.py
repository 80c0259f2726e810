"""Faults at the border of every activity, before it takes effect or after, and around them."""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Literal

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from commerce.adapters.relay import OutboxRelay
from commerce.adapters.store.carts import SqlCarts
from commerce.contract import Checkout, LockedCart, Outcome
from commerce.domain.checks import Check

WAIT_S = 60


@pytest.fixture
def no_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay of a worker that dies before it tells anything; to be named before the world."""

    def nothing(_relay: OutboxRelay) -> None:
        return

    monkeypatch.setattr(OutboxRelay, "_run", nothing)


def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on carts are locked and no more: what else there is to do is a step of its own.

    So it is with a store of carts that has no stock, and with runs from before they were one.
    """
    lock = SqlCarts.lock

    def only_lock(carts: SqlCarts, checkout: Checkout, _check: Check) -> LockedCart | Outcome:
        return lock(carts, checkout)

    monkeypatch.setattr(SqlCarts, "lock", only_lock)


class Soon(asyncio.Event):
    """What a test waits for: when it does not come that is an error, and nothing hangs."""

    async def wait(self) -> Literal[True]:
        async with asyncio.timeout(WAIT_S):
            return await super().wait()


class Mode(StrEnum):
    """Fail before the effect, or after it: then the answer is lost, but not the effect."""

    BEFORE = "before"
    AFTER = "after"


class Faults(Interceptor):
    """Plans faults per step, and counts how often each step was tried and failed."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str], list[tuple[Mode, bool]]] = {}
        self._hooks: dict[tuple[str, str], Callable[[], Any]] = {}
        self.tried: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.has_failed = Soon()

    def fail(
        self, step: str, mode: Mode, times: int = 1, for_good: bool = False, run: str = ""
    ) -> None:
        """Make the step's next attempts fail; for good means that it is not tried again.

        Those of every run, or of one workflow id.
        """
        self._plans.setdefault((run, step), []).extend([(mode, for_good)] * times)

    def heal(self) -> None:
        """No more faults."""
        self._plans.clear()

    def on(self, step: str, hook: Callable[[], Any], run: str = "") -> None:
        """Do something right before the step's next attempt, of any run or of one workflow id."""
        self._hooks[run, step] = hook

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Faulty(next, self)

    def take(self, step: str, run: str) -> tuple[Mode, bool] | None:
        plan = self._plans.get((run, step)) or self._plans.get(("", step))
        return plan.pop(0) if plan else None

    def hook(self, step: str, run: str) -> Callable[[], Any] | None:
        return self._hooks.pop((run, step), None) or self._hooks.pop(("", step), None)


class _Faulty(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, faults: Faults) -> None:
        super().__init__(next_)
        self._faults = faults

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        step = activity.info().activity_type
        self._faults.tried[step] += 1
        run = activity.info().workflow_id or ""
        hook = self._faults.hook(step, run)
        if hook:
            outcome = hook()
            if outcome is not None:
                await outcome
        fault = self._faults.take(step, run)
        if fault and fault[0] is Mode.BEFORE:
            self._raise(step, fault[1])
        result = await super().execute_activity(input)
        if fault:
            self._raise(step, fault[1])
        return result

    def _raise(self, step: str, for_good: bool) -> None:
        self._faults.failed[step] += 1
        self._faults.has_failed.set()
        raise ApplicationError(f"planned fault in {step}", non_retryable=for_good)
