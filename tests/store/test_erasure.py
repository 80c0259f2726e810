"""Is a person gone from every table once they are erased, and everything else still there?"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from commerce.adapters.store.erasure import Erased
from commerce.contract import Checkout, Outcome
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartStatus, Shopper
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.payments import PaymentChoice
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, SECOND, Meanwhile, Shop, at, on_postgresql_only
from tests.store.shoppers import ADA

CUSTOMER = "ada"
EMAIL = "Zoe.Erased@Example.com"
HOME = Address(
    firstname="Zoefirst",
    lastname="Zoelast",
    company="Zoecompany",
    street=("12 Zoestreet", "Zoefloor"),
    city="Zoecity",
    region="TX",
    postcode="A9999",
    country_code="US",
    telephone="5550000001",
    prefix="Zoeprefix",
    middlename="Zoemiddle",
    suffix="Zoesuffix",
    fax="5550000002",
    vat_id="Zoevat",
)
WORK = HOME.model_copy(update={"street": ("13 Zoeoffice",), "telephone": "5550000003"})
ORDER_TEXT = "Zoepurchase"
TEXTS = (EMAIL, EMAIL.lower(), "Zoe", "A9999", "5550000001", "5550000002", "5550000003")
NOBODY = Erased(
    carts=0, orders=0, answers=0, customers=(), guests=(0, 0), under_way=(), rewritten=True
)


def person(shop: Shop, cart_id: str, *lines: tuple[str, int], **changes: Any) -> None:
    """A cart of the person's that lacks nothing."""
    theirs: dict[str, Any] = {
        "email": EMAIL,
        "shipping_address": HOME,
        "billing_address": WORK,
        "payment": PaymentChoice(method="purchaseorder", purchase_order_number=ORDER_TEXT),
        **changes,
    }
    shop.save(cart_id, *lines, **theirs)


@pytest.fixture
def lived(shop: Shop) -> Shop:
    """Somebody else's order, and the person as a customer and as a guest, in every state."""
    methods = ["checkmo", "purchaseorder"]
    shop.store.stores.change("default", {"payment_methods": methods})
    shop.stock(apple=100)
    shop.save("others")
    shop.order(checkout("others"))
    for cart_id, changes in (("mine", {"customer_id": CUSTOMER}), ("as-guest", {})):
        person(shop, f"{cart_id}-ordered", **changes)
        asked: dict[str, Any] = {"shopper": ADA} if changes else {}
        shop.order(checkout(f"{cart_id}-ordered", key=f"{EMAIL}/{cart_id}", **asked))
        person(shop, f"{cart_id}-refused", ("apple", 1_000), **changes)
        refused = shop.check_out(checkout(f"{cart_id}-refused", key=f"Zoe/{cart_id}", **asked))
        assert isinstance(refused, Refusal)
        person(shop, f"{cart_id}-active", **changes)
    new = Cart(id="mine-fresh", store_code="default", customer_id=CUSTOMER)
    shop.store.shopping.of_customer(CUSTOMER, "default", new)
    return shop


def dump(shop: Shop) -> str:
    return repr(shop.rows())


def test_before_they_are_erased_they_are_there(lived: Shop) -> None:
    for text in (*TEXTS[:1], *TEXTS[2:]):
        assert text in dump(lived)


def test_nothing_of_the_person_is_left_and_nothing_else_is_gone(lived: Shop) -> None:
    before = lived.rows()
    counted = lived.counts()
    done = lived.store.erasure.erase(CUSTOMER, EMAIL.lower())
    assert (done.carts, done.under_way, done.customers, done.rewritten) == (
        sum(1 for row in before["carts"] if "others" not in row), (), (), True,
    )  # fmt: skip
    after = lived.rows()
    for text in TEXTS:
        assert text not in dump(lived)
    assert repr(CUSTOMER) not in dump(lived)
    assert lived.counts() == counted, "and the audit is clean"
    kept = {"carts", "orders", "answers", "customer_carts"}
    assert {name for name in before if before[name] != after[name]} == kept
    assert {name: len(rows) for name, rows in after.items() if name != "customer_carts"} == {
        name: len(rows) for name, rows in before.items() if name != "customer_carts"
    }


def test_amounts_numbers_and_the_country_stay(lived: Shop) -> None:
    find = lived.store.order_book.find
    before = find(cart_id="mine-ordered")
    lived.store.erasure.erase(CUSTOMER)
    after = find(cart_id="mine-ordered")
    assert before
    assert after
    changed = ("email", "customer_id", "billing_address", "shipping_address")
    same = {*changed, "purchase_order_number"}
    assert after.model_dump(exclude=same) == before.model_dump(exclude=same)
    assert after.billing_address == Address(country_code="US")
    assert after.customer_id
    assert after.customer_id.startswith("erased-")


def test_somebody_else_is_untouched(lived: Shop) -> None:
    before = lived.store.order_book.find(cart_id="others")
    lived.store.erasure.erase(CUSTOMER, EMAIL)
    assert lived.store.order_book.find(cart_id="others") == before
    assert "canary@example.com" in dump(lived)


def test_a_customers_cart_does_not_become_a_guests(lived: Shop) -> None:
    lived.store.erasure.erase(CUSTOMER)
    cart, status = lived.content("mine-active")
    assert status is CartStatus.ACTIVE
    assert cart.customer_id is not None
    assert (cart.email, cart.shipping_address, cart.billing_address) == (None, None, None)
    assert cart.lines


def test_it_may_be_repeated(lived: Shop) -> None:
    lived.store.erasure.erase(CUSTOMER, EMAIL)
    rows = lived.rows()
    assert lived.store.erasure.erase(CUSTOMER, EMAIL) == NOBODY
    assert lived.rows() == rows
    assert lived.store.erasure.erase("nobody", "nobody@example.com") == NOBODY


def test_nobody_is_erased_by_nothing(lived: Shop) -> None:
    rows = lived.rows()
    assert lived.store.erasure.erase() == NOBODY
    assert lived.rows() == rows


def test_by_the_address_alone_it_says_which_customer_is_left(lived: Shop) -> None:
    done = lived.store.erasure.erase(email=EMAIL.upper())
    assert done.customers == (CUSTOMER,)
    assert EMAIL not in dump(lived)


def test_a_cart_that_is_being_checked_out_is_left_alone(lived: Shop) -> None:
    run = checkout("as-guest-active")
    locked = lived.hold(run)
    before = lived.store.carts.snapshot(run, locked.digest)
    done = lived.store.erasure.erase(email=EMAIL)
    assert done.under_way == ("as-guest-active",)
    assert lived.store.carts.snapshot(run, locked.digest) == before
    assert lived.store.orders.create(run, locked.digest)
    again = lived.store.erasure.erase(email=EMAIL)
    assert (again.carts, again.orders, again.under_way) == (1, 1, ())
    assert EMAIL not in dump(lived)
    lived.counts()


def test_a_lock_that_is_past_its_time_keeps_nothing(lived: Shop) -> None:
    """Whatever of that checkout still runs finds its lock and its hold gone."""
    run = checkout("as-guest-active")
    locked = lived.hold(run)
    lived.clock.advance(HOLD_TTL + SECOND)
    done = lived.store.erasure.erase(email=EMAIL)
    assert done.under_way == ()
    assert EMAIL not in dump(lived)
    assert isinstance(lived.store.orders.create(run, locked.digest), Refusal)
    assert lived.counts()["holds_open"] == 0


def test_a_sqlite_file_holds_no_remnant(lived: Shop, kind: str) -> None:
    if kind != "sqlite":
        pytest.skip("PostgreSQL clears its free space by vacuuming")
    file = lived.store.database.engine.url.database
    assert file

    def written() -> bytes:
        return Path(file).read_bytes() + Path(f"{file}-wal").read_bytes()

    assert EMAIL.encode() in written()
    lived.store.erasure.erase(CUSTOMER, EMAIL)
    for text in TEXTS:
        assert text.encode() not in written()


def test_a_repeated_call_does_not_order_twice(lived: Shop) -> None:
    """Its key is gone with the person; the cart has become its order, whoever asks."""
    lived.store.erasure.erase(CUSTOMER, EMAIL)
    lived.clock.advance(timedelta(days=1))
    late = checkout("as-guest-ordered", key=f"{EMAIL}/as-guest", asked_at=lived.clock())
    orders = lived.counts()["orders"]
    assert isinstance(lived.check_out(late), Refusal)
    assert lived.counts()["orders"] == orders


# -- what could tell who it was -----------------------------------------------------------------


def test_no_fingerprint_can_be_guessed(lived: Shop) -> None:
    """It is a hash of who asked for what: a thousand customers are tried in no time."""
    asked = checkout("mine-ordered", key=f"{EMAIL}/mine", shopper=ADA).request
    assert asked.fingerprint in dump(lived)
    lived.store.erasure.erase(CUSTOMER, EMAIL)
    assert asked.fingerprint not in dump(lived)


def test_a_key_that_looks_erased_goes_as_well(shop: Shop) -> None:
    shop.stock(apple=10)
    shop.save("cart", email=EMAIL)
    shop.order(checkout("cart", key="erased-Zoe"))
    assert shop.store.erasure.erase(email=EMAIL).answers == 1
    assert "Zoe" not in dump(shop)


# -- whatever is still under way comes late -----------------------------------------------------

ABORTED = refuse(RefusalReason.ABORTED)
Late = Callable[[Shop, Checkout], object]
LATE: dict[str, Late] = {
    "lock": lambda shop, run: shop.store.carts.lock(run),
    "unlock": lambda shop, run: shop.store.carts.unlock(run, ABORTED),
    "answer": lambda shop, run: shop.store.carts.answer(run.request, ABORTED),
    "note": lambda shop, run: shop.store.carts.note(run.request),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
@pytest.mark.parametrize("owner", [None, CUSTOMER])
@pytest.mark.parametrize("state", ["active", "overdue", "ordered"])
def test_no_late_step_brings_them_back(
    shop: Shop, state: str, owner: str | None, late: Late
) -> None:
    shop.stock(apple=10)
    shop.save("cart", email=EMAIL, customer_id=owner)
    shopper = Shopper(customer_id=owner)
    run = checkout("cart", key=f"{EMAIL}/1", shopper=shopper)
    if state == "ordered":
        shop.order(run)
    elif state == "overdue":
        shop.hold(run)
    shop.clock.advance(HOLD_TTL + SECOND)
    done = shop.store.erasure.erase(owner or "", EMAIL)
    assert done.under_way == ()
    rows = shop.rows()["answers"]
    joined = checkout("cart", key=f"{EMAIL}/2", shopper=shopper, run="another")
    for each in (run, joined):
        late(shop, each)
        assert shop.rows()["answers"] == rows
        assert "Zoe" not in dump(shop)
    shop.counts()


def test_a_run_whose_order_is_erased_is_told_of_it_all_the_same(shop: Shop) -> None:
    """Its payment would be given back otherwise."""
    shop.stock(apple=10)
    shop.save("cart", email=EMAIL)
    run = checkout("cart")
    placed = shop.order(run)
    shop.store.erasure.erase(email=EMAIL)
    unlocked: Outcome = shop.store.carts.unlock(run, ABORTED)
    assert unlocked == placed


def test_nobody_opens_an_erased_guests_cart(lived: Shop) -> None:
    """Not the person either: a run of theirs would write their key and their address again."""
    lived.store.erasure.erase(email=EMAIL)
    cart, status = lived.content("as-guest-active")
    assert (cart.customer_id or "").startswith("erased-")
    assert status is CartStatus.ACTIVE
    assert lived.store.carts.lock(checkout("as-guest-active")) == refuse(
        RefusalReason.NOT_CART_OWNER
    )


# -- two at a time ------------------------------------------------------------------------------


@on_postgresql_only
def test_a_customer_who_fills_their_cart_meanwhile(shops: tuple[Shop, Shop]) -> None:
    """They lock who they are first, and their cart then; so does the erasure."""
    shop, other = shops
    shop.stock(apple=10)
    mine = Cart(id="mine", store_code="default", customer_id=CUSTOMER)
    shop.store.shopping.of_customer(CUSTOMER, "default", mine)
    shop.save("mine", customer_id=CUSTOMER, email=EMAIL)
    erasing = Meanwhile(shop.store.database, lambda: other.store.erasure.erase(email=EMAIL))
    with at(shop.store.database, "FROM carts", erasing, nth=2):
        view = shop.store.shopping.assign(
            "mine", CUSTOMER, lambda _, to: to.cart, lambda view: view.cart
        )
    assert view.cart.id == "mine"
    done = erasing.result()
    assert isinstance(done, Erased), done
    assert done.carts == 1


# -- one person, several ways to write them -----------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("JOS\u00c9@Example.com", "jos\u00e9@example.com"),
        ("jos\u00e9@example.com", "JOS\u00c9@EXAMPLE.COM"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
    ],
)
def test_any_capitals_and_any_way_to_write_an_accent(shop: Shop, stored: str, asked: str) -> None:
    shop.stock(apple=10)
    shop.save("cart", email=stored)
    shop.save("strasse", email="strasse@example.com")
    assert shop.store.erasure.erase(email=asked).carts == 1
    assert shop.store.erasure.erase(email="stra\u00dfe@example.com").carts == 0


def test_a_customer_alone_leaves_what_they_did_as_a_guest_and_counts_it(lived: Shop) -> None:
    lived.save("bobs", email=EMAIL, customer_id="bob")
    done = lived.store.erasure.erase(CUSTOMER)
    assert done.guests == (3, 1)
    assert lived.store.erasure.erase(email=EMAIL).guests == (0, 0)
