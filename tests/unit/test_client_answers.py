"""What does a caller of the client get to see?"""

from datetime import timedelta

import pytest

from client import Answered, CheckoutClientError, InvalidRequestError, Pending, Refused
from client.errors import CheckoutUnavailableError
from commerce.contract import CheckoutRequest
from commerce.domain.addresses import missing_address
from commerce.domain.errors import Operation, Refusal, RefusalReason, declined, refuse
from commerce.domain.payments import DeclineReason, WaitsFor
from commerce.domain.stock import Shortage
from tests.builders import request

CART_ID = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"
PLACE, COMPLETE = Operation.PLACE_ORDER, Operation.COMPLETE_ORDER


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("reason", RefusalReason)
def test_a_caller_sees_the_row_of_the_catalogue_for_his_operation(
    reason: RefusalReason, operation: Operation
) -> None:
    refusal = refuse(reason)
    answer = Refused.of(refusal, operation, CART_ID)
    assert (answer.operation, answer.reason) == (operation, reason)
    assert answer.code == refusal.code(operation)
    assert answer.message == refusal.message(operation, CART_ID)
    assert answer.category is refusal.rule.category
    assert answer.retryable is refusal.rule.retryable
    assert Refused.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    ("reason", "operation", "code", "message"),
    [
        (
            RefusalReason.CART_EMPTY,
            PLACE,
            "UNABLE_TO_PLACE_ORDER",
            "Unable to place order: A server error stopped your order from being placed. "
            "Please try to place your order again",
        ),
        (
            RefusalReason.OUT_OF_STOCK,
            COMPLETE,
            "UNABLE_TO_COMPLETE_ORDER",
            "Unable to complete order: Some of the products are out of stock.",
        ),
        (
            RefusalReason.GUEST_EMAIL_MISSING,
            COMPLETE,
            "GUEST_EMAIL_MISSING",
            "Guest email for cart is missing.",
        ),
        (
            RefusalReason.NOT_CART_OWNER,
            PLACE,
            None,
            f'The current user cannot perform operations on cart "{CART_ID}"',
        ),
        (
            RefusalReason.CART_NOT_FOUND,
            PLACE,
            "CART_NOT_FOUND",
            f'Could not find a cart with ID "{CART_ID}"',
        ),
    ],
)
def test_documented_refusals_read_as_documented(
    reason: RefusalReason, operation: Operation, code: str | None, message: str
) -> None:
    answer = Refused.of(refuse(reason), operation, CART_ID)
    assert (answer.code, answer.message) == (code, message)


def test_a_caller_learns_what_is_short_and_which_order_there_is() -> None:
    short = Shortage(sku="apple", wanted=2, available=1)
    refusal = Refusal(reason=RefusalReason.INSUFFICIENT_STOCK, shortage=short, order_number="6")
    answer = Refused.of(refusal, PLACE, CART_ID)
    assert (answer.shortage, answer.order_number) == (short, "6")


def test_a_caller_learns_what_an_address_lacks() -> None:
    refusal = Refusal(reason=RefusalReason.BILLING_ADDRESS_INVALID, problems=missing_address())
    message = Refused.of(refusal, PLACE, CART_ID).message
    assert message.endswith('"countryId" is required. Enter and try again.')
    assert message.count("is required") == 7


@pytest.mark.parametrize("reason", DeclineReason)
def test_a_caller_learns_why_the_payment_was_declined(reason: DeclineReason) -> None:
    answer = Refused.of(declined(reason), COMPLETE, CART_ID)
    assert (answer.reason, answer.decline) == (RefusalReason.PAYMENT_DECLINED, reason)
    assert Refused.model_validate_json(answer.model_dump_json()) == answer


def test_a_refusal_that_has_nothing_to_do_with_the_payment_says_nothing_of_it() -> None:
    assert Refused.of(refuse(RefusalReason.CART_EMPTY), PLACE, CART_ID).decline is None


# -- pending -----------------------------------------------------------------------------------


def pending(
    asked: list[tuple[CheckoutRequest, timedelta]], waits_for: WaitsFor | None = None
) -> Pending:
    """A pending call that notes down what it is asked, and stays pending."""
    first = request(CART_ID, "my-key")

    async def ask(again: CheckoutRequest, deadline: timedelta) -> Answered:
        asked.append((again, deadline))
        return pending(asked, waits_for)

    return Pending(PLACE, CART_ID, first.idempotency_key, waits_for, first, ask)


async def test_waiting_asks_again_for_the_same_thing_under_the_same_key() -> None:
    asked: list[tuple[CheckoutRequest, timedelta]] = []
    again = await pending(asked).wait(timedelta(seconds=3))
    assert asked == [(request(CART_ID, "my-key"), timedelta(seconds=3))]
    assert again == pending(asked)


def test_a_pending_answer_shows_its_key_but_not_the_cart() -> None:
    shown = repr(pending([]))
    assert "my-key" in shown
    assert CART_ID not in shown


@pytest.mark.parametrize("waits_for", [*WaitsFor, None])
async def test_a_pending_answer_says_whose_turn_it_is(waits_for: WaitsFor | None) -> None:
    waits = pending([], waits_for)
    assert waits.waits_for is waits_for
    again = await waits.wait(timedelta(seconds=3))
    assert again == waits
    assert (again == pending([])) is (waits_for is None)


# -- errors ------------------------------------------------------------------------------------


def test_every_error_of_the_client_has_one_root() -> None:
    assert issubclass(InvalidRequestError, CheckoutClientError)
    assert issubclass(InvalidRequestError, ValueError)
    assert issubclass(CheckoutUnavailableError, CheckoutClientError)
    assert not issubclass(CheckoutUnavailableError, ValueError)
