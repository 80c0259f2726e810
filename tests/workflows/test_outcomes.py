"""Is every documented outcome answered, with its exact text and code, and is nothing left over?"""

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from client import Operation, OrderPlaced, RefusalReason, Refused, Shopper
from commerce.domain.addresses import Address
from commerce.domain.cart_edits import merged
from commerce.domain.carts import ProductKind
from commerce.domain.payments import PaymentStatus
from tests.builders import TEXAS, cart, product, tax, usd
from tests.faults import in_steps
from tests.world import DEADLINE, World

SERVER_ERROR = (
    "A server error stopped your order from being placed. Please try to place your order again"
)
COUNTRIES = "Some addresses can't be used due to the configurations for specific countries."
ALL_FIELDS = " ".join(
    f'"{name}" is required. Enter and try again.'
    for name in ("firstname", "lastname", "street", "city", "telephone", "postcode", "countryId")
)
BERN = TEXAS.model_copy(update={"country_code": "CH", "postcode": "3011", "region": ""})

# what is wrong with the cart, the reason, the text after the prefix
UNABLE: list[tuple[dict[str, Any], RefusalReason, str]] = [
    ({"lines": ()}, RefusalReason.CART_EMPTY, SERVER_ERROR),
    (
        {"lines": [{"sku": "sold-out", "quantity": 1}]},
        RefusalReason.OUT_OF_STOCK,
        "Some of the products are out of stock.",
    ),
    (
        {"lines": [{"sku": "apple", "quantity": 101}]},
        RefusalReason.INSUFFICIENT_STOCK,
        "The requested qty is not available",
    ),
    (
        {"lines": [{"sku": "euro-only", "quantity": 1}]},
        RefusalReason.PRODUCT_UNAVAILABLE,
        "Some of the products are out of stock.",
    ),
    (
        {"lines": [{"sku": "dear", "quantity": 1_000_000}]},
        RefusalReason.TOTAL_TOO_LARGE,
        SERVER_ERROR,
    ),
    ({"shipping_address": None}, RefusalReason.SHIPPING_ADDRESS_MISSING, COUNTRIES),
    ({"shipping_address": BERN}, RefusalReason.COUNTRY_NOT_ALLOWED, COUNTRIES),
    (
        {"shipping_address": TEXAS.model_copy(update={"postcode": "787"})},
        RefusalReason.SHIPPING_ADDRESS_INVALID,
        'Please check the shipping address information. "postcode" is invalid. '
        "Enter and try again.",
    ),
    (
        {"shipping_method": None},
        RefusalReason.SHIPPING_METHOD_MISSING,
        "The shipping method is missing. Select the shipping method and try again.",
    ),
    (
        {"shipping_method": "tablerate"},
        RefusalReason.SHIPPING_METHOD_MISSING,
        "The shipping method is missing. Select the shipping method and try again.",
    ),
    (
        {"billing_address": None},
        RefusalReason.BILLING_ADDRESS_INVALID,
        f"Please check the billing address information. {ALL_FIELDS}",
    ),
    (
        {"billing_address": Address(country_code="US")},
        RefusalReason.BILLING_ADDRESS_INVALID,
        "Please check the billing address information. "
        '"firstname" is required. Enter and try again. '
        '"lastname" is required. Enter and try again. '
        '"street" is required. Enter and try again. '
        '"city" is required. Enter and try again. '
        '"telephone" is required. Enter and try again. '
        '"regionId" is required. Enter and try again. '
        '"postcode" is required. Enter and try again.',
    ),
]
PAYMENT: list[tuple[dict[str, Any], RefusalReason, str]] = [
    (
        {"payment": None},
        RefusalReason.PAYMENT_METHOD_MISSING,
        "Enter a valid payment method and try again.",
    ),
    (
        {"payment": {"method": "purchaseorder"}},
        RefusalReason.PAYMENT_METHOD_MISSING,
        "Enter a valid payment method and try again.",
    ),
    (
        {"payment": {"method": "banktransfer"}},
        RefusalReason.PAYMENT_METHOD_UNAVAILABLE,
        "The requested Payment Method is not available.",
    ),
    (
        {"payment": {"method": "free"}},
        RefusalReason.PAYMENT_METHOD_UNAVAILABLE,
        "The requested Payment Method is not available.",
    ),
]


def prepare(world: World) -> None:
    world.store.catalog.put(
        [
            product("sold-out", 0),
            product("euro-only", 5, currency="EUR"),
            product("dear", None, price="9999999.99"),
            product("ticket", None, kind=ProductKind.VIRTUAL),
            product("gift", 10, price="0.00", kind=ProductKind.VIRTUAL),
        ]
    )
    world.store.stores.change(
        "default",
        {
            "allowed_countries": ["US", "DE"],
            "payment_methods": ["checkmo", "free", "purchaseorder"],
        },
    )


async def ask(world: World, operation: Operation, **options: Any) -> Any:
    options = {"deadline": DEADLINE, **options}
    cart_id = options.pop("cart_id", world.id("cart"))
    if operation is Operation.PLACE_ORDER:
        return await world.client.place_order(cart_id, **options)
    return await world.client.complete_order(cart_id, options.pop("payment", "PAY1"), **options)


async def assert_refused_and_reorderable(world: World, answer: Any) -> None:
    """A refusal is green, leaves nothing behind, and the mended cart becomes an order."""
    assert isinstance(answer, Refused)
    assert await world.status(world.id("cart")) is WorkflowExecutionStatus.COMPLETED
    world.assert_clean(orders=0)
    world.store.carts.save(cart(world.id("cart")))
    assert isinstance(await ask(world, Operation.PLACE_ORDER), OrderPlaced)
    world.assert_clean(orders=1)


@pytest.mark.parametrize(("fault", "reason", "text"), UNABLE, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("operation", Operation)
async def test_a_faulty_cart_is_refused_as_documented(
    world: World, operation: Operation, fault: dict[str, Any], reason: RefusalReason, text: str
) -> None:
    prepare(world)
    world.store.carts.save(cart(world.id("cart"), **fault))
    world.pay(world.id("cart"), "15.00")
    answer = await ask(world, operation)
    place = operation is Operation.PLACE_ORDER
    assert answer.reason is reason
    assert answer.code == f"UNABLE_TO_{'PLACE' if place else 'COMPLETE'}_ORDER"
    assert answer.message == f"Unable to {'place' if place else 'complete'} order: {text}"
    assert answer.category == "graphql-input"
    await assert_refused_and_reorderable(world, answer)


@pytest.mark.parametrize(("fault", "reason", "text"), PAYMENT, ids=lambda value: str(value)[:40])
async def test_a_payment_method_that_cannot_be_used_is_refused(
    world: World, fault: dict[str, Any], reason: RefusalReason, text: str
) -> None:
    prepare(world)
    world.store.carts.save(cart(world.id("cart"), **fault))
    answer = await ask(world, Operation.PLACE_ORDER)
    assert (answer.reason, answer.message) == (reason, f"Unable to place order: {text}")
    await assert_refused_and_reorderable(world, answer)


@pytest.mark.parametrize(
    ("fault", "reason", "text"), [*UNABLE, *PAYMENT], ids=lambda value: str(value)[:40]
)
async def test_what_the_lock_does_not_check_is_refused_in_a_step_of_its_own(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    reason: RefusalReason,
    text: str,
) -> None:
    in_steps(monkeypatch)
    prepare(world)
    world.store.carts.save(cart(world.id("cart"), **fault))
    answer = await ask(world, Operation.PLACE_ORDER)
    assert (answer.reason, answer.message) == (reason, f"Unable to place order: {text}")
    await assert_refused_and_reorderable(world, answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "ANOTHER"},
        {"cart_id": "another-cart"},
        {"amount": usd("15.01")},
        {"amount": usd("15.00").model_copy(update={"currency": "EUR"})},
        {"status": PaymentStatus.CREATED},
        {"status": PaymentStatus.VOIDED},
        {"status": PaymentStatus.CAPTURED},
    ],
    ids=str,
)
async def test_a_payment_that_does_not_pay_for_this_cart_is_refused_and_left_alone(
    world: World, changes: dict[str, Any]
) -> None:
    world.store.carts.save(cart(world.id("cart")))
    world.pay(world.id("cart"), "15.00", **changes)
    before = world.payment(changes.get("id", "PAY1"))
    answer = await ask(world, Operation.COMPLETE_ORDER)
    assert (answer.code, answer.reason) == ("PAYMENT_ID_INVALID", "PAYMENT_ID_INVALID")
    assert answer.message == "The provided payment or transaction ID is invalid."
    assert world.payment(changes.get("id", "PAY1")) == before
    await assert_refused_and_reorderable(world, answer)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    ("fault", "options", "code", "message"),
    [
        ({}, {"cart_id": ""}, None, 'Required parameter "cart_id" is missing'),
        (
            {},
            {"cart_id": "unknown-cart"},
            "CART_NOT_FOUND",
            'Could not find a cart with ID "unknown-cart"',
        ),
        (
            {},
            {"cart_id": "x" * 10_000},
            "CART_NOT_FOUND",
            'Could not find a cart with ID "' + "x" * 64 + '…"',
        ),
        ({"email": None}, {}, "GUEST_EMAIL_MISSING", "Guest email for cart is missing."),
        (
            {},
            {"store": "other"},
            "UNDEFINED",
            'Wrong store code specified for cart "<cart>"',
        ),
        (
            {"customer_id": "7"},
            {},
            None,
            'The current user cannot perform operations on cart "<cart>"',
        ),
        (
            {},
            {"shopper": Shopper.customer("7")},
            None,
            'The current user cannot perform operations on cart "<cart>"',
        ),
        (
            {"customer_id": "8"},
            {"shopper": Shopper.customer("7")},
            None,
            'The current user cannot perform operations on cart "<cart>"',
        ),
    ],
    ids=str,
)
async def test_a_cart_that_may_not_be_checked_out_is_refused(
    world: World,
    operation: Operation,
    fault: dict[str, Any],
    options: dict[str, Any],
    code: str | None,
    message: str,
) -> None:
    world.store.carts.save(cart(world.id("cart"), **fault))
    world.pay(world.id("cart"), "15.00")
    answer = await ask(world, operation, **options)
    if code == "UNDEFINED" and operation is Operation.COMPLETE_ORDER:
        code = "UNABLE_TO_COMPLETE_ORDER"  # the page of completeOrder has no UNDEFINED
    assert (answer.code, answer.message) == (code, message.replace("<cart>", world.id("cart")))
    unauthorized = message.startswith("The current user")
    assert answer.category == ("graphql-authorization" if unauthorized else "graphql-input")
    world.assert_clean(orders=0)


async def test_guest_checkout_can_be_off(world: World) -> None:
    world.store.stores.change("default", {"guest_checkout": False})
    world.store.carts.save(cart(world.id("cart")), cart(world.id("members"), customer_id="7"))
    answer = await ask(world, Operation.PLACE_ORDER)
    assert answer.message == (
        "Guest checkout is not allowed. Register a customer account or login with existing one."
    )
    assert (answer.code, answer.category) == (None, "graphql-authorization")
    member = await world.client.place_order(world.id("members"), shopper=Shopper.customer("7"))
    assert isinstance(member, OrderPlaced)


@pytest.mark.parametrize("operation", Operation)
async def test_a_ready_cart_becomes_an_order(world: World, operation: Operation) -> None:
    world.store.carts.save(cart(world.id("cart"), ("apple", 2), ("pear", 1)))
    world.pay(world.id("cart"), "45.00")
    answer = await ask(world, operation, expected_total=usd("45.00"))
    assert isinstance(answer, OrderPlaced)
    assert answer.order_number == "000000001"
    assert answer.total == usd("45.00")
    await world.handle(world.id("cart")).result()
    order = world.store.order_book.find(number=answer.order_number)
    assert order is not None
    captured = operation is Operation.COMPLETE_ORDER
    assert order.status == ("processing" if captured else "pending")
    payment = world.payment("PAY1")
    assert (payment.status is PaymentStatus.CAPTURED) is captured
    assert world.store.catalog.units() == {"apple": (98, 0), "pear": (99, 0)}
    await world.announced()
    world.assert_clean(orders=1)


async def test_a_virtual_cart_needs_no_shipping(world: World) -> None:
    prepare(world)
    world.store.carts.save(
        cart(world.id("cart"), ("ticket", 2), shipping_address=None, shipping_method=None)
    )
    answer = await ask(world, Operation.PLACE_ORDER)
    assert isinstance(answer, OrderPlaced)
    assert answer.total == usd("20.00")


async def test_a_free_order_is_paid_by_the_free_method(world: World) -> None:
    prepare(world)
    world.store.carts.save(cart(world.id("cart"), ("gift", 1), payment={"method": "free"}))
    answer = await ask(world, Operation.PLACE_ORDER)
    assert isinstance(answer, OrderPlaced)
    assert answer.total == usd("0.00")


async def test_the_payment_of_one_order_pays_for_no_other(world: World) -> None:
    world.store.carts.save(cart(world.id("cart")), cart(world.id("second")))
    world.pay(world.id("cart"), "15.00")
    assert isinstance(await ask(world, Operation.COMPLETE_ORDER), OrderPlaced)
    answer = await ask(world, Operation.COMPLETE_ORDER, cart_id=world.id("second"))
    assert answer.code == "PAYMENT_ID_INVALID"


@pytest.mark.parametrize("operation", Operation)
async def test_a_changed_total_is_refused_before_anything_is_charged(
    world: World, operation: Operation
) -> None:
    world.store.carts.save(cart(world.id("cart")))
    world.pay(world.id("cart"), "15.00")
    answer = await ask(world, operation, expected_total=usd("14.99"))
    assert answer.reason is RefusalReason.TOTAL_CHANGED
    payment = world.payment("PAY1")
    assert payment.status is PaymentStatus.APPROVED
    await assert_refused_and_reorderable(world, answer)


@pytest.mark.parametrize("operation", Operation)
async def test_so_is_a_total_that_the_shopper_was_not_shown(
    world: World, operation: Operation
) -> None:
    """It is known from the cart: the caller need not say what they expect."""
    world.store.carts.save(cart(world.id("cart")))
    world.store.shopping.show_total(world.id("cart"), usd("15.00"))
    world.store.catalog.put([product("apple", price="12.00")])
    world.pay(world.id("cart"), "17.00")
    answer = await ask(world, operation)
    assert answer.reason is RefusalReason.TOTAL_CHANGED
    assert answer.message.endswith("The cart total has changed. Review the cart and try again.")
    payment = world.payment("PAY1")
    assert payment.status is PaymentStatus.APPROVED
    world.assert_clean(orders=0)
    world.store.shopping.show_total(world.id("cart"), usd("17.00"))
    placed = await ask(world, operation, expected_total=usd("17.00"))
    assert isinstance(placed, OrderPlaced)
    assert placed.total == usd("17.00")
    world.assert_clean(orders=1)


async def test_the_payment_has_to_cover_the_tax(world: World) -> None:
    world.store.stores.set_tax_rate("default", tax("7.5", "TX"))
    world.store.carts.save(cart(world.id("cart"), ("apple", 4)))
    for payment, paid in (("PAY1", "60.00"), ("PAY2", "64.50")):
        world.pay(world.id("cart"), paid, id=payment)
    too_little = await ask(world, Operation.COMPLETE_ORDER, payment="PAY1")
    assert too_little.reason is RefusalReason.PAYMENT_ID_INVALID
    placed = await ask(world, Operation.COMPLETE_ORDER, payment="PAY2")
    assert isinstance(placed, OrderPlaced)
    assert placed.total == usd("64.50")
    world.assert_clean(orders=1)


@pytest.mark.parametrize("operation", Operation)
async def test_a_cart_that_was_merged_into_another_is_not_active_and_no_order(
    world: World, operation: Operation
) -> None:
    source, destination = world.id("cart"), world.id("other")
    world.store.carts.save(cart(source), cart(destination))
    world.pay(source, "15.00")
    world.store.shopping.merge(source, destination, merged)
    answer = await ask(world, operation)
    assert (answer.code, answer.message) == ("CART_NOT_ACTIVE", "The cart isn't active.")
    assert answer.order_number is None
    world.assert_clean(orders=0)


async def test_the_shortage_is_told_beside_the_refusal(world: World) -> None:
    world.store.carts.save(cart(world.id("cart"), ("pear", 1), ("apple", 101)))
    answer = await ask(world, Operation.PLACE_ORDER)
    assert answer.shortage is not None
    assert (answer.shortage.sku, answer.shortage.wanted) == ("apple", 101)
    assert answer.shortage.available == 100
    assert answer.retryable
