"""The demo: a real day of baskets, checked out through the thin client, and audited."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from cli.demo_day import MEMBERS_STORE, OPEN_STORE, Attempt, read_day, read_products
from client import Answered, CheckoutClient, OrderPlaced, Pending, RefusalReason, Refused
from commerce.adapters.payments.sandbox import new_payment_id
from commerce.adapters.store.sql_store import SqlStore
from commerce.domain.carts import CartSnapshot, SnapshotLine
from commerce.domain.money import Money
from commerce.domain.payments import Payment, PaymentStatus

DEADLINE = timedelta(seconds=60)
_STOCK_REASONS = {RefusalReason.OUT_OF_STOCK, RefusalReason.INSUFFICIENT_STOCK}


@dataclass
class _Results:
    answered: dict[str, str] = field(default_factory=dict[str, str])
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    seconds: list[float] = field(default_factory=list[float])
    surprises: list[str] = field(default_factory=list[str])


async def run_demo(
    console: Console,
    store: SqlStore,
    temporal_address: str,
    task_queue: str,
    ui_url: str,
    concurrency: int,
    baskets: int | None,
) -> bool:
    """Check out the day and print what came of it; False when something was not as documented."""
    attempts = _prepare(console, store, baskets)
    before = store.audit.run().counts
    temporal = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    client = CheckoutClient(temporal, task_queue)
    results = await _check_out_all(console, client, attempts, concurrency)
    report = store.audit.run()
    undone = report.counts["holds_undone"] - before["holds_undone"]
    sold = report.counts["units_sold"] - before["units_sold"]
    _print_results(console, results, undone)
    for attempt in attempts:
        order = store.order_book.find(cart_id=attempt.cart.id)
        if (order.number if order else None) != results.answered.get(attempt.cart.id):
            results.surprises.append("the store has another order than was answered")
    for violation in report.violations:
        results.surprises.append(f"{violation.rule}: {', '.join(violation.examples)}")
    console.print(
        f"stock: {report.counts['units_stocked']:,} stocked = {report.counts['units_on_hand']:,}"
        f" on hand + {report.counts['units_sold']:,} sold ({sold:,} today),"
        f" {report.counts['units_held']} held: {'conserved' if report.clean else 'NOT conserved'}",
        soft_wrap=True,
    )
    for surprise in results.surprises[:20]:
        console.print(f"NOT AS DOCUMENTED: {surprise}", style="red")
    workflows = f"{ui_url}/namespaces/default/workflows"
    refused = f"{workflows}?query=CheckoutStatus%3D%22refused%22"
    console.print(f"in the UI: {workflows}", soft_wrap=True)
    console.print(f"  refused: {refused}", soft_wrap=True)
    return not results.surprises


def _prepare(console: Console, store: SqlStore, baskets: int | None) -> list[Attempt]:
    with console.status("stocking the shelves for a real day: 3,678 products, 616 baskets"):
        known = {each.code for each in store.stores.all()}
        for each in (OPEN_STORE, MEMBERS_STORE):
            if each.code in known:
                store.stores.change(each.code, each.model_dump(mode="json"))
            else:
                store.stores.add(each)
        products = read_products()
        store.catalog.put(products)
        attempts = read_day()[:baskets]
        store.carts.save(*[attempt.cart for attempt in attempts if attempt.saved])
        by_sku = {product.sku: product for product in products}
        for attempt in attempts:
            lines = tuple(
                SnapshotLine(
                    sku=line.sku,
                    name=by_sku[line.sku].name,
                    kind=by_sku[line.sku].kind,
                    quantity=line.quantity,
                    price=by_sku[line.sku].price,
                )
                for line in attempt.cart.lines
            )
            attempt.total = (
                CartSnapshot(cart=attempt.cart, store=OPEN_STORE, lines=lines).totals().grand_total
            )
            if attempt.at_gateway:
                attempt.payment_id = new_payment_id()
        payments = [_payment(each) for each in attempts if each.at_gateway]
        store.sandbox_payments.put(*[payment for payment in payments if payment])
    return attempts


def _payment(attempt: Attempt) -> Payment | None:
    """The payment that the shopper approved at the sandbox gateway, or a faulty one."""
    if attempt.payment_fault == "unknown":
        return None
    amount = attempt.total
    if attempt.payment_fault == "other amount":
        amount = amount.plus(Money.parse("0.01", amount.currency))
    return Payment(
        id=attempt.payment_id,
        cart_id="another-cart" if attempt.payment_fault == "other cart" else attempt.cart.id,
        amount=amount,
        status=PaymentStatus.CREATED
        if attempt.payment_fault == "not approved"
        else PaymentStatus.APPROVED,
    )


async def _check_out_all(
    console: Console, client: CheckoutClient, attempts: list[Attempt], concurrency: int
) -> _Results:
    results = _Results()
    turn = asyncio.Semaphore(concurrency)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("checking out", total=len(attempts))

        async def one(attempt: Attempt) -> None:
            async with turn:
                started = time.perf_counter()
                answer = await _ask(client, attempt)
                results.seconds.append(time.perf_counter() - started)
                _count(results, attempt, answer)
                if attempt.twice and isinstance(answer, OrderPlaced):
                    again = await _ask(client, attempt)
                    _count_repeat(results, answer, again)
            progress.advance(bar)

        await asyncio.gather(*[one(attempt) for attempt in attempts])
    return results


async def _ask(client: CheckoutClient, attempt: Attempt) -> Answered:
    expected = attempt.total
    if attempt.wrong_total:
        expected = expected.plus(Money.parse("0.01", expected.currency))
    cart_id = "" if attempt.without_id else attempt.cart.id
    if attempt.at_gateway:
        return await client.complete_order(
            cart_id,
            attempt.payment_id,
            shopper=attempt.shopper,
            store=attempt.store_code,
            expected_total=expected,
            deadline=DEADLINE,
        )
    return await client.place_order(
        cart_id,
        shopper=attempt.shopper,
        store=attempt.store_code,
        expected_total=expected,
        deadline=DEADLINE,
    )


def _count(results: _Results, attempt: Attempt, answer: Answered) -> None:
    match answer:
        case OrderPlaced():
            results.answered[attempt.cart.id] = answer.order_number
            if attempt.expected:
                results.surprises.append(f"an order instead of {attempt.expected}")
        case Refused():
            results.refusals[str(answer.code or "no code"), str(answer.reason)] += 1
            if answer.reason is not attempt.expected and answer.reason not in _STOCK_REASONS:
                results.surprises.append(f"{answer.reason} instead of {attempt.expected}")
        case Pending():
            results.surprises.append("no outcome in time")


def _count_repeat(results: _Results, first: OrderPlaced, again: Answered) -> None:
    if isinstance(again, Refused):
        results.refusals[str(again.code), str(again.reason)] += 1
    if not (isinstance(again, Refused) and again.order_number == first.order_number):
        results.surprises.append("a cart that is an order was not refused naming it")


def _print_results(console: Console, results: _Results, undone: int) -> None:
    table = Table("outcome", "why", "answers")
    table.add_row("order", "", str(len(results.answered)))
    for (code, reason), count in sorted(results.refusals.items()):
        table.add_row(code, reason, str(count))
    console.print(table)
    console.print(f"holds undone after a refusal: {undone}")
    ordered = sorted(results.seconds)
    p50, p95 = (ordered[round(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.95))
    console.print(f"per checkout: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
