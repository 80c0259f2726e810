"""Carts: edited by shoppers, locked by checkouts."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from commerce.adapters.store.answers import Answers
from commerce.adapters.store.cart_rows import (
    fill,
    is_erased,
    locked_row,
    number_lines,
    read_lines,
    read_view,
    to_cart,
    write_lines,
)
from commerce.adapters.store.database import Database, run, run_later
from commerce.adapters.store.holds import SqlStock
from commerce.adapters.store.models import (
    CartRow,
    OrderRow,
    PaymentClaimRow,
    ProductRow,
    StoreRow,
)
from commerce.contract import Checkout, CheckoutRequest, Extension, LockedCart, Outcome
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import Cart, CartLine, CartSnapshot, CartStatus
from commerce.domain.checks import Check, cart_refusal
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.stock import Shortage, demand
from commerce.ports import CartNotHeldError

_LOCK_WITH_STORE = (
    select(CartRow, StoreRow)
    .join(StoreRow, CartRow.store_code == StoreRow.code)
    .where(CartRow.id == bindparam("this"))
    .with_for_update(of=CartRow)
)
_LOCK = update(CartRow).where(CartRow.id == bindparam("this")).values(status=CartStatus.LOCKED)
_SNAPSHOT = select(CartRow.snapshot).where(
    CartRow.id == bindparam("this"),
    CartRow.locked_by == bindparam("by"),
    CartRow.snapshot_digest == bindparam("digest"),
)


class SqlCarts:
    """The carts port, and what fills carts."""

    def __init__(
        self, database: Database, stock: SqlStock, answers: Answers, lock_ttl: timedelta
    ) -> None:
        self._database = database
        self._stock = stock
        self._answers = answers
        self._lock_ttl = lock_ttl

    # -- shoppers ---------------------------------------------------------------------------

    def save(self, *carts: Cart) -> None:
        """Create carts, or replace the content of active ones; all or none.

        Raises:
            CartEditError: A cart is locked by a checkout or is an order already, or it names a
                store or a SKU that does not exist.
        """
        now = self._database.now()
        carts = tuple({cart.id: cart for cart in carts}.values())
        with self._database.transaction() as tx:
            self._check_references(tx, carts)
            rows = self._lock_for_edit(tx, carts)
            ended = {row.locked_by: row.id for row in rows.values() if row.locked_by is not None}
            self._stock.end(tx, ended)
            lines: dict[str, tuple[CartLine, ...]] = {}
            for cart in carts:
                row = rows[cart.id]
                fill(row, cart, now)
                new = (line.model_copy(update={"id": 0}) for line in cart.lines)
                lines[cart.id] = number_lines(row, new)
            write_lines(tx, lines)

    def find(self, cart_id: str) -> tuple[Cart, CartStatus] | None:
        """A cart as it stands."""
        with self._database.reading() as tx:
            row = tx.get(CartRow, cart_id)
            return None if row is None else (to_cart(row, read_lines(tx, cart_id)), row.status)

    def _check_references(self, tx: Session, carts: Sequence[Cart]) -> None:
        codes = {cart.store_code for cart in carts}
        known_codes = set(tx.scalars(select(StoreRow.code).where(StoreRow.code.in_(codes))))
        for code in sorted(codes - known_codes):
            raise CartEditError(CartProblem.STORE_OF_CART_NOT_FOUND, code)
        skus = sorted({line.sku for cart in carts for line in cart.lines})
        known: set[str] = set()
        for start in range(0, len(skus), 500):
            chunk = skus[start : start + 500]
            known.update(tx.scalars(select(ProductRow.sku).where(ProductRow.sku.in_(chunk))))
        for sku in skus:
            if sku not in known:
                raise CartEditError(CartProblem.PRODUCT_NOT_FOUND, sku)

    def _lock_for_edit(self, tx: Session, carts: Sequence[Cart]) -> dict[str, CartRow]:
        """The rows of all carts, made where missing and locked in the order of their ids."""
        now = self._database.now()
        rows: dict[str, CartRow] = {}
        for cart in sorted(carts, key=lambda cart: cart.id):
            tx.execute(
                self._database.insert(CartRow)
                .values(
                    id=cart.id,
                    store_code=cart.store_code,
                    purchase_order_number="",
                    status=CartStatus.ACTIVE,
                    created_at=now,
                    updated_at=now,
                )
                .on_conflict_do_nothing()
            )
            row = locked_row(tx, cart.id)
            assert row is not None
            if row.status in (CartStatus.CONVERTED, CartStatus.MERGED):
                raise CartEditError(CartProblem.CART_NOT_ACTIVE)
            if row.lock_expires_at and row.lock_expires_at > now:
                raise CartEditError(CartProblem.CART_LOCKED)
            rows[cart.id] = row
        return rows

    # -- checkouts --------------------------------------------------------------------------

    def lock(self, checkout: Checkout, check: Check | None = None) -> LockedCart | Outcome:
        """Lock the cart and freeze its snapshot, or give the answer that there is already.

        A lock of another run is taken over: Temporal runs one checkout per cart at a time, so
        that run has ended, and whatever of it still executes finds its lock and hold gone.
        """
        found: LockedCart | Outcome = refuse(RefusalReason.CART_CHANGED)

        def attempt(tx: Session) -> None:
            nonlocal found
            found = self._lock(tx, checkout, check)

        try:
            short = self._stock.unless_short(attempt)
        except CartNotHeldError:
            check = None  # nothing is taken any more: only what was answered is looked up
            short = self._stock.unless_short(attempt)
        if short is None:
            return found
        with self._database.transaction() as tx:
            return self._lock(tx, checkout, check, refused=short)

    def _lock(
        self,
        tx: Session,
        checkout: Checkout,
        check: Check | None,
        refused: Refusal | None = None,
    ) -> LockedCart | Outcome:
        request = checkout.request
        found = tx.execute(_LOCK_WITH_STORE, {"this": request.cart_id}).one_or_none()
        if found is None:
            return refuse(RefusalReason.CART_NOT_FOUND)
        row, store_row = found
        erased = is_erased(row)
        # Who is the first to claim the key has not been undone: an undo answers it.
        if erased or check is None or not self._answers.open(tx, checkout):
            if self._stock.was_released(tx, checkout.id):
                return self._answers.stored(tx, request) or refuse(RefusalReason.CART_CHANGED)
            if erased:
                is_order = row.status is CartStatus.CONVERTED
                why = RefusalReason.CART_NOT_ACTIVE if is_order else RefusalReason.NOT_CART_OWNER
                return refuse(why)
            answered = self._answers.claim(tx, checkout)
            if answered is not None:
                return answered
            if row.locked_by == checkout.id and row.snapshot and row.snapshot_digest:
                return _locked(row.snapshot, row.snapshot_digest)
        if row.locked_by is not None:
            if check and self._stock.was_released(tx, checkout.id):
                raise CartNotHeldError("this checkout was undone before it came")
            check = None  # what the dead run held is locked first: stock would be out of order here
        result = self._snapshot_or_outcome(tx, row, store_row, checkout, check, refused)
        if not isinstance(result, CartSnapshot):
            self._answers.store(tx, checkout, result)
            return result
        if row.locked_by is not None:
            self._stock.end(tx, {row.locked_by: row.id})
        digest = result.digest()
        run_later(
            tx,
            _LOCK,
            this=row.id,
            locked_by=checkout.id,
            lock_expires_at=self._database.now() + self._lock_ttl,
            snapshot=result,
            snapshot_digest=digest,
        )
        if check:  # last, for others wait for these rows until this transaction ends
            self._stock.ensure_held(tx, checkout, demand(result.lines))
        return _locked(result, digest, reserved=check is not None)

    def _snapshot_or_outcome(
        self,
        tx: Session,
        row: CartRow,
        store_row: StoreRow,
        checkout: Checkout,
        check: Check | None,
        refused: Refusal | None,
    ) -> CartSnapshot | Outcome:
        """The snapshot, or why there is none."""
        request = checkout.request
        if row.status is CartStatus.CONVERTED:
            return self._already_ordered(tx, row, request)
        if row.status is CartStatus.MERGED:
            return refuse(RefusalReason.CART_NOT_ACTIVE)
        view = read_view(tx, row, store_row, self._database.now())
        refusal = cart_refusal(view.cart, view.store, request.shopper, request.store_code)
        if refusal:
            return refusal
        for line in view.cart.lines:
            if view.products[line.sku].price is None:
                short = Shortage(sku=line.sku, wanted=line.quantity, available=0)
                return Refusal(reason=RefusalReason.PRODUCT_UNAVAILABLE, shortage=short)
        if view.total() is None:
            return refuse(RefusalReason.TOTAL_TOO_LARGE)
        if refused:
            return refused
        snapshot = view.snapshot()
        if check is None:
            return snapshot
        refusal = self._stock.short(tx, demand(snapshot.lines), view) or check(snapshot)
        return refusal or snapshot

    def _already_ordered(self, tx: Session, row: CartRow, request: CheckoutRequest) -> Outcome:
        """The order for who asked before it existed, else "not active", naming it to its owner."""
        order = tx.scalars(select(OrderRow).where(OrderRow.cart_id == row.id)).one()
        if request.shopper.customer_id != row.customer_id:
            return refuse(RefusalReason.CART_NOT_ACTIVE)
        placed = self._answers.of_order(order)
        asked_before = request.asked_at <= order.created_at or self._answers.was_noted_before(
            tx, request, order.created_at
        )
        if asked_before and request.expected_total in (None, placed.total):
            return placed
        return Refusal(reason=RefusalReason.CART_NOT_ACTIVE, order_number=order.number)

    def snapshot(self, checkout: Checkout, digest: str) -> CartSnapshot:
        """The snapshot of a cart that this checkout has locked.

        Raises:
            CartNotHeldError: The lock is lost, or the snapshot is not the one meant.
        """
        cart_id = checkout.request.cart_id
        with self._database.looking() as tx:
            found = run(tx, _SNAPSHOT, this=cart_id, by=checkout.id, digest=digest)
            snapshot: CartSnapshot | None = found.scalar_one_or_none()
        if snapshot is None:
            raise CartNotHeldError("the cart is no longer locked by this checkout")
        return snapshot

    def extend(self, checkout: Checkout, digest: str) -> Extension:
        """Keep cart and stock set aside for longer, for a payment that is waited for.

        Stock that was set aside and has expired is taken again if there is some left.

        Raises:
            CartNotHeldError: The cart is no longer locked by this checkout, or it is being undone.
        """
        with self._database.transaction() as tx:
            row = locked_row(tx, checkout.request.cart_id)
            if row is None or row.locked_by != checkout.id or row.snapshot_digest != digest:
                raise CartNotHeldError("the cart is no longer locked by this checkout")
            row.lock_expires_at = self._database.now() + self._lock_ttl
            tx.execute(
                update(
                    PaymentClaimRow
                )  # the sweep leaves it alone for as long, should this run end
                .where(PaymentClaimRow.checkout_id == checkout.id)
                .values(look_at=row.lock_expires_at)
            )
            held = self._stock.extend(tx, checkout.id)
            snapshot = row.snapshot
        assert snapshot is not None, "a locked cart has a snapshot"
        held = held or self._stock.hold(checkout, snapshot) is None
        return Extension(seconds=self._lock_ttl.total_seconds(), held=held)

    def unlock(self, checkout: Checkout, refusal: Refusal) -> Outcome:
        """Give the cart back and store the refusal; the order, if there is one after all.

        From now on every step of this run that comes late is refused.
        """
        request = checkout.request
        with self._database.transaction() as tx:
            row = locked_row(tx, request.cart_id)
            if row is None:
                return refusal
            self._stock.end(tx, {checkout.id: row.id})
            if row.locked_by == checkout.id:
                row.status = CartStatus.ACTIVE
                row.locked_by = row.lock_expires_at = row.snapshot = row.snapshot_digest = None
                tx.flush()
            if is_erased(row):
                order = select(OrderRow).where(OrderRow.checkout_id == checkout.id)
                made = tx.scalars(order).one_or_none()
                return refusal if made is None else self._answers.of_order(made)
            self._answers.refuse_noted(tx, request, refusal)
            return self._answers.store_unless_claimed(tx, request, refusal, row.locked_by)

    def note(self, request: CheckoutRequest) -> None:
        """Note that a request that joined was told to ask again: it asked before the outcome."""
        with self._database.transaction() as tx:
            row = locked_row(tx, request.cart_id)
            if row is not None and not is_erased(row):
                self._answers.note(tx, request)

    def answer(self, request: CheckoutRequest, outcome: Outcome) -> Outcome:
        """Store the outcome under the request's key, unless it has one already; return that.

        "Not active" is decided anew for each request: who asked before the order existed gets it.
        """
        with self._database.transaction() as tx:
            row = locked_row(tx, request.cart_id)
            if row is None or is_erased(row):
                return outcome
            if row.status is CartStatus.CONVERTED and isinstance(outcome, Refusal):
                outcome = self._already_ordered(tx, row, request)
            return self._answers.store_unless_claimed(tx, request, outcome, row.locked_by)


def _locked(snapshot: CartSnapshot, digest: str, *, reserved: bool = False) -> LockedCart:
    choice = snapshot.cart.payment
    return LockedCart(
        digest=digest,
        store_code=snapshot.store.code,
        items=sum(line.quantity for line in snapshot.lines),
        lines=len(snapshot.lines),
        skus=len({line.sku for line in snapshot.lines}),
        total=snapshot.totals().grand_total,
        payment_id=choice.payment_id if choice and choice.is_online else None,
        reserved=reserved,
    )
