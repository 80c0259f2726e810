"""Errors as Adobe Commerce answers them: a message, a category, and nothing about the inside."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    ValueNode,
    VariableDefinitionNode,
)

from commerce.domain.errors import Category

logger = logging.getLogger("checkout.api")


INTERNAL = "internal"
"""The category of what is never raised, only answered."""


class ApiError(GraphQLError):
    """An error that the client is told as it is. Every other exception is masked.

    Attributes:
        extensions: The category, then what else the client may use.
    """

    def __init__(
        self,
        message: str,
        category: str = Category.INPUT,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, extensions={"category": str(category), **(extensions or {})})


class RequestError(Exception):
    """The request is refused before anything of it is executed.

    Attributes:
        errors: At least one.
        status: The HTTP status of the answer.
    """

    def __init__(self, errors: Sequence[GraphQLError], status: int = 400) -> None:
        super().__init__(errors[0].message)
        self.errors = errors
        self.status = status

    @classmethod
    def because(cls, message: str, status: int = 400) -> "RequestError":
        """One input error."""
        return cls([ApiError(message)], status)

    @property
    def body(self) -> dict[str, Any]:
        """The answer: a request error has no ``data``."""
        return {"errors": [formatted(error) for error in self.errors]}


def status_of(errors: Sequence[Mapping[str, Any]]) -> int:
    """The HTTP status of an executed request: the first error decides."""
    category = errors[0]["extensions"]["category"] if errors else None
    if category == Category.AUTHENTICATION:
        return 401
    return 403 if category == Category.AUTHORIZATION else 200


def formatted(error: GraphQLError) -> dict[str, Any]:
    """An error that is the client's to see, as the response carries it."""
    plain = dict(error.formatted)
    plain["extensions"] = {"category": str(Category.INPUT), **(error.extensions or {})}
    return plain


def internal(error: Exception, correlation_id: str) -> GraphQLError:
    """Log what went wrong, and mask it; the id joins the log and the answer."""
    path = error.path if isinstance(error, GraphQLError) else None
    cause = error.original_error if isinstance(error, GraphQLError) else None
    where = ".".join(str(part) for part in path or ["request"])
    logger.error(
        "%s failed, correlation id %s",
        where,
        correlation_id,
        exc_info=cause or error,
        extra={"correlation_id": correlation_id},
    )
    return GraphQLError(
        "Internal server error",
        nodes=error.nodes if isinstance(error, GraphQLError) else None,
        path=path,
        extensions={"category": INTERNAL, "correlation_id": correlation_id},
    )


def public(error: GraphQLError, schema: GraphQLSchema, correlation_id: str) -> GraphQLError:
    """A field's error as the client may see it."""
    cause = error.original_error or error
    if isinstance(cause, ApiError):
        return error
    if isinstance(cause, GraphQLError) and _is_about_a_value(cause):
        return reworded(error, schema)
    return internal(error, correlation_id)


def _is_about_a_value(error: GraphQLError) -> bool:
    """graphql-core points at the client's value; what a resolver got wrong points at a field."""
    return bool(error.nodes) and isinstance(error.nodes[0], (ValueNode, VariableDefinitionNode))


def reworded(error: GraphQLError, schema: GraphQLSchema) -> GraphQLError:
    """graphql-core's error in the words of webonyx/graphql-php, which clients match."""
    if isinstance(error, ApiError):
        return error
    return GraphQLError(
        _reword(error.message, schema),
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
    )


_VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid value(?: at ([^\s:]+))?: (.*)", re.DOTALL)
_REQUIRED_FIELD = re.compile(
    r"Expected value of type '(\w+)' to include required field '(\w+)', found: .*", re.DOTALL
)
_ABSENT = re.compile(r"Expected a value of non-null type '(\S+)' to be provided\.")
_NULL = re.compile(r"Expected value of non-null type '(\S+)' not to be None\.")
_OF_VARIABLE = (
    (_ABSENT, r'of required type "\1" was not provided.'),
    (_NULL, r'of non-null type "\1" must not be null.'),
)
_TEXTS = tuple(
    (re.compile(pattern, re.DOTALL), text)
    for pattern, text in (
        (
            r"Argument '(?:\w+\.)?(\w+)\((\w+):\)' of type '(\S+)' is required,"
            r" but it was not provided\.",
            r'Field "\1" argument "\2" of type "\3" is required but not provided.',
        ),
        (
            r"Argument '(@\w+)\((\w+):\)' of type '(\S+)' is required, but it was not provided\.",
            r'Directive "\1" argument "\2" of type "\3" is required but not provided.',
        ),
        (
            r"Argument '(\w+)' has invalid value: Expected variable '\S+' provided"
            r" to non-null type '(\S+)' not to be None\.",
            r'Argument "\1" of non-null type "\2" must not be null.',
        ),
        (
            r"Unknown argument '(\w+)' on field '(\w+)\.(\w+)'\.(.*)",
            r'Unknown argument "\1" on field "\3" of type "\2".\4',
        ),
        (
            r"Field '(\w+)' of type '(\S+)' must have a selection of subfields\..*",
            r'Field "\1" of type "\2" must have a sub selection.',
        ),
        (
            r"Field '(\w+)' must not have a selection since type '(\S+)' has no subfields\.",
            r'Field "\1" of type "\2" must not have a sub selection.',
        ),
        (
            r"Expected value of type '(\w+)' not to include unknown field '(\w+)'"
            r"(?:, found|\.( Did you mean .*?\?) Found): .*",
            r'Field "\2" is not defined by type "\1".\3',
        ),
        (
            r"Expected value of type '(\S+)' to be an object, found: .*",
            r'Expected type "\1" to be an object.',
        ),
        (
            r"Expected value of non-null type '(\S+)' not to be None\.",
            r'Expected value of type "\1", found null.',
        ),
    )
)
_QUOTED = re.compile(r"(?<!\w)'([^\s'\"]+)'(?!\w)")


def _reword(message: str, schema: GraphQLSchema) -> str:
    found = _VARIABLE.fullmatch(message)
    if found is None:
        return _reword_literal(message, schema)
    name, path, problem = found.groups()
    for pattern, text in _OF_VARIABLE:
        of_type = pattern.fullmatch(problem)
        if of_type and path is None:
            return f'Variable "${name}" {of_type.expand(text)}'
    required = _REQUIRED_FIELD.fullmatch(problem)
    if required:
        of_type = _type_of_field(schema, *required.groups())
        problem = f'Field "{required[2]}" of required type "{of_type}" was not provided.'
    problem = _NULL.sub(r'Expected non-nullable type "\1" not to be null.', problem)
    where = f' at "{name}{path}"' if path else ""
    return f'Variable "${name}" got invalid value{where}; {_reword_literal(problem, schema)}'


def _reword_literal(message: str, schema: GraphQLSchema) -> str:
    required = _REQUIRED_FIELD.fullmatch(message)
    if required:
        type_name, field = required.groups()
        of_type = _type_of_field(schema, type_name, field)
        return f"Field {type_name}.{field} of required type {of_type} was not provided."
    for pattern, text in _TEXTS:
        found = pattern.fullmatch(message)
        if found:
            return _QUOTED.sub(r'"\1"', found.expand(text))
    return _QUOTED.sub(r'"\1"', message)


def _type_of_field(schema: GraphQLSchema, type_name: str, field: str) -> str:
    of_type = schema.type_map[type_name]
    assert isinstance(of_type, GraphQLInputObjectType)
    return str(of_type.fields[field].type)
