"""What happens at any statement of a lock that holds its stock: no deadlock, and no unit is lost.

PostgreSQL only, where transactions overlap; SQLite lets one writer in at a time.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from commerce.contract import Checkout, LockedCart
from commerce.domain.carts import CartStatus
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import CartNotHeldError
from tests.builders import checkout, product, tax
from tests.store.conftest import (
    HOLD_TTL,
    Meanwhile,
    Shop,
    at,
    nothing_wrong,
    on_postgresql_only,
)

pytestmark = on_postgresql_only

Shops = tuple[Shop, Shop]
FEW, MOST = 2, 4
"""Of five apples: what a cart wants, and what an overdue hold has."""

EVERY_STATEMENT = ""
ABORTED = refuse(RefusalReason.ABORTED)


def beside(run: Checkout) -> Checkout:
    """Another cart that wants the same."""
    return checkout(f"{run.request.cart_id}-other")


def old(run: Checkout) -> Checkout:
    """A cart with an overdue hold."""
    return checkout(f"{run.request.cart_id}-old")


def after(run: Checkout) -> Checkout:
    """The next run for the cart."""
    return checkout(run.request.cart_id, f"{run.request.idempotency_key}-next", "next")


def dead(run: Checkout) -> Checkout:
    """The run before, which has ended."""
    return checkout(run.request.cart_id, f"{run.request.idempotency_key}-dead", "dead")


def a_cart(shop: Shop, run: Checkout) -> str:
    """There is enough for the two carts."""
    shop.stock(apple=5, pear=5)
    for each in (run, beside(run)):
        shop.save(each.request.cart_id, ("pear", 1), ("apple", FEW))
    return ""


def with_an_overdue_hold(shop: Shop, run: Checkout) -> str:
    """There is enough for one cart, and for both once a hold is ended."""
    a_cart(shop, run)
    shop.save(old(run).request.cart_id, ("apple", MOST))
    shop.reserve(old(run))
    shop.clock.advance(HOLD_TTL)
    return ""


def of_a_dead_run(shop: Shop, run: Checkout) -> str:
    """The cart is still locked by a run that has ended; the digest that it locked."""
    a_cart(shop, run)
    return shop.reserve(dead(run)).digest


Prepare = Callable[[Shop, Checkout], str]
Call = Callable[[Shop, Checkout, str], object]

ITS_OWN: dict[str, Call] = {
    "the same lock": lambda shop, run, _: shop.store.carts.lock(run, nothing_wrong),
    "release": lambda shop, run, _: shop.store.stock.release(run),
    "unlock": lambda shop, run, _: shop.store.carts.unlock(run, ABORTED),
    "answer": lambda shop, run, _: shop.store.carts.answer(run.request, ABORTED),
}
CATALOGUE: dict[str, Call] = {
    "end the newest": lambda shop, _run, _: shop.store.stock.end_newest("apple", 0),
    "restock": lambda shop, _run, _: shop.stock(apple=1, pear=1),
    "no stock managed": lambda shop, _run, _: shop.stock(apple=None, pear=5),
    "price": lambda shop, _run, _: shop.store.catalog.put([product("apple", 5, price="9.00")]),
    "tax": lambda shop, _run, _: shop.store.stores.set_tax_rate("default", tax("5")),
}
OTHERS: dict[str, Call] = {
    "expire": lambda shop, _run, _: shop.store.stock.expire_overdue(),
    "another cart": lambda shop, run, _: shop.check_out_at_once(beside(run)),
    "the next run": lambda shop, run, _: shop.check_out_at_once(after(run)),
}
THE_DEAD: dict[str, Call] = {
    "create": lambda shop, run, digest: shop.store.orders.create(dead(run), digest),
    "extend": lambda shop, run, digest: shop.store.carts.extend(dead(run), digest),
    "its release": lambda shop, run, _: shop.store.stock.release(dead(run)),
    "its unlock": lambda shop, run, _: shop.store.carts.unlock(dead(run), ABORTED),
    "its lock": lambda shop, run, _: shop.store.carts.lock(dead(run), nothing_wrong),
}
MEANWHILE: list[tuple[Prepare, dict[str, Call]]] = [
    (a_cart, ITS_OWN | CATALOGUE | OTHERS),
    (with_an_overdue_hold, OTHERS),
    (of_a_dead_run, THE_DEAD | CATALOGUE),
]
CASES = [
    pytest.param(prepare, call, id=f"{prepare.__name__}: {name}")
    for prepare, calls in MEANWHILE
    for name, call in calls.items()
]


@pytest.mark.parametrize(("prepare", "call"), CASES)
def test_no_unit_and_no_answer_is_lost(shops: Shops, prepare: Prepare, call: Call) -> None:
    shop, other = shops
    rehearsal = checkout("rehearsal")
    prepare(shop, rehearsal)
    with at(shop.store.database, EVERY_STATEMENT, lambda: None) as statements:
        shop.lock(rehearsal, nothing_wrong)
    end(shop, rehearsal)
    points = [(EVERY_STATEMENT, nth) for nth in range(1, statements.times + 1)]
    for point, nth in [*points, ("COMMIT", 1)]:
        run = checkout(f"cart-{nth}{point}")
        digest = prepare(shop, run)
        happens = Meanwhile(other.store.database, partial(call, other, run, digest))
        with at(shop.store.database, point, happens, nth):
            found = shop.store.carts.lock(run, nothing_wrong)
        result = happens.result()
        assert isinstance(result, CartNotHeldError) or not isinstance(result, Exception), result
        again = shop.store.carts.lock(run, nothing_wrong)
        if isinstance(found, Refusal) and found.shortage is not None:
            assert again == found
            assert shop.content(run.request.cart_id)[1] is CartStatus.ACTIVE
        elif isinstance(found, LockedCart) and isinstance(again, LockedCart):
            assert again == found.model_copy(update={"reserved": False})
            with suppress(CartNotHeldError):
                shop.store.orders.create(run, found.digest)
        end(shop, run)


def end(shop: Shop, run: Checkout) -> None:
    """Every run ends: nothing is left locked or held, and the audit is clean."""
    for each in (run, beside(run), after(run), old(run), dead(run)):
        shop.store.carts.unlock(each, ABORTED)
    counts = shop.counts()
    assert (counts["carts_locked"], counts["holds_open"], counts["units_held"]) == (0, 0, 0)
