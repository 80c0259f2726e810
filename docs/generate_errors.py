"""Write docs/errors.md from the catalogue; with --check, fail when it is stale."""

import sys
from pathlib import Path

from commerce.domain.cart_errors import CART_RULES
from commerce.domain.errors import CATALOGUE, Operation, Refusal, RefusalCode

PAGE = Path(__file__).parent / "errors.md"
INTRODUCTION = """\
# What can go wrong, and what the caller sees

Generated from `commerce/domain/errors.py` by `make docs`; edit it there.

Every refusal below is a value: nothing is held, nothing is charged, and a cart that is not an
order already can be ordered again once the cause is gone. The first that applies wins, from top
to bottom, but for a billing country that is not allowed, which is found with the billing address.

*Retryable* means that the same request may succeed later, under a new idempotency key, though the
shopper changes nothing.
"""

PENDING = """\
## Not known yet

No refusal: the checkout goes on, and the same `Idempotency-Key` gets its outcome. GraphQL answers
with `extensions.reason` and `extensions.idempotency_key`, under the code `UNDEFINED` of
`placeOrder` and `UNABLE_TO_COMPLETE_ORDER` of `completeOrder`.

| reason | when |
| --- | --- |
| `PENDING` | The checkout was not done by the deadline. |
| `PAYMENT_PENDING` | The payment waits for the shopper or the gateway: `extensions.waits_for`. |
"""

CARTS = """\
## While a cart is filled

From `commerce/domain/cart_errors.py`. GraphQL answers these as top-level errors with the category
and the problem (`extensions.reason`); `addProductsToCart` and `updateCartItems` report what is
wrong with single lines beside the cart, under the code.
"""


def page() -> str:
    """The page as it should be."""
    lines = [
        INTRODUCTION,
        "| reason | code of `place_order` | code of `complete_order` | message of `place_order` "
        "| category | retryable | text from |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for reason, rule in CATALOGUE.items():
        refusal = Refusal(reason=reason)
        lines.append(
            f"| `{reason}` | {_code(refusal.code(Operation.PLACE_ORDER))} "
            f"| {_code(refusal.code(Operation.COMPLETE_ORDER))} "
            f"| {refusal.message(Operation.PLACE_ORDER, 'X')} | {rule.category} "
            f"| {'yes' if rule.retryable else 'no'} | {rule.source} |"
        )
    lines += [
        "",
        "Under `complete_order` the prefix reads `Unable to complete order: `. Address reasons go",
        'on with the fields in the way, such as `"postcode" is required. Enter and try again.`',
        "Stock reasons carry the SKU, the quantity wanted and the quantity available;",
        "`CART_NOT_ACTIVE` carries the order number, for the cart's owner.",
        "",
        PENDING,
        CARTS,
        "| problem | message | category | code |",
        "| --- | --- | --- | --- |",
    ]
    for problem, row in CART_RULES.items():
        origin = " (ours)" if row.ours else ""
        lines.append(
            f"| `{problem}` | {row.text.replace('{}', 'X')}{origin} | {row.category} "
            f"| `{row.code}` |"
        )
    lines.append("")
    return "\n".join(lines)


def _code(code: RefusalCode | None) -> str:
    return f"`{code}`" if code else "none"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/errors.md is stale: run make docs")
