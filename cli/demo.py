"""The demo: a real day of baskets, filled and checked out through GraphQL, and audited."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.identity import TokenIssuer
from cli.demo_day import MEMBERS_STORE, OPEN_STORE, TAX_RATES, Attempt, read_day, read_products
from cli.demo_shopper import Ordered, Storefront
from cli.money import differences
from commerce.adapters.payments.sandbox import Ledger, SandboxGateway, new_payment_id
from commerce.adapters.store.sql_store import SqlStore
from commerce.domain.carts import ProductKind
from commerce.domain.errors import RefusalReason
from commerce.domain.money import Money

SETTLED_S = 60
ASK_AGAIN_S = 0.5
_STOCK_REASONS = {RefusalReason.OUT_OF_STOCK, RefusalReason.INSUFFICIENT_STOCK}


@dataclass
class _Results:
    answered: dict[str, str] = field(default_factory=dict[str, str])
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    paid: Counter[str] = field(default_factory=Counter[str])
    pending: set[str] = field(default_factory=set[str])
    seconds: list[float] = field(default_factory=list[float])
    surprises: list[str] = field(default_factory=list[str])


async def run_demo(
    console: Console,
    store: SqlStore,
    api_url: str,
    issuer: TokenIssuer | None,
    gateway: SandboxGateway,
    ui_url: str,
    concurrency: int,
    baskets: int | None,
) -> bool:
    """Play the day and print what came of it; False when something was not as documented."""
    assert issuer is not None, "checkout dev has a secret for customers' tokens"
    attempts = _prepare(console, store, baskets)
    before = store.audit.run().counts
    results = _Results()
    async with Storefront(api_url, issuer).opened() as shop:

        async def fill(attempt: Attempt) -> None:
            await _fill(gateway, shop, attempt, results)

        async def order(attempt: Attempt) -> None:
            await _order(shop, attempt, results)

        await _each(console, "filling carts", attempts, concurrency, fill)
        _make_dearer(store, attempts)
        await _each(console, "checking out", attempts, concurrency, order)
    ledger = await _until_money_is_settled(console, gateway, store)
    report = store.audit.run()
    undone = report.counts["holds_undone"] - before["holds_undone"]
    sold = report.counts["units_sold"] - before["units_sold"]
    _print_results(console, results, undone)
    for attempt in attempts:
        placed = store.order_book.find(cart_id=attempt.cart.id)
        if (placed.number if placed else None) != results.answered.get(attempt.cart.id):
            results.surprises.append("the store has another order than was answered")
    wrong = differences(ledger, store.audit.paid_orders())
    results.surprises += wrong
    for violation in report.violations:
        results.surprises.append(f"{violation.rule}: {', '.join(violation.examples)}")
    console.print(
        f"stock: {report.counts['units_stocked']:,} stocked = {report.counts['units_on_hand']:,}"
        f" on hand + {report.counts['units_sold']:,} sold ({sold:,} today),"
        f" {report.counts['units_held']} held: {'conserved' if report.clean else 'NOT conserved'}",
        soft_wrap=True,
    )
    _print_money(console, results, ledger, agree=not wrong)
    for surprise in results.surprises[:20]:
        console.print(f"NOT AS DOCUMENTED: {surprise}", style="red", soft_wrap=True)
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
            for rate in TAX_RATES:
                store.stores.set_tax_rate(each.code, rate)
        attempts = read_day()[:baskets]
        offers = [attempt.dearer for attempt in attempts if attempt.dearer]
        products = [*read_products(), *offers]
        store.catalog.put(products)
        kinds = {product.sku: product.kind for product in products}
        for attempt in attempts:
            bought = {kinds[line.sku] for line in attempt.cart.lines}
            attempt.virtual = bought == {ProductKind.VIRTUAL}
    return attempts


def _make_dearer(store: SqlStore, attempts: list[Attempt]) -> None:
    """Prices go up between the look at the total and the order."""
    cent = Money.parse("0.01", OPEN_STORE.currency)
    for offer in [attempt.dearer for attempt in attempts if attempt.dearer]:
        store.catalog.put([offer.model_copy(update={"price": offer.price.plus(cent)})])


async def _each(
    console: Console,
    what: str,
    attempts: list[Attempt],
    concurrency: int,
    call: Callable[[Attempt], Awaitable[None]],
) -> None:
    turn = asyncio.Semaphore(concurrency)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(what, total=len(attempts))

        async def one(attempt: Attempt) -> None:
            async with turn:
                await call(attempt)
            progress.advance(bar)

        await asyncio.gather(*[one(attempt) for attempt in attempts])


async def _until_money_is_settled(
    console: Console, gateway: SandboxGateway, store: SqlStore
) -> Ledger:
    """The gateway's ledger once every order is captured: that comes after the answers."""
    deadline = time.monotonic() + SETTLED_S
    with console.status("waiting for the captures"):
        while True:
            ledger = await gateway.ledger()
            if not differences(ledger, store.audit.paid_orders()) or time.monotonic() > deadline:
                return ledger
            await asyncio.sleep(ASK_AGAIN_S)


async def _fill(
    gateway: SandboxGateway, shop: Storefront, attempt: Attempt, results: _Results
) -> None:
    """Fill the cart, look at its total, and approve a payment of it at the sandbox gateway."""
    if not attempt.made:
        attempt.payment_id = new_payment_id()
        return
    refused = await shop.fill(attempt)
    if bool(refused) != attempt.refused_on_the_way:
        results.surprises.append(f"while a cart was filled: {refused or 'nothing refused'}")
    attempt.total = await shop.look(attempt)
    if attempt.payment_fault:
        attempt.payment_id = await _faulty_payment(gateway, attempt)
    elif attempt.script:
        attempt.payment_id = await shop.make_payment(attempt)
        await gateway.approve(attempt.payment_id)
        if not attempt.at_gateway:
            await shop.choose_payment(attempt)


async def _faulty_payment(gateway: SandboxGateway, attempt: Attempt) -> str:
    """A payment that does not pay for this cart."""
    if attempt.payment_fault == "unknown":
        return new_payment_id()
    amount = attempt.total
    if attempt.payment_fault == "other amount":
        amount = amount.plus(Money.parse("0.01", amount.currency))
    made = await gateway.make(
        "another-cart" if attempt.payment_fault == "other cart" else attempt.cart.id,
        amount,
        approve=attempt.payment_fault != "not approved",
    )
    return made.id


async def _order(shop: Storefront, attempt: Attempt, results: _Results) -> None:
    key = secrets.token_hex(16)
    started = time.perf_counter()
    answer = await shop.order(attempt, key)
    results.seconds.append(time.perf_counter() - started)
    while answer.reason == "PAYMENT_PENDING":
        results.pending.add(attempt.cart.id)
        await asyncio.sleep(ASK_AGAIN_S)
        answer = await shop.order(attempt, key)
    _count(results, attempt, answer)
    if attempt.twice and answer.number:
        again = await shop.order(attempt, secrets.token_hex(16))
        results.refusals[again.code, again.reason] += 1
        if again.order_number != answer.number:
            results.surprises.append("a cart that is an order was not refused naming it")


def _count(results: _Results, attempt: Attempt, answer: Ordered) -> None:
    if answer.number:
        results.answered[attempt.cart.id] = answer.number
        if attempt.script:
            results.paid["completeOrder" if attempt.at_gateway else "placeOrder"] += 1
        if attempt.expected:
            results.surprises.append(f"an order instead of {attempt.expected}")
        if answer.total != attempt.total:
            results.surprises.append(f"shown {attempt.total}, ordered {answer.total}")
        return
    results.refusals[answer.code or "no code", answer.reason] += 1
    if answer.reason != attempt.expected and answer.reason not in _STOCK_REASONS:
        results.surprises.append(f"{answer.reason} instead of {attempt.expected}")


def _print_money(console: Console, results: _Results, ledger: Ledger, *, agree: bool) -> None:
    """What the gateway says happened to the money, which knows nothing of orders."""
    by = ", ".join(f"{count} by {name}" for name, count in sorted(results.paid.items()))
    console.print(f"paid online: {by}; {len(results.pending)} were pending first")
    for currency, total in ledger.totals.items():

        def money(amount_minor: int, currency: str = currency) -> str:
            return str(Money(amount_minor=amount_minor, currency=currency))

        console.print(
            f"the gateway's ledger: {money(total.authorized_minor)} authorized,"
            f" {money(total.captured_minor)} captured, {money(total.voided_minor)} voided,"
            f" {money(total.refunded_minor)} refunded, {money(total.open_minor)} open:"
            f" {'equal to the orders' if agree else 'NOT as it should be'}",
            soft_wrap=True,
        )


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
