"""What crosses Temporal: is it bounded, told apart, and free of secrets?"""

import json as json_module
import random
import re
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from commerce.contract import (
    Answer,
    Checkout,
    CheckoutRequest,
    Extension,
    ExtensionResult,
    KnownOutcome,
    LockedCart,
    LockResult,
    OrderPlaced,
    Passed,
    PaymentNotice,
    PaymentResult,
    StepResult,
    workflow_id,
)
from commerce.domain.carts import Shopper
from commerce.domain.errors import Operation, Refusal, RefusalReason, refuse
from commerce.domain.payments import PaymentPending, WaitsFor
from tests.builders import request, usd

CART_ID = "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG"
PLACED = OrderPlaced(order_number="000000006", token="0:3:AAAA", total=usd("30"))
ASKED = request(CART_ID)
LOCKED = LockedCart(digest="d" * 64, store_code="default", items=2, lines=1, total=usd("30"))

WAITING = [PaymentPending(waits_for=waits_for) for waits_for in WaitsFor]


def asked(**changes: object) -> CheckoutRequest:
    """The request ``ASKED``; ``changes`` replace its fields."""
    return CheckoutRequest.model_validate({**ASKED.model_dump(), **changes})


# -- workflow ids ------------------------------------------------------------------------------


def test_a_workflow_id_is_a_name_and_26_base32_characters() -> None:
    assert re.fullmatch(r"checkout-[a-z2-7]{26}", workflow_id(CART_ID))


def test_a_cart_has_the_same_workflow_id_in_every_process_and_version() -> None:
    """Were it to change, a cart under way could be checked out a second time."""
    assert workflow_id(CART_ID) == "checkout-tsuvxshzbmn5wey334dv3jk34g"


@pytest.mark.parametrize("seed", range(3))
def test_every_cart_has_a_workflow_id_of_its_own_that_does_not_tell_the_cart_id(seed: int) -> None:
    dice = random.Random(seed)
    carts = {"".join(dice.choices(string.ascii_letters + string.digits, k=32)) for _ in range(2000)}
    ids = {cart_id: workflow_id(cart_id) for cart_id in carts}
    assert len(set(ids.values())) == len(carts)
    for cart_id, found in ids.items():
        pieces = (cart_id[n : n + 6].lower() for n in range(27))
        assert not any(piece in found for piece in pieces)


@pytest.mark.parametrize(("one", "other"), [("abc", "ABC"), ("a-b", "a_b"), ("1", "01")])
def test_cart_ids_that_differ_a_little_have_different_workflow_ids(one: str, other: str) -> None:
    assert workflow_id(one) != workflow_id(other)


# -- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("operation", "pay"),
        ("operation", None),
        ("cart_id", ""),
        ("cart_id", "x" * 65),
        ("cart_id", "x" * 10_000),
        ("cart_id", "a b"),
        ("cart_id", "a\n"),
        ("cart_id", 7),
        ("shopper", None),
        ("shopper", {"customer_id": ""}),
        ("shopper", {"customer_id": "x" * 65}),
        ("payment_id", "x" * 256),
        ("payment_id", None),
        ("payment_id", "\ud800"),
        ("expected_total", {"amount_minor": -1, "currency": "USD"}),
        ("expected_total", {"amount_minor": 1.0, "currency": "USD"}),
        ("expected_total", "1.00"),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 256),
        ("idempotency_key", "a b"),
        ("idempotency_key", "a\n"),
        ("idempotency_key", "\x7f"),
        ("idempotency_key", "é"),
        ("asked_at", datetime(2026, 1, 1)),  # noqa: DTZ001 (the point)
        ("asked_at", "yesterday"),
    ],
)
def test_a_malformed_request_is_refused_by_the_field_that_is_wrong(
    field: str, value: object
) -> None:
    with pytest.raises(ValidationError) as refused:
        asked(**{field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_a_store_code_is_bounded_like_every_other_text_of_a_request() -> None:
    with pytest.raises(ValidationError):
        asked(store_code="x" * 1_000_000)


def test_a_store_code_that_is_not_text_is_refused_before_it_breaks_the_fingerprint() -> None:
    with pytest.raises(ValidationError):
        asked(store_code="\ud800")


@pytest.mark.parametrize("payment_id", ["\x00", "pay\x00"])
def test_a_payment_id_that_postgresql_cannot_look_up_is_refused(payment_id: str) -> None:
    with pytest.raises(ValidationError):
        asked(payment_id=payment_id)


@pytest.mark.parametrize("key", ["!", "~", "x" * 255, "8f14e45f-ceea-467f-9e1c", "a/b:c{0}"])
def test_any_printable_ascii_is_an_idempotency_key(key: str) -> None:
    assert asked(idempotency_key=key).idempotency_key == key


# -- fingerprints ------------------------------------------------------------------------------

OTHERS: dict[str, object] = {
    "operation": Operation.COMPLETE_ORDER,
    "cart_id": "other",
    "shopper": Shopper.customer("7"),
    "store_code": "default",
    "payment_id": "88455624KT013492F",
    "expected_total": usd("30.00"),
}
REPEATED: dict[str, object] = {
    "idempotency_key": "another",
    "asked_at": datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=5))),
}


def test_every_field_of_a_request_is_thought_of_here() -> None:
    assert OTHERS.keys() | REPEATED.keys() == CheckoutRequest.model_fields.keys()


@pytest.mark.parametrize("field", REPEATED)
def test_a_repeat_has_the_fingerprint_of_the_first_call(field: str) -> None:
    assert asked(**{field: REPEATED[field]}).fingerprint == ASKED.fingerprint


@pytest.mark.parametrize("field", OTHERS)
def test_another_request_has_another_fingerprint(field: str) -> None:
    assert asked(**{field: OTHERS[field]}).fingerprint != ASKED.fingerprint


def test_any_combination_of_differences_has_a_fingerprint_of_its_own() -> None:
    fields = list(OTHERS)
    prints: set[str] = set()
    for chosen in range(2 ** len(fields)):
        changes = {field: OTHERS[field] for n, field in enumerate(fields) if chosen >> n & 1}
        prints.add(asked(**changes).fingerprint)
    assert len(prints) == 2 ** len(fields)


def test_totals_that_read_alike_in_two_currencies_are_told_apart() -> None:
    dollars = asked(expected_total=usd("5"))
    euros = asked(expected_total=usd("5").model_copy(update={"currency": "EUR"}))
    assert dollars.fingerprint != euros.fingerprint


def test_a_fingerprint_is_32_hex_characters_and_survives_the_wire() -> None:
    sent = asked(**OTHERS)
    assert re.fullmatch(r"[0-9a-f]{32}", sent.fingerprint)
    received = CheckoutRequest.model_validate_json(sent.model_dump_json())
    assert received == sent
    assert received.fingerprint == sent.fingerprint


def test_a_fingerprint_is_the_same_in_every_version() -> None:
    """It is stored under the key: were it to change, a repeat would be taken for another call."""
    assert ASKED.fingerprint == "46154a5409a06c8f78ef10f91cd3fce8"


# -- the wire ----------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [PLACED, refuse(RefusalReason.CART_EMPTY), *WAITING])
def test_an_answer_keeps_its_kind_of_outcome(outcome: OrderPlaced) -> None:
    answer = Answer(fingerprint="f" * 32, outcome=outcome)
    assert Answer.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize("outcome", [PLACED, refuse(RefusalReason.CART_EMPTY), None])
@pytest.mark.parametrize("waits_for", [*WaitsFor, None])
def test_a_known_outcome_keeps_its_kind(
    outcome: OrderPlaced | None, waits_for: WaitsFor | None
) -> None:
    known = KnownOutcome(operation=Operation.PLACE_ORDER, outcome=outcome, waits_for=waits_for)
    assert KnownOutcome.model_validate_json(known.model_dump_json()) == known


@pytest.mark.parametrize("result", [LOCKED, PLACED, refuse(RefusalReason.CART_NOT_FOUND)])
def test_the_three_results_of_locking_are_told_apart(result: LockResult) -> None:
    wire: TypeAdapter[LockResult] = TypeAdapter(LockResult)
    assert wire.validate_json(wire.dump_json(result)) == result


@pytest.mark.parametrize("result", [Passed(), refuse(RefusalReason.OUT_OF_STOCK)])
def test_the_two_results_of_a_step_are_told_apart(result: StepResult) -> None:
    wire: TypeAdapter[StepResult] = TypeAdapter(StepResult)
    assert wire.validate_json(wire.dump_json(result)) == result


@pytest.mark.parametrize("result", [Passed(), refuse(RefusalReason.PAYMENT_DECLINED), *WAITING])
def test_the_three_results_of_a_payment_are_told_apart(result: PaymentResult) -> None:
    wire: TypeAdapter[PaymentResult] = TypeAdapter(PaymentResult)
    assert wire.validate_json(wire.dump_json(result)) == result


@pytest.mark.parametrize(
    "result", [Extension(seconds=900.0, held=False), refuse(RefusalReason.CART_CHANGED)]
)
def test_the_two_results_of_an_extension_are_told_apart(result: ExtensionResult) -> None:
    wire: TypeAdapter[ExtensionResult] = TypeAdapter(ExtensionResult)
    assert wire.validate_json(wire.dump_json(result)) == result


def test_a_notice_survives_the_wire_and_does_not_show_the_cart() -> None:
    sent = PaymentNotice(cart_id=CART_ID, payment_id="pay")
    assert PaymentNotice.model_validate_json(sent.model_dump_json()) == sent
    assert CART_ID not in repr(sent)


VERSION_1: list[tuple[type[BaseModel], str, BaseModel]] = [
    (
        OrderPlaced,
        '{"kind":"order","order_number":"000000006","token":"0:3:AAAA",'
        '"total":{"amount_minor":3000,"currency":"USD"}}',
        PLACED,
    ),
    (
        LockedCart,
        f'{{"kind":"locked","digest":"{"d" * 64}","store_code":"default","items":2,"lines":1,'
        '"total":{"amount_minor":3000,"currency":"USD"}}',
        LOCKED,
    ),
    (
        Refusal,
        '{"kind":"refusal","reason":"CART_EMPTY","shortage":null,"problems":[],'
        '"order_number":null}',
        refuse(RefusalReason.CART_EMPTY),
    ),
    (
        KnownOutcome,
        '{"operation":"place_order","outcome":null}',
        KnownOutcome(operation=Operation.PLACE_ORDER, outcome=None),
    ),
    (
        CheckoutRequest,
        f'{{"operation":"place_order","cart_id":"{CART_ID}","shopper":{{"customer_id":null}},'
        '"store_code":"","payment_id":"","expected_total":null,'
        f'"idempotency_key":"key-of-{CART_ID}","asked_at":"2026-01-01T00:00:00Z"}}',
        ASKED,
    ),
]
"""What the first version wrote, and what it is now: histories and answers keep it."""


@pytest.mark.parametrize(
    ("model", "written", "read"), VERSION_1, ids=[case[0].__name__ for case in VERSION_1]
)
def test_what_the_first_version_wrote_is_read(
    model: type[BaseModel], written: str, read: BaseModel
) -> None:
    assert model.model_validate_json(written) == read


def test_a_field_that_a_newer_version_added_is_passed_over() -> None:
    newer = asked().model_dump(mode="json") | {"surprise": "x"}
    assert CheckoutRequest.model_validate_json(json_module.dumps(newer)) == asked()


@pytest.mark.parametrize("json", ["{}", '{"kind": "maybe"}', "null"])
def test_a_result_of_no_known_kind_is_refused(json: str) -> None:
    wire: TypeAdapter[StepResult] = TypeAdapter(StepResult)
    with pytest.raises(ValidationError):
        wire.validate_json(json)


def test_a_checkout_survives_the_wire() -> None:
    sent = Checkout(id=f"{workflow_id(CART_ID)}/run", request=asked(**OTHERS))
    assert Checkout.model_validate_json(sent.model_dump_json()) == sent
    assert sent.request.asked_at == datetime(2026, 1, 1, tzinfo=UTC)
