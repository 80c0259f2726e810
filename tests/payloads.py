"""What stands in a history, message by message: for whoever reads it without the keys, and with."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client

from commerce.adapters.codec import is_encrypted

NEVER_ENCRYPTED = ("search_attributes", "indexed_fields", "header", "details.data")
"""Paths that no codec sees: search attributes, headers, and what the SDK's core notes of a local
activity (its name, its attempts, its times) in the marker's ``details["data"]``."""


def walk(message: Message, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every message within a message, and every text, with its path."""
    yield path, message
    for field, value in message.ListFields():
        inner = f"{path}.{field.name}" if path else field.name
        for where, each in _each(field, value, inner):
            if isinstance(each, Message):
                yield from walk(each, where)
            else:
                yield where, each


def _each(field: Any, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for key in value:
            yield f"{path}.{key}", value[key]
    elif field.is_repeated:
        for each in value:
            yield path, each
    else:
        yield path, value


def payloads_in(message: Message) -> list[tuple[str, Payload]]:
    """Every payload with its path."""
    return [(path, each) for path, each in walk(message) if isinstance(each, Payload)]


def plain_in(message: Message) -> list[str]:
    """Paths of the payloads that are not encrypted, but for those that no codec sees."""
    return [
        path
        for path, payload in payloads_in(message)
        if not is_encrypted(payload) and not any(known in path for known in NEVER_ENCRYPTED)
    ]


def failures_in(message: Message) -> list[Failure]:
    """Every failure, causes too."""
    return [each for _, each in walk(message) if isinstance(each, Failure)]


async def decoded(client: Client, message: Message) -> bytes:
    """All that a history says to whoever has the client's keys."""
    codec = client.data_converter.payload_codec
    said = [message.SerializeToString(deterministic=True)]
    for _, payload in payloads_in(message):
        if codec is not None and is_encrypted(payload):
            said += [
                each.SerializeToString(deterministic=True) for each in await codec.decode([payload])
            ]
    return b"\n".join(said)
