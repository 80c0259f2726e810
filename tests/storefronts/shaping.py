"""What the clients' tools make of a document before it is sent."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from graphql import (
    REMOVE,
    DefinitionNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    ListValueNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    print_ast,
    visit,
)

Fragments = dict[str, FragmentDefinitionNode]
Directed = TypeVar("Directed", FieldNode, FragmentDefinitionNode)

MESH_FIELDS = frozenset({"currency"})
"""Fields that GraphCommerce's own server adds to StoreConfig: Magento never sees them."""


def fragments_by_name(definitions: Iterable[DefinitionNode]) -> Fragments:
    """The fragments among the definitions; one written twice counts once, as in graphql-tag.

    Raises:
        ValueError: Two fragments of one name differ.
    """
    found: Fragments = {}
    for each in definitions:
        if isinstance(each, FragmentDefinitionNode):
            known = found.setdefault(each.name.value, each)
            if print_ast(known) != print_ast(each):
                raise ValueError(f"two fragments are called {each.name.value}")
    return found


def with_fragments(operation: OperationDefinitionNode, known: Fragments) -> DocumentNode:
    """The operation and every fragment that it needs, and no other.

    Raises:
        KeyError: A fragment is in none of the packages.
    """
    needed: Fragments = {}
    waiting = _spreads(operation)
    while waiting:
        name = waiting.pop(0)
        if name not in needed:
            needed[name] = known[name]
            waiting += _spreads(known[name])
    return DocumentNode(definitions=(operation, *needed.values()))


def injected(fragments: Fragments) -> Fragments:
    """Fragments after GraphCommerce's `@inject(into: [...])`: the targets spread the injected one.

    Raises:
        KeyError: A target is in none of the packages.
    """
    shaped = {name: _without(each, "inject") for name, each in fragments.items()}
    for name, each in fragments.items():
        for target in _targets(each):
            spread = FragmentSpreadNode(name=NameNode(value=name))
            shaped[target] = replace(
                shaped[target], selection_set=_with(shaped[target].selection_set, spread)
            )
    return shaped


def as_apollo_sends(document: DocumentNode) -> DocumentNode | None:
    """What Apollo Client makes of a document: `__typename` everywhere, nothing of its own cache.

    Returns:
        None when the browser alone answers it.
    """
    sent: DocumentNode = visit(visit(document, _WithoutLocalFields()), _WithTypename())
    operations = (each for each in sent.definitions if isinstance(each, OperationDefinitionNode))
    return sent if all(each.selection_set.selections for each in operations) else None


def without_mesh_fields(document: DocumentNode) -> DocumentNode:
    """What GraphCommerce's server passes on to Magento."""
    return visit(document, _WithoutMeshFields())


class _Spreads(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.names.append(node.name.value)


class _WithoutLocalFields(Visitor):
    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        local = any(each.name.value == "client" for each in node.directives or ())
        return REMOVE if local else _without(node, "connection")


class _WithTypename(Visitor):
    def leave_selection_set(self, node: SelectionSetNode, _key: Any, parent: Any, *_: Any) -> Any:
        if isinstance(parent, OperationDefinitionNode) or "__typename" in _fields(node):
            return None
        return _with(node, FieldNode(name=NameNode(value="__typename")))


class _WithoutMeshFields(Visitor):
    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> Any:
        if node.type_condition.name.value == "StoreConfig":
            return replace(node, selection_set=_pruned(node.selection_set, MESH_FIELDS))
        return None

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        if node.name.value in {"storeConfig", "availableStores"} and node.selection_set:
            return replace(node, selection_set=_pruned(node.selection_set, MESH_FIELDS))
        return None


def _spreads(node: DefinitionNode) -> list[str]:
    found = _Spreads()
    visit(node, found)
    return found.names


def _targets(fragment: FragmentDefinitionNode) -> list[str]:
    """Where a fragment is to be injected."""
    lists = [
        argument.value
        for directive in fragment.directives or ()
        if directive.name.value == "inject"
        for argument in directive.arguments or ()
    ]
    return [
        target.value
        for names in lists
        if isinstance(names, ListValueNode)
        for target in names.values
        if isinstance(target, StringValueNode)
    ]


def _without(node: Directed, directive: str) -> Directed:
    kept: tuple[DirectiveNode, ...] = tuple(
        each for each in node.directives or () if each.name.value != directive
    )
    return replace(node, directives=kept)


def _with(node: SelectionSetNode, last: FieldNode | FragmentSpreadNode) -> SelectionSetNode:
    return replace(node, selections=(*node.selections, last))


def _pruned(node: SelectionSetNode, hidden: Collection[str]) -> SelectionSetNode:
    kept = (
        each
        for each in node.selections
        if not (isinstance(each, FieldNode) and each.name.value in hidden)
    )
    return replace(node, selections=tuple(kept))


def _fields(node: SelectionSetNode) -> set[str]:
    return {each.name.value for each in node.selections if isinstance(each, FieldNode)}
