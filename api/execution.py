"""From a document's text to the answer: parse, limit, validate, execute."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, NamedTuple
from uuid import uuid4

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLFieldResolver,
    GraphQLResolveInfo,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationType,
    default_field_resolver,  # pyright: ignore[reportUnknownVariableType]
    execute,  # pyright: ignore[reportUnknownVariableType]
    get_operation_ast,
    specified_rules,
    validate,
)

from api.context import Report
from api.errors import ApiError, RequestError, formatted, internal, public, reworded, status_of
from api.limits import Limits, parse_within

MAX_CACHED_DOCUMENTS = 400
MAX_CACHED_CHARS = 256 * 1024
"""A parsed document takes 120 to 280 times the memory of its text."""

INVALID, SEVERAL = "invalid", "several"
"""What is counted instead of a field: the document names none, or more than one."""

_TOO_MUCH = (
    "The answer would be too large: ask for less at a time. "
    "Changes that were asked for may have been made."
)

MakeContext = Callable[[Report], Awaitable[Any]]
"""From a request's report to what resolvers get as ``info.context``; may raise ``ApiError``."""


class Answer(NamedTuple):
    """An HTTP status and a GraphQL response."""

    status: int
    body: dict[str, Any]


class DocumentCache:
    """Valid documents by their text; the least recently used goes first."""

    def __init__(
        self, max_documents: int = MAX_CACHED_DOCUMENTS, max_chars: int = MAX_CACHED_CHARS
    ) -> None:
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()
        self._chars = 0
        self._max_documents = max_documents
        self._max_chars = max_chars

    def get(self, query: str) -> DocumentNode | None:
        """The document, when it is known to be valid."""
        document = self._documents.get(query)
        if document is not None:
            self._documents.move_to_end(query)
        return document

    def put(self, query: str, document: DocumentNode) -> None:
        """Remember a valid document."""
        self._documents[query] = document
        self._chars += len(query)
        while len(self._documents) > self._max_documents or self._chars > self._max_chars:
            dropped, _ = self._documents.popitem(last=False)
            self._chars -= len(dropped)


class Executor:
    """Executes requests on one schema.

    Args:
        schema: With its resolvers bound.
        limits: What a request may ask for.
        development: Introspection works, and errors carry "did you mean" hints.
    """

    def __init__(
        self, schema: GraphQLSchema, limits: Limits | None = None, *, development: bool = False
    ) -> None:
        self.limits = limits or Limits()
        self._schema = schema
        self._hide_hints = not development
        hidden = () if development else (NoSchemaIntrospectionCustomRule,)
        self._rules = (*specified_rules, *hidden)
        self._documents = DocumentCache()

    async def execute(
        self,
        query: str,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        make_context: MakeContext,
        *,
        allow_mutation: bool = True,
    ) -> Answer:
        """Answer one request; whatever fails in it is in the answer.

        Args:
            query: The document.
            variables: By name.
            operation_name: Which operation, when the document has several.
            make_context: Called once the request is known to be executable.
            allow_mutation: False for a GET: the status of a mutation is then 405.
        """
        try:
            document = self._valid(query)
            _check_operation(document, operation_name, allow_mutation=allow_mutation)
        except RequestError as refused:
            wording = [reworded(error, self._schema) for error in refused.errors]
            return Answer(refused.status, RequestError(wording).body)
        correlation_id = uuid4().hex
        report = Report()
        try:
            context = await make_context(report)
        except ApiError as error:
            errors = [formatted(error)]
            return Answer(status_of(errors), {"errors": errors})
        except Exception as error:  # noqa: BLE001 (logged by internal)
            return Answer(500, RequestError([internal(error, correlation_id)]).body)
        try:
            result = await self._executed(document, variables, operation_name, context)
            for note in report.afterwards.values():
                await note()
        except _TooMuchError:
            return Answer(400, RequestError.because(_TOO_MUCH).body)
        except Exception as error:  # noqa: BLE001 (logged by internal)
            return Answer(500, RequestError([internal(error, correlation_id)]).body)
        return self._answer(result, report, correlation_id)

    def field_of(self, query: str, operation_name: str | None) -> str:
        """The field of the schema that a document asks for: what it is counted as."""
        document = self._documents.get(query)
        operation = get_operation_ast(document, operation_name) if document else None
        if operation is None:
            return INVALID
        first, *more = operation.selection_set.selections
        return first.name.value if isinstance(first, FieldNode) and not more else SEVERAL

    async def _executed(
        self,
        document: DocumentNode,
        variables: dict[str, Any] | None,
        operation_name: str | None,
        context: Any,
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            document,
            context_value=context,
            variable_values=variables,
            operation_name=operation_name,
            field_resolver=_counting(self.limits.values),
            max_coercion_errors=self.limits.errors,
            hide_suggestions=self._hide_hints,
        )
        return await result if isawaitable(result) else result

    def _valid(self, query: str) -> DocumentNode:
        document = self._documents.get(query)
        if document is None:
            document = parse_within(self.limits, query)
            errors = validate(
                self._schema, document, self._rules, self.limits.errors, self._hide_hints
            )
            if errors:
                raise RequestError(errors)
            self._documents.put(query, document)
        return document

    def _answer(self, result: ExecutionResult, report: Report, correlation_id: str) -> Answer:
        failures = result.errors or []
        if result.data is None and failures and all(error.path is None for error in failures):
            wording = [reworded(error, self._schema) for error in failures]
            return Answer(400, RequestError(wording).body)
        told = [public(error, self._schema, correlation_id) for error in failures]
        errors = [formatted(error) for error in (*told, *report.errors)]
        body: dict[str, Any] = {"data": result.data}
        if errors:
            body["errors"] = errors
        if report.extras.values:
            body["extensions"] = report.extras.values
        return Answer(status_of(errors), body)


class _TooMuchError(BaseException):
    """Ends an execution at once; of any other exception graphql-core makes a field's error."""


def _counting(limit: int) -> GraphQLFieldResolver:
    """The default resolver, for so many values."""
    left = limit

    def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooMuchError
        return default_field_resolver(source, info, **arguments)

    return resolve


def _check_operation(
    document: DocumentNode, operation_name: str | None, *, allow_mutation: bool
) -> None:
    operation = get_operation_ast(document, operation_name)
    if operation is None and operation_name is not None:
        raise RequestError.because(f'Unknown operation named "{operation_name}".')
    if operation is None:
        raise RequestError.because("Must provide operation name: the document has several.")
    if operation.operation is OperationType.MUTATION and not allow_mutation:
        raise RequestError.because("Mutations must be sent by POST.", status=405)
