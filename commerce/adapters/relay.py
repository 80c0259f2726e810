"""The outbox relay: announces orders as soon as they are committed, and again what was missed."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

from commerce.contract import OrderEvent
from commerce.ports import OrderEvents, Orders

BATCH = 100
LOOK_EVERY_S = 5.0
MISSED_AFTER = timedelta(seconds=5)
"""An event that was not told for so long was missed: its worker died, or the broker was down."""

LINGER_S = 0.25
"""Those that are placed within it of each other are told together."""

QUIET_S = 60.0
"""What goes on failing is said once, and again only after it went well for so long."""

CLOSE_S = 10.0

logger = logging.getLogger("checkout.relay")


class OutboxRelay:
    """A thread that tells order events from the outbox, at least once each, in batches.

    What cannot be told stays in the outbox, is in the gauges, and is tried again by every worker.
    """

    def __init__(
        self, orders: Orders, events: OrderEvents, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._orders = orders
        self._events = events
        self._look_every_s = look_every_s
        self._placed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._quiet_until = 0.0
        self._ends = False

    def soon(self, order_number: str) -> None:
        """Announce this order; returns at once."""
        self._placed.put(order_number)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell what is left, and end."""
        self._placed.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        look_at = time.monotonic()
        while not self._ends:
            if numbers := self._next(look_at - time.monotonic()):
                self._tell(lambda numbers=numbers: self._orders.pending_events(numbers))
            if time.monotonic() >= look_at and not self._ends:
                told = self._tell(lambda: self._orders.missed_events(MISSED_AFTER, BATCH))
                if told < BATCH:  # else there may be more of them
                    look_at = time.monotonic() + self._look_every_s

    def _next(self, within_s: float) -> list[str]:
        """Orders that were placed, a batch at most, once there are some."""
        numbers: list[str] = []
        try:
            number = self._placed.get(timeout=max(within_s, 0))
            if number is not None and self._placed.empty():
                time.sleep(LINGER_S)
            while number is not None:
                numbers.append(number)
                if len(numbers) == BATCH:
                    return numbers
                number = self._placed.get_nowait()
        except queue.Empty:
            return numbers
        self._ends = True
        return numbers

    def _tell(self, find: Callable[[], Sequence[OrderEvent]]) -> int:
        """Tell what is found; how many. One that cannot be told keeps no other from it."""
        told: list[str] = []
        with self._said_once():
            for event in find():
                with self._said_once():
                    self._events.publish(event)
                    told.append(event.event_id)
            if told:
                self._orders.mark_announced(told)
                return len(told)
        return 0

    @contextmanager
    def _said_once(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (whatever a broker or a driver raises)
            now = time.monotonic()
            if now >= self._quiet_until:
                logger.warning("orders cannot be announced: %s", type(error).__name__)
            self._quiet_until = now + QUIET_S
