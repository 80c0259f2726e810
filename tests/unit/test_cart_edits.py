"""Is what a shopper puts into a cart kept, or said in the documented words why not?

The texts and codes are those of section 5 of the contract, written down here anew.
"""

from math import inf, nan

import pytest

from commerce.domain.cart_edits import (
    Addition,
    LineUpdate,
    merged,
    with_products,
    with_quantities,
    without_line,
)
from commerce.domain.cart_errors import CartEditError
from commerce.domain.carts import MAX_LINES, MAX_QUANTITY, Cart, CartLine, CartView
from tests.unit.views import INPUT, NO_SUCH_ENTITY, refused, view

NO_QUANTITY = "The product quantity should be greater than 0", "UNDEFINED"
NOT_WHOLE = "The product quantity should be a whole number", "INVALID_PARAMETER_VALUE"
TOO_FEW = "The requested qty is not available", "INSUFFICIENT_STOCK"
SOLD_OUT = "This product is out of stock", "INSUFFICIENT_STOCK"
TOO_MUCH = "The most you may purchase is 1000000.", "INSUFFICIENT_STOCK"
NOT_FOR_SALE = "Product that you are trying to add is not available.", "NOT_SALABLE"


def lines(changed: Cart) -> list[tuple[int, str, int]]:
    """Number, SKU and quantity of every line."""
    return [(line.id, line.sku, line.quantity) for line in changed.lines]


def told(problems: list[CartEditError]) -> list[tuple[str, str]]:
    """Message and code of every problem."""
    return [(problem.message, problem.rule.code.value) for problem in problems]


# -- products --------------------------------------------------------------------------------------


def add(before: CartView, *items: tuple[str, float]) -> tuple[Cart, list[tuple[str, str]]]:
    changed, problems = with_products(before, [Addition(sku, quantity) for sku, quantity in items])
    return changed, told(problems)


def test_products_become_new_lines_behind_the_old_ones() -> None:
    before = view(("pear", 2))
    changed, problems = add(before, ("apple", 3), ("ebook", 1))
    assert lines(changed) == [(1, "pear", 2), (0, "apple", 3), (0, "ebook", 1)]
    assert problems == []
    assert changed.model_copy(update={"lines": before.cart.lines}) == before.cart


def test_the_same_product_twice_adds_up_to_one_line() -> None:
    changed, problems = add(view(("pear", 2)), ("apple", 3), ("pear", 1), ("apple", 1.0))
    assert lines(changed) == [(1, "pear", 3), (0, "apple", 4)]
    assert problems == []


@pytest.mark.parametrize(
    ("sku", "quantity", "problem"),
    [
        ("plum", 1, ('Could not find a product with SKU "plum"', "PRODUCT_NOT_FOUND")),
        ("", 1, ('Could not find a product with SKU ""', "PRODUCT_NOT_FOUND")),
        ("plum", 0, ('Could not find a product with SKU "plum"', "PRODUCT_NOT_FOUND")),
        ("apple", 0, NO_QUANTITY),
        ("apple", -1, NO_QUANTITY),
        ("sold-out", 0, NO_QUANTITY),
        *(("apple", quantity, NOT_WHOLE) for quantity in (0.5, 1.5, -0.5, nan, inf, -inf)),
        ("apple", 11, TOO_FEW),
        ("apple", 1e300, TOO_FEW),
        ("sold-out", 1, SOLD_OUT),
        ("unpriced", 1, NOT_FOR_SALE),
        ("endless", MAX_QUANTITY + 1, TOO_MUCH),
        ("endless", 1e300, TOO_MUCH),
    ],
)
def test_what_cannot_be_added_is_told_and_leaves_the_cart_as_it_was(
    sku: str, quantity: float, problem: tuple[str, str]
) -> None:
    before = view(("pear", 2))
    changed, problems = add(before, (sku, quantity))
    assert problems == [problem]
    assert changed == before.cart


def test_as_much_as_there_is_can_be_added() -> None:
    changed, problems = add(view(), ("apple", 10), ("endless", MAX_QUANTITY))
    assert lines(changed) == [(0, "apple", 10), (0, "endless", MAX_QUANTITY)]
    assert problems == []


def test_what_is_in_the_cart_already_counts() -> None:
    before = view(("apple", 4), ("apple", 5), ("endless", MAX_QUANTITY))
    changed, problems = add(before, ("apple", 2), ("endless", 1))
    assert problems == [TOO_FEW, TOO_MUCH]
    assert changed == before.cart
    assert lines(add(before, ("apple", 1))[0])[:2] == [(1, "apple", 5), (2, "apple", 5)]


def test_the_good_lines_of_a_mixed_batch_are_kept_and_the_others_told_in_their_order() -> None:
    batch = ("plum", 1), ("apple", 6), ("sold-out", 1), ("apple", 6), ("pear", 1), ("pear", 0)
    changed, problems = add(view(), *batch)
    assert lines(changed) == [(0, "apple", 6), (0, "pear", 1)]
    no_plum = ('Could not find a product with SKU "plum"', "PRODUCT_NOT_FOUND")
    assert problems == [no_plum, SOLD_OUT, TOO_FEW, NO_QUANTITY]


def test_products_with_options_are_not_sold() -> None:
    with_options = Addition("apple", 1, has_options=True)
    changed, problems = with_products(view(), [with_options, Addition("pear", 1)])
    assert lines(changed) == [(0, "pear", 1)]
    unsupported = ("Products with options are not sold here.", "INVALID_PARAMETER_VALUE")
    assert told(problems) == [unsupported]


def test_a_full_cart_takes_more_of_what_is_in_it_and_nothing_else() -> None:
    full = tuple(CartLine(sku=f"sku-{n}", quantity=1, id=n) for n in range(2, MAX_LINES + 1))
    before = view(lines=(CartLine(sku="apple", quantity=1, id=1), *full))
    changed, problems = add(before, ("pear", 1), ("apple", 1))
    assert problems == [("A cart may have 500 different products.", "INVALID_PARAMETER_VALUE")]
    assert lines(changed)[0] == (1, "apple", 2)
    assert changed.lines[1:] == full


# -- quantities ------------------------------------------------------------------------------------


def no_line(number: object) -> tuple[str, str]:
    return f"Could not find cart item with id: {number}.", "COULD_NOT_FIND_CART_ITEM"


def missing(parameter: str) -> tuple[str, str]:
    text = f'Required parameter "{parameter}" for "cart_items" is missing.'
    return text, "REQUIRED_PARAMETER_MISSING"


def update(before: CartView, *updates: LineUpdate) -> tuple[Cart, list[tuple[str, str]]]:
    changed, problems = with_quantities(before, updates)
    return changed, told(problems)


def to(line_id: int, quantity: float | None) -> LineUpdate:
    return LineUpdate(str(line_id), line_id, quantity)


def test_quantities_are_set_and_the_lines_keep_their_numbers_and_places() -> None:
    before = view(("apple", 2), ("pear", 3), ("ebook", 1))
    changed, problems = update(before, to(3, 7), to(1, 10.0))
    assert lines(changed) == [(1, "apple", 10), (2, "pear", 3), (3, "ebook", 7)]
    assert problems == []
    assert changed.model_copy(update={"lines": before.cart.lines}) == before.cart


def test_zero_removes_a_line() -> None:
    changed, problems = update(view(("apple", 2), ("pear", 3)), to(1, 0))
    assert lines(changed) == [(2, "pear", 3)]
    assert problems == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (to(9, 1), no_line(9)),
        (to(0, 1), no_line(0)),
        (to(9, None), no_line(9)),
        (LineUpdate("no-number", None, 1), no_line("no-number")),
        (to(1, None), missing("quantity")),
        (LineUpdate(None, None, 1), missing("cart_item_id")),
        (LineUpdate(None, None, None), missing("cart_item_id")),
        *((to(1, quantity), NOT_WHOLE) for quantity in (0.5, 1.5, nan, inf, -inf)),
        (to(1, -1), NO_QUANTITY),
        (to(1, 11), TOO_FEW),
        (to(2, MAX_QUANTITY + 1), TOO_MUCH),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_told_and_leaves_the_cart_as_it_was(
    changed: LineUpdate, problem: tuple[str, str]
) -> None:
    before = view(("apple", 2), ("endless", 1))
    assert update(before, changed) == (before.cart, [problem])


def test_the_good_updates_of_a_mixed_batch_are_kept() -> None:
    before = view(("apple", 2), ("pear", 3), ("ebook", 1))
    changed, problems = update(before, to(1, 11), to(2, 0), to(9, 1), to(2, 1), to(3, 5))
    assert lines(changed) == [(1, "apple", 2), (3, "ebook", 5)]
    assert problems == [TOO_FEW, no_line(9), no_line(2)]


@pytest.mark.parametrize("sku", ["sold-out", "unpriced"])
def test_less_of_what_cannot_be_had_any_more_can_be_set_but_not_more(sku: str) -> None:
    before = view((sku, 5))
    changed, problems = update(before, to(1, 4))
    assert (lines(changed), problems) == ([(1, sku, 4)], [])
    assert update(before, to(1, 6)) == (
        before.cart,
        [SOLD_OUT if sku == "sold-out" else NOT_FOR_SALE],
    )


def test_other_lines_of_the_same_product_count() -> None:
    before = view(("apple", 4), ("apple", 5))
    assert lines(update(before, to(1, 5))[0]) == [(1, "apple", 5), (2, "apple", 5)]
    assert update(before, to(1, 6)) == (before.cart, [TOO_FEW])
    assert lines(update(before, to(2, 0), to(1, 10))[0]) == [(1, "apple", 10)]


def test_a_line_is_removed_and_the_others_stay() -> None:
    before = view(("apple", 2), ("pear", 3), ("apple", 1))
    assert lines(without_line(before, "1", 1)) == [(2, "pear", 3), (3, "apple", 1)]


@pytest.mark.parametrize(("named", "line_id"), [("9", 9), ("0", 0), ("no-number", None)])
def test_a_line_that_is_not_there_cannot_be_removed(named: str, line_id: int | None) -> None:
    message, category = refused(lambda: without_line(view(("apple", 2)), named, line_id))
    assert message == f"Cart doesn't contain the {named} item."
    assert category == NO_SUCH_ENTITY


# -- merging ---------------------------------------------------------------------------------------


def test_lines_of_the_same_product_are_merged_and_the_others_come_behind_without_a_number() -> None:
    source = view(("pear", 2), ("apple", 1), ("ebook", 1), email="other@example.com")
    destination = view(("apple", 4), ("endless", 1), customer_id="ada")
    result = merged(source, destination)
    assert lines(result) == [(1, "apple", 5), (2, "endless", 1), (0, "pear", 2), (0, "ebook", 1)]
    assert result.model_copy(update={"lines": destination.cart.lines}) == destination.cart


def test_a_product_on_two_lines_of_the_source_becomes_one() -> None:
    assert lines(merged(view(("pear", 2), ("pear", 3)), view())) == [(0, "pear", 5)]


def test_whether_merged_products_can_be_had_is_seen_at_checkout() -> None:
    both = merged(view(("sold-out", 1), ("apple", 9)), view(("apple", 9)))
    assert lines(both) == [(1, "apple", 18), (0, "sold-out", 1)]


def test_more_than_a_cart_can_hold_is_not_merged() -> None:
    much = view(("endless", MAX_QUANTITY))
    assert refused(lambda: merged(view(("endless", 1)), much)) == (TOO_MUCH[0], INPUT)
    half = MAX_LINES // 2 + 1
    many, others = (
        view(lines=tuple(CartLine(sku=f"{name}-{n}", quantity=1, id=n) for n in range(1, half + 1)))
        for name in ("many", "others")
    )
    too_many = ("A cart may have 500 different products.", INPUT)
    assert refused(lambda: merged(many, others)) == too_many
    assert len(merged(many, many).lines) == half
