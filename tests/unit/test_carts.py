"""What can be in a cart, and what cannot even be written down?"""

import pytest
from pydantic import BaseModel, ValidationError

from commerce.domain.addresses import Address
from commerce.domain.carts import MAX_LINES, MAX_QUANTITY, Cart, CartLine, Shopper
from commerce.domain.payments import PaymentChoice
from tests.builders import TEXAS, cart


def refuses(model: type[BaseModel], field: str, value: object, **others: object) -> bool:
    """Whether ``model`` objects to this field, and to no other."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate({**others, field: value})
    return {error["loc"][0] for error in refused.value.errors()} == {field}


# -- quantities and products -------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [1, MAX_QUANTITY])
def test_quantities_reach_from_one_to_a_million(quantity: int) -> None:
    assert CartLine(sku="apple", quantity=quantity).quantity == quantity
    assert MAX_QUANTITY == 1_000_000


@pytest.mark.parametrize(
    "quantity", [0, -1, MAX_QUANTITY + 1, 10**30, 1.0, 1.5, float("nan"), True, "1", "", None]
)
def test_a_quantity_is_a_whole_number_and_nothing_that_looks_like_one(quantity: object) -> None:
    assert refuses(CartLine, "quantity", quantity, sku="apple")


@pytest.mark.parametrize("quantity", ["1.0", "true", '"1"', "null", "0"])
def test_a_quantity_in_json_is_a_whole_number_too(quantity: str) -> None:
    with pytest.raises(ValidationError):
        CartLine.model_validate_json(f'{{"sku": "apple", "quantity": {quantity}}}')


@pytest.mark.parametrize("sku", ["a", "24-MB01", "WS12-M-Orange", "red apple", "äpfel/2", "x" * 64])
def test_ordinary_skus_are_taken_as_they_are(sku: str) -> None:
    assert CartLine(sku=sku, quantity=1).sku == sku


@pytest.mark.parametrize("sku", ["", " ", " a", "a ", "a\n", "\ta", "a\nb", "x" * 65, None, 7])
def test_an_sku_is_short_and_has_no_blanks_around_it(sku: object) -> None:
    assert refuses(CartLine, "sku", sku, quantity=1)


@pytest.mark.parametrize("sku", ["a\x00b", "\x00"])
def test_an_sku_that_postgresql_cannot_store_is_refused(sku: str) -> None:
    assert refuses(CartLine, "sku", sku, quantity=1)


def test_a_cart_has_at_most_500_lines() -> None:
    lines = tuple(CartLine(sku=f"sku-{n}", quantity=1) for n in range(MAX_LINES + 1))
    assert len(cart("c", lines=lines[:-1]).lines) == MAX_LINES == 500
    assert refuses(Cart, "lines", lines, id="c", store_code="default")


# -- the cart ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cart_id", ["a", "IeTUiU0oCXjm0uRqGCOuhQ2AuQatogjG", "a-b_c", "9" * 64, "0" * 32]
)
def test_documented_cart_ids_are_taken(cart_id: str) -> None:
    assert Cart(id=cart_id, store_code="default").id == cart_id


@pytest.mark.parametrize(
    "cart_id",
    [
        *(
            "",
            " ",
            "a b",
            "a\n",
            "\na",
            "a\x00",
            "é",
            "\u0661",
            "../etc",
            "a;--",
            "{0}",
            "a\u202eb",
        ),
        *("x" * 65, "x" * 10_000, None, 7),
    ],
)
def test_a_cart_id_has_64_plain_characters_at_most(cart_id: object) -> None:
    assert refuses(Cart, "id", cart_id, store_code="default")


@pytest.mark.parametrize(
    "email", ["a@b.co", "Ada.Lovelace+shop@mail.example.com", "o'hara@example.ie", "jörg@müller.de"]
)
def test_ordinary_addresses_are_taken(email: str) -> None:
    assert cart("c", email=email).email == email


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "a", "a@", "@b.co", "a@b", "a b@c.de", "a@b c.de", "a@b.co\n", "\ta@b.co"),
        "a" * 250 + "@b.co",
        7,
    ],
)
def test_what_is_no_email_is_refused(email: object) -> None:
    assert refuses(Cart, "email", email, id="c", store_code="default")


@pytest.mark.parametrize("email", ["a@@b.co", "a@b@c.de", "a@b.", "a@.", "a@.co", "a\x00@b.co"])
def test_an_email_that_no_server_would_deliver_is_refused(email: str) -> None:
    assert refuses(Cart, "email", email, id="c", store_code="default")


def test_a_refused_email_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as refused:
        cart("c", email="canary at example")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("change", [{"coupon": "X"}, {"Email": "a@b.co"}])
def test_an_unknown_field_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        cart("c", **change)


def test_a_cart_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        cart("c").__setattr__("email", None)


@pytest.mark.parametrize("method", ["", "x" * 65, None])
def test_a_payment_method_has_a_short_name(method: object) -> None:
    assert refuses(PaymentChoice, "method", method)


def test_a_purchase_order_number_is_bounded() -> None:
    assert refuses(PaymentChoice, "purchase_order_number", "x" * 65, method="purchaseorder")


@pytest.mark.parametrize("customer_id", ["", "x" * 65])
def test_a_customer_has_a_short_id_and_a_guest_none(customer_id: str) -> None:
    assert refuses(Shopper, "customer_id", customer_id)
    assert Shopper.guest().customer_id is None
    assert Shopper.customer("7").customer_id == "7"


# -- addresses ---------------------------------------------------------------------------------


def test_an_address_is_stripped_and_its_country_upper_case() -> None:
    given = {
        **TEXAS.model_dump(),
        "city": "  Austin ",
        "country_code": " us ",
        "postcode": "78701 ",
    }
    assert Address.model_validate(given) == TEXAS


def test_an_incomplete_address_is_kept() -> None:
    assert Address().country_code == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("street", ("a",) * 5),
        ("street", ("x" * 256,)),
        ("city", "x" * 256),
        ("firstname", "x" * 256),
        ("postcode", "x" * 33),
        ("country_code", "USA"),
        ("telephone", "x" * 65),
        ("region", 57),
    ],
)
def test_the_fields_of_an_address_are_bounded(field: str, value: object) -> None:
    assert refuses(Address, field, value)
