"""The thin client: what a backend service imports to check carts out.

An example is in the README; ``CheckoutClient`` is where to begin.
"""

from client.answers import Answered, Pending, Refused
from client.checkout import DEFAULT_DEADLINE, CheckoutClient
from client.errors import CheckoutClientError, CheckoutUnavailableError, InvalidRequestError
from commerce.contract import OrderPlaced
from commerce.domain.carts import Shopper
from commerce.domain.errors import Category, Operation, RefusalCode, RefusalReason
from commerce.domain.money import Money
from commerce.domain.payments import DeclineReason, WaitsFor
from commerce.domain.stock import Shortage

__all__ = [
    "DEFAULT_DEADLINE",
    "Answered",
    "Category",
    "CheckoutClient",
    "CheckoutClientError",
    "CheckoutUnavailableError",
    "DeclineReason",
    "InvalidRequestError",
    "Money",
    "Operation",
    "OrderPlaced",
    "Pending",
    "RefusalCode",
    "RefusalReason",
    "Refused",
    "Shopper",
    "Shortage",
    "WaitsFor",
]
