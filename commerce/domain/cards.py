"""Card numbers never enter: what looks like one is refused wherever a shopper can write text.

What holds one is a run of 13 to 19 digits in which spaces, dashes or dots may stand, that begins
and is as long as the cards that schemes issue, and whose check digit is right. Digits and spaces of
every script count, and letters around them change nothing. Three things are told apart from cards:

- A longer run of digits, of which a part would be a card number.
- A telephone number, of up to 15 digits after a plus sign. American Express and Diners Club are
  refused after one too: no telephone number that begins with 3 is as long.
- A random identifier in hexadecimal, a UUID for one: one of 8,000 would be taken for a card.

Without a plus sign, one of ten telephone numbers of 13 digits that begin with a 4 is refused.
"""

import re
from itertools import accumulate

from pydantic import AfterValidator

MIN_DIGITS, MAX_DIGITS = 13, 19
MAX_PHONE_DIGITS = 15
MIN_HEX_CHARS = 24

BETWEEN = r"[\s._/\u00ad\u200b-\u200d\u2060\ufeff\-\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]"
"""What may stand between two digits: a space, seen or not, a dash, a dot, a slash; three of it."""

_PLUS = {"+", "\uff0b"}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_ENOUGH = re.compile(rf"\d(?:{BETWEEN}{{0,3}}\d){{{MIN_DIGITS - 1}}}")
_CHAIN = re.compile(rf"\d+(?:{BETWEEN}{{1,3}}\d+)*")
_DIGITS = re.compile(r"\d+")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_IDENTIFIER = re.compile(
    rf"(?<![0-9a-z])(?:{_UUID}|[0-9a-f]{{{MIN_HEX_CHARS},}}+)(?![0-9a-z])", re.ASCII | re.IGNORECASE
)
_ISSUED = re.compile(
    r"""
      4 (?: \d{12} | \d{15} | \d{18} )                                            # Visa
    | 5[1-5] \d{14} | (?: 222[1-9] | 22[3-9]\d | 2[3-6]\d\d | 27[01]\d | 2720 ) \d{12}  # Mastercard
    | 3[47] \d{13}                                                                # American Express
    | 3 (?: 0[0-5] | [689]\d ) \d{11,16} | 3095 \d{10,15}                         # Diners Club
    | 35 (?: 2[89] | [3-8]\d ) \d{12,15}                                          # JCB
    | 220[0-4] \d{12,15}                                                          # Mir
    | (?: 50 | 5[6-8] | 6\d ) \d{11,17}       # Discover, Maestro, UnionPay, RuPay, Elo and others
    """,
    re.VERBOSE,
)


def holds_card_number(text: str) -> bool:
    """Whether a part of the text looks like a card number, in time linear to its length."""
    if not _ENOUGH.search(text):
        return False
    plain = _IDENTIFIER.sub(_without_identifier, text)
    return any(
        _is_in(found.group(), after_plus=plain[found.start() - 1 : found.start()] in _PLUS)
        for found in _CHAIN.finditer(plain)
        if len(found.group()) >= MIN_DIGITS
    )


def _without_identifier(found: re.Match[str]) -> str:
    """The text as it is, unless it has the mixture of digits and letters that chance makes."""
    text = found.group()
    longest = max(_DIGITS.findall(text), key=len, default="")
    rest = text.replace("-", "").replace(longest, "", 1)
    digits = sum(char.isdecimal() for char in rest)
    return "." if digits > 1 and len(rest) - digits > 1 else text


def _is_in(chain: str, *, after_plus: bool) -> bool:
    """Whether a card number begins where some group of digits does, and ends where one does."""
    groups = _DIGITS.findall(chain)
    digits = "".join(str(int(char)) for group in groups for char in group)
    bounds = {0, *accumulate(len(group) for group in groups)}
    firsts = "3" if after_plus and len(digits) <= MAX_PHONE_DIGITS else "23456"
    own, other = _sums(digits)
    for length in range(MIN_DIGITS, MAX_DIGITS + 1):
        before = other if length % 2 else own
        for start, (left, right) in enumerate(zip(before, own[length:], strict=False)):
            if (
                left == right  # so the check digit is right
                and digits[start] in firsts
                and {start, start + length} <= bounds
                and _ISSUED.fullmatch(digits, start, start + length)
            ):
                return True
    return False


def _sums(digits: str) -> tuple[list[int], list[int]]:
    """Luhn's sums, modulo 10, up to before every place and to the end.

    In the first list, every other digit before the place is doubled, the nearest one is not; in the
    second, the nearest is the first to be doubled. A number's own sum is what lies between.
    """
    own, other = [0], [0]
    for digit in map(int, digits):
        last, last_other = own[-1], other[-1]
        own.append((last_other + digit) % 10)
        other.append((last + _DOUBLED[digit]) % 10)
    return own, other


def without_card_number(text: str) -> str:
    """The text, as it is.

    Raises:
        ValueError: It holds a card number, which the message does not repeat.
    """
    if holds_card_number(text):
        raise ValueError("must not contain a card number")
    return text


NoCardNumber = AfterValidator(without_card_number)
"""For the text fields of models: ``Annotated[str, NoCardNumber]``."""
