"""Which store settings can be saved?"""

import pytest
from pydantic import ValidationError

from commerce.domain.payments import PaymentMethod
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store


def store(**changes: object) -> Store:
    return Store.model_validate({"code": "default", **changes})


def test_a_new_store_takes_cheques_and_ships_at_a_flat_rate_everywhere() -> None:
    new = store()
    assert (new.currency, new.order_prefix, new.guest_checkout) == ("USD", "", True)
    assert new.payment_methods == (PaymentMethod.CHECKMO,)
    assert new.shipping_methods == (ShippingMethod.FLATRATE,)
    assert new.ships_to("ZW")


def test_countries_are_kept_in_upper_case_each_once_in_the_order_given() -> None:
    assert store(allowed_countries=("us", "DE", "Us", "fr")).allowed_countries == ("US", "DE", "FR")


def test_a_store_ships_only_where_it_may() -> None:
    limited = store(allowed_countries=("us", "de"))
    assert limited.ships_to("DE")
    assert not limited.ships_to("FR")
    assert not limited.ships_to("")


@pytest.mark.parametrize("code", ["USA", "U", "", "1A", "U ", "ÄÖ", "ß", "ﬁ"])
def test_what_is_no_two_letter_country_code_is_refused(code: str) -> None:
    with pytest.raises(ValidationError, match="two-letter"):
        store(allowed_countries=("US", code))


@pytest.mark.parametrize("currency", ["XXX", "usd", "US", "DEM", "", "$"])
def test_an_unknown_currency_is_refused_by_name(currency: str) -> None:
    with pytest.raises(ValidationError, match="ISO 4217"):
        store(currency=currency)


@pytest.mark.parametrize("prefix", ["", "0", "3", "DE-", "x" * 16])
def test_an_order_prefix_is_short_and_plain(prefix: str) -> None:
    assert store(order_prefix=prefix).order_prefix == prefix


@pytest.mark.parametrize("prefix", ["x" * 17, " ", "0\n", "é", "a/b", "٣", "|"])
def test_any_other_order_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError):
        store(order_prefix=prefix)


@pytest.mark.parametrize("code", ["default", "de", "store_2", "x" * 32])
def test_a_store_code_is_lower_case(code: str) -> None:
    assert store(code=code).code == code


@pytest.mark.parametrize("code", ["", "Default", "2nd", "a-b", "_a", "x" * 33, "de\n", "ä"])
def test_any_other_store_code_is_refused(code: str) -> None:
    with pytest.raises(ValidationError):
        store(code=code)


@pytest.mark.parametrize(
    "change", [{"payment_methods": ("bitcoin",)}, {"shipping_methods": ("pigeon",)}, {"name": "x"}]
)
def test_unknown_methods_and_fields_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        store(**change)
