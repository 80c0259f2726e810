"""Does every refusal say what the documentation says, under the documented code?

The texts of the two documentation pages are written down here anew: were they read from the
catalogue, a wrong word there could not be found.
"""

import pytest
from pydantic import ValidationError

from commerce.domain.addresses import AddressProblem, missing_address
from commerce.domain.errors import (
    CATALOGUE,
    Category,
    Operation,
    Refusal,
    RefusalCode,
    RefusalReason,
    declined,
    out_of_stock,
    refuse,
)
from commerce.domain.payments import DeclineReason
from commerce.domain.stock import Shortage

R = RefusalReason
PLACE, COMPLETE = Operation.PLACE_ORDER, Operation.COMPLETE_ORDER
CART_ID = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"

PLACE_ORDER_PAGE = [
    (R.PAYMENT_METHOD_MISSING, "Enter a valid payment method and try again"),
    (R.GUEST_EMAIL_MISSING, "Guest email for cart is missing."),
    (R.BILLING_ADDRESS_INVALID, "Please check the billing address information"),
    (R.CART_ID_MISSING, 'Required parameter "cart_id" is missing'),
    (
        R.SHIPPING_ADDRESS_MISSING,
        "Some addresses can't be used due to the configurations for specific countries",
    ),
    (
        R.COUNTRY_NOT_ALLOWED,
        "Some addresses can't be used due to the configurations for specific countries",
    ),
    (R.OUT_OF_STOCK, "Some of the products are out of stock"),
    (R.NOT_CART_OWNER, "The current user cannot perform operations on cart"),
    (
        R.SHIPPING_METHOD_MISSING,
        "The shipping method is missing. Select the shipping method and try again",
    ),
    (
        R.CART_EMPTY,
        "Unable to place order: A server error stopped your order from being placed. "
        "Please try to place your order again",
    ),
]
COMPLETE_ORDER_PAGE_CODES = {
    "CART_NOT_FOUND",
    "CART_NOT_ACTIVE",
    "GUEST_EMAIL_MISSING",
    "PAYMENT_ID_INVALID",
    "UNABLE_TO_COMPLETE_ORDER",
}
CURRENT_TEXTS = [
    (R.CART_NOT_FOUND, f'Could not find a cart with ID "{CART_ID}"'),
    (R.CART_NOT_ACTIVE, "The cart isn't active."),
    (R.WRONG_STORE, f'Wrong store code specified for cart "{CART_ID}"'),
    (R.NOT_CART_OWNER, f'The current user cannot perform operations on cart "{CART_ID}"'),
    (
        R.GUEST_CHECKOUT_DISABLED,
        "Guest checkout is not allowed. Register a customer account or login with existing one.",
    ),
]
UNPREFIXED = {
    R.CART_ID_MISSING,
    R.IDEMPOTENCY_KEY_REUSED,
    R.CART_NOT_FOUND,
    R.CART_NOT_ACTIVE,
    R.WRONG_STORE,
    R.NOT_CART_OWNER,
    R.GUEST_CHECKOUT_DISABLED,
    R.GUEST_EMAIL_MISSING,
}
OWN_CODES = {
    R.CART_ID_MISSING: None,
    R.IDEMPOTENCY_KEY_REUSED: None,
    R.NOT_CART_OWNER: None,
    R.GUEST_CHECKOUT_DISABLED: None,
    R.CART_NOT_FOUND: "CART_NOT_FOUND",
    R.CART_NOT_ACTIVE: "CART_NOT_ACTIVE",
    R.GUEST_EMAIL_MISSING: "GUEST_EMAIL_MISSING",
}
"""The reasons whose code is one of their own under both operations."""
OF_ONE_OPERATION = {R.WRONG_STORE, R.PAYMENT_ID_INVALID}
"""Those that only one operation has a code for."""


# -- the table ---------------------------------------------------------------------------------


def test_every_reason_has_a_row_and_every_row_a_reason() -> None:
    assert list(CATALOGUE) == list(RefusalReason)


@pytest.mark.parametrize("reason", RefusalReason)
def test_every_row_has_a_text_and_says_where_it_stands(reason: RefusalReason) -> None:
    rule = refuse(reason).rule
    assert rule.text.strip() == rule.text != ""
    assert rule.source


def test_reasons_stand_in_the_order_in_which_they_win() -> None:
    documented = [
        R.CART_ID_MISSING,
        R.CART_NOT_FOUND,
        R.CART_NOT_ACTIVE,
        R.WRONG_STORE,
        R.NOT_CART_OWNER,
        R.GUEST_CHECKOUT_DISABLED,
        R.GUEST_EMAIL_MISSING,
        R.CART_EMPTY,
        R.OUT_OF_STOCK,
        R.SHIPPING_ADDRESS_MISSING,
        R.COUNTRY_NOT_ALLOWED,
        R.SHIPPING_METHOD_MISSING,
        R.BILLING_ADDRESS_INVALID,
        R.PAYMENT_METHOD_MISSING,
        R.PAYMENT_ID_INVALID,
        R.SERVER_ERROR,
    ]
    assert [reason for reason in RefusalReason if reason in documented] == documented


# -- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "text"), PLACE_ORDER_PAGE)
def test_the_place_order_page_is_repeated_word_for_word(reason: RefusalReason, text: str) -> None:
    assert text in refuse(reason).message(PLACE, CART_ID)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(("reason", "text"), CURRENT_TEXTS)
def test_texts_without_a_prefix_read_the_same_under_both_operations(
    reason: RefusalReason, text: str, operation: Operation
) -> None:
    assert refuse(reason).message(operation, CART_ID) == text


@pytest.mark.parametrize("reason", [r for r in RefusalReason if r is not R.PAYMENT_ID_INVALID])
def test_a_message_is_prefixed_with_the_operation_unless_it_has_a_code_of_its_own(
    reason: RefusalReason,
) -> None:
    place, complete = (refuse(reason).message(op, CART_ID) for op in (PLACE, COMPLETE))
    if reason in UNPREFIXED:
        assert place == complete
        assert not place.startswith("Unable")
    else:
        text = place.removeprefix("Unable to place order: ")
        assert place == f"Unable to place order: {text}"
        assert complete == f"Unable to complete order: {text}"
        assert not text.startswith("Unable")


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("reason", RefusalReason)
def test_no_message_shows_a_placeholder(reason: RefusalReason, operation: Operation) -> None:
    message = refuse(reason).message(operation, CART_ID)
    assert "{" not in message
    assert "}" not in message


# -- cart ids in texts -------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [R.CART_NOT_FOUND, R.WRONG_STORE, R.NOT_CART_OWNER])
@pytest.mark.parametrize(
    "cart_id", ["{0}", "{cart_id}", "{}", "{", "}}", "{cart_id.__class__}", "%s", "\\1", '"', ""]
)
def test_a_strange_cart_id_is_quoted_as_it_is(reason: RefusalReason, cart_id: str) -> None:
    assert refuse(reason).message(PLACE, cart_id).endswith(f'"{cart_id}"')


def test_a_cart_id_of_64_characters_is_quoted_whole() -> None:
    cart_id = "a" * 63 + "z"
    assert refuse(R.CART_NOT_FOUND).message(PLACE, cart_id).endswith(f'"{cart_id}"')


@pytest.mark.parametrize("length", [65, 10_000])
def test_an_over_long_cart_id_is_shortened(length: int) -> None:
    message = refuse(R.CART_NOT_FOUND).message(PLACE, "a" * length)
    assert message == f'Could not find a cart with ID "{"a" * 64}…"'


# -- address problems --------------------------------------------------------------------------


def test_a_billing_address_that_was_never_set_lacks_all_seven_fields_in_the_documented_order() -> (
    None
):
    refusal = Refusal(reason=R.BILLING_ADDRESS_INVALID, problems=missing_address())
    assert refusal.message(PLACE, CART_ID) == (
        "Unable to place order: Please check the billing address information."
        ' "firstname" is required. Enter and try again.'
        ' "lastname" is required. Enter and try again.'
        ' "street" is required. Enter and try again.'
        ' "city" is required. Enter and try again.'
        ' "telephone" is required. Enter and try again.'
        ' "postcode" is required. Enter and try again.'
        ' "countryId" is required. Enter and try again.'
    )


def test_a_field_that_is_filled_in_but_wrong_is_not_called_required() -> None:
    wrong = AddressProblem(field="postcode", missing=False)
    missing = AddressProblem(field="regionId", missing=True)
    refusal = Refusal(reason=R.SHIPPING_ADDRESS_INVALID, problems=(wrong, missing))
    assert refusal.message(COMPLETE, CART_ID) == (
        "Unable to complete order: Please check the shipping address information."
        ' "postcode" is invalid. Enter and try again.'
        ' "regionId" is required. Enter and try again.'
    )


# -- payments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (R.PAYMENT_ID_INVALID, "The provided payment or transaction ID is invalid."),
        (R.PAYMENT_DECLINED, "The payment was declined. Choose another way to pay and try again."),
        (
            R.PAYMENT_EXPIRED,
            "The payment was not completed in time and is void. Pay again to order.",
        ),
    ],
)
def test_place_order_has_no_codes_for_payments(reason: RefusalReason, text: str) -> None:
    refusal = refuse(reason)
    assert refusal.code(PLACE) == "UNABLE_TO_PLACE_ORDER"
    assert refusal.message(PLACE, CART_ID) == f"Unable to place order: {text}"


@pytest.mark.parametrize(
    ("reason", "code", "text"),
    [
        (
            R.PAYMENT_ID_INVALID,
            "PAYMENT_ID_INVALID",
            "The provided payment or transaction ID is invalid.",
        ),
        (
            R.PAYMENT_DECLINED,
            "UNABLE_TO_COMPLETE_ORDER",
            "Unable to complete order: "
            "The payment was declined. Choose another way to pay and try again.",
        ),
        (
            R.PAYMENT_EXPIRED,
            "UNABLE_TO_COMPLETE_ORDER",
            "Unable to complete order: "
            "The payment was not completed in time and is void. Pay again to order.",
        ),
    ],
)
def test_complete_order_has_one_for_an_id_that_is_invalid(
    reason: RefusalReason, code: str, text: str
) -> None:
    refusal = refuse(reason)
    assert refusal.code(COMPLETE) == code
    assert refusal.message(COMPLETE, CART_ID) == text


@pytest.mark.parametrize("reason", DeclineReason)
def test_why_the_gateway_declined_is_kept_and_no_part_of_the_text(reason: DeclineReason) -> None:
    refusal = declined(reason)
    assert (refusal.reason, refusal.decline) == (R.PAYMENT_DECLINED, reason)
    assert refusal.message(PLACE, CART_ID) == refuse(R.PAYMENT_DECLINED).message(PLACE, CART_ID)
    assert Refusal.model_validate_json(refusal.model_dump_json()) == refusal


# -- codes, categories, retries ----------------------------------------------------------------


@pytest.mark.parametrize("reason", [r for r in RefusalReason if r not in OF_ONE_OPERATION])
def test_codes_are_the_documented_ones(reason: RefusalReason) -> None:
    place, complete = (refuse(reason).code(operation) for operation in (PLACE, COMPLETE))
    if reason in OWN_CODES:
        assert place == complete == OWN_CODES[reason]
    else:
        assert place == "UNABLE_TO_PLACE_ORDER"
        assert complete == "UNABLE_TO_COMPLETE_ORDER"


def test_a_wrong_store_has_a_code_of_its_own_under_place_order_only() -> None:
    assert refuse(R.WRONG_STORE).code(PLACE) == "UNDEFINED"
    assert refuse(R.WRONG_STORE).code(COMPLETE) == "UNABLE_TO_COMPLETE_ORDER"


def test_complete_order_has_exactly_the_codes_of_its_page() -> None:
    codes = {refuse(reason).code(COMPLETE) for reason in RefusalReason} - {None}
    assert codes == COMPLETE_ORDER_PAGE_CODES


def test_place_order_never_speaks_of_completing() -> None:
    codes = {refuse(reason).code(PLACE) for reason in RefusalReason}
    assert RefusalCode.UNABLE_TO_COMPLETE_ORDER not in codes


@pytest.mark.parametrize("reason", RefusalReason)
def test_only_refusals_of_the_caller_are_of_the_authorization_category(
    reason: RefusalReason,
) -> None:
    of_caller = reason in {R.NOT_CART_OWNER, R.GUEST_CHECKOUT_DISABLED}
    category = refuse(reason).rule.category
    assert category is (Category.AUTHORIZATION if of_caller else Category.INPUT)
    assert category.value == ("graphql-authorization" if of_caller else "graphql-input")


def test_only_stock_and_mishaps_may_pass_by_themselves() -> None:
    assert {reason for reason in RefusalReason if refuse(reason).rule.retryable} == {
        R.OUT_OF_STOCK,
        R.INSUFFICIENT_STOCK,
        R.CART_CHANGED,
        R.ABORTED,
        R.SERVER_ERROR,
    }


# -- stock, and refusals as data ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("available", "reason", "text"),
    [
        (0, R.OUT_OF_STOCK, "Some of the products are out of stock."),
        (1, R.INSUFFICIENT_STOCK, "The requested qty is not available"),
    ],
)
def test_nothing_left_and_too_few_left_are_told_apart(
    available: int, reason: RefusalReason, text: str
) -> None:
    short = Shortage(sku="apple", wanted=2, available=available)
    refusal = out_of_stock(short)
    assert (refusal.reason, refusal.shortage) == (reason, short)
    assert refusal.message(PLACE, CART_ID) == f"Unable to place order: {text}"


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_refusal_survives_json(reason: RefusalReason) -> None:
    refusal = Refusal(
        reason=reason,
        shortage=Shortage(sku="apple", wanted=2, available=1),
        problems=missing_address(),
        order_number="000000006",
        decline=DeclineReason.EXPIRED,
    )
    assert Refusal.model_validate_json(refusal.model_dump_json()) == refusal


@pytest.mark.parametrize(
    "data", [{"reason": "NO_SUCH_REASON"}, {"reason": ""}, {"kind": "refusal"}]
)
def test_what_is_no_refusal_is_not_read_as_one(data: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Refusal.model_validate(data)
