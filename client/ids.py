"""Ids that cannot exist, and need no checkout to be refused; and what is sent in an id's place."""

import hashlib
import re

from commerce.domain.cards import holds_card_number
from commerce.domain.errors import RefusalReason

_CART_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_PAYMENT_ID = re.compile(r"[ -~]{0,255}")


def refused_here(cart_id: str, payment_id: str) -> RefusalReason | None:
    """Why a call is refused before anything is sent; None when it is not."""
    if cart_id is None or cart_id == "":  # pyright: ignore[reportUnnecessaryComparison]
        return RefusalReason.CART_ID_MISSING
    if isinstance(cart_id, str) and not may_be_cart_id(cart_id):  # pyright: ignore[reportUnnecessaryIsInstance]
        return RefusalReason.CART_NOT_FOUND
    if isinstance(payment_id, str) and not _may_be(payment_id, _PAYMENT_ID):  # pyright: ignore[reportUnnecessaryIsInstance]
        return RefusalReason.PAYMENT_ID_INVALID
    return None


def may_be_cart_id(cart_id: str) -> bool:
    """Whether a cart could have this id."""
    return _may_be(cart_id, _CART_ID)


def update_id(key: str) -> str:
    """What stands for an idempotency key where nothing is ever encrypted: a hash of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _may_be(given: str, shape: re.Pattern[str]) -> bool:
    return shape.fullmatch(given) is not None and not holds_card_number(given)
