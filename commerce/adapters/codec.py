"""Payloads encrypted before they leave for Temporal: AES-256-GCM, key ids, several keys at a time.

The whole payload, its own metadata too, is sealed under the newest key. Which key that was is in
the metadata beside it and authenticated with it, so that every key that is still known opens what
it sealed, and nothing else opens anything.
"""

import base64
import binascii
import logging
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from commerce.contract import REFUSED_ENCODING, UnreadablePayloadError

VARIABLE = "CHECKOUT_CODEC_KEYS"
ENCODING = b"binary/encrypted"
CIPHER = b"AES-256-GCM"
PLAIN = "plain"
"""In the place of a key: payloads that are not encrypted are read, and written if it is first."""

logger = logging.getLogger("checkout.codec")

KEY_BYTES = 32
_NONCE_BYTES, _TAG_BYTES = 12, 16
_KEY_ID = re.compile(r"[0-9A-Za-z_-]{1,32}")
_METADATA = {"encoding", "encryption-cipher", "encryption-key-id"}


class CodecKeyError(ValueError):
    """Keys that cannot be used; the message never repeats them."""


class PayloadCodecError(UnreadablePayloadError):
    """A payload that is not what was sealed here; the message never repeats its content.

    Not an ``ApplicationError``: the SDK would fail the run for good, where a worker that is given
    the right key can go on.
    """


class PayloadEncryption(PayloadCodec):
    """Seals with the newest key, opens with every key, and refuses everything else."""

    def __init__(self, keys: dict[str, bytes | None], *, for_worker: bool = False) -> None:
        """Args:
        keys: By id, the newest first; None under ``PLAIN``.
        for_worker: A payload that no key will ever open (not encrypted, changed, or sealed in
            another way) becomes one that nobody can read, instead of an error: a worker then
            drops such a signal and rejects such an update, where an error would fail the run's
            task over and over. A well-formed id of a key that is not known is an error all the
            same: another worker may have it.

        Raises:
            CodecKeyError: There is no key, or one is too short or no random one.
        """
        if not any(keys.values()):
            raise CodecKeyError(f"{VARIABLE}: at least one key is needed")
        if any(key is not None and len(key) != KEY_BYTES for key in keys.values()):
            raise CodecKeyError(f"{VARIABLE}: keys must be {KEY_BYTES} bytes each")
        if any(key is not None and len(set(key)) == 1 for key in keys.values()):
            raise CodecKeyError(f"{VARIABLE}: a key is one byte over and over, not a random one")
        self._ciphers = {name: AESGCM(key) for name, key in keys.items() if key is not None}
        self._ids = tuple(keys)
        self._for_worker = for_worker

    @classmethod
    def parse(cls, text: str, *, for_worker: bool = False) -> Self:
        """Read ``id:base64`` pairs, comma separated, newest first; ``plain`` may be among them.

        Raises:
            CodecKeyError: The text is something else; it is not repeated in the message.
        """
        if not text.strip():
            raise CodecKeyError(f"{VARIABLE}: not set; id:base64 of {KEY_BYTES} random bytes")
        keys: dict[str, bytes | None] = {}
        for pair in text.split(","):
            name, colon, encoded = pair.strip().partition(":")
            if name in keys or not _KEY_ID.fullmatch(name) or (name == PLAIN) is bool(colon):
                raise CodecKeyError(f"{VARIABLE}: must read id:base64,... with an id for each key")
            try:
                keys[name] = base64.b64decode(encoded, validate=True) if colon else None
            except (ValueError, binascii.Error):
                raise CodecKeyError(f"{VARIABLE}: must read id:base64,...") from None
        return cls(keys, for_worker=for_worker)

    @staticmethod
    def new_key(name: str = "1") -> str:
        """A fresh random key in the form that ``parse`` reads."""
        return f"{name}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys; the first one encrypts."""
        return self._ids

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal each payload under the newest key."""
        newest = self._ids[0]
        if newest == PLAIN:
            return list(payloads)
        return [self._seal(newest, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open each payload.

        Raises:
            PayloadCodecError: One was not sealed under a known key, or was changed since.
        """
        return [self._open(payload) for payload in payloads]

    def _seal(self, name: str, payload: Payload) -> Payload:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[name].encrypt(nonce, payload.SerializeToString(), _bound(name))
        return Payload(
            metadata={
                "encoding": ENCODING,
                "encryption-cipher": CIPHER,
                "encryption-key-id": name.encode(),
            },
            data=nonce + sealed,
        )

    def _open(self, payload: Payload) -> Payload:
        if not is_encrypted(payload):
            return payload if PLAIN in self._ids else self._refuse("a payload is not encrypted")
        metadata = payload.metadata
        if set(metadata) != _METADATA or metadata["encryption-cipher"] != CIPHER:
            return self._refuse("a payload is encrypted in a way that is not known")
        name = metadata["encryption-key-id"].decode(errors="replace")
        if name == PLAIN or not _KEY_ID.fullmatch(name):
            return self._refuse("a payload's key is not known: its id is bad")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise PayloadCodecError(f"a payload's key is not known: {name!r} is not in {VARIABLE}")
        if len(payload.data) < _NONCE_BYTES + _TAG_BYTES or payload.external_payloads:
            return self._refuse("an encrypted payload is cut short, or was added to")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, _bound(name)))
        except (InvalidTag, DecodeError):
            return self._refuse(f"a payload was not sealed under key {name!r}")

    def _refuse(self, why: str) -> Payload:
        if self._for_worker:
            logger.warning("%s: it is not read", why)
            return Payload(metadata={"encoding": REFUSED_ENCODING})
        raise PayloadCodecError(why)


def is_encrypted(payload: Payload) -> bool:
    """Whether a payload says that it was sealed by this codec."""
    return payload.metadata.get("encoding") == ENCODING


def tell_of_plain(codec: PayloadEncryption) -> None:
    """Say in the log of a process that starts what its keys let through unencrypted."""
    if codec.ids[0] == PLAIN:
        logger.error("nothing is encrypted: %s begins with %r", VARIABLE, PLAIN)
    elif PLAIN in codec.ids:
        logger.warning("payloads in plain text are read: %r is in %s", PLAIN, VARIABLE)


def encrypted(converter: DataConverter, codec: PayloadCodec) -> DataConverter:
    """The converter with everything encrypted, the texts of failures as well."""
    return replace(
        converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def _bound(name: str) -> bytes:
    """What is authenticated with the sealed payload, besides itself."""
    return b"\0".join((ENCODING, CIPHER, name.encode()))
