"""How payloads are read: what is not what it should be fails the run, not its task for ever."""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.exceptions import ApplicationError

INVALID_INPUT = "InvalidInput"


class CheckedPayloadConverter(PydanticPayloadConverter):
    """Temporal's pydantic converter, with a clean failure for input of a wrong shape."""

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Read payloads.

        Raises:
            ApplicationError: One has a wrong shape; its content is not repeated.
        """
        try:
            values = super().from_payloads(payloads, type_hints)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ApplicationError(
                f"{where}: {first['msg']}", type=INVALID_INPUT, non_retryable=True
            ) from None
        for value, wanted in zip(values, type_hints or (), strict=False):
            if value is None and inspect.isclass(wanted) and issubclass(wanted, BaseModel):
                raise ApplicationError("nothing given", type=INVALID_INPUT, non_retryable=True)
        return values


checkout_data_converter = replace(
    pydantic_data_converter, payload_converter_class=CheckedPayloadConverter
)
"""What the worker's connection to Temporal is made with."""
