"""Carts as shoppers see them, for the tests of what may be done with them."""

from collections.abc import Callable
from typing import Any

import pytest

from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import CartLine, CartStatus, CartView, ProductKind
from commerce.domain.payments import PaymentMethod
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store
from commerce.domain.taxes import TaxRate
from tests.builders import cart, offered

STORE = Store(
    code="default",
    payment_methods=tuple(PaymentMethod),
    shipping_methods=(ShippingMethod.FLATRATE, ShippingMethod.TABLERATE),
)
ON_OFFER = {
    product.sku: product
    for product in (
        offered("apple", 10),
        offered("pear", 10),
        offered("sold-out", 0),
        offered("endless", None),
        offered("unpriced", 10, price=None),
        offered("dear", None, price="9999999.99"),
        offered("ebook", None, kind=ProductKind.VIRTUAL),
        offered("gift", None, price="0.00", kind=ProductKind.VIRTUAL),
    )
}
INPUT, AUTHORIZATION = "graphql-input", "graphql-authorization"
NO_SUCH_ENTITY = "graphql-no-such-entity"


def view(
    *lines: tuple[str, int],
    store: Store = STORE,
    status: CartStatus = CartStatus.ACTIVE,
    rates: tuple[TaxRate, ...] = (),
    **changes: Any,
) -> CartView:
    """A guest's cart with these lines, numbered from 1; else it lacks nothing that is not said."""
    numbered = tuple(CartLine(sku=sku, quantity=n, id=at) for at, (sku, n) in enumerate(lines, 1))
    filled = cart("cart").model_copy(update={"lines": numbered, **changes})
    return CartView(cart=filled, status=status, store=store, products=ON_OFFER, tax_rates=rates)


def refused(change: Callable[[], object]) -> tuple[str, str]:
    """The message and the category of what a change is refused with."""
    with pytest.raises(CartEditError) as problem:
        change()
    return problem.value.message, problem.value.rule.category
