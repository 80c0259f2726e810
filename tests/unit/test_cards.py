"""Is a card number known for one, however it is written, and little else?"""

import re
import uuid

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from commerce.domain.addresses import Address
from commerce.domain.cards import MAX_DIGITS, MIN_DIGITS, holds_card_number
from commerce.domain.carts import Cart

KNOWN = {
    "Visa": "4111111111111111",
    "Visa, 13 digits": "4222222222222",
    "Visa, 19 digits": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard, new": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "Discover, 65": "6500000000000002",
    "Diners Club": "30569309025904",
    "Diners Club, 36": "36227206271667",
    "JCB": "3530111333300000",
    "UnionPay": "6200000000000005",
    "UnionPay, 19 digits": "6205500000000000004",
    "Maestro": "5018000000000009",
    "Maestro, 67": "6759649826438453",
    "Mir": "2201382000000013",
}
"""Numbers that providers publish for tests."""

VISA = "4111111111111111"
SEPARATORS = " -\u00a0\u2009\u202f\u3000\u200b\u2010\u2011\u2013\u2212\t\n"


def check_digit(digits: str) -> str:
    """Luhn's, worked out from the right, as schemes describe it."""
    doubled = [int(x) * (2 if n % 2 == 0 else 1) for n, x in enumerate(reversed(digits))]
    return str(-sum(x // 10 + x % 10 for x in doubled) % 10)


BEGINNINGS = (
    (("4",), (13, 16, 19)),
    (("51", "55", "2221", "2229", "2230", "2300", "2699", "2719", "2720"), (16,)),
    (("34", "37"), (15,)),
    (("300", "305", "3095", "36", "38", "39"), (14, 16, 19)),
    (("3528", "3529", "3530", "3589"), (16, 19)),
    (("2200", "2204"), (16, 19)),
    (("50", "56", "58", "6011", "62", "644", "65", "67", "69"), (13, 16, 19)),
)


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    beginnings, lengths = draw(st.sampled_from(BEGINNINGS))
    begun, length = draw(st.sampled_from(beginnings)), draw(st.sampled_from(lengths))
    count = length - len(begun) - 1
    digits = begun + draw(st.text("0123456789", min_size=count, max_size=count))
    return digits + check_digit(digits)


def other_digits(number: str, zero: int) -> str:
    """The number in the digits of another script."""
    return "".join(chr(zero + int(digit)) for digit in number)


@pytest.mark.parametrize("scheme", KNOWN)
def test_the_numbers_of_every_scheme_are_known(scheme: str) -> None:
    assert holds_card_number(KNOWN[scheme])


@given(card_numbers(), st.data())
def test_spaces_and_dashes_between_the_digits_change_nothing(
    number: str, data: st.DataObject
) -> None:
    gaps = st.sampled_from(["", *SEPARATORS])
    written = number[0] + "".join(data.draw(gaps) + digit for digit in number[1:])
    assert holds_card_number(written)


@given(card_numbers(), st.sampled_from([0xFF10, 0x0660, 0x06F0, 0x0966, 0x1D7CE]))
def test_digits_of_other_scripts_are_digits(number: str, zero: int) -> None:
    assert holds_card_number(other_digits(number, zero))
    assert holds_card_number(number[:6] + other_digits(number[6:], zero))


@given(card_numbers(), st.text(max_size=30), st.text(max_size=30))
def test_what_stands_around_changes_nothing(number: str, before: str, after: str) -> None:
    assume(not before[-1:].isdecimal() and before[-1:] not in ("+", "\uff0b"))
    assume(not after[:1].isdecimal())
    assume(not re.search(r"[0-9]", before + after))  # or it may be taken for an identifier
    assert holds_card_number(before + number + after)


@pytest.mark.parametrize(
    "text",
    [
        "card4111111111111111x",
        "pan=4111-1111-1111-1111",
        "4111 1111 1111 1111 12/27 123",
        "12 4111111111111111",
        "1234 5678 4111 1111 1111 1111",
        "x4111111111111111abcdef",
        "deadbeef4111111111111111deadbeef",
        "4111111111111111/5555555555554444",
        "(4111 1111) 4111 1111 1111 1111",
        "+1 4111 1111 1111 1111",
        "+4111111111111111",
        "+378282246310005",
        "\uff0b30569309025904",
        '{"number": "4111111111111111"}',
        "4111111111111111\n",
    ],
)
def test_a_card_number_in_a_text_is_found(text: str) -> None:
    assert holds_card_number(text)


@given(card_numbers(), st.integers(0, 9))
def test_a_wrong_digit_makes_it_none(number: str, digit: int) -> None:
    assume(str(digit) != number[-1])
    assert not holds_card_number(number[:-1] + str(digit))


@given(card_numbers(), st.text("0123456789", min_size=7, max_size=20))
def test_a_part_of_a_longer_run_of_digits_is_none(number: str, more: str) -> None:
    assert not holds_card_number(number + more)
    assert not holds_card_number(more + number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111",
        "411111111111",
        "0000000000000000",
        "1111111111111117",
        "9999999999999995",
        "4111    1111    1111    1111",
        "000000012",
        "2026-10-05 23:59:59.123456",
        "123-456-0000",
        "+49 1512 3456786",
        "+4915123456786",
        "+62 812 3456 7890",
        "PAY-3f2b",
        "9SA28234K9340625D",
        "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "mp-order-8f14e45f-ceea-467f-a8d9-0f3b1a2c4d5e",
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert not holds_card_number(text)


@given(st.integers(1, 999), st.text("0123456789", min_size=4, max_size=12))
def test_telephone_numbers_after_a_plus_are_none(country: int, number: str) -> None:
    assume(not str(country).startswith("3"))
    assert not holds_card_number(f"call +{country} {number}")


@given(st.uuids(version=4))
def test_random_identifiers_are_none(identifier: uuid.UUID) -> None:
    assert not holds_card_number(str(identifier))
    assert not holds_card_number(f"key-{identifier.hex}")


def test_of_very_many_random_identifiers_hardly_one_is_taken_for_a_card() -> None:
    made = (uuid.uuid5(uuid.NAMESPACE_OID, str(n)) for n in range(50_000))
    taken = [each for each in made if holds_card_number(each.hex) or holds_card_number(str(each))]
    assert len(taken) <= 1


@pytest.mark.parametrize(
    "part",
    ["4 ", "4", "4-", "41", "4" * 13 + "x", "4" * 12 + " ", "f1" * 12 + " ", "a", "+", "60 "],
)
def test_a_very_long_text_is_searched_to_its_end(part: str) -> None:
    """In quadratic time it would not be; ``bench/cards.py`` measures it."""
    text = part * (256 * 1024 // len(part)) + "z"
    assert not holds_card_number(text)
    assert holds_card_number(f"{text} {VISA}")


def test_the_table_has_no_other_lengths() -> None:
    for length in (*range(1, MIN_DIGITS), *range(MAX_DIGITS + 1, 30)):
        for begun in "23456":
            digits = (begun + "1" * length)[: length - 1]
            assert not holds_card_number(digits + check_digit(digits))


# -- models -------------------------------------------------------------------------------------

PAN = "4111 1111 1111 1111"
TEXTS_OF_AN_ADDRESS = [
    name for name in Address.model_fields if name not in ("region_id", "country_code")
]


@pytest.mark.parametrize("name", TEXTS_OF_AN_ADDRESS)
def test_no_text_of_an_address_may_be_one(name: str) -> None:
    value = (PAN,) if name == "street" else PAN
    with pytest.raises(ValidationError, match="must not contain a card number") as refused:
        Address.model_validate({name: value})
    assert "4111" not in str(refused.value)


def test_no_email_address_may_hold_one() -> None:
    with pytest.raises(ValidationError, match="must not contain a card number") as refused:
        Cart(id="C1", store_code="default", email="4111111111111111@example.com")
    assert "4111" not in str(refused.value)


def test_skus_and_cart_ids_may_look_like_one() -> None:
    made = Cart.model_validate(
        {
            "id": "4111111111111111",
            "store_code": "default",
            "lines": [{"sku": "4111111111111111", "quantity": 1}],
        }
    )
    assert made.lines[0].sku == made.id
