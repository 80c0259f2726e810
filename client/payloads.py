"""Payloads as the client reads them: what cannot be read is one error, whoever's codec it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
)

from commerce.contract import UnreadablePayloadError


def made_with(codec: PayloadCodec | None) -> DataConverter:
    """Temporal's pydantic converter; with a codec, the texts of failures are encrypted too."""
    if codec is None:
        return pydantic_data_converter
    return replace(
        pydantic_data_converter,
        payload_codec=codec,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def reading(converter: DataConverter) -> DataConverter:
    """The converter with payloads as pydantic makes them, and one error for what is unreadable."""
    codec = converter.payload_codec
    return replace(
        converter,
        payload_converter_class=_Reader,
        payload_codec=codec and _OneError(codec),
    )


class _Reader(PydanticPayloadConverter):
    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        try:
            return super().from_payloads(payloads, type_hints)
        except Exception as error:  # noqa: BLE001 (a text of it may repeat the content)
            raise _unreadable(error) from None


class _OneError(PayloadCodec, WithSerializationContext):
    """A codec whose errors are all the same, and keep no failure from being told by its type."""

    def __init__(self, codec: PayloadCodec) -> None:
        self._codec = codec

    def with_context(self, context: SerializationContext) -> "_OneError":
        if isinstance(self._codec, WithSerializationContext):
            return _OneError(self._codec.with_context(context))
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        try:
            return await self._codec.encode(payloads)
        except Exception as error:  # noqa: BLE001 (whoever's codec)
            raise _unreadable(error) from None

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        try:
            return await self._codec.decode(payloads)
        except Exception as error:  # noqa: BLE001 (whoever's codec)
            raise _unreadable(error) from None

    async def decode_wrapper(self, payloads: Payloads) -> None:
        """What the SDK asks for the texts and details of a failure: nothing instead of an error."""
        try:
            await super().decode_wrapper(payloads)
        except UnreadablePayloadError:
            nothing = [Payload(metadata={"encoding": b"binary/null"}) for _ in payloads.payloads]
            payloads.CopyFrom(Payloads(payloads=nothing))


def _unreadable(error: Exception) -> UnreadablePayloadError:
    if isinstance(error, UnreadablePayloadError):
        return UnreadablePayloadError(f"it cannot be read: {error}")
    return UnreadablePayloadError(f"it cannot be read ({type(error).__name__})")
