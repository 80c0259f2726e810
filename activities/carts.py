"""Locking and unlocking the cart."""

from temporalio import activity

from activities.addresses import address_refusal
from activities.payments import method_refusal
from commerce.contract import (
    Checkout,
    CheckoutRequest,
    ExtensionResult,
    LockedCart,
    LockResult,
    OtherRequest,
    Outcome,
    SnapshotRef,
    Undo,
)
from commerce.domain.carts import CartSnapshot
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import AddressRules, CartNotHeldError, Carts


class CartActivities:
    """Needs the carts port and the address rules."""

    def __init__(self, carts: Carts, rules: AddressRules) -> None:
        self._carts = carts
        self._rules = rules

    @activity.defn(name="lock_cart")
    def lock_cart(self, checkout: Checkout) -> LockResult:
        """Lock the cart and freeze the snapshot that everything later is computed from.

        Where the stock is in the same store, it is set aside in the same transaction, once
        everything but the payment at the gateway is checked. A refusal leaves nothing to undo.

        Idempotent by the checkout id that holds the lock, and by the request's key.
        Undone by ``unlock_cart``, the stock as well.
        """

        def check(snapshot: CartSnapshot) -> Refusal | None:
            return address_refusal(snapshot, self._rules) or method_refusal(checkout, snapshot)

        found = self._carts.lock(checkout, check)
        if isinstance(found, LockedCart):  # its order is announced by the relay
            return found.model_copy(update={"relayed": True})
        return found

    @activity.defn(name="extend_hold")
    def extend_hold(self, ref: SnapshotRef) -> ExtensionResult:
        """Keep cart and stock set aside while a payment is waited for.

        Idempotent by the checkout id. Needs no undo: it is undone with what it extends.
        """
        try:
            return self._carts.extend(ref.checkout, ref.digest)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)

    @activity.defn(name="unlock_cart")
    def unlock_cart(self, undo: Undo) -> Outcome:
        """Give the cart back to the shopper and store the refusal under the request's key.

        Answers with the order instead, should this run have created one after all.

        Idempotent by the checkout id that holds the lock. Undoes ``lock_cart``.
        """
        return self._carts.unlock(undo.checkout, undo.refusal)

    @activity.defn(name="note_request")
    def note_request(self, request: CheckoutRequest) -> None:
        """Note that a request that joined was told to ask again: it asked before the outcome.

        Idempotent by the request's key. Needs no undo.
        """
        self._carts.note(request)

    @activity.defn(name="store_answer")
    def store_answer(self, other: OtherRequest) -> Outcome:
        """Store the outcome under the key of a request that joined this run.

        Idempotent by that key. Needs no undo.
        """
        return self._carts.answer(other.request, other.outcome)
