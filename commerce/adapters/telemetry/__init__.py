"""Logs, metrics and traces of a process, opened by its composition root in one call."""

from commerce.adapters.telemetry.logs import complain
from commerce.adapters.telemetry.opened import Telemetry, open_telemetry

__all__ = ["Telemetry", "complain", "open_telemetry"]
