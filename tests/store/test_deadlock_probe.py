from tests.builders import checkout
from tests.store.conftest import HOLD_TTL, Meanwhile, Shop, at, on_postgresql_only
from tests.store.shoppers import ADA, joining
import pytest
pytestmark = on_postgresql_only
@pytest.mark.parametrize("swap", [False, True])
def test_it(shops: tuple[Shop, Shop], swap: bool) -> None:
    shop, other = shops
    shop.stock(apple=5, pear=5)
    first, second = sorted(["one", "two"], key=lambda cart_id: checkout(cart_id).id)
    guests, own = (first, second) if swap else (second, first)
    shop.save(guests, ("pear", 1))
    shop.save(own, ("apple", 1), customer_id="ada")
    shop.hold(checkout(guests)); shop.hold(checkout(own, shopper=ADA))
    shop.clock.advance(HOLD_TTL)
    expiry = Meanwhile(other.store.database, other.store.stock.expire_overdue)
    with at(shop.store.database, "FOR UPDATE OF stock", expiry):
        shop.store.shopping.merge(guests, own, joining())
    assert expiry.result() in (0, 1, 2)
    assert shop.counts()["holds_open"] == 0
