"""What a request's headers say, and what its resolvers report beside the data."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, located_error
from starlette.requests import Request

from api.errors import ApiError, RequestError
from api.identity import BadTokenError, CustomerClaims
from commerce.domain.carts import MAX_KEY_CHARS, Shopper
from commerce.domain.errors import Category

_STORE_CODE = re.compile(r"[0-9A-Za-z_-]{1,32}")
_IDEMPOTENCY_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_CHARS}}}")

Authenticate = Callable[[str], CustomerClaims]
"""From a bearer token to the customer's claims; raises ``BadTokenError``."""


@dataclass(frozen=True)
class Caller:
    """Who asks, and for which store.

    Attributes:
        claims: None for a guest.
        store_code: Of the header ``Store``; empty without one.
        currency: Of the header ``Content-Currency``, as it was sent; empty without one.
        address: The client's IP address; empty when the server does not know it.
    """

    shopper: Shopper
    claims: CustomerClaims | None = None
    store_code: str = ""
    currency: str = ""
    idempotency_key: str | None = None
    address: str = ""


class Extras:
    """What goes under the response's top-level ``extensions``."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def add(self, key: str, value: object) -> None:
        """Set one key; the last value counts."""
        self.values[key] = value


@dataclass(frozen=True)
class Report:
    """What resolvers say beside the data; one per request.

    Attributes:
        afterwards: By what they are about: called when the whole document has been executed, before
            its answer is sent.
    """

    extras: Extras = field(default_factory=Extras)
    errors: list[GraphQLError] = field(default_factory=list[GraphQLError])
    afterwards: dict[str, Callable[[], Awaitable[None]]] = field(
        default_factory=dict[str, Callable[[], Awaitable[None]]]
    )

    def add_error(self, info: GraphQLResolveInfo[Any], error: ApiError) -> None:
        """Answer an error at this field though the field has a value."""
        self.errors.append(located_error(error, info.field_nodes, info.path.as_list()))


def read_caller(request: Request, authenticate: Authenticate) -> Caller:
    """Who a request's headers say is calling.

    Raises:
        RequestError: A header is malformed or given twice, or the token proves nothing.
    """
    claims = _read_claims(request, authenticate)
    store_code = _single(request, "Store") or ""
    if store_code and not _STORE_CODE.fullmatch(store_code):
        raise RequestError([ApiError("Requested store is not found")], status=200)
    key = _single(request, "Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise RequestError.because(
            f"Idempotency-Key: must be 1 to {MAX_KEY_CHARS} printable ASCII characters, no spaces."
        )
    return Caller(
        shopper=Shopper.customer(claims.customer_id) if claims else Shopper.guest(),
        claims=claims,
        store_code=store_code,
        currency=_single(request, "Content-Currency") or "",
        idempotency_key=key,
        address=request.client.host if request.client else "",
    )


def _read_claims(request: Request, authenticate: Authenticate) -> CustomerClaims | None:
    scheme, _, token = (_single(request, "Authorization") or "").strip().partition(" ")
    token = token.strip()
    if not token and scheme.lower() in ("", "bearer"):
        return None
    try:
        if scheme.lower() != "bearer":
            raise BadTokenError("not a bearer token")
        return authenticate(token)
    except BadTokenError:
        message = "The customer token is invalid or has expired."
        error = ApiError(message, Category.AUTHENTICATION)
        raise RequestError([error], status=401) from None


def _single(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise RequestError.because(f"{name}: must not be given more than once.")
    return values[0] if values else None
