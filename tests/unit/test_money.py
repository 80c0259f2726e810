"""Is money always exact, bounded, and of one currency?"""

import random
from decimal import Decimal

import pytest
from pydantic import ValidationError

from commerce.domain.money import MAX_AMOUNT_MINOR, Money, MoneyError, minor_digits


def money(amount_minor: int, currency: str = "USD") -> Money:
    return Money(amount_minor=amount_minor, currency=currency)


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [
        ("0", "USD", 0),
        ("0.01", "USD", 1),
        ("1", "USD", 100),
        ("1.2", "USD", 120),
        ("1.29", "USD", 129),
        ("19.99", "EUR", 1999),
        ("150", "JPY", 150),
        ("1", "KWD", 1000),
        ("1.005", "KWD", 1005),
        ("0.001", "KWD", 1),
        ("10000000000000.00", "USD", MAX_AMOUNT_MINOR),
        ("1000000000000000", "JPY", MAX_AMOUNT_MINOR),
        ("1000000000000.000", "KWD", MAX_AMOUNT_MINOR),
    ],
)
def test_a_decimal_is_read_in_the_minor_units_of_its_currency(
    text: str, currency: str, amount_minor: int
) -> None:
    assert Money.parse(text, currency) == money(amount_minor, currency)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "abc", "1,29", "1,000.00", "$1", "1 USD", "0x10", "--1", "1.2.3", "1\x00"),
        *("NaN", "nan", "sNaN", "NaN1", "Infinity", "-Infinity", "inf"),
        *("-1", "-0.01", "-1e400"),
    ],
)
def test_what_is_no_amount_of_zero_or_more_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "USD")


@pytest.mark.parametrize("text", ["1_000", "١٢", "１２", "1.2９", "୧"])  # noqa: RUF001 (the point)
def test_digits_that_a_person_would_not_type_into_a_price_are_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "USD")


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1.299", "USD"), ("0.001", "USD"), ("150.5", "JPY"), ("0.1", "JPY"), ("1.0005", "KWD")],
)
def test_more_decimals_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, currency)


@pytest.mark.parametrize(
    "text",
    [
        "1." + "0" * 30 + "1",
        "19.99" + "0" * 40 + "9",
        "0." + "0" * 60 + "1",
        "1e-400",
        "1e-9999999",
    ],
)
def test_no_decimal_is_too_far_out_to_be_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "USD")


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("10000000000000.01", "USD"),
        ("1000000000000001", "JPY"),
        ("1000000000000.001", "KWD"),
        ("1e400", "USD"),
        ("1e999999999999999999999", "USD"),
        ("9" * 10_000, "USD"),
    ],
)
def test_more_than_the_largest_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, currency)


def test_a_refused_text_is_repeated_only_in_part() -> None:
    with pytest.raises(MoneyError) as refused:
        Money.parse("x" * 10_000, "USD")
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize("currency", ["XXX", "usd", "EURO", ""])
def test_an_amount_in_an_unknown_currency_is_a_value_error(currency: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        Money(amount_minor=1, currency=currency)


@pytest.mark.parametrize("currency", ["XXX", "usd", "EURO", ""])
def test_reading_an_amount_in_an_unknown_currency_is_a_value_error(currency: str) -> None:
    with pytest.raises(ValueError, match="currency"):
        Money.parse("1", currency)


# -- no floats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1.0, 1.5, float("nan"), True, "1", None, -1, 10**15 + 1])
def test_an_amount_is_a_whole_number_from_zero_to_the_largest(amount: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"amount_minor": amount, "currency": "USD"})


@pytest.mark.parametrize("json", ["1.0", "1e2", "true", '"1"', "null"])
def test_an_amount_in_json_is_a_whole_number_too(json: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate_json(f'{{"amount_minor": {json}, "currency": "USD"}}')


def test_a_dime_and_two_make_three() -> None:
    total = Money.parse("0.10", "USD").plus(Money.parse("0.20", "USD"))
    assert total == Money.parse("0.30", "USD")
    assert type(total.amount_minor) is int


def test_the_largest_amount_survives_json() -> None:
    largest = money(MAX_AMOUNT_MINOR)
    assert Money.model_validate_json(largest.model_dump_json()) == largest


def test_an_amount_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        money(1).__setattr__("amount_minor", 2)


# -- arithmetic --------------------------------------------------------------------------------


def test_sums_and_products_reach_the_largest_amount() -> None:
    assert money(MAX_AMOUNT_MINOR - 1).plus(money(1)).amount_minor == MAX_AMOUNT_MINOR
    assert money(MAX_AMOUNT_MINOR // 10).times(10).amount_minor == MAX_AMOUNT_MINOR
    assert Money.of_units(MAX_AMOUNT_MINOR // 100, "USD").amount_minor == MAX_AMOUNT_MINOR


def test_a_sum_beyond_the_largest_amount_is_a_money_error() -> None:
    with pytest.raises(MoneyError):
        money(MAX_AMOUNT_MINOR).plus(money(1))


def test_a_product_beyond_the_largest_amount_is_a_money_error() -> None:
    with pytest.raises(MoneyError):
        money(MAX_AMOUNT_MINOR).times(2)


def test_units_beyond_the_largest_amount_are_a_money_error() -> None:
    with pytest.raises(MoneyError):
        Money.of_units(MAX_AMOUNT_MINOR // 100 + 1, "USD")


def test_two_currencies_cannot_be_added() -> None:
    with pytest.raises(MoneyError):
        money(1, "USD").plus(money(1, "EUR"))


def test_nothing_added_and_nothing_times_anything() -> None:
    assert money(7).plus(Money.zero("USD")) == money(7)
    assert money(7).times(0) == Money.zero("USD")
    assert money(7).times(1) == money(7)


@pytest.mark.parametrize(
    ("currency", "amount_minor"), [("USD", 500), ("EUR", 500), ("JPY", 5), ("KWD", 5000)]
)
def test_whole_units_are_scaled_to_the_currency(currency: str, amount_minor: int) -> None:
    assert Money.of_units(5, currency) == money(amount_minor, currency)


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (0, "USD", "0.00 USD"),
        (5, "USD", "0.05 USD"),
        (129, "USD", "1.29 USD"),
        (120, "USD", "1.20 USD"),
        (0, "JPY", "0 JPY"),
        (1500, "JPY", "1500 JPY"),
        (5, "KWD", "0.005 KWD"),
        (1005, "KWD", "1.005 KWD"),
        (MAX_AMOUNT_MINOR, "USD", "10000000000000.00 USD"),
        (MAX_AMOUNT_MINOR, "JPY", "1000000000000000 JPY"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(
    amount_minor: int, currency: str, text: str
) -> None:
    assert str(money(amount_minor, currency)) == text


# -- for any amount ----------------------------------------------------------------------------


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("seed", range(5))
def test_any_amount_reads_back_as_it_was_written(seed: int, currency: str) -> None:
    dice = random.Random(seed)
    for _ in range(200):
        amount = money(dice.randint(0, 10 ** dice.randint(1, 15)), currency)
        assert Money.parse(str(amount).removesuffix(f" {currency}"), currency) == amount


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
@pytest.mark.parametrize("seed", range(5))
def test_any_sum_and_product_is_what_decimals_say(seed: int, currency: str) -> None:
    dice = random.Random(seed)
    one = Decimal(1).scaleb(-minor_digits(currency))

    def text(value: Decimal) -> str:
        return f"{value.quantize(one):f} {currency}"

    for _ in range(200):
        left, right = (dice.randint(0, 10**9) * one for _ in range(2))
        count = dice.randint(1, 1000)
        price = Money.parse(f"{left:f}", currency)
        assert str(price.plus(Money.parse(f"{right:f}", currency))) == text(left + right)
        assert str(price.times(count)) == text(left * count)
