"""Is every order announced, at least once, whatever fails? A real store and the relay's thread."""

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from commerce.adapters import relay as relaying
from commerce.adapters.relay import MISSED_AFTER, OutboxRelay
from commerce.adapters.store.database import Database
from commerce.adapters.store.schema import upgrade
from commerce.contract import OrderEvent
from tests.builders import EMAIL, TestClock, build, checkout, undurable
from tests.store.conftest import SECOND, Shop

DEADLINE_S = 30
SOON_S = 0.001
"""It looks for what was missed again and again."""

NEVER_S = 3600.0
"""It looks once, when it begins."""


class BrokerError(Exception):
    """Whatever a broker's client raises."""


class Broker:
    """Keeps what it was told, and refuses what it is to refuse."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._told: list[OrderEvent] = []
        self.refused = 0
        self.refuses: Callable[[OrderEvent], bool] = lambda _event: False

    def publish(self, event: OrderEvent) -> None:
        with self._changed:
            if self.refuses(event):
                self.refused += 1
                self._changed.notify_all()
                raise BrokerError(f"no route for {EMAIL}")
            self._told.append(event)
            self._changed.notify_all()

    @property
    def numbers(self) -> list[str]:
        """The orders, as they were told."""
        return [event.order_number for event in self._told]

    @property
    def events(self) -> list[OrderEvent]:
        """All that it was told."""
        return list(self._told)

    def await_told(self, times: int) -> None:
        self._until(lambda: len(self._told) >= times)

    def await_refused(self, times: int) -> None:
        self._until(lambda: self.refused >= times)

    def _until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE_S), (self._told, self.refused)


class Statements:
    """Counts those that reach the outbox, and lets them fail while the store is down."""

    def __init__(self, database: Database) -> None:
        self._changed = threading.Condition()
        self._seen = 0
        self.fails: Callable[[str], bool] = lambda _statement: False
        for engine in database.engines:
            event.listen(engine, "before_cursor_execute", self._on_statement)

    def _on_statement(self, _connection: object, _cursor: object, text: str, *_: object) -> None:
        if "outbox" not in text:
            return
        with self._changed:
            self._seen += 1
            self._changed.notify_all()
            if self.fails(text):
                raise OperationalError(text, {"email": EMAIL}, Exception("the server is gone"))

    def await_more(self, number: int) -> None:
        """Wait until so many more have been tried."""
        with self._changed:
            seen = self._seen
            assert self._changed.wait_for(lambda: self._seen >= seen + number, DEADLINE_S)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    clock = TestClock()
    database = undurable(f"sqlite:///{tmp_path}/store.db", clock)
    upgrade(database)
    shop = Shop(build(database), clock)
    shop.stock(apple=None)
    yield shop
    database.close()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def statements(shop: Shop) -> Statements:
    return Statements(shop.store.database)


def place(shop: Shop, *names: str) -> list[str]:
    """Orders in the outbox, a second apart; their numbers."""
    numbers: list[str] = []
    for name in names:
        shop.clock.advance(SECOND)
        shop.save(name)
        numbers.append(shop.order(checkout(name)).order_number)
    return numbers


def untold(shop: Shop) -> int:
    """How many events are still in the outbox."""
    return shop.counts()["events_unannounced"]


@contextmanager
def relaying_for(
    shop: Shop, broker: Broker, look_every_s: float = SOON_S
) -> Generator[OutboxRelay]:
    """A worker's relay; it ends with the worker."""
    with OutboxRelay(shop.store.orders, broker, look_every_s) as relay:
        yield relay


# -- when all is well -----------------------------------------------------------------------------


def test_an_order_is_told_at_once_and_once(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    with relaying_for(shop, broker) as relay:
        (number,) = place(shop, "cart")
        relay.soon(number)
        broker.await_told(1)
        statements.await_more(3)
        shop.clock.advance(2 * MISSED_AFTER)
        statements.await_more(3)
        relay.soon(number)  # the step's answer was lost, and it is repeated
    assert broker.numbers == [number]
    assert untold(shop) == 0


def test_what_is_told_is_the_order(shop: Shop, broker: Broker) -> None:
    with relaying_for(shop, broker, NEVER_S) as relay:
        (number,) = place(shop, "cart")
        pending = shop.event(number)
        relay.soon(number)
    assert [shop.event(number), pending] == [None, *broker.events]
    assert EMAIL not in repr(broker.events)


def test_an_order_that_does_not_exist_is_not_told(shop: Shop, broker: Broker) -> None:
    with relaying_for(shop, broker, NEVER_S) as relay:
        relay.soon("000000009")
        relay.soon(place(shop, "cart")[0])
    assert broker.numbers == ["000000001"]


def test_closing_tells_what_is_left(
    shop: Shop, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many batches it is."""
    monkeypatch.setattr(relaying, "BATCH", 3)
    numbers = place(shop, *(f"cart-{n}" for n in range(7)))
    relay = OutboxRelay(shop.store.orders, broker, NEVER_S)
    for number in numbers:
        relay.soon(number)
    with relay:
        pass
    assert broker.numbers == numbers
    assert untold(shop) == 0


def test_orders_placed_together_are_told_together(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    """One look at the outbox and one mark for all of them."""
    numbers = place(shop, "one", "two", "three")
    seen: list[str] = []
    statements.fails = lambda text: bool(seen.append(text))
    relay = OutboxRelay(shop.store.orders, broker, NEVER_S)
    for number in numbers:
        relay.soon(number)
    with relay:
        pass
    assert broker.numbers == numbers
    first, second, *looks = (text.split()[0] for text in seen)
    assert (first, second) == ("SELECT", "UPDATE")
    assert set(looks) <= {"SELECT"}


# -- what was missed ------------------------------------------------------------------------------


def test_what_a_dead_worker_did_not_tell_is_told_five_seconds_later(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    """By the store's clock; until then its own worker may be about to tell it."""
    (number,) = place(shop, "cart")
    with relaying_for(shop, broker):
        shop.clock.advance(MISSED_AFTER - SECOND / 1000)
        statements.await_more(3)
        assert broker.numbers == []
        shop.clock.advance(SECOND / 1000)
        broker.await_told(1)
    assert broker.numbers == [number]
    assert untold(shop) == 0


def test_what_was_missed_before_it_began_is_told_when_it_begins(shop: Shop, broker: Broker) -> None:
    numbers = place(shop, "one", "two", "three")
    shop.clock.advance(MISSED_AFTER)
    with relaying_for(shop, broker, NEVER_S):
        broker.await_told(3)
    assert broker.numbers == numbers, "oldest first"
    assert untold(shop) == 0


def test_everything_missed_is_told_without_a_pause_however_much_it_is(
    shop: Shop, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an hour's outage of the broker a batch every five seconds takes another hour."""
    monkeypatch.setattr(relaying, "BATCH", 2)
    numbers = place(shop, *(f"cart-{n}" for n in range(5)))
    shop.clock.advance(MISSED_AFTER)
    with relaying_for(shop, broker, NEVER_S):
        broker.await_told(5)
    assert broker.numbers == numbers
    assert untold(shop) == 0


def test_a_crash_between_telling_and_marking_tells_it_again_with_the_same_id(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    (number,) = place(shop, "cart")
    statements.fails = lambda text: text.startswith("UPDATE")
    with relaying_for(shop, broker, NEVER_S) as dying:
        dying.soon(number)
    assert untold(shop) == 1

    statements.fails = lambda _text: False
    shop.clock.advance(MISSED_AFTER)
    with relaying_for(shop, broker):
        broker.await_told(2)
    first, second = broker.events
    assert first == second
    assert untold(shop) == 0


# -- when something fails -------------------------------------------------------------------------


def test_one_that_the_broker_refuses_keeps_no_other_from_being_told(
    shop: Shop, broker: Broker
) -> None:
    """Neither those before it nor those after it, placed with it or missed with it."""
    numbers = place(shop, "one", "refused", "three")
    broker.refuses = lambda event: event.order_number == numbers[1]
    with relaying_for(shop, broker, NEVER_S) as relay:
        for number in numbers:
            relay.soon(number)
    assert broker.numbers == [numbers[0], numbers[2]]
    assert untold(shop) == 1
    numbers += place(shop, "four")
    shop.clock.advance(MISSED_AFTER)
    with relaying_for(shop, broker):
        broker.await_told(3)
        broker.refuses = lambda _event: False
        broker.await_told(4)
    assert sorted(broker.numbers) == numbers, "each once"
    assert untold(shop) == 0


def test_those_before_one_that_is_refused_are_marked_and_it_is_told_later(
    shop: Shop, broker: Broker
) -> None:
    numbers = place(shop, "one", "refused")
    broker.refuses = lambda event: event.order_number == numbers[1]
    with relaying_for(shop, broker, NEVER_S) as relay:
        for number in numbers:
            relay.soon(number)
    assert broker.numbers == numbers[:1]
    assert shop.event(numbers[0]) is None
    assert shop.event(numbers[1]) is not None
    broker.refuses = lambda _event: False
    shop.clock.advance(MISSED_AFTER)
    with relaying_for(shop, broker):
        broker.await_told(2)
    assert broker.numbers == numbers
    assert untold(shop) == 0


def test_nothing_is_lost_while_the_store_is_down(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    numbers = place(shop, "one", "two")
    with relaying_for(shop, broker) as relay:
        statements.fails = lambda _text: True
        for number in numbers:
            relay.soon(number)
        statements.await_more(5)
        shop.clock.advance(MISSED_AFTER)
        statements.await_more(5)
        assert broker.numbers == []
        statements.fails = lambda _text: False
        broker.await_told(2)
    assert broker.numbers == numbers
    assert untold(shop) == 0


def test_closing_while_everything_fails_ends_and_loses_nothing(
    shop: Shop, broker: Broker, statements: Statements
) -> None:
    numbers = place(shop, "one", "two")
    statements.fails = lambda _text: True
    with relaying_for(shop, broker) as relay:
        for number in numbers:
            relay.soon(number)
    statements.fails = lambda _text: False
    assert broker.numbers == []
    assert untold(shop) == 2


# -- what it says ---------------------------------------------------------------------------------


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the relay logged; nothing of people is in the whole log."""
    assert EMAIL not in caplog.text
    assert "Canary" not in caplog.text
    return [record.getMessage() for record in caplog.records if record.name == "checkout.relay"]


def test_a_broker_that_is_down_is_told_of_once_and_not_on_every_round(
    shop: Shop, broker: Broker, statements: Statements, caplog: pytest.LogCaptureFixture
) -> None:
    broker.refuses = lambda _event: True
    with caplog.at_level(logging.INFO), relaying_for(shop, broker) as relay:
        for n in range(2):
            relay.soon(place(shop, f"cart-{n}")[0])
            broker.await_refused(n + 1)
            statements.await_more(3)  # looks that find nothing: it was not missed for long enough
        shop.clock.advance(MISSED_AFTER)
        broker.await_refused(6)
    assert said(caplog) == ["orders cannot be announced: BrokerError"]


def test_one_order_that_cannot_be_told_is_told_of_once_while_others_are_announced(
    shop: Shop, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    (refused,) = place(shop, "refused")
    broker.refuses = lambda event: event.order_number == refused
    shop.clock.advance(MISSED_AFTER)
    with caplog.at_level(logging.INFO), relaying_for(shop, broker) as relay:
        for n in range(4):
            broker.await_refused(broker.refused + 1)
            relay.soon(place(shop, f"cart-{n}")[0])
            broker.await_told(n + 1)
    assert said(caplog) == ["orders cannot be announced: BrokerError"]


def test_a_store_that_is_down_is_told_of_once(
    shop: Shop, broker: Broker, statements: Statements, caplog: pytest.LogCaptureFixture
) -> None:
    statements.fails = lambda _text: True
    with caplog.at_level(logging.INFO), relaying_for(shop, broker) as relay:
        relay.soon("000000001")
        statements.await_more(10)
    assert said(caplog) == ["orders cannot be announced: OperationalError"]


def test_nothing_is_said_when_all_is_well(
    shop: Shop, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), relaying_for(shop, broker) as relay:
        relay.soon(place(shop, "cart")[0])
        broker.await_told(1)
    assert said(caplog) == []
