"""Does a token open its order, and nothing else anything?"""

import base64
import re
import traceback

import pytest

from commerce.adapters.tokens import SealedTokens, TokenKeyError

OLD_KEY, NEW_KEY = bytes(range(32)), bytes(range(32, 64))
TOKENS = SealedTokens({0: OLD_KEY})
NUMBER = "000000006"
TOKEN = TOKENS.seal(NUMBER)
BODY = TOKEN.removeprefix("0:3:")
RAW = base64.b64decode(BODY)


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def flipped(raw: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8) if n == bit // 8 else byte for n, byte in enumerate(raw))


# -- what opens --------------------------------------------------------------------------------


def test_a_token_is_key_version_cipher_and_base64() -> None:
    assert re.fullmatch(r"0:3:[0-9A-Za-z+/]+={0,2}", TOKEN)
    assert SealedTokens({7: OLD_KEY}).seal(NUMBER).startswith("7:3:")


@pytest.mark.parametrize(
    "number", [NUMBER, "0000000012", "3000000496", "DE-000000001", "x" * 25, "é", ""]
)
def test_a_token_opens_the_order_it_was_made_for(number: str) -> None:
    assert TOKENS.open(TOKENS.seal(number)) == number


def test_an_order_has_one_token_under_one_key() -> None:
    assert SealedTokens({0: OLD_KEY}).seal(NUMBER) == TOKEN


def test_an_order_has_another_token_under_another_key() -> None:
    assert SealedTokens({0: NEW_KEY}).seal(NUMBER) != TOKEN


# -- what a token tells ------------------------------------------------------------------------


def test_a_token_shows_nothing_of_the_order_number() -> None:
    assert NUMBER not in TOKEN
    assert encode(NUMBER.encode()).rstrip("=") not in TOKEN
    assert NUMBER.encode() not in RAW


def test_tokens_of_consecutive_orders_have_nothing_in_common() -> None:
    bodies = [TOKENS.seal(f"{n:09d}").removeprefix("0:3:") for n in range(1, 1001)]
    assert len({base64.b64decode(body)[:12] for body in bodies}) == len(bodies)
    assert len({body[:6] for body in bodies}) == len(bodies)
    assert len({body[20:26] for body in bodies}) == len(bodies)


# -- what does not open ------------------------------------------------------------------------


def test_no_flip_of_any_bit_opens() -> None:
    opened = [n for n in range(len(RAW) * 8) if TOKENS.open(f"0:3:{encode(flipped(RAW, n))}")]
    assert opened == []


def test_no_flip_of_any_bit_of_the_text_opens() -> None:
    """Among these are texts that decode to the same bytes: only one text is the token."""
    texts = [flipped(BODY.encode(), n).decode("latin-1") for n in range(len(BODY) * 8)]
    assert [text for text in texts if TOKENS.open(f"0:3:{text}") is not None] == []


def test_no_truncation_opens() -> None:
    texts = [BODY[:n] for n in range(len(BODY))] + [BODY[n:] for n in range(1, len(BODY))]
    texts += [encode(RAW[:n]) for n in range(len(RAW))] + [encode(RAW[n:]) for n in range(1, 37)]
    assert [text for text in texts if TOKENS.open(f"0:3:{text}") is not None] == []


@pytest.mark.parametrize("added", ["=", "A", "AAAA", " ", "\n", "\x00", ":", "é", "\ud800"])
def test_nothing_can_be_added(added: str) -> None:
    assert TOKENS.open(TOKEN + added) is None
    assert TOKENS.open(added + TOKEN) is None
    assert TOKENS.open(f"0:3:{added}{BODY}") is None


@pytest.mark.parametrize(
    "header",
    [
        *("1:3:", "00:3:", "0:2:", "0:03:", "0:3::", ":3:", "0::", "", "-0:3:", "+0:3:", " 0:3:"),
        *("\u0660:3:", "0:\u0663:", "0_0:3:", "0.0:3:", "0:3", "3:0:", "1000000000:3:"),
    ],
)
def test_another_header_does_not_open(header: str) -> None:
    both = SealedTokens({0: OLD_KEY, 1: OLD_KEY})
    assert both.open(TOKEN) == NUMBER
    assert both.open(header + BODY) is None


def test_a_token_of_another_shop_does_not_open() -> None:
    assert SealedTokens({0: NEW_KEY}).open(TOKEN) is None


@pytest.mark.parametrize(
    "garbage",
    [
        *("", ":", "::", ":::", "0", "0:3", "0:3:", "0:3:=", "0:3:====", "0:3:A", "0:3:AAAA"),
        *("0:3:!!!!", "0:3:ééé", "0:3:\x00", "0:3:\ud800", "\u0660:3:AAAA", "²:3:AAAA", "x:y:z"),
        *("9" * 5000 + ":3:AAAA", "0:3:" + "A" * 100_000, "-1:3:AAAA", "0:3:AAAA:0:3:AAAA"),
        *("0:3:" + "A" * 16, "0:3:" + "A" * 36, "0:3:" + "A" * 40, NUMBER, "null"),
        "0:3:OSScWU6PKLn3kFyMhNWyskG0opgVvFBnJmtuaFHKGwDFT83S6Kv9U39iYwixuU+vhwDz2AF4pCs3GtLhHbQ=",
    ],
)
def test_garbage_opens_nothing_and_raises_nothing(garbage: str) -> None:
    assert TOKENS.open(garbage) is None


# -- keys --------------------------------------------------------------------------------------


def test_after_a_rotation_old_tokens_open_and_new_ones_are_sealed_with_the_new_key() -> None:
    rotated = SealedTokens.parse(f"1:{encode(NEW_KEY)}, 0:{encode(OLD_KEY)}")
    assert rotated.open(TOKEN) == NUMBER
    assert rotated.seal(NUMBER).startswith("1:3:")
    assert rotated.open(rotated.seal(NUMBER)) == NUMBER


def test_the_newest_key_is_the_first_whatever_its_version() -> None:
    assert SealedTokens({3: NEW_KEY, 9: OLD_KEY}).seal(NUMBER).startswith("3:3:")


def test_a_retired_key_opens_nothing_any_more() -> None:
    assert SealedTokens({1: NEW_KEY}).open(TOKEN) is None


def test_a_new_key_can_be_read_and_is_never_the_same() -> None:
    first, second = SealedTokens.new_key(), SealedTokens.new_key(version=4)
    assert first.split(":")[1] != second.split(":")[1]
    tokens = SealedTokens.parse(f"{second},{first}")
    assert tokens.open(SealedTokens.parse(first).seal(NUMBER)) == NUMBER
    assert tokens.seal(NUMBER).startswith("4:3:")


SECRET = encode(b"canary" * 5)
"""30 bytes: too short for a key, yet a secret that somebody pasted."""


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ",", ":", "0", "0:", SECRET, f"{SECRET}:0", f"0:{SECRET}", f"0-{SECRET}"),
        *(
            f"0:{encode(OLD_KEY)},",
            f"0:{encode(OLD_KEY)},1:{SECRET}",
            f"0:{SECRET}!",
            f"x:{SECRET}",
        ),
        *(
            f"0:{SECRET}é",
            f"0:{encode(OLD_KEY)}{SECRET}",
            "9" * 5000 + ":",
            f"0:{encode(b'k' * 33)}",
        ),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(TokenKeyError) as refused:
        SealedTokens.parse(text)
    told = "".join(traceback.format_exception(refused.value))
    assert SECRET not in told
    assert encode(OLD_KEY) not in told


def test_no_keys_are_no_keys() -> None:
    with pytest.raises(TokenKeyError):
        SealedTokens({})


@pytest.mark.parametrize("version", ["-1", "1000000000", "99999999999"])
def test_a_version_whose_tokens_could_not_be_opened_is_refused(version: str) -> None:
    with pytest.raises(TokenKeyError):
        SealedTokens.parse(f"{version}:{encode(OLD_KEY)}")


def test_two_keys_of_one_version_are_refused_for_one_would_be_lost() -> None:
    with pytest.raises(TokenKeyError):
        SealedTokens.parse(f"0:{encode(NEW_KEY)},0:{encode(OLD_KEY)}")


def test_keys_are_not_shown() -> None:
    assert encode(OLD_KEY) not in repr(TOKENS)
    assert str(OLD_KEY) not in repr(TOKENS)
