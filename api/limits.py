"""How large a document may be; counted before validation, in time linear to its text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Token,
    TokenKind,
    parse,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from starlette.requests import Request

from api.errors import RequestError

CHECKOUT_FIELDS = frozenset({"placeOrder", "completeOrder", "setPaymentMethodAndPlaceOrder"})
"""At most one of these per document: many would guess carts, or try cards, in one request."""

# graphql-core's own knob: its default lets 6 KB of text validate for a second. Of the documents
# that published storefronts send, none spends more than 1,466.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 40_000


@dataclass(frozen=True)
class Limits:
    """What a request may ask for.

    Attributes:
        body_bytes: Of the request's body, or of its query string.
        tokens: Lexical tokens of the document; as many comments again.
        depth: Fields inside fields, fragments expanded.
        fields: Fields, fragments expanded wherever they are spread.
        aliases: Aliases as written.
        directives: Directives as written.
        values: Of an answer: documents multiply by the length of the lists that they ask for. The
            longest order, asked for by the largest document of a storefront, has half as many.
        errors: Validation and coercion stop after so many.
    """

    body_bytes: int = 256 * 1024
    tokens: int = 10_000
    depth: int = 20
    fields: int = 1_500
    aliases: int = 100
    directives: int = 100
    values: int = 200_000
    errors: int = 20


@dataclass
class _Size:
    """What a definition holds; ``spreads`` are the fragments it names, and how deep."""

    fields: int = 0
    depth: int = 0
    aliases: int = 0
    checkouts: int = 0
    spreads: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


async def body_within(limits: Limits, request: Request) -> bytes:
    """The body, when it is within the limit; no more of it is read than that.

    Raises:
        RequestError: It is longer.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        check_length(limits, len(body))
    return bytes(body)


def check_length(limits: Limits, length: int) -> None:
    """That a body, or a query string, of so many bytes is within the limit.

    Raises:
        RequestError: It is not.
    """
    if length > limits.body_bytes:
        message = f"The request must not be larger than {limits.body_bytes} bytes."
        raise RequestError.because(message, 413)


def parse_within(limits: Limits, query: str) -> DocumentNode:
    """The document, when it is within the limits.

    Raises:
        RequestError: It is not, or it is not GraphQL.
    """
    try:
        document = parse(query, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
    except GraphQLError as error:
        raise RequestError([error]) from None
    _check_tokens(document, limits)
    _check_size(document, limits)
    return document


def _check_tokens(document: DocumentNode, limits: Limits) -> None:
    directives = 0
    for token in _tokens(document):
        directives += token.kind is TokenKind.AT
        if token.value and "\0" in token.value:
            raise RequestError.because("The query must not contain NUL characters.")
    _refuse_more("directives", directives, limits.directives)


def _tokens(document: DocumentNode) -> Iterator[Token]:
    token = document.loc.start_token if document.loc else None
    while token is not None:
        yield token
        token = token.next


def _check_size(document: DocumentNode, limits: Limits) -> None:
    fragments: dict[str, _Size] = {}
    operations: list[_Size] = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations.append(_measure(definition.selection_set))
        elif isinstance(definition, FragmentDefinitionNode):
            name = definition.name.value
            if name in fragments:
                raise RequestError.because(f'There can be only one fragment named "{name}".')
            fragments[name] = _measure(definition.selection_set)
    written = [*operations, *fragments.values()]
    _refuse_more("aliases", sum(size.aliases for size in written), limits.aliases)

    for name in _inner_first(fragments):
        _expand(fragments[name], fragments)
    for size in operations:
        _expand(size, fragments)
    used = {name for size in written for name, _ in size.spreads}
    unused = [size for name, size in fragments.items() if name not in used]
    roots = [*operations, *unused]
    _refuse_more("depth", max((size.depth for size in roots), default=0), limits.depth)
    _refuse_more("fields", sum(size.fields for size in roots), limits.fields)
    if sum(size.checkouts for size in roots) > 1:
        raise RequestError.because(f"Only one of {', '.join(sorted(CHECKOUT_FIELDS))} per request.")


def _measure(selection_set: SelectionSetNode) -> _Size:
    size = _Size()
    stack = [(selection_set, 0)]
    while stack:
        selections, depth = stack.pop()
        for node in selections.selections:
            inner = depth
            if isinstance(node, FragmentSpreadNode):
                size.spreads.append((node.name.value, depth))
                continue
            if isinstance(node, FieldNode):
                inner = depth + 1
                size.fields += 1
                size.depth = max(size.depth, inner)
                size.aliases += node.alias is not None
                size.checkouts += depth == 0 and node.name.value in CHECKOUT_FIELDS
            assert isinstance(node, (FieldNode, InlineFragmentNode))
            if node.selection_set:
                stack.append((node.selection_set, inner))
    return size


def _inner_first(fragments: dict[str, _Size]) -> list[str]:
    graph = {
        name: {spread for spread, _ in size.spreads if spread in fragments}
        for name, size in fragments.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        name = error.args[1][0]
        raise RequestError.because(f'Cannot spread fragment "{name}" within itself.') from None


def _expand(size: _Size, expanded: dict[str, _Size]) -> None:
    """Add what the spread fragments hold; they are expanded already, each once."""
    for name, depth in size.spreads:
        inner = expanded.get(name, _Size())
        size.fields += inner.fields
        size.depth = max(size.depth, depth + inner.depth)
        size.checkouts += inner.checkouts


def _refuse_more(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise RequestError.because(f"Max query {what} should be {limit}, the document has more.")
