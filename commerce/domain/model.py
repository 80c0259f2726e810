"""The base of every domain model: frozen, and closed to unknown fields."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """An immutable value; an unknown or mistyped field is a ``ValidationError``."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
