"""Requests that hold a card number are refused before anything of them is executed or repeated.

A document is read token by token: texts, numbers, names and comments. What is given for a product
number may look like a card number, for an EAN is a product number too.
"""

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import GraphQLError, Lexer, Source, Token, TokenKind

from api.errors import RequestError
from commerce.domain.cards import BETWEEN, MAX_DIGITS, MIN_DIGITS, holds_card_number

PRODUCT_NUMBERS = frozenset({"sku", "parent_sku", "skus"})
"""Arguments and input fields whose values are product numbers."""

_ESCAPED_DIGIT = r"\\u(?:003\d|(?!00)[\da-fA-F]{4}|\{[\da-fA-F]{1,12}\})"
_ESCAPED_GAP = r"\\(?:[nrtbf]|u00(?!3\d)[\da-fA-F]{2})"
_DIGIT, _GAP = rf"(?:\d|{_ESCAPED_DIGIT})", rf"(?:{BETWEEN}++|\.|{_ESCAPED_GAP})"
_POSSIBLE = re.compile(rf"{_DIGIT}(?:{_GAP}?+{_DIGIT}){{{MIN_DIGITS - 1}}}")
"""As many digits as the shortest card number has, however a document may write them."""

_TEXTS = {TokenKind.STRING, TokenKind.BLOCK_STRING, TokenKind.NAME}
_NUMBERS = {TokenKind.INT, TokenKind.FLOAT}
_ENDS_A_VALUE = {
    TokenKind.BRACE_L,
    TokenKind.BRACE_R,
    TokenKind.BRACKET_R,
    TokenKind.PAREN_L,
    TokenKind.PAREN_R,
}


@dataclass
class _Document:
    """What a document gives.

    Attributes:
        texts: All but product numbers.
        for_products: Variables that are given for product numbers.
        for_others: Variables that are given for anything else.
    """

    texts: list[str] = field(default_factory=list[str])
    for_products: set[str] = field(default_factory=set[str])
    for_others: set[str] = field(default_factory=set[str])

    @property
    def only_products(self) -> set[str]:
        """Variables that are given for product numbers and nothing else."""
        return self.for_products - self.for_others


def refuse_card_numbers(parameters: object, max_tokens: int) -> None:
    """Refuse a request that holds one.

    Args:
        parameters: What it says, under the names of GraphQL over HTTP.
        max_tokens: Of a document: what is longer is refused anyway.

    Raises:
        RequestError: It holds one, which the answer does not repeat.
    """
    given: dict[str, Any] = {"": parameters}
    if isinstance(parameters, dict):
        given = dict(cast("dict[str, Any]", parameters))
    query: str = given.pop("query") if isinstance(given.get("query"), str) else ""
    variables: dict[str, Any] = {}
    if isinstance(given.get("variables"), dict):
        variables = given.pop("variables")
    refuse_card_numbers_in(_texts_in([(given, False)]))
    if _POSSIBLE.search(query):
        refuse_card_numbers_in(_read(query, max_tokens).texts)
    if any(map(_is_refused, _texts_in([(variables, False)]))):
        products = _read(query, max_tokens).only_products
        values = [(value, name in products) for name, value in variables.items()]
        refuse_card_numbers_in([*variables, *_texts_in(values, PRODUCT_NUMBERS)])


def refuse_card_numbers_in(texts: Iterable[str]) -> None:
    """Refuse a request that says one of these texts.

    Raises:
        RequestError: One of them holds a card number.
    """
    if any(map(_is_refused, texts)):
        raise RequestError.because("The request must not contain card numbers.")


def _is_refused(text: str) -> bool:
    return len(text) >= MIN_DIGITS and holds_card_number(text)


def _texts_in(
    values: list[tuple[object, bool]], spared: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Names and texts in JSON values.

    Args:
        values: With each goes whether it is spared.
        spared: Names whose values are spared, but for what has other names inside.
    """
    while values:
        value, is_spared = values.pop()
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            yield from inner
            values += [(each, name in spared) for name, each in inner.items()]
        elif isinstance(value, list):
            values += [(each, is_spared) for each in cast("list[Any]", value)]
        elif isinstance(value, str) and not is_spared:
            yield value
        elif isinstance(value, (int, float)) and not is_spared:
            yield _digits(value)


def _digits(number: float) -> str:
    """The digits before the point; behind it, a quantity may have any number of them."""
    if isinstance(number, float) and not math.isfinite(number):
        return ""
    whole = abs(int(number))
    return str(whole) if whole < 10**MAX_DIGITS else ""


# -- documents ----------------------------------------------------------------------------------


def _read(query: str, max_tokens: int) -> _Document:
    tokens, is_whole = _tokens(query, max_tokens)
    read = _Document([] if is_whole else [query])
    read.texts += [token.value or "" for token in tokens if token.kind is TokenKind.COMMENT]
    tokens = [token for token in tokens if token.kind is not TokenKind.COMMENT]
    given_for = ""
    for at, token in enumerate(tokens):
        is_variable = at > 0 and tokens[at - 1].kind is TokenKind.DOLLAR
        value = token.value or ""
        if token.kind is TokenKind.COLON:
            declared = at > 1 and tokens[at - 2].kind is TokenKind.DOLLAR
            given_for = "" if declared else tokens[at - 1].value or ""
        elif token.kind in _ENDS_A_VALUE or (token.kind is TokenKind.NAME and not is_variable):
            given_for = ""
        for_product = given_for in PRODUCT_NUMBERS
        if is_variable and not _is_colon(tokens[at + 1 : at + 2]):
            (read.for_products if for_product else read.for_others).add(value)
        if token.kind in _TEXTS and (is_variable or not for_product):
            read.texts.append(value)
        elif token.kind in _NUMBERS and not for_product:
            read.texts += [value.partition(".")[0], _digits(float(value))]
    return read


def _is_colon(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].kind is TokenKind.COLON


def _tokens(query: str, max_tokens: int) -> tuple[list[Token], bool]:
    """The tokens of a document, comments as well, and whether these are all of them."""
    lexer = Lexer(Source(query))
    first, count = lexer.token, 0
    with suppress(GraphQLError):  # it is told when the document is parsed
        while count < max_tokens and lexer.advance().kind is not TokenKind.EOF:
            count += 1
    found = [first]
    while found[-1].next is not None:
        found.append(found[-1].next)
    return found, found[-1].kind is TokenKind.EOF
