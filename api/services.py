"""What resolvers work with: the ports, the client, and the caller of the request."""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from graphql import GraphQLResolveInfo

from api.context import Caller, Report
from api.errors import ApiError
from api.identity import CustomerClaims, TokenIssuer
from api.present.carts import Shown
from client import CheckoutClient
from commerce.domain.cart_edits import ensure_editable, ensure_usable
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import CartView
from commerce.domain.money import Money
from commerce.domain.stores import DEFAULT_STORE, Store
from commerce.ports import (
    AddressRules,
    Change,
    OrderBook,
    OrderTokens,
    PaymentGateway,
    PaymentOrders,
    Shopping,
    Stores,
)

_CART_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SKU = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
Args = ParamSpec("Args")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Services:
    """The same for every request.

    Attributes:
        payment_orders: None where payments cannot be made.
        issuer: Signs tokens in development; None in production.
        deadline: How long a checkout is waited for; it is answered as pending then.
    """

    checkout: CheckoutClient
    shopping: Shopping
    order_book: OrderBook
    stores: Stores
    address_rules: AddressRules
    order_tokens: OrderTokens
    gateway: PaymentGateway
    payment_orders: PaymentOrders | None
    issuer: TokenIssuer | None
    deadline: timedelta


@dataclass(frozen=True)
class Context:
    """One request: ``info.context`` of every resolver."""

    services: Services
    caller: Caller
    report: Report
    store: Store

    def customer(self) -> CustomerClaims:
        """Who is logged in.

        Raises:
            ApiError: Nobody is.
        """
        if self.caller.claims is None:
            raise cart_error(CartProblem.CUSTOMER_REQUIRED)
        return self.caller.claims


Info = GraphQLResolveInfo[Context]
"""What every resolver gets as ``info``."""


async def make_context(services: Services, caller: Caller, report: Report) -> Context:
    """The context of a request.

    Raises:
        ApiError: The store is unknown, or it does not sell in the currency asked for.
    """
    store = await in_store(services.stores.find, caller.store_code or DEFAULT_STORE)
    if store is None:
        raise cart_error(CartProblem.STORE_NOT_FOUND)
    if caller.currency not in ("", store.currency):
        raise cart_error(CartProblem.CURRENCY_NOT_ALLOWED)
    return Context(services, caller, report, store)


async def in_store(call: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
    """Call the store, which blocks, in a thread.

    Raises:
        ApiError: The store refused, in the documented words.
    """
    try:
        return await asyncio.to_thread(call, *args, **kwargs)
    except CartEditError as error:
        raise _told(error) from None


def cart_error(problem: CartProblem, named: object = "") -> ApiError:
    """A documented error of the cart."""
    return _told(CartEditError(problem, named))


def _told(error: CartEditError) -> ApiError:
    return ApiError(error.message, error.rule.category, {"reason": str(error.problem)})


# -- carts --------------------------------------------------------------------------------------


def required(value: Any, name: str) -> Any:
    """An argument that the schema lets be empty, and we do not.

    Raises:
        ApiError: It is empty.
    """
    if value is None or value in ("", []):
        raise cart_error(CartProblem.PARAMETER_MISSING, name)
    return value


def checked_cart_id(cart_id: str | None, name: str = "cart_id") -> str:
    """A cart id that could exist.

    Raises:
        ApiError: It is empty, or no cart could have it.
    """
    required(cart_id, name)
    assert cart_id is not None
    if not _CART_ID.fullmatch(cart_id):
        raise cart_error(CartProblem.CART_NOT_FOUND, cart_id)
    return cart_id


async def edit(
    info: Info, cart_id: str | None, change: Change, skus: Iterable[str] = ()
) -> CartView:
    """Change a cart of the caller's.

    Raises:
        ApiError: It may not be changed, by them or at all, or not like this.
    """
    context = info.context
    caller = context.caller

    def allowed(view: CartView) -> Any:
        ensure_editable(view, caller.shopper, caller.store_code)
        return change(view)

    known = [sku for sku in skus if _SKU.fullmatch(sku)]
    return await in_store(context.services.shopping.edit, checked_cart_id(cart_id), allowed, known)


async def look_at(info: Info, cart_id: str | None) -> CartView:
    """A cart of the caller's.

    Raises:
        ApiError: There is none, or they may not see it.
    """
    context = info.context
    view = await in_store(context.services.shopping.view, checked_cart_id(cart_id))
    if view is None:
        raise cart_error(CartProblem.CART_NOT_FOUND, cart_id)
    try:
        ensure_usable(view, context.caller.shopper, context.caller.store_code)
    except CartEditError as error:
        raise _told(error) from None
    return view


def noting_total(info: Info, view: CartView) -> Shown:
    """What notes the total that the shopper is shown, so that no order is over another.

    They are shown it by the answer: an order of the same document is not over it yet.
    """
    context = info.context
    cart, notes = view.cart, context.report.afterwards

    def shown(total: Money) -> None:
        async def note() -> None:
            await in_store(context.services.shopping.show_total, cart.id, total)

        notes.pop(cart.id, None)  # what comes last in the answer counts
        if cart.shown_total != total:
            notes[cart.id] = note

    return shown
