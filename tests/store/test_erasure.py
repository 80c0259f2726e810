"""Is a person gone from every table once they are erased, and everything else still there?"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from commerce.adapters.store.erasure import Erased
from commerce.domain.addresses import Address
from commerce.domain.carts import Cart, CartStatus
from commerce.domain.errors import Refusal
from commerce.domain.payments import PaymentChoice
from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, SECOND, Shop
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
NOBODY = Erased(carts=0, orders=0, answers=0, customers=(), under_way=(), rewritten=True)


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
