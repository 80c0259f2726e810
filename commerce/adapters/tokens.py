"""Order tokens: sealed order numbers, ``keyVersion:cipher:base64``, nothing stored.

The token is ChaCha20-Poly1305 over the order number. Its nonce is an HMAC of the number, so an
order has one token per key, its text tells nothing, and a guess must hit a 128-bit tag.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CIPHER = 3
"""The number under which Adobe Commerce lists ChaCha20-Poly1305."""

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = re.compile(r"[0-9]{1,9}")


class TokenKeyError(ValueError):
    """Keys that cannot be used."""


class SealedTokens:
    """The order tokens port: seals with the newest key, opens with every key."""

    def __init__(self, keys: dict[int, bytes]) -> None:
        """Args:
        keys: By version, the newest first.
        """
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise TokenKeyError(f"order token keys must be {KEY_BYTES} bytes each, at least one")
        self._keys = keys
        self._newest = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``version:base64`` pairs, comma separated, newest first.

        Raises:
            TokenKeyError: The text is something else; it is not repeated in the message.
        """
        keys: dict[int, bytes] = {}
        for pair in text.split(","):
            version, _, encoded = pair.strip().partition(":")
            if not _VERSION.fullmatch(version) or int(version) in keys:
                raise TokenKeyError("each order token key needs a version of its own, 0 or more")
            try:
                keys[int(version)] = base64.b64decode(encoded, validate=True)
            except (ValueError, binascii.Error):
                raise TokenKeyError("order token keys must read version:base64,...") from None
        return cls(keys)

    @staticmethod
    def new_key(version: int = 0) -> str:
        """A fresh random key in the form that ``parse`` reads."""
        return f"{version}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"

    def seal(self, order_number: str) -> str:
        """The token of an order under the newest key."""
        key = self._keys[self._newest]
        header = f"{self._newest}:{CIPHER}:"
        nonce = hmac.digest(key, b"nonce:" + order_number.encode(), hashlib.sha256)[:_NONCE_BYTES]
        sealed = ChaCha20Poly1305(key).encrypt(nonce, order_number.encode(), header.encode())
        return header + base64.b64encode(nonce + sealed).decode()

    def open(self, token: str) -> str | None:
        """The order number, None for anything that was not sealed here."""
        parts = token.split(":")
        if len(parts) != 3 or not _VERSION.fullmatch(parts[0]):
            return None
        key = self._keys.get(int(parts[0]))
        if key is None or parts[1] != str(CIPHER):
            return None
        try:
            raw = base64.b64decode(parts[2], validate=True)
            opened = ChaCha20Poly1305(key).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], f"{parts[0]}:{CIPHER}:".encode()
            )
        except (ValueError, InvalidTag):
            return None
        number = opened.decode()
        return number if base64.b64encode(raw).decode() == parts[2] else None
