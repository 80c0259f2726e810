"""Checking where the order goes and who is billed."""

from temporalio import activity

from commerce.contract import Passed, SnapshotRef, StepResult
from commerce.domain.carts import CartSnapshot
from commerce.domain.checks import billing_refusal, shipping_refusal
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.ports import AddressRules, CartNotHeldError, Carts


class AddressActivities:
    """Needs the carts port and the address rules."""

    def __init__(self, carts: Carts, rules: AddressRules) -> None:
        self._carts = carts
        self._rules = rules

    @activity.defn(name="validate_addresses")
    def validate_addresses(self, ref: SnapshotRef) -> StepResult:
        """Check shipping address, shipping method and billing address, in the documented order.

        Idempotent by changing nothing. Needs no undo.
        """
        try:
            snapshot = self._carts.snapshot(ref.checkout, ref.digest)
        except CartNotHeldError:
            return refuse(RefusalReason.CART_CHANGED)
        return address_refusal(snapshot, self._rules) or Passed()


def address_refusal(snapshot: CartSnapshot, rules: AddressRules) -> Refusal | None:
    """What keeps the cart from being shipped or billed, in the documented order."""
    shipping, billing = snapshot.cart.shipping_address, snapshot.cart.billing_address
    problems = rules.problems(shipping) if shipping else ()
    refusal = shipping_refusal(snapshot, problems)
    if refusal is None and billing != shipping:
        problems = rules.problems(billing) if billing else ()
    return refusal or billing_refusal(snapshot, problems)
