"""How a payment behaves: a few parts that compose, and names for the useful compositions."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Call(StrEnum):
    """What a caller asks of a payment."""

    LOOK_UP = "look_up"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Authorization(StrEnum):
    """What the first ``authorize`` comes to."""

    APPROVE = "approve"
    DECLINE = "decline"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED = "expired"
    PENDING_SHOPPER = "pending_shopper"
    PENDING_GATEWAY = "pending_gateway"


class Then(StrEnum):
    """What becomes of a pending payment by itself."""

    NOTHING = "nothing"
    APPROVE = "approve"
    DECLINE = "decline"


class Capture(StrEnum):
    """What ``capture`` comes to; a declined one leaves the money set aside."""

    APPROVE = "approve"
    DECLINE = "decline"


class Mode(StrEnum):
    """How a call goes wrong: before or after its effect, with a 500 or with no answer at all.

    ``PASS`` lets one go well, for the fault to be in a later one.
    """

    PASS = "pass"  # noqa: S105 (no password)
    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    TIME_OUT_BEFORE = "time_out_before"
    TIME_OUT_AFTER = "time_out_after"

    @property
    def has_effect(self) -> bool:
        """Whether the call takes effect all the same."""
        return self in (Mode.PASS, Mode.FAIL_AFTER, Mode.TIME_OUT_AFTER)

    @property
    def is_silent(self) -> bool:
        """Whether there is no answer."""
        return self in (Mode.TIME_OUT_BEFORE, Mode.TIME_OUT_AFTER)


class Sending(StrEnum):
    """How webhooks go out: each once, each three times, newest first, or not at all."""

    ONCE = "once"
    DUPLICATED = "duplicated"
    REVERSED = "reversed"
    NONE = "none"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fault(_Part):
    """The next ``times`` occurrences of ``call`` go wrong."""

    call: Call
    mode: Mode
    times: Annotated[int, Field(ge=1, le=1000)] = 1


Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Script(_Part):
    """The behaviour of one payment.

    Attributes:
        then: What becomes of it ``after_s`` seconds after it was left pending.
        faults: Each occurrence of a call uses up one, in this order.
        slow_s: Every call is answered so late; its effect is not delayed.
    """

    authorize: Authorization = Authorization.APPROVE
    then: Then = Then.NOTHING
    after_s: Seconds = 0
    capture: Capture = Capture.APPROVE
    faults: Annotated[tuple[Fault, ...], Field(max_length=20)] = ()
    slow_s: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0
    webhooks: Sending = Sending.ONCE

    def fault(self, call: Call, nth: int) -> Mode | None:
        """How the ``nth`` occurrence of a call goes wrong, from 1; None when it does not."""
        for each in self.faults:
            if each.call is call:
                if nth <= each.times:
                    return each.mode
                nth -= each.times
        return None


def _pending(whose: Authorization, then: Then = Then.NOTHING) -> Script:
    return Script(authorize=whose, then=then, after_s=0 if then is Then.NOTHING else 3)


def _once(call: Call, mode: Mode, times: int = 1) -> Script:
    return Script(faults=(Fault(call=call, mode=mode, times=times),))


DEFAULT = "approved"

SCRIPTS: dict[str, tuple[str, Script]] = {
    "approved": ("All goes well.", Script()),
    "declined": (
        "The authorization is declined.",
        Script(authorize=Authorization.DECLINE),
    ),
    "insufficient_funds": (
        "The authorization is declined for want of money.",
        Script(authorize=Authorization.INSUFFICIENT_FUNDS),
    ),
    "expired": (
        "The authorization is declined: the card or the approval has expired.",
        Script(authorize=Authorization.EXPIRED),
    ),
    "3ds_approved": (
        "Waits for the shopper, who authenticates after three seconds.",
        _pending(Authorization.PENDING_SHOPPER, Then.APPROVE),
    ),
    "3ds_declined": (
        "Waits for the shopper, who fails after three seconds.",
        _pending(Authorization.PENDING_SHOPPER, Then.DECLINE),
    ),
    "3ds_abandoned": (
        "Waits for the shopper until somebody acts for them.",
        _pending(Authorization.PENDING_SHOPPER),
    ),
    "review_approved": (
        "Waits for a review, which approves after three seconds.",
        _pending(Authorization.PENDING_GATEWAY, Then.APPROVE),
    ),
    "review_declined": (
        "Waits for a review, which declines after three seconds.",
        _pending(Authorization.PENDING_GATEWAY, Then.DECLINE),
    ),
    "timeout_with_effect": (
        "The first authorize takes effect and is never answered.",
        _once(Call.AUTHORIZE, Mode.TIME_OUT_AFTER),
    ),
    "timeout_without_effect": (
        "The first authorize has no effect and is never answered.",
        _once(Call.AUTHORIZE, Mode.TIME_OUT_BEFORE),
    ),
    "capture_timeout_with_effect": (
        "The first capture takes effect and is never answered.",
        _once(Call.CAPTURE, Mode.TIME_OUT_AFTER),
    ),
    "capture_timeout_without_effect": (
        "The first capture has no effect and is never answered.",
        _once(Call.CAPTURE, Mode.TIME_OUT_BEFORE),
    ),
    "server_error": (
        "The first two authorizes answer 500 and have no effect.",
        _once(Call.AUTHORIZE, Mode.FAIL_BEFORE, times=2),
    ),
    "capture_server_error": (
        "The first two captures answer 500 and have no effect.",
        _once(Call.CAPTURE, Mode.FAIL_BEFORE, times=2),
    ),
    "slow": ("Every call is answered after two seconds.", Script(slow_s=2)),
    "capture_declined": (
        "Authorized, but every capture is declined.",
        Script(capture=Capture.DECLINE),
    ),
    "duplicate_webhooks": (
        "Every webhook is sent three times.",
        Script(webhooks=Sending.DUPLICATED),
    ),
    "out_of_order_webhooks": (
        "Webhooks are held back for a moment and sent newest first.",
        Script(webhooks=Sending.REVERSED),
    ),
}
"""By name: what it does, and how."""
