"""What checkouts leave behind when they are terminated, and what a sweep does about it."""

from typing import Annotated

from pydantic import Field

from commerce.domain.model import Message, Model


class OpenPayment(Model):
    """A payment that is not settled yet: money may be set aside or taken at the gateway.

    Attributes:
        told: How often a sweep has had it looked after, or could not.
    """

    checkout_id: str
    cart_id: str
    payment_id: str
    told: int = 0


class UnannouncedOrder(Model):
    """An order whose event has not been told, and the checkout that made it."""

    checkout_id: str
    order_number: str


class Batch(Message):
    """How much an activity of the sweep does at most."""

    most: Annotated[int, Field(ge=1, le=1000)] = 100


class FoundLeftovers(Message):
    """What a sweep finds to do: numbers, some of them of checkouts that still run.

    Attributes:
        holds: Past their time.
        payments: Not settled, old enough, and to be looked at now.
        orders: Old enough, and not announced.
        unsettled: Payments that an earlier sweep has had looked after, and that are still open.
    """

    holds: int = 0
    payments: int = 0
    orders: int = 0
    unsettled: int = 0


class Swept(Message):
    """What an activity of the sweep did with a batch.

    Attributes:
        done: Of what was left behind.
        running: Left alone: their checkouts run.
        may_be_more: The batch was full.
    """

    done: int = 0
    running: int = 0
    may_be_more: bool = False


class SweepReport(Message):
    """What a sweep did.

    Attributes:
        payments_told: To be settled by a run of its own each.
        payments_unsettled: Of earlier sweeps, and still open: the gateway is down, or says no.
        running: Left alone: their checkouts run.
        failed: Activities that did not succeed; the next sweep tries again.
    """

    holds_expired: int = 0
    payments_told: int = 0
    payments_unsettled: int = 0
    orders_announced: int = 0
    running: int = 0
    failed: tuple[str, ...] = ()
