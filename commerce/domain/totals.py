"""What a shopper pays: the one computation, for the cart that is shown and the order alike."""

from collections.abc import Iterable, Sequence

from commerce.domain.model import Model
from commerce.domain.money import Money
from commerce.domain.shipping import ShippingMethod, shipping_amount
from commerce.domain.taxes import TaxRate


class Totals(Model):
    """What the shopper pays; all in the store's currency.

    Attributes:
        line_taxes: The tax on each line, in the order of the lines.
        tax: The tax on all lines and on shipping.
        tax_rate: The rate that made it; None where nothing is taxed.
    """

    subtotal: Money
    shipping: Money
    line_taxes: tuple[Money, ...]
    shipping_tax: Money
    tax: Money
    grand_total: Money
    tax_rate: TaxRate | None = None


def add_up(amounts: Iterable[Money], currency: str) -> Money:
    """The sum; zero of nothing.

    Raises:
        MoneyError: The sum is too large.
    """
    total = Money.zero(currency)
    for amount in amounts:
        total = total.plus(amount)
    return total


def totals_of(
    line_totals: Sequence[Money],
    shipped_items: int,
    method: ShippingMethod | None,
    rate: TaxRate | None,
    currency: str,
) -> Totals:
    """Subtotal, shipping, tax and grand total. Tax is rounded for each line and for shipping.

    Args:
        line_totals: Price times quantity of each line.
        shipped_items: Units that are shipped; nothing is charged for shipping none.
        method: None while none is chosen: shipping is zero then.
        rate: The tax rate of the destination.
        currency: The store's.

    Raises:
        MoneyError: An amount is too large.
    """
    zero = Money.zero(currency)
    subtotal = add_up(line_totals, currency)
    shipping = (
        shipping_amount(method, subtotal, shipped_items) if method and shipped_items else zero
    )
    line_taxes = tuple(rate.on(total) if rate else zero for total in line_totals)
    shipping_tax = rate.on(shipping) if rate and rate.on_shipping else zero
    tax = add_up((*line_taxes, shipping_tax), currency)
    return Totals(
        subtotal=subtotal,
        shipping=shipping,
        line_taxes=line_taxes,
        shipping_tax=shipping_tax,
        tax=tax,
        grand_total=add_up((subtotal, shipping, tax), currency),
        tax_rate=rate,
    )
