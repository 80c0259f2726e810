"""The documented order of checks: the first refusal wins."""

from collections.abc import Callable

from commerce.domain.addresses import AddressProblem, missing_address
from commerce.domain.carts import Cart, CartSnapshot, Shopper
from commerce.domain.errors import Refusal, RefusalReason, refuse
from commerce.domain.money import Money
from commerce.domain.payments import PaymentMethod
from commerce.domain.stores import Store

Check = Callable[[CartSnapshot], Refusal | None]
"""What keeps a snapshot from being ordered, besides its stock; may be called again."""


def cart_refusal(cart: Cart, store: Store, shopper: Shopper, store_code: str) -> Refusal | None:
    """What keeps an active cart from being locked.

    Args:
        cart: The cart.
        store: The cart's store.
        shopper: Who asks.
        store_code: The store the caller asked in; empty when it does not matter.
    """
    if store_code and store_code != cart.store_code:
        return refuse(RefusalReason.WRONG_STORE)
    if shopper.customer_id != cart.customer_id:
        return refuse(RefusalReason.NOT_CART_OWNER)
    if cart.customer_id is None and not store.guest_checkout:
        return refuse(RefusalReason.GUEST_CHECKOUT_DISABLED)
    if cart.customer_id is None and not cart.email:
        return refuse(RefusalReason.GUEST_EMAIL_MISSING)
    if not cart.lines:
        return refuse(RefusalReason.CART_EMPTY)
    return None


def shipping_refusal(
    snapshot: CartSnapshot, problems: tuple[AddressProblem, ...]
) -> Refusal | None:
    """What keeps a physical cart from being shipped; ``problems`` are the address's own."""
    if snapshot.is_virtual:
        return None
    address = snapshot.cart.shipping_address
    if address is None:
        return refuse(RefusalReason.SHIPPING_ADDRESS_MISSING)
    if not snapshot.store.ships_to(address.country_code):
        return refuse(RefusalReason.COUNTRY_NOT_ALLOWED)
    if problems:
        return Refusal(reason=RefusalReason.SHIPPING_ADDRESS_INVALID, problems=problems)
    if snapshot.chosen_shipping is None:
        return refuse(RefusalReason.SHIPPING_METHOD_MISSING)
    return None


def billing_refusal(snapshot: CartSnapshot, problems: tuple[AddressProblem, ...]) -> Refusal | None:
    """What keeps the cart from being billed; ``problems`` are the address's own."""
    address = snapshot.cart.billing_address
    if address is None:
        return Refusal(reason=RefusalReason.BILLING_ADDRESS_INVALID, problems=missing_address())
    if address.country_code and not snapshot.store.ships_to(address.country_code):
        return refuse(RefusalReason.COUNTRY_NOT_ALLOWED)
    if problems:
        return Refusal(reason=RefusalReason.BILLING_ADDRESS_INVALID, problems=problems)
    return None


def payment_method_refusal(snapshot: CartSnapshot, due: Money) -> Refusal | None:
    """What keeps the chosen method from being used."""
    choice = snapshot.cart.payment
    if choice is None:
        return refuse(RefusalReason.PAYMENT_METHOD_MISSING)
    if choice.method not in snapshot.store.payment_methods:
        return refuse(RefusalReason.PAYMENT_METHOD_UNAVAILABLE)
    if choice.method == PaymentMethod.FREE and due.amount_minor != 0:
        return refuse(RefusalReason.PAYMENT_METHOD_UNAVAILABLE)
    if choice.is_online and due.amount_minor == 0:
        return refuse(RefusalReason.PAYMENT_METHOD_UNAVAILABLE)
    if choice.is_online and not choice.payment_id:
        return refuse(RefusalReason.PAYMENT_METHOD_MISSING)
    if choice.method == PaymentMethod.PURCHASEORDER and not choice.purchase_order_number:
        return refuse(RefusalReason.PAYMENT_METHOD_MISSING)
    return None
