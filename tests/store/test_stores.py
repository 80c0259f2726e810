"""Settings of the storefronts."""

import pytest
from pydantic import ValidationError

from commerce.adapters.store.stores import StoreSettingsError
from commerce.domain.payments import PaymentMethod
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store
from tests.store.conftest import Shop

NORTH = Store(
    code="north",
    currency="JPY",
    allowed_countries=("JP", "US"),
    order_prefix="N-",
    guest_checkout=False,
    payment_methods=tuple(PaymentMethod),
    shipping_methods=(ShippingMethod.TABLERATE,),
)


def test_a_store_is_kept_as_it_was_added(shop: Shop) -> None:
    shop.store.stores.add(NORTH)
    assert shop.store.stores.all() == [Store(code="default"), NORTH]


def test_a_code_is_taken_once(shop: Shop) -> None:
    shop.store.stores.add(NORTH)
    before = shop.rows()
    with pytest.raises(StoreSettingsError, match="'north' exists already"):
        shop.store.stores.add(Store(code="north"))
    assert shop.rows() == before


def test_some_settings_change_and_the_others_stay(shop: Shop) -> None:
    shop.store.stores.add(NORTH)
    changes = {"allowed_countries": ["jp"], "payment_methods": ["free"], "guest_checkout": True}
    changed = shop.store.stores.change("north", changes)
    assert changed == NORTH.model_copy(
        update={
            "allowed_countries": ("JP",),
            "payment_methods": (PaymentMethod.FREE,),
            "guest_checkout": True,
        }
    )
    assert shop.store.stores.all() == [Store(code="default"), changed]


def test_a_store_that_does_not_exist_cannot_be_changed(shop: Shop) -> None:
    with pytest.raises(StoreSettingsError, match="'nowhere' does not exist"):
        shop.store.stores.change("nowhere", {"currency": "EUR"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"currency": "XXX"},
        {"allowed_countries": ["USA"]},
        {"order_prefix": "not a prefix"},
        {"order_prefix": "12345678901234567"},
        {"guest_checkout": "perhaps"},
        {"payment_methods": ["barter"]},
        {"shipping_methods": ["pigeon"]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_one_wrong_value_changes_nothing(shop: Shop, wrong: dict[str, object]) -> None:
    before = shop.rows()
    with pytest.raises(ValidationError):
        shop.store.stores.change("default", {"order_prefix": "A", **wrong})
    assert shop.rows() == before


def test_the_code_of_a_store_stays(shop: Shop) -> None:
    before = shop.rows()
    with pytest.raises(StoreSettingsError):
        shop.store.stores.change("default", {"code": "other"})
    assert shop.rows() == before
