"""The base of every domain model: frozen, and closed to unknown fields."""

from pydantic import BaseModel, ConfigDict, ValidationError

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
"""A pattern for text without control characters: no database or log line trips over it."""


class Model(BaseModel):
    """An immutable value; an unknown or mistyped field is a ``ValidationError``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Message(Model):
    """A value that crosses Temporal; fields that a newer version added are passed over."""

    model_config = ConfigDict(extra="ignore")


def first_problem(error: ValidationError) -> str:
    """The first of a model's problems, in one line, without the input."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
