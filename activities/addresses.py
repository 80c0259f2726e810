"""Checking where the order goes and who is billed."""

from temporalio import activity

from commerce.contract import Passed, SnapshotRef, StepResult
from commerce.domain.addresses import Address, AddressProblem
from commerce.domain.checks import billing_refusal, shipping_refusal
from commerce.domain.errors import RefusalReason, refuse
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
        cart = snapshot.cart
        return (
            shipping_refusal(snapshot, self._problems(cart.shipping_address))
            or billing_refusal(snapshot, self._problems(cart.billing_address))
            or Passed()
        )

    def _problems(self, address: Address | None) -> tuple[AddressProblem, ...]:
        return self._rules.problems(address) if address else ()
