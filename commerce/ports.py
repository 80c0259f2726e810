"""The ports: what the checkout needs from a cart service, a stock service, a gateway and so on.

A method that changes something is one transaction, may be called again with the same checkout, and
then answers the same. It raises only when it is not known whether it took effect; every business
"no" is a ``Refusal``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from commerce.contract import (
    Checkout,
    CheckoutRequest,
    Extension,
    LockedCart,
    OrderEvent,
    Outcome,
)
from commerce.domain.addresses import Address, AddressProblem
from commerce.domain.carts import Cart, CartSnapshot, CartView
from commerce.domain.checks import Check
from commerce.domain.errors import Refusal
from commerce.domain.leftovers import FoundLeftovers, OpenPayment, UnannouncedOrder
from commerce.domain.money import Money
from commerce.domain.orders import Order, OrderPage, OrderQuery
from commerce.domain.payments import (
    GatewayOutcome,
    Payment,
    PaymentClaim,
    PaymentDue,
    PaymentEvent,
    PaymentInvalid,
    PaymentUnknown,
)
from commerce.domain.stores import Store


class CartNotHeldError(Exception):
    """The cart is no longer locked by this checkout: it expired and was edited, or was undone."""


class Carts(Protocol):
    """Carts, their locks and the stored answers."""

    def lock(self, checkout: Checkout, check: Check | None = None) -> LockedCart | Outcome:
        """Lock the cart and freeze its snapshot, or give the stored answer of this key.

        With a check, its stock is set aside in the same transaction, where it is in the same store.
        """
        ...

    def snapshot(self, checkout: Checkout, digest: str) -> CartSnapshot:
        """The snapshot of a cart that this checkout has locked.

        Raises:
            CartNotHeldError: The lock is lost, or the snapshot is not the one meant.
        """
        ...

    def extend(self, checkout: Checkout, digest: str) -> Extension:
        """Keep cart and stock set aside for longer, for a payment that is waited for.

        Stock that was set aside and has expired is taken again if there is some left.

        Raises:
            CartNotHeldError: The cart is no longer locked by this checkout, or it is being undone.
        """
        ...

    def unlock(self, checkout: Checkout, refusal: Refusal) -> Outcome:
        """Give the cart back and store the refusal; the order, if there is one after all."""
        ...

    def note(self, request: CheckoutRequest) -> None:
        """Note that a request that joined was told to ask again: it asked before the outcome."""
        ...

    def answer(self, request: CheckoutRequest, outcome: Outcome) -> Outcome:
        """Store the outcome under the request's key, unless it has one already; return that."""
        ...


class Stock(Protocol):
    """Holds on stock."""

    def hold(self, checkout: Checkout, snapshot: CartSnapshot) -> Refusal | None:
        """Set aside every line, or nothing.

        Raises:
            CartNotHeldError: The hold of this checkout was released.
        """
        ...

    def release(self, checkout: Checkout) -> None:
        """Give back what this checkout holds; a late ``hold`` of it is then refused."""
        ...


class Orders(Protocol):
    """Orders and the outbox."""

    def create(self, checkout: Checkout, digest: str) -> Outcome:
        """Turn the locked cart into its order, in one transaction.

        Raises:
            CartNotHeldError: The hold of this checkout was released.
        """
        ...

    def payment_to_capture(self, order_number: str) -> PaymentDue | None:
        """The payment that the order was created with, while it has not been captured."""
        ...

    def mark_captured(self, order_number: str, *, by_hand: bool = False) -> None:
        """Note that the order is paid; its payment is settled, unless somebody only says so."""
        ...

    def mark_for_review(self, order_number: str) -> None:
        """Note that the money could not be taken: a person has to look."""
        ...

    def pending_events(self, order_numbers: Sequence[str]) -> list[OrderEvent]:
        """The events of those of the orders that have not been announced."""
        ...

    def missed_events(self, older_than: timedelta, most: int) -> list[OrderEvent]:
        """Events, oldest first, that have not been told for so long."""
        ...

    def mark_announced(self, event_ids: Sequence[str]) -> None:
        """Note that the events have been told."""
        ...


Change = Callable[[CartView], Cart]
"""Makes the new cart of an old one, or raises ``CartEditError``; pure, and may be called again."""

Join = Callable[[CartView, CartView], Cart]
"""Makes the new destination of a source and an old destination; as ``Change`` otherwise."""


class Shopping(Protocol):
    """Carts as shoppers fill them. Every method is one transaction."""

    def create(self, cart: Cart) -> None:
        """Make an empty cart.

        Raises:
            CartEditError: The id is taken.
        """
        ...

    def view(self, cart_id: str, skus: Iterable[str] = ()) -> CartView | None:
        """A cart as it stands, with the products in it and those of ``skus`` that exist."""
        ...

    def edit(self, cart_id: str, change: Change, skus: Iterable[str] = ()) -> CartView:
        """Change a cart; nothing is written if ``change`` raises.

        Raises:
            CartEditError: No such cart, or what ``change`` raises.
        """
        ...

    def show_total(self, cart_id: str, total: Money) -> None:
        """Note the grand total that a shopper was shown: an order over another is refused."""
        ...

    def of_customer(self, customer_id: str, store_code: str, new: Cart) -> str:
        """The id of the one cart that a customer fills in a store; ``new`` if they have none.

        Raises:
            CartEditError: The id of the new one is taken.
        """
        ...

    def merge(self, source_id: str, destination_id: str, join: Join) -> CartView:
        """Merge a cart into another: the source ends.

        Raises:
            CartEditError: No such cart, or what ``join`` raises.
        """
        ...

    def assign(self, cart_id: str, customer_id: str, join: Join, change: Change) -> CartView:
        """Make a guest's cart the customer's own; what they filled before goes into it.

        Raises:
            CartEditError: No such cart, or what ``join`` or ``change`` raises.
        """
        ...


class OrderBook(Protocol):
    """Orders, for those whose orders they are."""

    def find(self, number: str = "", cart_id: str = "") -> Order | None:
        """An order by its number or by the cart that it was."""
        ...

    def of_customer(self, customer_id: str, query: OrderQuery) -> OrderPage:
        """A page of a customer's orders."""
        ...


class Stores(Protocol):
    """Settings of the stores."""

    def all(self) -> list[Store]:
        """Every store, by code."""
        ...

    def find(self, code: str) -> Store | None:
        """A store, None when there is none of this code."""
        ...


class AddressRules(Protocol):
    """The postal rules of every country."""

    def country_names(self) -> Mapping[str, str]:
        """The English name of every country, by its ISO 3166-1 alpha-2 code."""
        ...

    def is_country(self, country_code: str) -> bool:
        """Whether there is such a country."""
        ...

    def needs_region(self, country_code: str) -> bool:
        """Whether an address in this country needs a region."""
        ...

    def problems(self, address: Address) -> tuple[AddressProblem, ...]:
        """What is missing from, or wrong with, an address in its country."""
        ...


class PaymentClaims(Protocol):
    """Which payment which checkout uses: a payment serves one order, ever."""

    def claim(self, checkout: Checkout, digest: str, payment_id: str) -> bool:
        """Keep the payment for this checkout; False when another order has it, or had it.

        Raises:
            CartNotHeldError: The cart is no longer locked by this checkout, or it is being undone.
        """
        ...

    def has_claimed(self, checkout: Checkout, payment_id: str) -> bool:
        """Whether this checkout has the payment already."""
        ...

    def let_go(self, checkout: Checkout) -> None:
        """The payment came to nothing: the shopper may try with it again."""
        ...

    def give_up(self, checkout: Checkout) -> str | None:
        """Claimed by this checkout and no order's: the payment that is to be undone, if any."""
        ...

    def abandon(self, payment_id: str, cart_id: str) -> bool:
        """Give up a payment that no run has any more; False when an order has it."""
        ...

    def mark_settled(self, payment_id: str) -> None:
        """Note that nothing of the payment is open at the gateway any more."""
        ...

    def find(self, payment_id: str) -> PaymentClaim | None:
        """Who has the payment now; None when no checkout has ever claimed it."""
        ...


class Leftovers(Protocol):
    """What checkouts leave behind when they are terminated, and what live ones still use."""

    def count(self, older_than: timedelta, most: int) -> FoundLeftovers:
        """What there is to do for a sweep, each counted up to ``most``."""
        ...

    def expire_overdue(self) -> int:
        """Give back the stock of holds past their time, a batch of them; 0 when none is left."""
        ...

    def payments(self, older_than: timedelta, most: int) -> list[OpenPayment]:
        """Payments that are not settled and are to be looked at, longest due first."""
        ...

    def look_again(
        self, payments: Iterable[OpenPayment], after: timedelta, *, told: bool = False
    ) -> None:
        """Look at these payments again later; ``told`` when somebody now sees to them."""
        ...

    def unannounced(self, older_than: timedelta, most: int, skip: int) -> list[UnannouncedOrder]:
        """Orders whose event has not been told, oldest first, but for the first ``skip``."""
        ...


class Runs(Protocol):
    """The runs of checkouts at Temporal."""

    async def is_running(self, checkout_id: str) -> bool:
        """Whether this very checkout is under way, however long it waits for something."""
        ...


class PaymentNews(Protocol):
    """Who sees to a payment that has changed at the gateway, or may have."""

    async def payment_changed(self, cart_id: str, payment_id: str) -> None:
        """Have it settled by a run under the id of the cart's checkout; may be told again."""
        ...


class PaymentGateway(Protocol):
    """A payment provider.

    Nothing raises because of the provider: an answer that does not come, or says nothing, is
    ``PaymentUnknown``. A call that is repeated under its key takes effect once.
    """

    async def look_up(self, payment_id: str) -> Payment | PaymentInvalid | PaymentUnknown:
        """The payment as it stands; invalid when the gateway does not know it."""
        ...

    async def authorize(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Set the money aside, for a payment that the shopper has approved."""
        ...

    async def capture(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Take all of the money that is set aside."""
        ...

    async def void(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """End a payment that was not captured: nothing can be authorized or captured after it."""
        ...

    async def refund(self, payment: Payment, idempotency_key: str) -> GatewayOutcome:
        """Give back all of the money of a captured payment."""
        ...


class PaymentOrders(Protocol):
    """A provider at which payments can be made for a shopper to approve."""

    async def create(
        self, cart_id: str, amount: Money, source: str, idempotency_key: str
    ) -> Payment | PaymentInvalid | PaymentUnknown:
        """Make a payment for a cart, once per key; the shopper approves it at the provider."""
        ...


class SeenEvents(Protocol):
    """Which events of a provider have been dealt with."""

    def is_new(self, gateway: str, event_id: str) -> bool:
        """Whether the event has not been dealt with."""
        ...

    def note(self, gateway: str, event_id: str) -> None:
        """It has been dealt with; may be noted again."""
        ...


class WebhookError(Exception):
    """A webhook that is not the provider's, or not of now."""


class Webhooks(Protocol):
    """How a provider tells that a payment has changed."""

    def read(self, body: bytes, headers: Mapping[str, str]) -> PaymentEvent:
        """The event, once its signature and its time are checked; header names are lower-case.

        Raises:
            WebhookError: It is forged, too old or from the future, or no event.
        """
        ...


class OrderTokens(Protocol):
    """Tokens that open an order to whoever holds one."""

    def seal(self, order_number: str) -> str:
        """The token of an order: ``keyVersion:cipher:base64``."""
        ...

    def open(self, token: str) -> str | None:
        """The order number, None for anything that was not sealed here."""
        ...


class OrderEvents(Protocol):
    """Where orders are announced: mail, a message broker, a webhook."""

    def publish(self, event: OrderEvent) -> None:
        """Tell it; told again with the same event id after a crash."""
        ...
