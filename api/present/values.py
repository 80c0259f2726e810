"""Values that every object is made of."""

import base64
import binascii
import hashlib
from decimal import Decimal
from typing import Any

from commerce.domain.money import Money, minor_digits

Object = dict[str, Any]
"""An object of the schema; a callable in it is called with ``info`` and the field's arguments."""


def part(given: Object, name: str) -> Object:
    """An object inside an input; empty where it was left out."""
    return given.get(name) or {}


def money(amount: Money) -> Object:
    """``Money`` of the schema: a float, for that is what storefronts expect."""
    value = Decimal(amount.amount_minor).scaleb(-minor_digits(amount.currency))
    return {"value": float(value), "currency": amount.currency}


def uid(number: object) -> str:
    """The opaque id of something numbered: base64, as storefronts know it."""
    return base64.b64encode(str(number).encode()).decode()


def line_id(item_uid: str) -> int | None:
    """The number of a cart line by its uid; None for what is no uid."""
    try:
        digits = base64.b64decode(item_uid, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return int(digits) if digits.isdigit() and len(digits) < 10 else None


def hashed_uid(*parts: str) -> str:
    """An id for something that has none but must be told apart from others of its type."""
    return uid(hashlib.sha256("/".join(parts).encode()).hexdigest()[:24])
