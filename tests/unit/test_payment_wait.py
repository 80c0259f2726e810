"""When is a pending payment asked for, and for how long are cart and stock kept for it?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from commerce.domain.payments import WaitsFor
from workflows.payment_wait import PaymentWait
from workflows.policies import FIRST_ASK, HOLD_LIMIT, LAST_ASK, PAYMENT_WAIT_LIMITS

START = datetime(2026, 1, 1, tzinfo=UTC)
HOLD_S = 900.0


def played(waits_for: WaitsFor) -> tuple[list[timedelta], list[timedelta]]:
    """When the gateway was asked, and when the hold was extended, until the wait was over."""
    wait, now = PaymentWait(START), START
    asked: list[timedelta] = []
    extended: list[timedelta] = []
    while not wait.is_over(waits_for, now):
        if wait.wants_hold(now):
            extended.append(now - START)
            wait.extended(now, HOLD_S)
        pause = wait.pause(waits_for, now)
        assert pause > timedelta()
        now += pause
        if wait.is_time_to_ask(waits_for, now):
            asked.append(now - START)
    return asked, extended


@pytest.mark.parametrize("waits_for", WaitsFor)
def test_the_gateway_is_asked_later_and_later_and_once_more_at_the_end(
    waits_for: WaitsFor,
) -> None:
    asked, _ = played(waits_for)
    assert asked[0] == FIRST_ASK
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert all(gap <= LAST_ASK for gap in gaps)
    assert gaps[:-1] == sorted(gaps[:-1])
    assert asked[-1] == PAYMENT_WAIT_LIMITS[waits_for]


def test_the_hold_is_extended_before_it_ends_and_for_a_day_at_most() -> None:
    _, extended = played(WaitsFor.GATEWAY)
    assert extended[0] == timedelta()
    gaps = [later - earlier for earlier, later in pairwise(extended)]
    assert all(gap == timedelta(seconds=HOLD_S / 2) for gap in gaps)
    assert HOLD_LIMIT - timedelta(seconds=HOLD_S) < extended[-1] < HOLD_LIMIT


def test_a_webhook_does_not_put_off_the_next_question() -> None:
    wait = PaymentWait(START)
    wait.extended(START, HOLD_S)
    soon = START + timedelta(seconds=5)
    assert not wait.is_time_to_ask(WaitsFor.SHOPPER, soon)
    assert wait.pause(WaitsFor.SHOPPER, soon) == FIRST_ASK - timedelta(seconds=5)


def test_who_is_late_does_not_wait_backwards() -> None:
    wait = PaymentWait(START)
    late = START + timedelta(days=30)
    assert wait.pause(WaitsFor.GATEWAY, late) == timedelta()
    assert wait.is_over(WaitsFor.GATEWAY, late)
