"""Clearing what terminated checkouts leave behind; whatever a live one uses is left alone."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.orders import announce
from commerce.domain.leftovers import Batch, FoundLeftovers, OpenPayment, Swept
from commerce.ports import Leftovers, OrderEvents, Orders, PaymentNews, Runs

LAST_ATTEMPT = timedelta(seconds=15)
"""For so long an attempt of a terminated run may still go on, and change something."""

FIRST_PAUSE = timedelta(minutes=1)
LAST_PAUSE = timedelta(hours=6)
"""How long after it was told of a payment that stays open is told of again, doubling."""

LONGEST_LOOK_AGAIN = timedelta(minutes=15)
MAX_BATCHES = 100

Result = TypeVar("Result")


class SweepActivities:
    """Needs the leftovers, orders, events, runs and payment news ports, and how long holds last.

    Until then a caller who repeats the call finds cart and payment as the terminated run left them.
    """

    def __init__(
        self,
        leftovers: Leftovers,
        orders: Orders,
        events: OrderEvents,
        runs: Runs,
        news: PaymentNews,
        hold_ttl: timedelta,
    ) -> None:
        self._leftovers = leftovers
        self._orders = orders
        self._events = events
        self._runs = runs
        self._news = news
        self._age = hold_ttl + LAST_ATTEMPT
        self._look_again = min(hold_ttl / 2, LONGEST_LOOK_AGAIN)

    @activity.defn(name="look_for_leftovers")
    def look_for_leftovers(self, batch: Batch) -> FoundLeftovers:
        """Count what there is to do, up to a batch of each kind.

        Idempotent by only reading. Needs no undo.
        """
        return self._leftovers.count(self._age, batch.most)

    @activity.defn(name="expire_holds")
    def expire_holds(self, batch: Batch) -> Swept:
        """Give back the stock of every hold that is past its time, whoever has it.

        Idempotent by the status of each hold. Needs no undo: a checkout that is late takes its
        stock again if there is some left.
        """
        done = 0
        for _ in range(MAX_BATCHES):
            expired = self._leftovers.expire_overdue()
            done += expired
            if not expired:
                break
        return Swept(done=done)

    @activity.defn(name="tell_leftover_payments")
    async def tell_leftover_payments(self, batch: Batch) -> Swept:
        """Have the payments settled that checkouts have left behind, each under its cart's id.

        What belongs to an order is captured there, and what belongs to none voided or refunded.
        One that stays open is told of again, ever later.

        Idempotent by ``settle_payment``, which asks first, however often it is told. Needs no undo.

        Raises:
            ApplicationError: Some could not be told of; all others were.
        """
        due = await _call(lambda: self._leftovers.payments(self._age, batch.most))
        running: list[OpenPayment] = []
        failed = 0
        for payment in due:
            try:
                if await self._runs.is_running(payment.checkout_id):
                    running.append(payment)
                else:
                    await self._tell(payment)
            except Exception:  # noqa: BLE001 (whatever it is; the others are told of first)
                failed += 1
                await self._tell_again_later(payment)
        await _call(lambda: self._leftovers.look_again(running, self._look_again))
        if failed:
            raise ApplicationError(f"{failed} payments could not be told of")
        return Swept(
            done=len(due) - len(running),
            running=len(running),
            may_be_more=len(due) == batch.most,
        )

    async def _tell(self, payment: OpenPayment) -> None:
        await self._news.payment_changed(payment.cart_id, payment.payment_id)
        await self._tell_again_later(payment)

    async def _tell_again_later(self, payment: OpenPayment) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(payment.told, 16), LAST_PAUSE)
        await _call(lambda: self._leftovers.look_again([payment], pause, told=True))

    @activity.defn(name="announce_leftover_orders")
    async def announce_leftover_orders(self, batch: Batch) -> Swept:
        """Tell the world about the orders whose checkouts were stopped before they could.

        Idempotent by the event id: told at least once. Needs no undo.

        Raises:
            ApplicationError: Some could not be told; all others were.
        """
        done = running = failed = 0
        for _ in range(MAX_BATCHES):
            due = await _call(
                lambda skip=running + failed: self._leftovers.unannounced(
                    self._age, batch.most, skip
                )
            )
            for order in due:
                try:
                    if await self._runs.is_running(order.checkout_id):
                        running += 1
                        continue
                    number = order.order_number
                    await _call(lambda number=number: announce(self._orders, self._events, number))
                    done += 1
                except Exception:  # noqa: BLE001 (whatever a broker raises; the others come first)
                    failed += 1
            if len(due) < batch.most:
                break
        if failed:
            raise ApplicationError(f"{failed} orders could not be announced")
        return Swept(done=done, running=running)


async def _call(call: Callable[[], Result]) -> Result:
    """Call the store, which blocks, in a thread."""
    return await asyncio.to_thread(call)
