"""The thin client: what a backend service imports to check carts out.

    from client import CheckoutClient, OrderPlaced

    checkout = await CheckoutClient.connect()
    answer = await checkout.place_order(cart_id)
"""

from client.answers import Answered, Pending, Refused
from client.checkout import DEFAULT_DEADLINE, CheckoutClient
from client.errors import CheckoutClientError, CheckoutUnavailableError, InvalidRequestError
from commerce.contract import OrderPlaced
from commerce.domain.carts import Shopper
from commerce.domain.errors import Operation, RefusalCode, RefusalReason
from commerce.domain.money import Money

__all__ = [
    "DEFAULT_DEADLINE",
    "Answered",
    "CheckoutClient",
    "CheckoutClientError",
    "CheckoutUnavailableError",
    "InvalidRequestError",
    "Money",
    "Operation",
    "OrderPlaced",
    "Pending",
    "RefusalCode",
    "RefusalReason",
    "Refused",
    "Shopper",
]
