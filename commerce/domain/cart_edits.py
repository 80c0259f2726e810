"""How shoppers change their carts: each change makes the new cart, or refuses.

The order of checks and the texts are the documented ones; ``cart_errors`` has the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from commerce.domain.addresses import Address
from commerce.domain.cart_errors import CartEditError, CartProblem
from commerce.domain.carts import (
    MAX_LINES,
    MAX_QUANTITY,
    Cart,
    CartLine,
    CartStatus,
    CartView,
    Shopper,
)
from commerce.domain.money import Money
from commerce.domain.payments import ONLINE_METHODS, PaymentChoice, PaymentMethod
from commerce.domain.shipping import ShippingMethod
from commerce.domain.stores import Store

PAYMENT_ID_FIELD = "paypal_order_id"
"""What storefronts call the id of a payment at the gateway."""

_P = CartProblem


def ensure_usable(view: CartView, shopper: Shopper, store_code: str) -> None:
    """That this shopper may see the cart.

    Args:
        view: The cart.
        shopper: Who asks.
        store_code: The store they are in; empty when it does not matter.

    Raises:
        CartEditError: It is an order already, of another store, or somebody else's.
    """
    cart = view.cart
    if view.status in (CartStatus.CONVERTED, CartStatus.MERGED):
        raise CartEditError(_P.CART_NOT_ACTIVE)
    if store_code and store_code != cart.store_code:
        raise CartEditError(_P.WRONG_STORE, cart.id)
    if cart.customer_id != shopper.customer_id:
        raise CartEditError(_P.NOT_CART_OWNER, cart.id)


def ensure_editable(view: CartView, shopper: Shopper, store_code: str) -> None:
    """That this shopper may change the cart now.

    Raises:
        CartEditError: As ``ensure_usable``, or a checkout has locked it.
    """
    ensure_usable(view, shopper, store_code)
    if view.status is CartStatus.LOCKED:
        raise CartEditError(_P.CART_LOCKED)


def ensure_guests_check_out(view: CartView) -> None:
    """That preparing this cart for an order makes sense.

    Raises:
        CartEditError: It is a guest's, and the store sells to customers only.
    """
    if view.cart.customer_id is None and not view.store.guest_checkout:
        raise CartEditError(_P.GUEST_CHECKOUT_DISABLED)


# -- lines --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Addition:
    """Units of a product to be put into a cart; options are those of products that have some."""

    sku: str
    quantity: float
    has_options: bool = False


@dataclass(frozen=True)
class LineUpdate:
    """A new quantity for a line; 0 removes it.

    Attributes:
        named: The line as the caller named it; None where they named none.
        line_id: What that means; None where it cannot be a line.
    """

    named: str | None
    line_id: int | None
    quantity: float | None


def with_products(
    view: CartView, additions: Iterable[Addition]
) -> tuple[Cart, list[CartEditError]]:
    """The cart with the products that can be had, and what keeps the others out."""
    lines = list(view.cart.lines)
    problems: list[CartEditError] = []
    for addition in additions:
        try:
            _add(view, lines, addition)
        except CartEditError as problem:
            problems.append(problem)
    return view.cart.model_copy(update={"lines": tuple(lines)}), problems


def _add(view: CartView, lines: list[CartLine], addition: Addition) -> None:
    if addition.sku not in view.products:
        raise CartEditError(_P.PRODUCT_NOT_FOUND, addition.sku)
    if addition.has_options:
        raise CartEditError(_P.OPTIONS_UNSUPPORTED)
    quantity = _whole(addition.quantity)
    if quantity < 1:
        raise CartEditError(_P.QUANTITY_NOT_POSITIVE)
    at = next((n for n, line in enumerate(lines) if line.sku == addition.sku), None)
    in_cart = sum(line.quantity for line in lines if line.sku == addition.sku)
    _ensure_available(view, addition.sku, in_cart + quantity)
    if at is not None:
        grown = lines[at].quantity + quantity
        lines[at] = lines[at].model_copy(update={"quantity": grown})
    elif len(lines) == MAX_LINES:
        raise CartEditError(_P.TOO_MANY_LINES, MAX_LINES)
    else:
        lines.append(CartLine(sku=addition.sku, quantity=quantity))


def with_quantities(
    view: CartView, updates: Iterable[LineUpdate]
) -> tuple[Cart, list[CartEditError]]:
    """The cart with the quantities that can be had, and what is wrong with the others."""
    lines = {line.id: line for line in view.cart.lines}
    problems: list[CartEditError] = []
    for update in updates:
        try:
            _update(view, lines, update)
        except CartEditError as problem:
            problems.append(problem)
    return view.cart.model_copy(update={"lines": tuple(lines.values())}), problems


def _update(view: CartView, lines: dict[int, CartLine], update: LineUpdate) -> None:
    if update.named is None:
        raise CartEditError(_P.ITEM_PARAMETER_MISSING, "cart_item_id")
    if update.line_id is None or update.line_id not in lines:
        raise CartEditError(_P.ITEM_NOT_FOUND, update.named)
    if update.quantity is None:
        raise CartEditError(_P.ITEM_PARAMETER_MISSING, "quantity")
    quantity = _whole(update.quantity)
    if quantity < 0:
        raise CartEditError(_P.QUANTITY_NOT_POSITIVE)
    line = lines[update.line_id]
    if quantity == 0:
        del lines[update.line_id]
        return
    if quantity > line.quantity:
        others = sum(each.quantity for each in lines.values() if each.sku == line.sku)
        _ensure_available(view, line.sku, others - line.quantity + quantity)
    lines[update.line_id] = line.model_copy(update={"quantity": quantity})


def without_line(view: CartView, named: str, line_id: int | None) -> Cart:
    """The cart without a line.

    Raises:
        CartEditError: The cart has no such line.
    """
    left = tuple(line for line in view.cart.lines if line.id != line_id)
    if len(left) == len(view.cart.lines):
        raise CartEditError(_P.ITEM_NOT_IN_CART, named)
    return view.cart.model_copy(update={"lines": left})


def merged(source: CartView, destination: CartView) -> Cart:
    """The destination with the lines of the source; whether they can be had is seen at checkout.

    Raises:
        CartEditError: There would be too many lines, or too much of one product.
    """
    lines = list(destination.cart.lines)
    for new in source.cart.lines:
        at = next((n for n, line in enumerate(lines) if line.sku == new.sku), None)
        if at is None:
            lines.append(new.model_copy(update={"id": 0}))
            continue
        quantity = lines[at].quantity + new.quantity
        if quantity > MAX_QUANTITY:
            raise CartEditError(_P.QUANTITY_TOO_LARGE, MAX_QUANTITY)
        lines[at] = lines[at].model_copy(update={"quantity": quantity})
    if len(lines) > MAX_LINES:
        raise CartEditError(_P.TOO_MANY_LINES, MAX_LINES)
    return destination.cart.model_copy(update={"lines": tuple(lines)})


def _whole(quantity: float) -> int:
    if quantity % 1 != 0:  # true of infinity, too
        raise CartEditError(_P.QUANTITY_NOT_WHOLE)
    return int(quantity)


def _ensure_available(view: CartView, sku: str, quantity: int) -> None:
    product = view.products[sku]
    if product.price is None:
        raise CartEditError(_P.NOT_SALABLE)
    if product.available is not None and product.available < quantity:
        some = product.available > 0
        raise CartEditError(_P.QUANTITY_UNAVAILABLE if some else _P.OUT_OF_STOCK)
    if quantity > MAX_QUANTITY:
        raise CartEditError(_P.QUANTITY_TOO_LARGE, MAX_QUANTITY)


# -- who, where to, how -------------------------------------------------------------------------


def with_email(view: CartView, email: str) -> Cart:
    """A guest's cart with their e-mail address.

    Raises:
        CartEditError: It is not one.
    """
    return _changed(view.cart, CartEditError(_P.EMAIL_INVALID), email=email)


def with_shipping_address(view: CartView, address: Address) -> Cart:
    """The cart with where it is shipped to.

    Raises:
        CartEditError: Nothing in it is shipped.
    """
    if view.is_virtual:
        raise CartEditError(_P.NOTHING_TO_SHIP)
    return view.cart.model_copy(update={"shipping_address": address})


def with_billing_address(view: CartView, address: Address | None, also_shipping: bool) -> Cart:
    """The cart with who is billed.

    Args:
        view: The cart.
        address: None for the shipping address.
        also_shipping: Ship there as well, if anything is shipped.

    Raises:
        CartEditError: There is no shipping address to be used.
    """
    if address is None:
        if view.cart.shipping_address is None:
            raise CartEditError(_P.SAME_AS_SHIPPING_UNSET)
        return view.cart.model_copy(update={"billing_address": view.cart.shipping_address})
    changes = {"billing_address": address}
    if also_shipping and not view.is_virtual:
        changes["shipping_address"] = address
    return view.cart.model_copy(update=changes)


def with_shipping_method(view: CartView, carrier_code: str, method_code: str) -> Cart:
    """The cart with how it is shipped.

    Raises:
        CartEditError: It is empty or has no address, or the store offers no such method.
    """
    if not view.cart.lines:
        raise CartEditError(_P.CART_HAS_NO_ITEMS)
    if view.cart.shipping_address is None:
        raise CartEditError(_P.SHIPPING_ADDRESS_UNSET)
    method = offered_method(view.store, carrier_code, method_code)
    return view.cart.model_copy(update={"shipping_method": method.value})


def offered_method(store: Store, carrier_code: str, method_code: str) -> ShippingMethod:
    """The shipping method that a store offers under these codes.

    Raises:
        CartEditError: It offers none.
    """
    method = store.offered_shipping(carrier_code)
    if method is None or method.names.method_code != method_code:
        raise CartEditError(_P.CARRIER_NOT_FOUND, f"{carrier_code}, {method_code}")
    return method


def with_payment_method(
    view: CartView, code: str, purchase_order_number: str, payment_id: str = ""
) -> Cart:
    """The cart with how it is paid.

    Args:
        view: The cart.
        code: Of the method.
        purchase_order_number: For the method that needs one.
        payment_id: The payment at the gateway, for the online methods; others have none.

    Raises:
        CartEditError: It has no shipping address though it needs one, or the method cannot be used.
    """
    if view.cart.shipping_address is None and not view.is_virtual:
        raise CartEditError(_P.SHIPPING_ADDRESS_UNSET)
    if code not in [method.value for method in payment_methods(view)]:
        raise CartEditError(_P.PAYMENT_METHOD_UNAVAILABLE)
    if code == PaymentMethod.PURCHASEORDER and not purchase_order_number.strip():
        raise CartEditError(_P.PURCHASE_ORDER_NUMBER_MISSING)
    is_online = code in ONLINE_METHODS
    if is_online and not payment_id:
        raise CartEditError(_P.PAYMENT_PARAMETER_MISSING, PAYMENT_ID_FIELD)
    try:
        choice = PaymentChoice(
            method=code,
            purchase_order_number=purchase_order_number,
            payment_id=payment_id if is_online else "",
        )
    except ValidationError as error:
        wrong = error.errors()[0]["loc"][0]
        named = PAYMENT_ID_FIELD if wrong == "payment_id" else "purchase_order_number"
        raise CartEditError(_P.FIELD_INVALID, named) from None
    return view.cart.model_copy(update={"payment": choice})


def amount_to_pay(view: CartView, code: str) -> Money:
    """What a payment by an online method would be over: the total that the cart shows.

    Raises:
        CartEditError: The method cannot be used for this cart, or there is nothing to pay.
    """
    if code not in ONLINE_METHODS or code not in payment_methods(view):
        raise CartEditError(_P.PAYMENT_METHOD_UNAVAILABLE)
    total = view.total()
    if not view.cart.lines or total is None or total.amount_minor == 0:
        raise CartEditError(_P.NOTHING_TO_PAY)
    return total


def payment_methods(view: CartView) -> Sequence[PaymentMethod]:
    """What this cart can be paid with: "free" only if nothing is due."""
    total = view.total()
    free = total is not None and total.amount_minor == 0
    return [each for each in view.store.payment_methods if each != PaymentMethod.FREE or free]


def _changed(cart: Cart, otherwise: CartEditError, **changes: Any) -> Cart:
    try:
        return Cart.model_validate({**dict(cart), **changes})
    except ValidationError:
        raise otherwise from None
