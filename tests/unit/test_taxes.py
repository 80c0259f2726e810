"""Which rate of tax applies, and what does it come to?"""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from commerce.domain.addresses import Address
from commerce.domain.carts import CartView
from commerce.domain.money import MAX_AMOUNT_MINOR, Money
from commerce.domain.taxes import PPM, TaxRate, percent_to_ppm, rate_for
from tests.builders import TEXAS, tax, usd
from tests.unit.views import view

COUNTRY, TEXAN = tax("5"), tax("8.25", "TX")


def somewhere(region: str = "", country_code: str = "US", region_id: int | None = None) -> Address:
    changes = {"region": region, "country_code": country_code, "region_id": region_id}
    return TEXAS.model_copy(update=changes)


# -- which rate ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(COUNTRY, TEXAN), (TEXAN, COUNTRY)])
def test_the_rate_of_a_region_wins_over_the_one_of_its_country(rates: tuple[TaxRate, ...]) -> None:
    assert rate_for(rates, TEXAS) == TEXAN
    assert rate_for(rates, somewhere("CA")) == COUNTRY
    assert rate_for(rates, somewhere()) == COUNTRY


def test_a_region_with_a_rate_of_zero_is_not_taxed_as_its_country_is() -> None:
    oregon = tax("0", "OR")
    assert rate_for([COUNTRY, oregon], somewhere("OR")) == oregon


@pytest.mark.parametrize("rates", [(), (tax("20", country_code="GB"),), (tax("7.25", "CA"),)])
def test_where_no_rate_fits_there_is_none(rates: tuple[TaxRate, ...]) -> None:
    assert rate_for(rates, TEXAS) is None


def test_without_an_address_there_is_no_rate() -> None:
    assert rate_for([COUNTRY, TEXAN], None) is None


@pytest.mark.parametrize("named", ["TX", "tx", "Texas", "TEXAS", " TX "])
@pytest.mark.parametrize(
    "address",
    [somewhere("TX"), somewhere("tx"), somewhere("texas"), somewhere(region_id=57)],
    ids=lambda address: f"{address.region} {address.region_id}",
)
def test_a_region_is_known_by_its_code_its_name_and_its_id(named: str, address: Address) -> None:
    rate = tax("8.25", named)
    assert rate_for([COUNTRY, rate], address) == rate


@pytest.mark.parametrize("country_code", ["CA", "DE", "GB"])
def test_the_same_code_in_another_country_is_another_region(country_code: str) -> None:
    assert rate_for([COUNTRY, TEXAN], somewhere("TX", country_code)) is None
    theirs = tax("19", country_code=country_code)
    assert rate_for([COUNTRY, TEXAN, theirs], somewhere("TX", country_code)) == theirs


def test_a_region_without_an_id_is_known_by_what_was_typed() -> None:
    bavarian = tax("19", "Bayern", "DE")
    assert rate_for([bavarian], somewhere("BAYERN", "DE")) == bavarian
    assert rate_for([bavarian], somewhere("BY", "DE")) is None


def test_of_the_regions_that_share_a_code_the_id_tells_which() -> None:
    middle_east, all_posts = tax("1", "Armed Forces Middle East"), tax("2", "AE")
    assert rate_for([middle_east], somewhere("AE", region_id=10)) == middle_east
    assert rate_for([middle_east], somewhere("AE", region_id=9)) is None
    assert rate_for([middle_east], somewhere("AE")) is None
    for post in (somewhere("AE", region_id=9), somewhere("AE")):
        assert rate_for([middle_east, all_posts], post) == all_posts


# -- of which address ----------------------------------------------------------------------------


def bought(sku: str, *, billed: Address | None, shipped: Address | None) -> CartView:
    rates = COUNTRY, TEXAN
    return view((sku, 1), rates=rates, billing_address=billed, shipping_address=shipped)


def test_goods_are_taxed_where_they_go() -> None:
    assert bought("apple", billed=somewhere("CA"), shipped=TEXAS).tax_rate == TEXAN
    assert bought("apple", billed=TEXAS, shipped=somewhere("CA")).tax_rate == COUNTRY
    assert bought("apple", billed=TEXAS, shipped=None).tax_rate is None


def test_what_is_not_shipped_is_taxed_where_it_is_billed() -> None:
    assert bought("ebook", billed=TEXAS, shipped=somewhere("CA")).tax_rate == TEXAN
    assert bought("ebook", billed=None, shipped=TEXAS).tax_rate is None


def test_the_total_that_is_shown_has_the_tax_and_so_has_the_snapshot() -> None:
    shown = bought("ebook", billed=TEXAS, shipped=None)
    assert shown.snapshot().tax_rate == TEXAN
    assert shown.total() == shown.snapshot().totals().grand_total == usd("10.83")


# -- how much ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "price", "expected"),
    [
        ("8.25", "100.00", "8.25"),
        ("8.25", "19.99", "1.65"),  # 1.649175
        ("5", "0.09", "0.00"),  # 0.45 cents
        ("5", "0.10", "0.01"),  # 0.5 cents
        ("5", "0.50", "0.03"),  # 2.5 cents, to the even one that would be 2
        ("7.5", "0.20", "0.02"),  # 1.5 cents
        ("0.0001", "4999.99", "0.00"),
        ("0.0001", "5000.00", "0.01"),
        ("0", "1000000.00", "0.00"),
        ("100", "12.34", "12.34"),
    ],
)
def test_half_a_minor_unit_is_rounded_up(percent: str, price: str, expected: str) -> None:
    assert tax(percent).on(usd(price)) == usd(expected)


@pytest.mark.parametrize(
    ("price", "currency", "expected"),
    [("1005", "JPY", "101"), ("1004", "JPY", "100"), ("1.005", "KWD", "0.101")],
)
def test_the_minor_unit_is_the_one_of_the_currency(
    price: str, currency: str, expected: str
) -> None:
    taxed = tax("10").on(Money.parse(price, currency))
    assert taxed == Money.parse(expected, currency)


def test_the_largest_amount_is_taxed_exactly() -> None:
    largest = Money(amount_minor=MAX_AMOUNT_MINOR, currency="USD")
    assert tax("100").on(largest) == largest
    assert tax("0.0001").on(largest).amount_minor == 10**9


# -- rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "ppm"),
    [
        *(("8.25", 82_500), ("0", 0), ("0.0001", 1), ("100", PPM), ("100.0000", PPM)),
        *(("7", 70_000), ("007", 70_000), ("7.", 70_000), (".5", 5_000), ("19.6", 196_000)),
    ],
)
def test_a_percentage_is_read_exactly(percent: str, ppm: int) -> None:
    assert percent_to_ppm(percent) == ppm
    assert tax(percent).percent == Decimal(ppm) / 10_000


@pytest.mark.parametrize(
    "percent",
    [
        *("", ".", " ", "8,25", "8.25%", "-1", "+1", "1e2", "1_0", "0x1", "nan", "inf", "1.2.3"),
        *(" 8", "8 ", "8\n", "8.25001", "1000", "0008", "100.0001", "101", "999", "٨", "８", "²"),  # noqa: RUF001 (the point)
    ],
)
def test_what_is_no_percentage_is_refused_and_quoted(percent: str) -> None:
    with pytest.raises(ValueError, match="percent") as refused:
        percent_to_ppm(percent)
    assert repr(percent) in str(refused.value)


def test_a_long_one_is_quoted_in_part() -> None:
    with pytest.raises(ValueError, match="percent") as refused:
        percent_to_ppm("9" * 10_000)
    assert len(str(refused.value)) < 100


def rate(**changes: object) -> TaxRate:
    return TaxRate.model_validate({**TEXAN.model_dump(), **changes})


def test_a_country_is_kept_in_upper_case_and_a_region_without_blanks_around_it() -> None:
    assert rate(country_code="us", region=" TX ") == TEXAN


@pytest.mark.parametrize(
    "change",
    [
        *({"country_code": code} for code in ("", "U", "USA", "U1", "ÄÖ", "US\n")),
        *({"rate_ppm": ppm} for ppm in (-1, PPM + 1, 8.25, 1.0, True, "82500", None)),
        *({"title": title} for title in ("", "x" * 65, "a\nb", "\x00")),
        *({"region": "x" * 65}, {"region": None}, {"on_shipping": "perhaps"}, {"zip": "78701"}),
    ],
    ids=str,
)
def test_a_rate_that_cannot_be_one_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        rate(**change)
