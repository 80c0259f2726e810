"""Carts and what is in them."""

from collections.abc import Callable
from functools import cache
from math import ceil
from typing import Any

from api.present.values import Object, hashed_uid, money, uid
from commerce.domain.addresses import Address
from commerce.domain.cart_edits import payment_methods
from commerce.domain.cart_errors import CART_RULES, CartProblem
from commerce.domain.carts import CartLine, CartView, OfferedProduct, ProductKind
from commerce.domain.money import Money, MoneyError
from commerce.domain.payments import PaymentMethod
from commerce.domain.regions import region_of
from commerce.domain.shipping import ShippingMethod, shipping_amount
from commerce.domain.taxes import TaxRate
from commerce.domain.totals import Totals, add_up

ITEMS_ON_A_PAGE = 20

Shown = Callable[[Money], None]
"""Called with the grand total when a shopper is shown it."""

_ITEM_TYPES = {ProductKind.SIMPLE: "SimpleCartItem", ProductKind.VIRTUAL: "VirtualCartItem"}
_PRODUCT_TYPES = {ProductKind.SIMPLE: "SimpleProduct", ProductKind.VIRTUAL: "VirtualProduct"}
_CANNOT_BE_SHIPPED = (
    "This shipping method is not available. To use this shipping method, please contact us."
)
_UNSET = {"code": "", "title": "", "purchase_order_number": None}


def cart_object(view: CartView, shown: Shown | None = None) -> Object:
    """``Cart``; what looks at every line is computed when it is asked for.

    Args:
        view: The cart.
        shown: None for an estimate, which promises nothing.
    """
    cart = view.cart

    @cache
    def totals() -> Totals | None:
        try:
            return view.snapshot().totals()
        except MoneyError:
            return None

    def items(info: Any) -> list[Object]:
        rate = view.tax_rate  # once: it looks at every line
        return [_item(view, line, rate, totals()) for line in cart.lines]

    def prices(info: Any) -> Object | None:
        due = totals()
        if due is None:
            return None

        def grand_total(info: Any) -> Object:
            if shown:
                shown(due.grand_total)
            return money(due.grand_total)

        return {**_prices(due), "grand_total": grand_total}

    def items_v2(
        info: Any,
        pageSize: int | None = None,  # noqa: N803 (the schema's name)
        currentPage: int | None = None,  # noqa: N803
        sort: Object | None = None,
    ) -> Object:
        size = ITEMS_ON_A_PAGE if pageSize is None else max(pageSize, 1)
        return _page(items(info), size, max(currentPage or 1, 1), sort)

    def shipping_addresses(info: Any) -> list[Object]:
        return _shipping_addresses(view)

    def available_payment_methods(info: Any) -> list[Object]:
        return [{"code": each.value, "title": each.label} for each in payment_methods(view)]

    return {
        "id": cart.id,
        "email": cart.email,
        "is_virtual": view.is_virtual,
        "total_quantity": float(sum(line.quantity for line in cart.lines)),
        "total_summary_quantity_including_config": float(sum(x.quantity for x in cart.lines)),
        "items": items,
        "itemsV2": items_v2,
        "prices": prices,
        "shipping_addresses": shipping_addresses,
        "billing_address": _address(cart.id, "billing", cart.billing_address),
        "available_payment_methods": available_payment_methods,
        "selected_payment_method": _selected_payment(view),
        "applied_gift_cards": [],
        "available_gift_wrappings": [],
        "gift_receipt_included": False,
        "printed_card_included": False,
    }


def _prices(totals: Totals) -> Object:
    currency = totals.subtotal.currency
    line_tax = add_up(totals.line_taxes, currency)
    taxes = totals.tax_rate and {"label": totals.tax_rate.title, "amount": money(totals.tax)}
    return {
        "grand_total_excluding_tax": money(totals.subtotal.plus(totals.shipping)),
        "subtotal_excluding_tax": money(totals.subtotal),
        "subtotal_including_tax": money(totals.subtotal.plus(line_tax)),
        "subtotal_with_discount_excluding_tax": money(totals.subtotal),
        "applied_taxes": [taxes] if taxes else [],
        "discounts": [],
    }


# -- items --------------------------------------------------------------------------------------


def _item(view: CartView, line: CartLine, rate: TaxRate | None, totals: Totals | None) -> Object:
    product = view.products[line.sku]
    problem = _unavailable(product, line.quantity)
    message = CART_RULES[problem].text if problem else None
    short = problem in (CartProblem.QUANTITY_UNAVAILABLE, CartProblem.OUT_OF_STOCK)
    return {
        "__typename": _ITEM_TYPES[product.kind],
        "id": str(line.id),
        "uid": uid(line.id),
        "quantity": float(line.quantity),
        "product": product_object(product, view.store.currency),
        "prices": _item_prices(line, rate, product.price) if totals else None,
        "errors": [{"code": "ITEM_QTY" if short else "UNDEFINED", "message": message}]
        if problem
        else [],
        "is_available": problem is None,
        "not_available_message": message,
        "available_gift_wrapping": [],
        "customizable_options": [],
    }


def _unavailable(product: OfferedProduct, quantity: int) -> CartProblem | None:
    if product.price is None:
        return CartProblem.NOT_SALABLE
    if product.available is None or product.available >= quantity:
        return None
    return CartProblem.QUANTITY_UNAVAILABLE if product.available else CartProblem.OUT_OF_STOCK


def _item_prices(line: CartLine, rate: TaxRate | None, price: Money | None) -> Object | None:
    if price is None:
        return None
    row = price.times(line.quantity)
    return {
        "price": money(price),
        "price_including_tax": money(price.plus(rate.on(price)) if rate else price),
        "row_total": money(row),
        "row_total_including_tax": money(row.plus(rate.on(row)) if rate else row),
        "original_item_price": money(price),
        "original_row_total": money(row),
        "total_item_discount": money(Money.zero(price.currency)),
        "discounts": [],
        "fixed_product_taxes": [],
    }


def product_object(product: OfferedProduct, currency: str) -> Object:
    """``ProductInterface``: what a checkout knows of a product."""
    price = product.price or Money.zero(currency)
    no_image = {"url": "", "label": product.name}  # storefronts take its url for a text
    tag = {
        "regular_price": money(price),
        "final_price": money(price),
        "discount": {"amount_off": 0.0, "percent_off": 0.0},
    }
    return {
        "__typename": _PRODUCT_TYPES[product.kind],
        "uid": uid(product.sku),
        "sku": product.sku,
        "name": product.name,
        "small_image": no_image,
        "thumbnail": no_image,
        "stock_status": "OUT_OF_STOCK" if product.available == 0 else "IN_STOCK",
        "price_range": {"minimum_price": tag, "maximum_price": tag},
        "price_tiers": [],
        "categories": [],
        "url_rewrites": [],
        "custom_attributesV2": {"items": []},
        "gift_message_available": False,
        "gift_wrapping_available": False,
        "rating_summary": 0.0,
        "review_count": 0,
        "reviews": {"items": []},
    }


_SORTS: dict[str, Callable[[Object], Any]] = {
    "SKU": lambda item: item["product"]["sku"],
    "NAME": lambda item: item["product"]["name"],
    "QTY": lambda item: item["quantity"],
    "PRICE": lambda item: item["prices"]["price"]["value"] if item["prices"] else 0.0,
    "ROW_TOTAL": lambda item: item["prices"]["row_total"]["value"] if item["prices"] else 0.0,
}


def _page(items: list[Object], size: int, current: int, sort: Object | None) -> Object:
    """A page of items; fields that only a catalogue knows sort as the lines were added."""
    ordered = list(items)
    if sort:
        key = _SORTS.get(sort["field"])
        if key:
            ordered.sort(key=key)
        if sort["order"] == "DESC":
            ordered.reverse()
    return {
        "items": ordered[(current - 1) * size : current * size],
        "total_count": len(items),
        "page_info": {
            "current_page": current,
            "page_size": size,
            "total_pages": ceil(len(items) / size),
        },
    }


# -- addresses, shipping, payment ---------------------------------------------------------------


def _shipping_addresses(view: CartView) -> list[Object]:
    cart = view.cart
    address = _address(cart.id, "shipping", cart.shipping_address)
    if address is None:
        return []
    chosen = view.store.offered_shipping(cart.shipping_method)
    methods = [shipping_method_object(view, each) for each in view.store.shipping_methods]
    return [
        {
            **address,
            "available_shipping_methods": [] if view.is_virtual else methods,
            "selected_shipping_method": shipping_method_object(view, chosen)
            if chosen and not view.is_virtual
            else None,
            "same_as_billing": cart.shipping_address == cart.billing_address,
        }
    ]


def shipping_method_object(view: CartView, method: ShippingMethod) -> Object:
    """``AvailableShippingMethod`` and ``SelectedShippingMethod``."""
    try:
        amount, including_tax, problem = *_shipping_cost(view, method), ""
    except MoneyError:
        amount = including_tax = Money.zero(view.store.currency)
        problem = _CANNOT_BE_SHIPPED
    return {
        "carrier_code": method.value,
        "carrier_title": method.names.carrier_title,
        "method_code": method.names.method_code,
        "method_title": method.names.method_title,
        "amount": money(amount),
        "price_excl_tax": money(amount),
        "price_incl_tax": money(including_tax),
        "available": not problem,
        "error_message": problem,
    }


def _shipping_cost(view: CartView, method: ShippingMethod) -> tuple[Money, Money]:
    """What it costs, without and with tax.

    Raises:
        MoneyError: The cart, or its shipping, costs more than an order can.
    """
    snapshot = view.snapshot()
    zero = Money.zero(view.store.currency)
    subtotal = add_up((line.total for line in snapshot.lines), zero.currency)
    units = sum(line.quantity for line in snapshot.lines if line.kind is ProductKind.SIMPLE)
    amount = shipping_amount(method, subtotal, units) if units else zero
    rate = view.tax_rate
    return amount, amount.plus(rate.on(amount)) if rate and rate.on_shipping else amount


def _address(cart_id: str, role: str, address: Address | None) -> Object | None:
    if address is None:
        return None
    region = region_of(address)
    return {
        "uid": hashed_uid(cart_id, role),
        "firstname": address.firstname,
        "lastname": address.lastname,
        "middlename": address.middlename or None,
        "prefix": address.prefix or None,
        "suffix": address.suffix or None,
        "company": address.company or None,
        "street": list(address.street),
        "city": address.city,
        "region": {
            "code": region and region.code,
            "label": region and region.name,
            "region_id": region and region.region_id,
        },
        "postcode": address.postcode or None,
        "country": {"code": address.country_code, "label": address.country_code},
        "telephone": address.telephone or None,
        "fax": address.fax or None,
        "vat_id": address.vat_id or None,
        "custom_attributes": [],
    }


def _selected_payment(view: CartView) -> Object:
    choice = view.cart.payment
    if choice is None:
        return _UNSET
    titles = {method.value: method.label for method in PaymentMethod}
    return {
        "code": choice.method,
        "title": titles.get(choice.method, choice.method),
        "purchase_order_number": choice.purchase_order_number or None,
    }
