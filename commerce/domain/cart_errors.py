"""The one table of what can go wrong while a cart is filled, and what the shopper sees.

``errors.CATALOGUE`` is the same for checkouts. The texts are those of Adobe Commerce, verbatim.
"""

from dataclasses import dataclass
from enum import StrEnum

from commerce.domain.errors import CATALOGUE, Category, RefusalReason, quoted

_REFUSALS = RefusalReason


class UserErrorCode(StrEnum):
    """The codes of ``CartUserInputErrorType`` that we answer with."""

    PRODUCT_NOT_FOUND = "PRODUCT_NOT_FOUND"
    NOT_SALABLE = "NOT_SALABLE"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    COULD_NOT_FIND_CART_ITEM = "COULD_NOT_FIND_CART_ITEM"
    REQUIRED_PARAMETER_MISSING = "REQUIRED_PARAMETER_MISSING"
    INVALID_PARAMETER_VALUE = "INVALID_PARAMETER_VALUE"
    UNDEFINED = "UNDEFINED"


@dataclass(frozen=True)
class CartRule:
    """A row of the table.

    Attributes:
        text: The message; ``{}`` stands for what it names.
        category: How the transport classifies it.
        code: The code where it is reported beside the cart, in ``user_errors`` or ``errors``.
        ours: The text is ours: Adobe Commerce has none for it.
    """

    text: str
    category: Category = Category.INPUT
    code: UserErrorCode = UserErrorCode.UNDEFINED
    ours: bool = False


_AUTHORIZATION, _NO_SUCH = Category.AUTHORIZATION, Category.NO_SUCH_ENTITY
_U = UserErrorCode


class CartProblem(StrEnum):
    """What can go wrong; each names its row of ``CART_RULES``."""

    PARAMETER_MISSING = "PARAMETER_MISSING"
    NESTED_PARAMETER_MISSING = "NESTED_PARAMETER_MISSING"
    CART_NOT_FOUND = "CART_NOT_FOUND"
    CART_NOT_ACTIVE = "CART_NOT_ACTIVE"
    CART_LOCKED = "CART_LOCKED"
    WRONG_STORE = "WRONG_STORE"
    NOT_CART_OWNER = "NOT_CART_OWNER"
    GUEST_CHECKOUT_DISABLED = "GUEST_CHECKOUT_DISABLED"
    STORE_NOT_FOUND = "STORE_NOT_FOUND"
    STORE_OF_CART_NOT_FOUND = "STORE_OF_CART_NOT_FOUND"
    CURRENCY_NOT_ALLOWED = "CURRENCY_NOT_ALLOWED"
    CART_ID_LENGTH = "CART_ID_LENGTH"
    CART_ID_TAKEN = "CART_ID_TAKEN"
    LOGGED_IN_CREATES_NO_GUEST_CART = "LOGGED_IN_CREATES_NO_GUEST_CART"
    CUSTOMER_REQUIRED = "CUSTOMER_REQUIRED"
    PRODUCT_NOT_FOUND = "PRODUCT_NOT_FOUND"
    QUANTITY_NOT_POSITIVE = "QUANTITY_NOT_POSITIVE"
    QUANTITY_NOT_WHOLE = "QUANTITY_NOT_WHOLE"
    QUANTITY_TOO_LARGE = "QUANTITY_TOO_LARGE"
    QUANTITY_UNAVAILABLE = "QUANTITY_UNAVAILABLE"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    NOT_SALABLE = "NOT_SALABLE"
    TOO_MANY_LINES = "TOO_MANY_LINES"
    OPTIONS_UNSUPPORTED = "OPTIONS_UNSUPPORTED"
    ITEM_NOT_FOUND = "ITEM_NOT_FOUND"
    ITEM_NOT_IN_CART = "ITEM_NOT_IN_CART"
    ITEM_PARAMETER_MISSING = "ITEM_PARAMETER_MISSING"
    EMAIL_INVALID = "EMAIL_INVALID"
    EMAIL_OF_CUSTOMER = "EMAIL_OF_CUSTOMER"
    NOTHING_TO_SHIP = "NOTHING_TO_SHIP"
    SHIPPING_ADDRESS_NEITHER = "SHIPPING_ADDRESS_NEITHER"
    SHIPPING_ADDRESS_BOTH = "SHIPPING_ADDRESS_BOTH"
    SHIPPING_ADDRESSES_MANY = "SHIPPING_ADDRESSES_MANY"
    PICKUP_UNSUPPORTED = "PICKUP_UNSUPPORTED"
    BILLING_ADDRESS_NEITHER = "BILLING_ADDRESS_NEITHER"
    BILLING_ADDRESS_BOTH = "BILLING_ADDRESS_BOTH"
    SAME_AS_SHIPPING_UNSET = "SAME_AS_SHIPPING_UNSET"
    NO_ADDRESS_BOOK_FOR_GUESTS = "NO_ADDRESS_BOOK_FOR_GUESTS"
    ADDRESS_NOT_FOUND = "ADDRESS_NOT_FOUND"
    COUNTRY_UNAVAILABLE = "COUNTRY_UNAVAILABLE"
    REGION_REQUIRED = "REGION_REQUIRED"
    REGION_ID_MISMATCH = "REGION_ID_MISMATCH"
    REGION_AMBIGUOUS = "REGION_AMBIGUOUS"
    REGION_FOREIGN = "REGION_FOREIGN"
    TOO_MANY_STREET_LINES = "TOO_MANY_STREET_LINES"
    FIELD_REQUIRED = "FIELD_REQUIRED"
    FIELD_INVALID = "FIELD_INVALID"
    CARRIER_NOT_FOUND = "CARRIER_NOT_FOUND"
    SHIPPING_METHODS_MANY = "SHIPPING_METHODS_MANY"
    SHIPPING_ADDRESS_UNSET = "SHIPPING_ADDRESS_UNSET"
    CART_HAS_NO_ITEMS = "CART_HAS_NO_ITEMS"
    PAYMENT_CODE_MISSING = "PAYMENT_CODE_MISSING"
    PAYMENT_METHOD_UNAVAILABLE = "PAYMENT_METHOD_UNAVAILABLE"
    PURCHASE_ORDER_NUMBER_MISSING = "PURCHASE_ORDER_NUMBER_MISSING"
    PAYMENT_PARAMETER_MISSING = "PAYMENT_PARAMETER_MISSING"
    NOTHING_TO_PAY = "NOTHING_TO_PAY"
    PAYMENT_REFUSED = "PAYMENT_REFUSED"
    PAYMENT_PROVIDER_UNAVAILABLE = "PAYMENT_PROVIDER_UNAVAILABLE"
    PAYMENT_ORDER_NOT_FOUND = "PAYMENT_ORDER_NOT_FOUND"
    CARTS_ARE_THE_SAME = "CARTS_ARE_THE_SAME"
    COUPON_INVALID = "COUPON_INVALID"


_P = CartProblem


def _of(reason: RefusalReason, category: Category | None = None) -> CartRule:
    """The same text as at checkout."""
    rule = CATALOGUE[reason]
    return CartRule(rule.text.replace("{cart_id}", "{}"), category or rule.category)


CART_RULES: dict[CartProblem, CartRule] = {
    _P.PARAMETER_MISSING: CartRule('Required parameter "{}" is missing'),
    _P.NESTED_PARAMETER_MISSING: CartRule('Required parameter "{}" is missing.'),
    _P.CART_NOT_FOUND: _of(_REFUSALS.CART_NOT_FOUND, _NO_SUCH),
    _P.CART_NOT_ACTIVE: _of(_REFUSALS.CART_NOT_ACTIVE, _NO_SUCH),
    _P.CART_LOCKED: CartRule("The cart is locked for processing. Please try again later."),
    _P.WRONG_STORE: _of(_REFUSALS.WRONG_STORE),
    _P.NOT_CART_OWNER: _of(_REFUSALS.NOT_CART_OWNER),
    _P.GUEST_CHECKOUT_DISABLED: _of(_REFUSALS.GUEST_CHECKOUT_DISABLED),
    _P.STORE_NOT_FOUND: CartRule("Requested store is not found"),
    _P.STORE_OF_CART_NOT_FOUND: CartRule('Requested store is not found: "{}"', ours=True),
    _P.CURRENCY_NOT_ALLOWED: CartRule("Please correct the target currency"),
    _P.CART_ID_LENGTH: CartRule("Cart ID length should to be 32 symbols."),
    _P.CART_ID_TAKEN: CartRule('Cart with ID "{}" already exists.', Category.ALREADY_EXISTS),
    _P.LOGGED_IN_CREATES_NO_GUEST_CART: CartRule(
        "Use 'Query.customerCart' for logged in customer."
    ),
    _P.CUSTOMER_REQUIRED: CartRule("The current customer isn't authorized.", _AUTHORIZATION),
    _P.PRODUCT_NOT_FOUND: CartRule(
        'Could not find a product with SKU "{}"', _NO_SUCH, _U.PRODUCT_NOT_FOUND
    ),
    _P.QUANTITY_NOT_POSITIVE: CartRule("The product quantity should be greater than 0"),
    _P.QUANTITY_NOT_WHOLE: CartRule(
        "The product quantity should be a whole number",
        code=_U.INVALID_PARAMETER_VALUE,
        ours=True,
    ),
    _P.QUANTITY_TOO_LARGE: CartRule("The most you may purchase is {}.", code=_U.INSUFFICIENT_STOCK),
    _P.QUANTITY_UNAVAILABLE: CartRule(
        "The requested qty is not available", code=_U.INSUFFICIENT_STOCK
    ),
    _P.OUT_OF_STOCK: CartRule("This product is out of stock", code=_U.INSUFFICIENT_STOCK),
    _P.NOT_SALABLE: CartRule(
        "Product that you are trying to add is not available.", code=_U.NOT_SALABLE
    ),
    _P.TOO_MANY_LINES: CartRule(
        "A cart may have {} different products.", code=_U.INVALID_PARAMETER_VALUE, ours=True
    ),
    _P.OPTIONS_UNSUPPORTED: CartRule(
        "Products with options are not sold here.", code=_U.INVALID_PARAMETER_VALUE, ours=True
    ),
    _P.ITEM_NOT_FOUND: CartRule(
        "Could not find cart item with id: {}.", _NO_SUCH, _U.COULD_NOT_FIND_CART_ITEM
    ),
    _P.ITEM_NOT_IN_CART: CartRule("Cart doesn't contain the {} item.", _NO_SUCH),
    _P.ITEM_PARAMETER_MISSING: CartRule(
        'Required parameter "{}" for "cart_items" is missing.',
        code=_U.REQUIRED_PARAMETER_MISSING,
    ),
    _P.EMAIL_INVALID: CartRule("Invalid email format"),
    _P.EMAIL_OF_CUSTOMER: CartRule("The request is not allowed for logged in customers"),
    _P.NOTHING_TO_SHIP: CartRule(
        "Shipping address is not allowed on cart: cart contains no items for shipment."
    ),
    _P.SHIPPING_ADDRESS_NEITHER: CartRule(
        'The shipping address must contain either "customer_address_id" or "address".'
    ),
    _P.SHIPPING_ADDRESS_BOTH: CartRule(
        'The shipping address cannot contain "customer_address_id" and "address" at the same time.'
    ),
    _P.SHIPPING_ADDRESSES_MANY: CartRule("You cannot specify multiple shipping addresses."),
    _P.PICKUP_UNSUPPORTED: CartRule("Orders cannot be picked up here.", ours=True),
    _P.BILLING_ADDRESS_NEITHER: CartRule(
        'The billing address must contain either "customer_address_id", "address", or '
        '"same_as_shipping".'
    ),
    _P.BILLING_ADDRESS_BOTH: CartRule(
        'The billing address cannot contain "customer_address_id" and "address" at the same time.'
    ),
    _P.SAME_AS_SHIPPING_UNSET: CartRule(
        'Could not use the "same_as_shipping" option, because the shipping address has not been '
        "set."
    ),
    _P.NO_ADDRESS_BOOK_FOR_GUESTS: CartRule(
        "The current customer isn't authorized.", _AUTHORIZATION
    ),
    _P.ADDRESS_NOT_FOUND: CartRule('Could not find a address with ID "{}"', _NO_SUCH),
    _P.COUNTRY_UNAVAILABLE: CartRule("Country is not available"),
    _P.REGION_REQUIRED: CartRule("Region is required."),
    _P.REGION_ID_MISMATCH: CartRule("The region_id does not match the selected country or region"),
    _P.REGION_AMBIGUOUS: CartRule("Region input is ambiguous. Specify region_id."),
    _P.REGION_FOREIGN: CartRule(
        "The specified region is not a part of the selected country or region"
    ),
    _P.TOO_MANY_STREET_LINES: CartRule('"Street Address" cannot contain more than {} lines.'),
    _P.FIELD_REQUIRED: CartRule('"{}" is required. Enter and try again.'),
    _P.FIELD_INVALID: CartRule('"{}" is invalid. Enter and try again.', ours=True),
    _P.CARRIER_NOT_FOUND: CartRule("Carrier with such method not found: {}"),
    _P.SHIPPING_METHODS_MANY: CartRule("You cannot specify multiple shipping methods."),
    _P.SHIPPING_ADDRESS_UNSET: CartRule(
        "The shipping address is missing. Set the address and try again."
    ),
    _P.CART_HAS_NO_ITEMS: CartRule(
        "The shipping method can't be set for an empty cart. Add an item to cart and try again."
    ),
    _P.PAYMENT_CODE_MISSING: CartRule('Required parameter "code" for "payment_method" is missing.'),
    _P.PAYMENT_METHOD_UNAVAILABLE: _of(_REFUSALS.PAYMENT_METHOD_UNAVAILABLE),
    _P.PURCHASE_ORDER_NUMBER_MISSING: CartRule("Purchase order number is a required field."),
    _P.PAYMENT_PARAMETER_MISSING: CartRule(
        'Required parameter "{}" for "payment_method" is missing.', ours=True
    ),
    _P.NOTHING_TO_PAY: CartRule("The cart has no total that could be paid.", ours=True),
    _P.PAYMENT_REFUSED: CartRule("The payment provider does not take this payment.", ours=True),
    _P.PAYMENT_PROVIDER_UNAVAILABLE: CartRule(
        "The payment provider does not answer. Please try again later.", ours=True
    ),
    _P.PAYMENT_ORDER_NOT_FOUND: CartRule(
        'Could not find a payment order with ID "{}"', _NO_SUCH, ours=True
    ),
    _P.CARTS_ARE_THE_SAME: CartRule("A cart cannot be merged into itself.", ours=True),
    _P.COUPON_INVALID: CartRule(
        "The coupon code isn't valid. Verify the code and try again.", _NO_SUCH
    ),
}


class CartEditError(ValueError):
    """A change of a cart that is refused; nothing was written.

    Attributes:
        problem: Which row of the table.
        named: What the text names.
        message: The text, filled in.
    """

    def __init__(self, problem: CartProblem, named: object = "") -> None:
        """Args:
        problem: Which row of the table.
        named: What the text names: an id, a SKU, a field.
        """
        self.problem = problem
        self.named = named
        self.message = self.rule.text.replace("{}", quoted(str(named)))
        super().__init__(self.message)

    @property
    def rule(self) -> CartRule:
        """The row of the table."""
        return CART_RULES[self.problem]
