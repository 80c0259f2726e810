"""A flash sale: 2,000 carts for 200 units at once, and what it leaves the rest of the shop.

Run: ``python -m bench.flash sqlite|postgresql [--help]``. Shoppers of another store order five
other products all the while, 20 at a time; the sale's callers are a process of their own. They,
the worker and the servers share the machine. Its status is 1 when an answer, the number of orders
or the audit is not as it must be.
"""

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from temporalio.contrib.pydantic import pydantic_data_converter

from bench.stage import CURRENCY, STORE_CODE, Kind, Stage, a_stage, carts, stock
from cli.data_dir import load_settings
from cli.errors import CliError
from client import CheckoutClient, OrderPlaced, Pending
from commerce.adapters.codec import PayloadEncryption
from commerce.adapters.temporal import connect
from commerce.domain.errors import RefusalReason
from commerce.domain.stores import Store

LINES = 5
WARM_UP_S = 5.0
MOST_ORDERS_S = 60
"""Carts are made beforehand for so many orders a second; more are made while it runs."""

DEADLINE = timedelta(seconds=30)
"""As the client's own; who is not answered by then asks again."""

TARGET = 0.5
"""Of its throughput the rest of the shop keeps so much."""

OTHER_STORE = "other"
ORDER = "ordered"
_SOLD_OUT = {RefusalReason.OUT_OF_STOCK, RefusalReason.INSUFFICIENT_STOCK}


@dataclass(frozen=True)
class Answer:
    """What came of one cart.

    Attributes:
        at: When, by the monotonic clock, which the machine's processes share.
        seconds: How long it took; in the sale, since that began.
        outcome: ``ordered``, or the refusal's message.
        expected: An order, or one of the two refusals that a sale has.
        pending: How often no answer had come by the deadline.
    """

    at: float
    seconds: float
    outcome: str
    expected: bool
    pending: int


async def _order(checkout: CheckoutClient, cart_id: str, store: str, since: float) -> Answer:
    """Order, and ask until there is an answer."""
    pending = 0
    answered = await checkout.place_order(cart_id, store=store, deadline=DEADLINE)
    while isinstance(answered, Pending):
        pending += 1
        answered = await answered.wait(DEADLINE)
    now = time.monotonic()
    if isinstance(answered, OrderPlaced):
        return Answer(now, now - since, ORDER, True, pending)
    return Answer(now, now - since, answered.message, answered.reason in _SOLD_OUT, pending)


# -- the rest of the shop -----------------------------------------------------------------------


@dataclass
class Shop:
    """Shoppers who order one cart after the other, and what they were answered."""

    checkout: CheckoutClient
    store: str
    carts: list[str]
    make: Callable[[], list[str]]
    answers: list[Answer] = field(default_factory=list[Answer])
    closed: bool = False

    @asynccontextmanager
    async def opened(self, shoppers: int) -> AsyncGenerator[None]:
        """So many order while the block runs; all are answered at its end."""
        shopping = [asyncio.create_task(self._shop()) for _ in range(shoppers)]
        try:
            yield
        finally:
            self.closed = True
            await asyncio.gather(*shopping)

    async def _shop(self) -> None:
        while not self.closed:
            if not self.carts:
                self.carts += await asyncio.to_thread(self.make)
            cart_id = self.carts.pop()
            since = time.monotonic()
            self.answers.append(await _order(self.checkout, cart_id, self.store, since))

    def between(self, start: float, end: float) -> list[Answer]:
        """The answers of a while."""
        return [answer for answer in self.answers if start <= answer.at < end]


# -- the sale, in a process of its own ------------------------------------------------------------


def _sell(main: Connection, address: str, keys: str, store: str, cart_ids: list[str]) -> None:
    """Connect, say so, wait for the start, and send each answer as it comes."""
    asyncio.run(_all_at_once(main, address, keys, store, cart_ids))


async def _all_at_once(
    main: Connection, address: str, keys: str, store: str, cart_ids: list[str]
) -> None:
    codec = PayloadEncryption.parse(keys)
    checkout = CheckoutClient(await connect(pydantic_data_converter, codec, address))
    main.send(None)
    started: float = main.recv()

    async def order(cart_id: str) -> None:
        main.send(await _order(checkout, cart_id, store, started))

    await asyncio.gather(*map(order, cart_ids))


@dataclass
class Sale:
    """The sale's callers, connected.

    Attributes:
        started: When, by the monotonic clock.
    """

    connection: Connection
    carts: int
    started: float = 0.0
    answers: list[Answer] = field(default_factory=list[Answer])

    @classmethod
    @asynccontextmanager
    async def prepared(
        cls, stage: Stage, store: str, cart_ids: list[str]
    ) -> "AsyncGenerator[Sale]":
        """Start their process, and have it ended."""
        keys = load_settings(stage.data_dir).codec_keys.get_secret_value()
        ours, theirs = multiprocessing.Pipe()
        arguments = (theirs, stage.running.address, keys, store, cart_ids)
        process = multiprocessing.get_context("spawn").Process(target=_sell, args=arguments)
        process.start()
        theirs.close()
        try:
            sale = cls(ours, len(cart_ids))
            await sale._hear()
            yield sale
        finally:
            process.kill()
            process.join()
            ours.close()

    async def held(self, tell: Callable[[], None]) -> None:
        """Begin, until everyone is answered."""
        self.started = time.monotonic()
        self.connection.send(self.started)
        for _ in range(self.carts):
            answer = await self._hear()
            assert answer is not None
            self.answers.append(answer)
            tell()

    @property
    def ended(self) -> float:
        """When the last was answered."""
        return max(answer.at for answer in self.answers)

    async def _hear(self) -> Answer | None:
        try:
            return await asyncio.to_thread(self.connection.recv)
        except EOFError:
            raise CliError("the callers of the sale ended before they were answered") from None


# -- both ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Times of the phases, by the monotonic clock, and what was answered in them."""

    shop: Shop
    sale: Sale
    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def phases(self) -> dict[str, tuple[float, float]]:
        """When each began and ended."""
        during = (self.sale.started, self.sale.ended)
        return {"before": self.before, "the sale": during, "after": self.after}

    def rate(self, phase: str) -> float:
        """Orders a second of the rest of the shop."""
        start, end = self.phases[phase]
        return len(self.shop.between(start, end)) / (end - start)

    @property
    def ratio(self) -> float:
        """Its rate during the sale, of that before and after."""
        return 2 * self.rate("the sale") / (self.rate("before") + self.rate("after"))


async def measure(
    stage: Stage, sale_carts: int, units: int, shoppers: int, seconds: float, same_store: bool
) -> Measured:
    """Normal trade, the sale, and normal trade again."""
    store = STORE_CODE if same_store else OTHER_STORE
    stage.store.stores.add(Store(code=OTHER_STORE, currency=CURRENCY))
    others = stock(stage.store, LINES)
    hot = stock(stage.store, 1, units, "flash")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:

        async def trade(what: str, for_s: float) -> tuple[float, float]:
            start = time.monotonic()
            bar = progress.add_task(f"{what} (seconds)", total=round(for_s))
            while (now := time.monotonic()) < start + for_s:
                await asyncio.sleep(min(1, start + for_s - now))
                progress.update(bar, completed=round(time.monotonic() - start))
            return start, time.monotonic()

        spare = round(MOST_ORDERS_S * (WARM_UP_S + 2 * seconds)) + 2 * sale_carts
        filling = progress.add_task(f"filling {spare + sale_carts:,} carts", total=None)
        made = await asyncio.to_thread(carts, stage.store, spare, others, store)
        hot_carts = await asyncio.to_thread(carts, stage.store, sale_carts, hot, STORE_CODE)
        progress.update(filling, total=1, completed=1)
        shop = Shop(stage.checkout, store, made, lambda: carts(stage.store, 200, others, store))
        async with Sale.prepared(stage, STORE_CODE, hot_carts) as sale:
            async with shop.opened(shoppers):
                await trade("warming up", WARM_UP_S)
                before = await trade("before", seconds)
                bar = progress.add_task("the sale (answers)", total=sale_carts)
                await sale.held(lambda: progress.advance(bar))
                await trade("what the sale left to do", WARM_UP_S)
                after = await trade("after", seconds)
            return Measured(shop, sale, before, after)


def _milliseconds(answers: list[Answer]) -> tuple[str, str]:
    """The median and the 95th percentile."""
    if len(answers) < 2:
        return "-", "-"
    steps = statistics.quantiles([answer.seconds * 1000 for answer in answers], n=20)
    return f"{steps[9]:,.0f} ms", f"{steps[18]:,.0f} ms"


def _print(console: Console, measured: Measured) -> None:
    table = Table("", "answers", "orders/s", "p50", "p95", title="the rest of the shop")
    for phase, (start, end) in measured.phases.items():
        answers = measured.shop.between(start, end)
        rate = f"{measured.rate(phase):.1f}"
        table.add_row(phase, f"{len(answers):,}", rate, *_milliseconds(answers))
    console.print(table)
    table = Table("", "answers", "", "p50", "p95", title="the sale")
    answers = measured.sale.answers
    for outcome, count in Counter(answer.outcome for answer in answers).most_common():
        some = [answer for answer in answers if answer.outcome == outcome]
        table.add_row(outcome, f"{count:,}", "", *_milliseconds(some))
    table.add_row("everyone", f"{len(answers):,}", "", *_milliseconds(answers))
    console.print(table)
    pending = sum(answer.pending for answer in answers)
    took = measured.sale.ended - measured.sale.started
    met = "met" if measured.ratio >= TARGET else "MISSED"
    print(f"everyone was answered after {took:.1f} s; {pending} times one had to ask again")
    print(f"the rest of the shop kept {measured.ratio:.2f} of its throughput: {TARGET} is {met}")


def _wrong(stage: Stage, measured: Measured, units: int) -> list[str]:
    """What is not as it must be."""
    answers = measured.sale.answers
    orders = sum(answer.outcome == ORDER for answer in answers)
    sold = min(units, len(answers))
    wrong = [f"{orders} orders were answered, and not {sold}"] if orders != sold else []
    everybody = [*answers, *measured.shop.answers]
    wrong += [f"an answer: {answer.outcome}" for answer in everybody if not answer.expected]
    refused = sum(answer.outcome != ORDER for answer in measured.shop.answers)
    if refused:
        wrong.append(f"{refused} of the other store's carts were refused")
    report = stage.store.audit.run()
    wrong += [f"{each.rule}: {', '.join(each.examples)}" for each in report.violations]
    placed = sold + len(measured.shop.answers)
    for count, wanted in {"orders": placed, "holds_open": 0, "carts_locked": 0}.items():
        if report.counts[count] != wanted:
            wrong.append(f"{count} in the store: {report.counts[count]}, and not {wanted}")
    return wrong


async def _run(
    kind: Kind,
    sale_carts: int,
    units: int,
    shoppers: int,
    seconds: float,
    first_port: int,
    same_store: bool,
) -> list[str]:
    async with a_stage(kind, first_port) as stage:
        measured = await measure(stage, sale_carts, units, shoppers, seconds, same_store)
        whose = "the same" if same_store else "another"
        print(
            f"{kind}: {sale_carts:,} carts at once for {units:,} units; {shoppers} shoppers of"
            f" {whose} store, {LINES} lines a cart"
        )
        _print(Console(), measured)
        return _wrong(stage, measured, units)


@click.command(help=__doc__)
@click.argument("database", type=click.Choice([kind.name.lower() for kind in Kind]))
@click.option(
    "--carts", "sale_carts", type=click.IntRange(2, 20_000), default=2000, show_default=True
)
@click.option("--units", type=click.IntRange(1, 20_000), default=200, show_default=True)
@click.option("--shoppers", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="before, and after",
)
@click.option("--first-port", type=click.IntRange(1024, 65_000), default=7333, show_default=True)
@click.option("--same-store", is_flag=True, help="The shoppers are in the store of the sale.")
def main(database: str, **given: Any) -> None:
    try:
        wrong = asyncio.run(_run(Kind[database.upper()], **given))
    except CliError as error:
        raise click.ClickException(str(error)) from None
    for each in wrong[:20]:
        click.echo(f"NOT AS IT MUST BE: {each}", err=True)
    if not wrong:
        print("every answer, the number of orders and the audit are as they must be")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
