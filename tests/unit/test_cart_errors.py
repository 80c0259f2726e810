"""Does everything that can go wrong with a cart have its row, with the documented text?

The texts of section 5 of the contract are written down here anew, with what they name filled in:
were they read from the table, a wrong word there could not be found.
"""

import pytest

from commerce.domain.cart_errors import (
    CART_RULES,
    CartEditError,
    CartProblem,
    CartRule,
    UserErrorCode,
)
from commerce.domain.errors import Category

P = CartProblem
CART_ID = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"

DOCUMENTED: list[tuple[CartProblem, object, str]] = [
    # every cart operation
    (P.CART_NOT_FOUND, CART_ID, f'Could not find a cart with ID "{CART_ID}"'),
    (P.CART_NOT_ACTIVE, "", "The cart isn't active."),
    (P.NOT_CART_OWNER, "X", 'The current user cannot perform operations on cart "X"'),
    (P.PARAMETER_MISSING, "cart_id", 'Required parameter "cart_id" is missing'),
    (
        P.GUEST_CHECKOUT_DISABLED,
        "",
        "Guest checkout is not allowed. Register a customer account or login with existing one.",
    ),
    (P.CART_LOCKED, "", "The cart is locked for processing. Please try again later."),
    (P.WRONG_STORE, "X", 'Wrong store code specified for cart "X"'),
    (P.STORE_NOT_FOUND, "", "Requested store is not found"),
    # createEmptyCart, createGuestCart
    (P.CART_ID_LENGTH, "", "Cart ID length should to be 32 symbols."),
    (P.CART_ID_TAKEN, "X", 'Cart with ID "X" already exists.'),
    (
        P.LOGGED_IN_CREATES_NO_GUEST_CART,
        "",
        "Use 'Query.customerCart' for logged in customer.",
    ),
    # addSimpleProductsToCart, addProductsToCart
    (P.PRODUCT_NOT_FOUND, "X", 'Could not find a product with SKU "X"'),
    (P.PARAMETER_MISSING, "cart_items", 'Required parameter "cart_items" is missing'),
    (P.QUANTITY_UNAVAILABLE, "", "The requested qty is not available"),
    (P.QUANTITY_NOT_POSITIVE, "", "The product quantity should be greater than 0"),
    (P.OUT_OF_STOCK, "", "This product is out of stock"),
    (P.NOT_SALABLE, "", "Product that you are trying to add is not available."),
    (P.QUANTITY_TOO_LARGE, 10_000, "The most you may purchase is 10000."),
    # updateCartItems, removeItemFromCart
    (P.ITEM_NOT_FOUND, 7, "Could not find cart item with id: 7."),
    (
        P.ITEM_PARAMETER_MISSING,
        "quantity",
        'Required parameter "quantity" for "cart_items" is missing.',
    ),
    (P.ITEM_NOT_IN_CART, 7, "Cart doesn't contain the 7 item."),
    (
        P.NESTED_PARAMETER_MISSING,
        "cart_item_id",
        'Required parameter "cart_item_id" is missing.',
    ),
    # setGuestEmailOnCart
    (P.EMAIL_INVALID, "", "Invalid email format"),
    (P.PARAMETER_MISSING, "email", 'Required parameter "email" is missing'),
    (P.EMAIL_OF_CUSTOMER, "", "The request is not allowed for logged in customers"),
    # setShippingAddressesOnCart
    (
        P.NOTHING_TO_SHIP,
        "",
        "Shipping address is not allowed on cart: cart contains no items for shipment.",
    ),
    (
        P.SHIPPING_ADDRESS_NEITHER,
        "",
        'The shipping address must contain either "customer_address_id" or "address".',
    ),
    (
        P.SHIPPING_ADDRESS_BOTH,
        "",
        'The shipping address cannot contain "customer_address_id" and "address" at the same time.',
    ),
    (P.SHIPPING_ADDRESSES_MANY, "", "You cannot specify multiple shipping addresses."),
    (P.NO_ADDRESS_BOOK_FOR_GUESTS, "", "The current customer isn't authorized."),
    (
        P.PARAMETER_MISSING,
        "shipping_addresses",
        'Required parameter "shipping_addresses" is missing',
    ),
    # setBillingAddressOnCart
    (
        P.BILLING_ADDRESS_NEITHER,
        "",
        'The billing address must contain either "customer_address_id", "address", or '
        '"same_as_shipping".',
    ),
    (
        P.BILLING_ADDRESS_BOTH,
        "",
        'The billing address cannot contain "customer_address_id" and "address" at the same time.',
    ),
    (
        P.SAME_AS_SHIPPING_UNSET,
        "",
        'Could not use the "same_as_shipping" option, because the shipping address has not been '
        "set.",
    ),
    # setShippingMethodsOnCart
    (P.PARAMETER_MISSING, "shipping_methods", 'Required parameter "shipping_methods" is missing'),
    (
        P.NESTED_PARAMETER_MISSING,
        "carrier_code",
        'Required parameter "carrier_code" is missing.',
    ),
    (P.NESTED_PARAMETER_MISSING, "method_code", 'Required parameter "method_code" is missing.'),
    (P.CARRIER_NOT_FOUND, "ups, ground", "Carrier with such method not found: ups, ground"),
    (P.SHIPPING_METHODS_MANY, "", "You cannot specify multiple shipping methods."),
    (
        P.SHIPPING_ADDRESS_UNSET,
        "",
        "The shipping address is missing. Set the address and try again.",
    ),
    (
        P.CART_HAS_NO_ITEMS,
        "",
        "The shipping method can't be set for an empty cart. Add an item to cart and try again.",
    ),
    # setPaymentMethodOnCart
    (P.PAYMENT_CODE_MISSING, "", 'Required parameter "code" for "payment_method" is missing.'),
    (P.PAYMENT_METHOD_UNAVAILABLE, "", "The requested Payment Method is not available."),
    # address rules
    (P.COUNTRY_UNAVAILABLE, "", "Country is not available"),
    (P.REGION_REQUIRED, "", "Region is required."),
    (
        P.REGION_ID_MISMATCH,
        "",
        "The region_id does not match the selected country or region",
    ),
    (P.REGION_AMBIGUOUS, "", "Region input is ambiguous. Specify region_id."),
    (
        P.REGION_FOREIGN,
        "",
        "The specified region is not a part of the selected country or region",
    ),
    (P.TOO_MANY_STREET_LINES, 2, '"Street Address" cannot contain more than 2 lines.'),
    (P.FIELD_REQUIRED, "postcode", '"postcode" is required. Enter and try again.'),
    (P.FIELD_REQUIRED, "regionId", '"regionId" is required. Enter and try again.'),
    (P.ADDRESS_NOT_FOUND, 100, 'Could not find a address with ID "100"'),
]
ELSEWHERE = {
    P.CURRENCY_NOT_ALLOWED,
    P.CUSTOMER_REQUIRED,
    P.PURCHASE_ORDER_NUMBER_MISSING,
    P.COUPON_INVALID,
}
"""Adobe Commerce has a text for these, which the contract does not quote."""

CODES = {
    P.PRODUCT_NOT_FOUND: "PRODUCT_NOT_FOUND",
    P.NOT_SALABLE: "NOT_SALABLE",
    P.QUANTITY_UNAVAILABLE: "INSUFFICIENT_STOCK",
    P.QUANTITY_TOO_LARGE: "INSUFFICIENT_STOCK",
    P.OUT_OF_STOCK: "INSUFFICIENT_STOCK",
    P.QUANTITY_NOT_POSITIVE: "UNDEFINED",
    P.ITEM_NOT_FOUND: "COULD_NOT_FIND_CART_ITEM",
    P.ITEM_PARAMETER_MISSING: "REQUIRED_PARAMETER_MISSING",
}
"""What ``user_errors`` and ``errors`` report."""

CATEGORIES = {
    P.CART_NOT_FOUND: Category.NO_SUCH_ENTITY,
    P.NOT_CART_OWNER: Category.AUTHORIZATION,
    P.GUEST_CHECKOUT_DISABLED: Category.AUTHORIZATION,
    P.COUNTRY_UNAVAILABLE: Category.INPUT,
    P.REGION_REQUIRED: Category.INPUT,
    P.REGION_ID_MISMATCH: Category.INPUT,
    P.REGION_AMBIGUOUS: Category.INPUT,
    P.REGION_FOREIGN: Category.INPUT,
    P.TOO_MANY_STREET_LINES: Category.INPUT,
    P.FIELD_REQUIRED: Category.INPUT,
    P.PARAMETER_MISSING: Category.INPUT,
}
"""Where the contract names one."""


def test_every_problem_has_a_row_and_every_row_a_problem() -> None:
    assert list(CART_RULES) == list(CartProblem)


@pytest.mark.parametrize(
    ("problem", "named", "text"), DOCUMENTED, ids=lambda value: str(value)[:40]
)
def test_the_documented_texts_are_repeated_word_for_word(
    problem: CartProblem, named: object, text: str
) -> None:
    assert CartEditError(problem, named).message == text


def test_what_is_not_documented_says_that_it_is_ours() -> None:
    documented = {problem for problem, _, _ in DOCUMENTED} | ELSEWHERE
    assert {problem for problem, rule in CART_RULES.items() if not rule.ours} == documented


@pytest.mark.parametrize(("problem", "code"), CODES.items())
def test_the_documented_codes_stand_beside_the_texts(problem: CartProblem, code: str) -> None:
    assert CART_RULES[problem].code == code


def test_every_code_is_one_of_the_documented_type() -> None:
    assert {code.value for code in UserErrorCode} == {
        "PRODUCT_NOT_FOUND",
        "NOT_SALABLE",
        "INSUFFICIENT_STOCK",
        "COULD_NOT_FIND_CART_ITEM",
        "REQUIRED_PARAMETER_MISSING",
        "INVALID_PARAMETER_VALUE",
        "UNDEFINED",
    }


@pytest.mark.parametrize(("problem", "category"), CATEGORIES.items())
def test_the_documented_categories_too(problem: CartProblem, category: Category) -> None:
    assert CART_RULES[problem].category is category


@pytest.mark.parametrize("rule", CART_RULES.values(), ids=lambda rule: rule.text[:40])
def test_every_text_names_at_most_one_thing(rule: CartRule) -> None:
    assert rule.text.strip() == rule.text != ""
    assert rule.text.count("{}") == rule.text.count("{") <= 1


def test_an_error_is_its_text_and_knows_its_row() -> None:
    error = CartEditError(P.ITEM_NOT_FOUND, 7)
    assert str(error) == error.message == "Could not find cart item with id: 7."
    assert error.rule is CART_RULES[P.ITEM_NOT_FOUND]


@pytest.mark.parametrize(
    ("named", "quoted"),
    [
        ("a\nb\x00\u202ec", "a?b??c"),
        ("\ud800", "?"),
        ("{}", "{}"),
        ("x" * 64, "x" * 64),
        ("x" * 10_000, "x" * 64 + "…"),
    ],
)
def test_what_a_caller_sent_is_quoted_fit_for_a_message(named: str, quoted: str) -> None:
    told = CartEditError(P.PRODUCT_NOT_FOUND, named).message
    assert told == f'Could not find a product with SKU "{quoted}"'
