"""What the clients' tools make of a document before it is sent."""

from collections.abc import Iterable, Iterator
from typing import Any

from graphql import (
    REMOVE,
    DefinitionNode,
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

MESH_FIELDS = {"StoreConfig": {"currency"}}
"""Fields that GraphCommerce's own server adds to Magento's types: Magento never sees them."""

_STORE_CONFIGS = ("storeConfig", "availableStores")


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


def spreads(node: DefinitionNode) -> list[str]:
    """The names of the fragments that a definition spreads."""
    names: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, found: FragmentSpreadNode, *_: Any) -> None:
            names.append(found.name.value)

    visit(node, Spreads())
    return names


def with_fragments(operation: OperationDefinitionNode, known: Fragments) -> DocumentNode:
    """The operation and every fragment that it needs, and no other.

    Raises:
        KeyError: A fragment is in none of the packages.
    """
    needed: Fragments = {}
    waiting = spreads(operation)
    while waiting:
        name = waiting.pop(0)
        if name not in needed:
            needed[name] = known[name]
            waiting += spreads(known[name])
    return DocumentNode(definitions=(operation, *needed.values()))


def injected(fragments: Fragments) -> Fragments:
    """Fragments after GraphCommerce's `@inject(into: [...])`: the target spreads the injected one.

    Raises:
        KeyError: A target is in none of the packages.
    """
    shaped = {name: _without(each, "inject") for name, each in fragments.items()}
    for name, each in fragments.items():
        for target in _targets(each):
            old = shaped[target].selection_set
            spread = FragmentSpreadNode(name=NameNode(value=name), directives=(), arguments=())
            new = SelectionSetNode(selections=(*old.selections, spread))
            shaped[target] = _fragment(shaped[target], selection_set=new)
    return shaped


def as_apollo_sends(document: DocumentNode) -> DocumentNode | None:
    """What Apollo Client makes of a document: `__typename` everywhere, nothing of its own cache.

    Returns:
        None when the browser alone answers it.
    """
    sent: DocumentNode = visit(visit(document, _WithoutLocalFields()), _WithTypename())
    empty = any(
        not each.selection_set.selections
        for each in sent.definitions
        if isinstance(each, OperationDefinitionNode)
    )
    return None if empty else sent


def without_mesh_fields(document: DocumentNode) -> DocumentNode:
    """What GraphCommerce's server passes on to Magento."""
    return visit(document, _WithoutMeshFields())


class _WithoutLocalFields(Visitor):
    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        if any(each.name.value == "client" for each in node.directives or ()):
            return REMOVE
        return _without(node, "connection")


class _WithTypename(Visitor):
    def leave_selection_set(self, node: SelectionSetNode, _key: Any, parent: Any, *_: Any) -> Any:
        names = [each.name.value for each in node.selections if isinstance(each, FieldNode)]
        if isinstance(parent, OperationDefinitionNode) or "__typename" in names:
            return None
        return SelectionSetNode(selections=(*node.selections, _field("__typename")))


class _WithoutMeshFields(Visitor):
    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> Any:
        hidden = MESH_FIELDS.get(node.type_condition.name.value, set())
        return _fragment(node, selection_set=_pruned(node.selection_set, hidden))

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        if node.name.value in _STORE_CONFIGS and node.selection_set:
            node = _copy(node)
            node.selection_set = _pruned(node.selection_set, MESH_FIELDS["StoreConfig"])
        return node
