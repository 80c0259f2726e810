"""Documents that ask for everything there is: every field of a result, of whatever type it is."""

from collections.abc import Callable, Iterable
from typing import cast

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)

ANSWERED = {
    "CartItemInterface": ("SimpleCartItem", "VirtualCartItem"),
    "ProductInterface": ("SimpleProduct", "VirtualProduct"),
    "OrderItemInterface": ("OrderItem",),
    "Error": ("CartUserInputError", "CompleteOrderError"),
}
"""The types behind interfaces that are ever answered. The others are there to be named only."""

NEVER = {"Invoice", "OrderShipment", "CreditMemo", "Return"}
"""Large, and never answered: of these, only what is no object itself."""


def everything(schema: GraphQLSchema, field: GraphQLField) -> str:
    """The selection of all that a field answers; a type is not entered inside itself."""
    return _of_type(schema, _named(field), frozenset())


def _of_type(schema: GraphQLSchema, named: GraphQLNamedType, inside: frozenset[str]) -> str:
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    if named.name in NEVER:
        inside |= {_named(field).name for field in named.fields.values()}
    inside |= {named.name}
    texts = ["__typename", *_fields(schema, named.fields.items(), inside)]
    for name in ANSWERED.get(named.name, ()):
        behind = schema.type_map[name]
        assert isinstance(behind, GraphQLObjectType)
        more = [each for each in behind.fields.items() if each[0] not in named.fields]
        texts += [f"... on {name} {{ {' '.join(['__typename', *_fields(schema, more, inside)])} }}"]
    return f"{{ {' '.join(texts)} }}"


def _fields(
    schema: GraphQLSchema, fields: Iterable[tuple[str, GraphQLField]], inside: frozenset[str]
) -> list[str]:
    return [
        f"{name} {_of_type(schema, named, inside)}".rstrip()
        for name, field in fields
        if is_leaf_type(named := _named(field)) or named.name not in inside
    ]


def _named(field: GraphQLField) -> GraphQLNamedType:
    named = cast("Callable[[object], GraphQLNamedType]", get_named_type)
    return named(cast("object", field.type))  # pyright: ignore[reportUnknownMemberType]
