"""What published storefronts send about cart, checkout and order.

Nothing of it is kept in the repository: npm fetches the packages, pinned, into the user's cache.
Every operation that is found is either one of `documents` or listed by `out_of_scope`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from graphql import (
    DefinitionNode,
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
    print_ast,
)

from tests.storefronts.packages import folders
from tests.storefronts.shaping import (
    Fragments,
    as_apollo_sends,
    fragments_by_name,
    injected,
    with_fragments,
    without_mesh_fields,
)
from tests.storefronts.templates import EDITIONS, Bundle

ACCOUNTS = "customers' accounts and address books are kept elsewhere"
BROWSER = "answered in the browser, never sent"
CATALOGUE = "the catalogue is browsed elsewhere"
CONTENT = "pages and content are served elsewhere"
GIFT_CARDS = "no gift cards are sold or kept"
NEWSLETTER = "no newsletter"
QUOTES = "business to business: negotiable quotes and companies"
REVIEWS = "product reviews are kept elsewhere"
ROBOTS = "recognising robots is left to what stands before the server"
SAVED_CARDS = "no cards are kept: a payment is made with the provider, for one cart"
WISHLISTS = "wishlists are kept elsewhere"

OUT_OF_SCOPE_FIELDS = {
    "__type": "introspection of the catalogue's filters",
    "addProductsToWishlist": WISHLISTS,
    "categories": CATALOGUE,
    "categoryList": CATALOGUE,
    "changeCustomerPassword": ACCOUNTS,
    "cmsBlocks": CONTENT,
    "cmsPage": CONTENT,
    "company": QUOTES,
    "confirmEmail": ACCOUNTS,
    "contactUs": CONTENT,
    "createCustomer": ACCOUNTS,
    "createCustomerAddress": ACCOUNTS,
    "createCustomerV2": ACCOUNTS,
    "createProductReview": REVIEWS,
    "createWishlist": WISHLISTS,
    "currency": "a store sells in one currency: there is none to switch to",
    "customer.reviews": REVIEWS,
    "customer.wishlist_v2": WISHLISTS,
    "customer.wishlists": WISHLISTS,
    "customerDownloadableProducts": "nothing is downloaded from here",
    "customerPaymentTokens": SAVED_CARDS,
    "deleteCustomer": ACCOUNTS,
    "deleteCustomerAddress": ACCOUNTS,
    "deletePaymentToken": SAVED_CARDS,
    "dynamicBlocks": CONTENT,
    "giftCardAccount": GIFT_CARDS,
    "negotiableQuote": QUOTES,
    "placeNegotiableQuoteOrderV2": QUOTES,
    "productReviewRatingsMetadata": REVIEWS,
    "products": CATALOGUE,
    "recaptchaV3Config": ROBOTS,
    "removeProductsFromWishlist": WISHLISTS,
    "requestPasswordResetEmail": ACCOUNTS,
    "resetPassword": ACCOUNTS,
    "revokeCustomerToken": "a token expires by itself; the client forgets it",
    "robotsConfig": CONTENT,
    "route": CONTENT,
    "searchTerm": CATALOGUE,
    "setNegotiableQuoteBillingAddress": QUOTES,
    "setNegotiableQuotePaymentMethod": QUOTES,
    "setNegotiableQuoteShippingAddress": QUOTES,
    "setNegotiableQuoteShippingMethods": QUOTES,
    "subscribeEmailToNewsletter": NEWSLETTER,
    "updateCustomer": ACCOUNTS,
    "updateCustomerAddress": ACCOUNTS,
    "updateCustomerEmail": ACCOUNTS,
    "updateCustomerV2": ACCOUNTS,
    "updateWishlist": WISHLISTS,
    "urlResolver": CONTENT,
}
"""Root fields, and fields of `customer`, that are no matter of cart, checkout or order."""

OTHER_VERSIONS = {
    ("@graphcommerce/magento-customer", "GuestOrder"): (
        "names OrderInformationInput, which 2.4.9 calls GuestOrderInformationInput"
    ),
}
"""Operations that the 2.4.9 of the contract would refuse as well."""

ONLY_FRAGMENTS = {
    "@graphcommerce/magento-product-bundle",
    "@graphcommerce/magento-product-configurable",
    "@graphcommerce/magento-product-downloadable",
    "@graphcommerce/magento-product-simple",
    "@graphcommerce/magento-product-virtual",
}
"""Packages fetched for the fragments that they add to other packages' documents."""


@dataclass(frozen=True)
class Document:
    """A complete executable document, as its client sends it.

    Attributes:
        package: The npm package that it is from.
        name: The operation's name; a package may have several of one name.
        text: The operation and the fragments that it needs.
        place: The file, and the constant if there is one, for messages.
        is_query: Whether it may be sent by GET.
        declared: The names of its variables.
        roots: The root fields, and those of `customer` as `customer.<field>`.
    """

    package: str
    name: str
    text: str
    place: str
    is_query: bool
    declared: frozenset[str]
    roots: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.package} {self.place} {self.name}"


def documents() -> list[Document]:
    """Every operation about cart, checkout and order.

    Raises:
        RuntimeError: A package cannot be fetched.
        LookupError: A package yields no document, so something was not understood.
    """
    found = [each for each in _extracted() if _reason(each) is None]
    missing = folders().keys() - {each.package for each in found} - ONLY_FRAGMENTS
    if missing:
        raise LookupError(f"no document in {sorted(missing)}")
    return found


def out_of_scope() -> dict[tuple[str, str], str]:
    """Why each other operation is left out, by its package and name."""
    reasons = ((each, _reason(each)) for each in _extracted())
    return {(each.package, each.name): reason for each, reason in reasons if reason is not None}


def _reason(document: Document) -> str | None:
    if not document.roots:
        return BROWSER
    listed = [OUT_OF_SCOPE_FIELDS[root] for root in document.roots if root in OUT_OF_SCOPE_FIELDS]
    if listed:
        return listed[0]
    return OTHER_VERSIONS.get((document.package, document.name))


@cache
def _extracted() -> tuple[Document, ...]:
    everything = [*_drop_ins(), *_apollo(), *_graphcommerce()]
    return tuple({(each.package, each.text): each for each in everything}.values())


def _drop_ins() -> Iterator[Document]:
    """Drop-ins send their templates as they are."""
    bundle = Bundle(folders(), EDITIONS[0])
    for package in folders():
        if package.startswith("@dropins/"):
            for template in bundle.operations(package):
                place = f"{template.file} {template.constant}"
                yield _document(package, parse(template.text), template.text, place)


def _apollo() -> Iterator[Document]:
    """Venia and Vue Storefront send through Apollo Client; Venia exists in two editions."""
    for edition in EDITIONS:
        bundle = Bundle(folders(), edition)
        for package in folders():
            if package.startswith(("@magento/", "@vue-storefront/")):
                for template in bundle.operations(package):
                    definitions = parse(template.text, no_location=True).definitions
                    place = f"{template.file} {template.constant}"
                    known = fragments_by_name(definitions)
                    yield from _sent(package, definitions, known, place)


def _graphcommerce() -> Iterator[Document]:
    """GraphCommerce's fragments are known by name to all of its packages."""
    files = [
        (package, file, parse(file.read_text(), no_location=True).definitions)
        for package, folder in folders().items()
        if package.startswith("@graphcommerce/")
        for file in sorted(folder.rglob("*.graphql"))
    ]
    known = injected(fragments_by_name(each for _, _, definitions in files for each in definitions))
    for package, file, definitions in files:
        place = str(file.relative_to(folders()[package]))
        yield from _sent(package, definitions, known, place, without_mesh_fields)


def _sent(
    package: str,
    definitions: Iterable[DefinitionNode],
    known: Fragments,
    place: str,
    forwarded: Callable[[DocumentNode], DocumentNode] = lambda document: document,
) -> Iterator[Document]:
    for each in definitions:
        if isinstance(each, OperationDefinitionNode):
            whole = forwarded(with_fragments(each, known))
            sent = as_apollo_sends(whole)
            if sent is None:
                yield _document(package, whole, print_ast(whole), place, answered_locally=True)
            else:
                yield _document(package, sent, print_ast(sent), place)


def _document(
    package: str,
    parsed: DocumentNode,
    text: str,
    place: str,
    answered_locally: bool = False,
) -> Document:
    """The document that one operation and its fragments make.

    Args:
        package: The npm package that it is from.
        parsed: The operation and its fragments.
        text: The same, as it is sent.
        place: Where it is written.
        answered_locally: It is never sent, so it has no root fields.

    Raises:
        ValueError: There is not exactly one operation.
    """
    [operation] = [each for each in parsed.definitions if isinstance(each, OperationDefinitionNode)]
    fragments = fragments_by_name(parsed.definitions)
    roots = () if answered_locally else _roots(operation.selection_set, fragments, "")
    return Document(
        package,
        _name(operation),
        text,
        place,
        is_query=operation.operation is OperationType.QUERY,
        declared=frozenset(
            each.variable.name.value for each in operation.variable_definitions or ()
        ),
        roots=tuple(dict.fromkeys(roots)),
    )


def _roots(node: SelectionSetNode, fragments: Fragments, prefix: str) -> Iterator[str]:
    for each in node.selections:
        if isinstance(each, FieldNode):
            if each.name.value != "__typename":
                yield prefix + each.name.value
            if each.name.value == "customer" and not prefix and each.selection_set:
                yield from _roots(each.selection_set, fragments, "customer.")
        elif isinstance(each, FragmentSpreadNode):
            yield from _roots(fragments[each.name.value].selection_set, fragments, prefix)
        elif isinstance(each, InlineFragmentNode):
            yield from _roots(each.selection_set, fragments, prefix)


def _name(operation: OperationDefinitionNode) -> str:
    """The operation's name.

    Raises:
        ValueError: It has none.
    """
    if operation.name is None:
        raise ValueError("an operation has no name")
    return operation.name.value
