"""How payloads are read: a request that is none fails its run, not a task for ever."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from commerce.contract import INVALID_INPUT, REFUSED_ENCODING, CheckoutRequest
    from commerce.domain.model import first_problem


class CheckedPayloadConverter(PydanticPayloadConverter):
    """Temporal's pydantic converter, with a clean failure for a request of a wrong shape.

    The SDK makes two for every task of a workflow: what they are made of is made once.
    """

    _parts: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        if not self._parts:
            super().__init__()
            self._parts.update(vars(self))
        vars(self).update(self._parts)

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        """Read payloads.

        Raises:
            ApplicationError: A request has a wrong shape; its content is not repeated. Anything
                else of a wrong shape fails the task, which is retried: a newer worker may read it.
        """
        if type_hints is None:  # details of a failure: the server writes some itself, in plain text
            payloads = [_NOTHING if _is_refused(each) else each for each in payloads]
        if type_hints != [CheckoutRequest]:
            return super().from_payloads(payloads, type_hints)
        try:
            values = super().from_payloads(payloads, type_hints)
        except ValidationError as error:
            raise _invalid(first_problem(error)) from None
        except KeyError:  # the SDK's word for an encoding that it does not know
            raise _invalid("not encrypted, or encoded in a way that is not known") from None
        if values == [None]:
            raise _invalid("nothing given")
        return values


_NOTHING = Payload(metadata={"encoding": b"binary/null"})


def _is_refused(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == REFUSED_ENCODING


def _invalid(why: str) -> ApplicationError:
    return ApplicationError(why, type=INVALID_INPUT, non_retryable=True)


checkout_data_converter = replace(
    pydantic_data_converter, payload_converter_class=CheckedPayloadConverter
)
"""What the worker's connection to Temporal is made with."""
