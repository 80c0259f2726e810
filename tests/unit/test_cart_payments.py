"""May this cart be paid online, and over how much?"""

import pytest

from commerce.domain.cart_edits import amount_to_pay, payment_methods, with_payment_method
from commerce.domain.carts import MAX_QUANTITY, ProductKind
from commerce.domain.payments import ONLINE_METHODS, PaymentChoice, PaymentMethod
from commerce.domain.stores import Store
from tests.builders import offered, usd
from tests.unit.views import INPUT, refused, view

BUTTONS = PaymentMethod.SMART_BUTTONS
CHEQUES = Store(code="default", payment_methods=(PaymentMethod.CHECKMO,))
NO_SUCH_PAYMENT = "The requested Payment Method is not available."
NOTHING_TO_PAY = "The cart has no total that could be paid."
MISSING = 'Required parameter "paypal_order_id" for "payment_method" is missing.'
INVALID = '"paypal_order_id" is invalid. Enter and try again.'


@pytest.mark.parametrize("code", sorted(ONLINE_METHODS))
def test_a_cart_is_paid_online_by_a_payment(code: PaymentMethod) -> None:
    before = view(("apple", 1), payment=None)
    chosen = PaymentChoice(method=code, payment_id="PAY1")
    assert with_payment_method(before, code, "", "PAY1").payment == chosen
    assert refused(lambda: with_payment_method(before, code, "")) == (MISSING, INPUT)


@pytest.mark.parametrize("payment_id", ["x" * 256, "a\nb", "\x00"])
def test_an_id_that_cannot_be_kept_is_invalid(payment_id: str) -> None:
    before = view(("apple", 1))
    refusal = refused(lambda: with_payment_method(before, BUTTONS, "", payment_id))
    assert refusal == (INVALID, INPUT)


@pytest.mark.parametrize("method", ["checkmo", "banktransfer"])
def test_who_pays_offline_has_no_payment(method: str) -> None:
    chosen = with_payment_method(view(("apple", 1)), method, "", "PAY1").payment
    assert chosen == PaymentChoice(method=method)


def test_whether_it_can_be_used_comes_before_its_id() -> None:
    before = view(("apple", 1), store=CHEQUES)
    assert refused(lambda: with_payment_method(before, BUTTONS, ""))[0] == NO_SUCH_PAYMENT
    assert BUTTONS not in payment_methods(before)


@pytest.mark.parametrize("code", sorted(ONLINE_METHODS))
def test_what_is_to_be_paid_is_the_total(code: str) -> None:
    before = view(("apple", 2))
    assert before.total() is not None
    assert amount_to_pay(before, code) == before.total()


@pytest.mark.parametrize("code", ["checkmo", "free", "", "card", BUTTONS.upper(), f"{BUTTONS} "])
def test_only_online_methods_take_payments(code: str) -> None:
    assert refused(lambda: amount_to_pay(view(("apple", 2)), code)) == (NO_SUCH_PAYMENT, INPUT)


def test_of_these_only_the_stores() -> None:
    before = view(("apple", 2), store=CHEQUES)
    assert refused(lambda: amount_to_pay(before, BUTTONS))[0] == NO_SUCH_PAYMENT


def test_nothing_and_too_much_cannot_be_paid() -> None:
    dear = offered("dear", None, price=None, kind=ProductKind.VIRTUAL)
    priced = dear.model_copy(update={"price": usd("9000000000000.00")})
    for before in (
        view(),
        view(("gift", 1)),
        view(("dear", MAX_QUANTITY)).model_copy(update={"products": {"dear": priced}}),
    ):
        assert refused(lambda b=before: amount_to_pay(b, BUTTONS)) == (NOTHING_TO_PAY, INPUT)
