"""Documents that ask for everything there is: every field of a result, of whatever type it is."""

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from api.resolvers import build_schema

SCHEMA = build_schema()


def everything(field: GraphQLField, schema: GraphQLSchema = SCHEMA) -> str:
    """The selection of all that a field answers; a type is not entered inside itself."""
    named = get_named_type(field.type)
    if is_leaf_type(named):
        return ""
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    return _selected(named, schema, ())


def _selected(
    of: GraphQLObjectType | GraphQLInterfaceType, schema: GraphQLSchema, inside: tuple[str, ...]
) -> str:
    texts = ["__typename"]
    seen: dict[str, str] = {}
    for each in (of, *(schema.get_possible_types(of) if isinstance(of, GraphQLInterfaceType) else ())):
        texts_of = _fields(each, schema, (*inside, of.name, each.name), seen)
        texts += texts_of if each is of else [f"... on {each.name} {{ {' '.join(texts_of)} }}"] if texts_of else []
    return f"{{ {' '.join(texts)} }}"
