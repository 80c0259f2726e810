"""A busy random history: whatever happened, in whatever order, the audit is clean."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from commerce.contract import Checkout, LockedCart, OrderPlaced, Outcome
from commerce.domain.cart_edits import Addition, ensure_editable, with_products
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import Cart, CartSnapshot, CartView
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.orders import OrderStatus
from commerce.ports import CartNotHeldError
from tests.builders import EMAIL, checkout, tax
from tests.store.conftest import HOLD_TTL, SECOND, Shop, nothing_wrong
from tests.store.shoppers import GUEST, joining

STEPS = 220
AUDIT_EVERY = 20
SKUS = ("apple", "pear", "plum")
CARTS = 25
PREFIXES = ("", "A", "B-")
PERCENT = ("0", "8.25", "19.6")
ABORTED = refuse(RefusalReason.ABORTED)


@dataclass
class Run:
    """One run of a checkout, as far as it came."""

    checkout: Checkout
    snapshot: CartSnapshot | None = None
    over: bool = False


@dataclass
class History:
    """Shoppers, checkouts, crashes and operators, one step at a time."""

    shop: Shop
    rng: random.Random
    runs: list[Run] = field(default_factory=list[Run])
    live: dict[str, Run] = field(default_factory=dict[str, Run])
    orders: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    refused: set[RefusalReason] = field(default_factory=set[RefusalReason])

    def step(self) -> None:
        steps: dict[Callable[[], object], int] = {
            self.edit: 6,
            self.fill: 6,
            self.merge: 1,
            self.start: 8,
            self.go_on: 20,
            self.abort: 1,
            self.come_late: 6,
            self.restock: 3,
            self.wait: 2,
            self.expire: 1,
            self.settle: 2,
            self.reconfigure: 1,
        }
        (chosen,) = self.rng.choices(list(steps), list(steps.values()))
        chosen()

    def note(self, outcome: Outcome | None, run: Run) -> None:
        if isinstance(outcome, OrderPlaced):
            self.orders.setdefault(run.checkout.request.cart_id, set()).add(outcome.order_number)
        if isinstance(outcome, Refusal):
            self.refused.add(outcome.reason)

    def edit(self) -> None:
        lines = [(self.rng.choice(SKUS), self.rng.randint(1, 4)) for _ in range(3)]
        with suppress(CartEditError):
            email = self.rng.choice([EMAIL] * 9 + [None])
            cart_id = f"cart-{self.rng.randrange(CARTS)}"
            self.shop.save(cart_id, *lines[: self.rng.randint(1, 3)], email=email)

    def fill(self) -> None:
        """A shopper puts something into a cart and is shown the total."""
        addition = Addition(self.rng.choice(SKUS), self.rng.randint(1, 4))

        def change(view: CartView) -> Cart:
            ensure_editable(view, GUEST, "")
            return with_products(view, [addition])[0]

        with suppress(CartEditError):
            cart_id = f"cart-{self.rng.randrange(CARTS)}"
            view = self.shop.store.shopping.edit(cart_id, change, [addition.sku])
            if (total := view.total()) and self.rng.random() < 0.5:
                self.shop.store.shopping.show_total(cart_id, total)

    def merge(self) -> None:
        source, destination = self.rng.sample(range(CARTS), 2)
        with suppress(CartEditError):
            shopping = self.shop.store.shopping
            shopping.merge(f"cart-{source}", f"cart-{destination}", joining(GUEST))

    def start(self) -> None:
        """A new run; whatever ran for this cart has ended, and nobody has undone it."""
        cart_id, name = f"cart-{self.rng.randrange(CARTS)}", f"run-{len(self.runs)}"
        asked: dict[str, Any] = {"asked_at": self.shop.clock.time}
        if self.rng.random() < 0.5:
            payment_id = f"{cart_id}-paid-{self.rng.randrange(2)}"
            if self.rng.random() < 0.1:
                payment_id = "stolen"
            asked |= {"operation": Operation.COMPLETE_ORDER, "payment_id": payment_id}
        run = Run(checkout(cart_id, key=name, run=name, **asked))
        self.runs.append(run)
        self.live[cart_id] = run
        self.lock(run)

    def lock(self, run: Run) -> None:
        check = self.rng.choice([nothing_wrong, None])  # with its stock, or without
        locked = self.shop.store.carts.lock(run.checkout, check)
        if not isinstance(locked, LockedCart):
            run.over = True
            return self.note(locked, run)
        run.snapshot = self.shop.store.carts.snapshot(run.checkout, locked.digest)
        return None

    def go_on(self) -> None:
        """The next step of a live run; or a step again, for its answer was lost."""
        runs = [run for run in self.live.values() if run.snapshot and not run.over]
        if not runs:
            return
        run = self.rng.choice(runs)
        steps = [self.hold, self.create, self.create]
        if run.checkout.request.payment_id:
            steps = [self.hold, self.claim, self.extend, self.pay, self.pay, self.pay]
        self.rng.choice(steps)(run)

    def hold(self, run: Run) -> None:
        assert run.snapshot
        try:
            refusal = self.shop.store.stock.hold(run.checkout, run.snapshot)
        except CartNotHeldError:
            refusal = refuse(RefusalReason.CART_CHANGED)
        if refusal:
            self.undo(run, refusal)

    def claim(self, run: Run) -> None:
        """The payment is authorized; or it is not, and the shopper may try it again."""
        assert run.snapshot
        try:
            claimed = self._claim(run)
        except CartNotHeldError:
            claimed = False
        if claimed and self.rng.random() < 0.1:
            self.shop.store.claims.let_go(run.checkout)
            claimed = False
        if not claimed:
            self.undo(run, refuse(RefusalReason.PAYMENT_ID_INVALID))

    def pay(self, run: Run) -> None:
        """The order, mostly with a payment."""
        if self.rng.random() < 0.9:
            self.claim(run)
        if not run.over:
            self.create(run)

    def _claim(self, run: Run) -> bool:
        assert run.snapshot
        digest, payment_id = run.snapshot.digest(), run.checkout.request.payment_id
        return self.shop.store.claims.claim(run.checkout, digest, payment_id)

    def extend(self, run: Run) -> None:
        assert run.snapshot
        with suppress(CartNotHeldError):
            if self.shop.store.stock.hold(run.checkout, run.snapshot) is None:
                self.shop.store.carts.extend(run.checkout, run.snapshot.digest())

    def create(self, run: Run) -> None:
        assert run.snapshot
        outcome = self.shop.store.orders.create(run.checkout, run.snapshot.digest())
        self.note(outcome, run)
        if isinstance(outcome, Refusal):
            self.undo(run, outcome)
        elif self.rng.random() < 0.8:  # else the answer was lost, and the step is repeated
            run.over = True

    def undo(self, run: Run, refusal: Refusal) -> None:
        self.note(self.shop.undo(run.checkout, refusal), run)
        run.over = True

    def abort(self) -> None:
        runs = [run for run in self.live.values() if not run.over]
        if runs:
            self.undo(self.rng.choice(runs), ABORTED)

    def come_late(self) -> None:
        """Something of a run that is over, or was never to go on, is still executed."""
        dead = [x for x in self.runs if x.over or x is not self.live[x.checkout.request.cart_id]]
        if not dead:
            return
        run = self.rng.choice(dead)
        store = self.shop.store
        late: list[Callable[[], object]] = [lambda: store.stock.release(run.checkout)]
        late.append(lambda: store.carts.unlock(run.checkout, ABORTED))
        if run.snapshot is not None:  # else its first attempt would take the cart over
            late.append(lambda: store.carts.lock(run.checkout, nothing_wrong))
        if snapshot := run.snapshot:
            late.append(lambda: store.stock.hold(run.checkout, snapshot))
            late.append(lambda: store.orders.create(run.checkout, snapshot.digest()))
        if snapshot and run.checkout.request.payment_id:
            late.append(lambda: self._claim(run))
            late.append(lambda: self.extend(run))
            late.append(lambda: store.claims.let_go(run.checkout))
            late.append(lambda: store.claims.give_up(run.checkout))
        with suppress(CartNotHeldError):
            self.rng.choice(late)()

    def restock(self) -> None:
        units = self.rng.choice([None, 0, 3, 30, 60, 60, 60])
        self.shop.stock(**{self.rng.choice(SKUS): units})

    def wait(self) -> None:
        self.shop.clock.advance(SECOND * self.rng.choice([1, 60, 600, 900]))

    def expire(self) -> None:
        self.shop.store.stock.expire_overdue()

    def settle(self) -> None:
        numbers = sorted(number for numbers in self.orders.values() for number in numbers)
        if not numbers:
            return
        number = self.rng.choice(numbers)
        orders = self.shop.store.orders
        self.rng.choice([orders.mark_captured, orders.mark_for_review])(number)
        if event := self.shop.event(number):
            self.shop.store.orders.mark_announced([event.event_id])

    def reconfigure(self) -> None:
        self.shop.store.stores.change("default", {"order_prefix": self.rng.choice(PREFIXES)})
        self.shop.store.stores.set_tax_rate("default", tax(self.rng.choice(PERCENT), "TX"))

    def finish(self) -> None:
        """Every run ends: it is undone, or its hold expires and its cart is edited."""
        for run in self.live.values():
            if not run.over:
                self.undo(run, ABORTED)
        self.shop.clock.advance(HOLD_TTL)
        while self.shop.store.stock.expire_overdue():
            pass


def test_a_busy_history_is_clean_at_every_moment(shop: Shop, seed: int) -> None:
    shop.stock(apple=60, pear=30, plum=None)
    history = History(shop, random.Random(seed))
    for step in range(STEPS):
        history.step()
        if step % AUDIT_EVERY == 0:
            shop.counts()
    history.finish()

    counts = shop.counts()
    assert (counts["holds_open"], counts["units_held"]) == (0, 0)
    assert all(len(numbers) == 1 for numbers in history.orders.values()), history.orders
    assert counts["orders"] == len(history.orders)
    assert history.orders, "a history in which nothing is ordered shows nothing"
    assert history.refused, "nor one in which nothing is refused"
    paid: list[str] = []
    for cart_id, (number,) in history.orders.items():
        order = shop.store.order_book.find(number)
        assert order is not None
        assert order.cart_id == cart_id
        if order.payment_id:
            paid.append(order.payment_id)
            claim = shop.store.claims.find(order.payment_id)
            assert claim is not None
            assert (claim.order_number, claim.cart_id) == (number, cart_id)
        captured = order.status is OrderStatus.PROCESSING
        owed = shop.store.orders.payment_to_capture(number)
        assert (owed and owed.payment_id) == (None if captured else order.payment_id)
    assert len(set(paid)) == len(paid), "one payment has paid for two orders"
