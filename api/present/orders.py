"""Orders."""

from api.present.values import Object, money, uid
from commerce.domain.addresses import Address
from commerce.domain.carts import SnapshotLine
from commerce.domain.orders import Order, OrderStatus
from commerce.domain.payments import PaymentMethod
from commerce.domain.regions import region_of
from commerce.domain.shipping import ShippingMethod
from commerce.domain.totals import add_up

_STATES = {
    OrderStatus.PENDING: "new",
    OrderStatus.PROCESSING: "processing",
    OrderStatus.PAYMENT_REVIEW: "payment_review",
}


def known_of_order(number: str, token: str) -> Object:
    """The fields of ``CustomerOrder`` that a checkout's answer has already."""
    return {
        "id": uid(number),
        "number": number,
        "order_number": number,
        "increment_id": number,
        "token": token,
    }


def order_object(order: Order, token: str) -> Object:
    """``CustomerOrder``; what happens after checkout, such as shipments, is none of ours."""
    placed = f"{order.created_at:%Y-%m-%d %H:%M:%S}"
    shipping = next((each for each in ShippingMethod if each == order.shipping_method), None)
    return {
        **known_of_order(order.number, token),
        "order_date": placed,
        "created_at": placed,
        "order_status_change_date": placed,
        "status": order.status.label,
        "state": _STATES[order.status],
        "email": order.email,
        "customer_info": {
            "firstname": order.billing_address.firstname,
            "lastname": order.billing_address.lastname,
            "middlename": order.billing_address.middlename or None,
            "prefix": order.billing_address.prefix or None,
            "suffix": order.billing_address.suffix or None,
        },
        "is_virtual": order.shipping_address is None,
        "shipping_method": shipping
        and f"{shipping.names.carrier_title} - {shipping.names.method_title}",
        "carrier": shipping and shipping.names.carrier_title,
        "billing_address": _address(order.billing_address),
        "shipping_address": _address(order.shipping_address),
        "items": [_item(order, n, line) for n, line in enumerate(order.lines, start=1)],
        "items_eligible_for_return": [],
        "payment_methods": [_payment(order)],
        "total": _total(order),
        "grand_total": money(order.totals.grand_total)["value"],
        "applied_coupons": [],
        "applied_gift_cards": [],
        "available_actions": [],
        "invoices": [],
        "shipments": [],
        "credit_memos": [],
        "comments": [],
        "returns": {"items": []},
        "gift_receipt_included": False,
        "printed_card_included": False,
    }


def _item(order: Order, n: int, line: SnapshotLine) -> Object:
    rate = order.totals.tax_rate
    including_tax = line.price.plus(rate.on(line.price)) if rate else line.price
    return {
        "__typename": "OrderItem",
        "id": uid(f"{order.number}-{n}"),
        "product_sku": line.sku,
        "product_name": line.name,
        "product_type": line.kind.value,
        "product_sale_price": money(line.price),
        "quantity_ordered": float(line.quantity),
        "quantity_invoiced": 0.0,
        "quantity_shipped": 0.0,
        "quantity_canceled": 0.0,
        "quantity_refunded": 0.0,
        "quantity_returned": 0.0,
        "quantity_return_requested": 0.0,
        "status": "Ordered",
        "eligible_for_return": False,
        "selected_options": [],
        "entered_options": [],
        "discounts": [],
        "prices": {
            "price": money(line.price),
            "price_including_tax": money(including_tax),
            "original_price": money(line.price),
            "original_price_including_tax": money(including_tax),
        },
    }


def _total(order: Order) -> Object:
    totals = order.totals
    line_tax = add_up(totals.line_taxes, totals.tax.currency)
    rate = totals.tax_rate
    taxes = rate and {
        "title": rate.title,
        "rate": float(rate.percent),
        "amount": money(totals.tax),
    }
    shipping_taxes = (
        rate
        and rate.on_shipping
        and {
            "title": rate.title,
            "rate": float(rate.percent),
            "amount": money(totals.shipping_tax),
        }
    )
    return {
        "subtotal": money(totals.subtotal),
        "subtotal_excl_tax": money(totals.subtotal),
        "subtotal_incl_tax": money(totals.subtotal.plus(line_tax)),
        "total_shipping": money(totals.shipping),
        "total_tax": money(totals.tax),
        "taxes": [taxes] if taxes else [],
        "grand_total": money(totals.grand_total),
        "base_grand_total": money(totals.grand_total),
        "grand_total_excl_tax": money(totals.subtotal.plus(totals.shipping)),
        "discounts": [],
        "shipping_handling": {
            "total_amount": money(totals.shipping.plus(totals.shipping_tax)),
            "amount_excluding_tax": money(totals.shipping),
            "amount_including_tax": money(totals.shipping.plus(totals.shipping_tax)),
            "taxes": [shipping_taxes] if shipping_taxes else [],
            "discounts": [],
        },
    }


def _payment(order: Order) -> Object:
    labels = {method.value: method.label for method in PaymentMethod}
    number = order.purchase_order_number
    details = [{"name": "Purchase Order Number", "value": number}] if number else []
    return {
        "name": labels.get(order.payment_method, "Paid online"),
        "type": order.payment_method,
        "additional_data": details,
    }


def _address(address: Address | None) -> Object | None:
    if address is None:
        return None
    region = region_of(address)
    return {
        "firstname": address.firstname,
        "lastname": address.lastname,
        "middlename": address.middlename or None,
        "prefix": address.prefix or None,
        "suffix": address.suffix or None,
        "company": address.company or None,
        "street": list(address.street),
        "city": address.city,
        "region": region and region.name,
        "region_id": region and region.region_id,
        "postcode": address.postcode or None,
        "country_code": address.country_code,
        "telephone": address.telephone or None,
        "fax": address.fax or None,
        "vat_id": address.vat_id or None,
    }
