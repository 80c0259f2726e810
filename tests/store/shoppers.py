"""What shoppers do with their carts, allowed and refused as the GraphQL API does it for them."""

from commerce.domain.cart_edits import (
    Addition,
    LineUpdate,
    ensure_editable,
    merged,
    with_products,
    with_quantities,
)
from commerce.domain.carts import Cart, CartView, Shopper
from commerce.ports import Change, Join

GUEST, ADA = Shopper.guest(), Shopper.customer("ada")


def changing(shopper: Shopper = GUEST, /, **changes: object) -> Change:
    """Set fields of the cart."""

    def change(view: CartView) -> Cart:
        ensure_editable(view, shopper, "")
        return Cart.model_validate({**dict(view.cart), **changes})

    return change


def adding(sku: str, quantity: int = 1, shopper: Shopper = GUEST) -> Change:
    """Put units of a product into the cart."""

    def change(view: CartView) -> Cart:
        ensure_editable(view, shopper, "")
        cart, problems = with_products(view, [Addition(sku, quantity)])
        assert not problems, problems
        return cart

    return change


def setting(**quantities: int) -> Change:
    """Set the quantities of lines by their numbers: ``_1=2``."""
    numbers = {int(name[1:]): quantity for name, quantity in quantities.items()}

    def change(view: CartView) -> Cart:
        ensure_editable(view, GUEST, "")
        updates = [LineUpdate(str(n), n, quantity) for n, quantity in numbers.items()]
        cart, problems = with_quantities(view, updates)
        assert not problems, problems
        return cart

    return change


def joining(owner: Shopper = ADA) -> Join:
    """``mergeCarts``: what was chosen as a guest goes into a customer's cart."""

    def join(source: CartView, destination: CartView) -> Cart:
        ensure_editable(source, GUEST, destination.cart.store_code)
        ensure_editable(destination, owner, "")
        return merged(source, destination)

    return join


def taking(owner: Shopper = ADA) -> Change:
    """``assignCustomerToGuestCart``, for a customer without a cart."""
    return changing(GUEST, customer_id=owner.customer_id)


def taking_along(owner: Shopper = ADA) -> Join:
    """The same for a customer who has one: it goes into the guest's."""

    def join(own: CartView, guests: CartView) -> Cart:
        ensure_editable(own, owner, guests.cart.store_code)
        return merged(own, guests.model_copy(update={"cart": taking(owner)(guests)}))

    return join


def lines(view: CartView) -> list[tuple[int, str, int]]:
    """Number, SKU and quantity of every line."""
    return [(line.id, line.sku, line.quantity) for line in view.cart.lines]
