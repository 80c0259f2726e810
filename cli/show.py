"""Carts and orders, for people."""

from rich.console import Console
from rich.table import Table

from commerce.contract import workflow_id
from commerce.domain.carts import Cart, CartStatus
from commerce.domain.orders import Order, OrderStatus


def print_cart(console: Console, cart: Cart, status: CartStatus, ui_url: str | None) -> None:
    """A cart, and where its checkout is in the Temporal UI."""
    checkout = workflow_id(cart.id)
    facts = Table(title=f"cart {cart.id}", show_header=False, title_justify="left")
    facts.add_row("status", status)
    facts.add_row("store", cart.store_code)
    facts.add_row("shopper", f"customer {cart.customer_id}" if cart.customer_id else "guest")
    facts.add_row("e-mail", cart.email or "-")
    facts.add_row("lines", ", ".join(f"{line.quantity} x {line.sku}" for line in cart.lines) or "-")
    facts.add_row("shipping", cart.shipping_method or "-")
    payment = cart.payment
    chosen = f"{payment.method} {payment.payment_id}".strip() if payment else "-"
    facts.add_row("payment", chosen)
    facts.add_row("workflow", checkout)
    console.print(facts)
    if ui_url:
        link = f"{ui_url}/namespaces/default/workflows/{checkout}"
        console.print(f"in the UI: {link}", soft_wrap=True)


def print_order(console: Console, order: Order) -> None:
    """An order with its lines and totals."""
    lines = Table("sku", "name", "quantity", "price", "total", title_justify="left")
    lines.title = f"order {order.number}, {order.status}, {order.created_at:%Y-%m-%d %H:%M:%S} UTC"
    for line in order.lines:
        lines.add_row(line.sku, line.name, str(line.quantity), str(line.price), str(line.total))
    lines.add_section()
    lines.add_row("", "subtotal", "", "", str(order.totals.subtotal))
    lines.add_row(
        "", f"shipping ({order.shipping_method or 'none'})", "", "", str(order.totals.shipping)
    )
    lines.add_row("", "tax", "", "", str(order.totals.tax))
    lines.add_row("", f"to pay ({order.payment_method})", "", "", str(order.totals.grand_total))
    console.print(lines)
    if order.payment_id:
        captured = "captured" if order.status is OrderStatus.PROCESSING else "not captured"
        console.print(f"payment {order.payment_id}: {captured}", soft_wrap=True)
