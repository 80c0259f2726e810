"""Logs: one JSON object a line, with known fields only and nothing personal in them."""

import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, cast

from pythonjsonlogger.json import JsonFormatter
from temporalio import activity, workflow
from temporalio.runtime import LogForwardingConfig, LoggingConfig, TelemetryFilter

from commerce.settings import LogFormat

MAX_MESSAGE_CHARS = 4_000
MAX_EXCEPTION_CHARS = 16_000
MAX_FIELD_CHARS = 300

EXTRA_FIELDS = (
    "order_number",
    "correlation_id",
    "step",
    "event",
    "outcome",
    "reason",
    "way",
    "what",
    "why",
    "count",
)
"""What a call may give as ``extra``; everything else it gives is left out."""

CORE_FIELDS = ("workflow_id", "run_id", "activity_id", "error")
"""What is taken over of a record of the SDK's core: others may hold payloads."""

_WORKFLOW = {"workflow_id": "workflow_id", "run_id": "run_id"}
_ACTIVITY = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "activity_type": "step",
    "attempt": "attempt",
}
_TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.){0,64}"@)?[^\s'"<>(),;]+""")
_AT = re.compile(r"@|%(?:25)*40")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

logger = logging.getLogger("checkout.process")
current_trace_id: Callable[[], str] = lambda: ""  # noqa: E731 (replaced when traces are on)


def set_trace_id(of_current: Callable[[], str]) -> None:
    """How the trace of the running call is known."""
    global current_trace_id  # noqa: PLW0603 (a process has one)
    current_trace_id = of_current


def without_addresses(text: str) -> str:
    """The text without e-mail addresses and URLs with a password, should one get into it."""
    return _WORD.sub(_unless_address, text) if _AT.search(text) else text


class JsonLines(JsonFormatter):
    """Formats a record as one JSON object in ASCII: whatever was logged stays on its line."""

    def __init__(self, process: str) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._process = process

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """The fields of a record; those that are not known are left out."""
        made = datetime.fromtimestamp(record.created, UTC)
        message = without_addresses(record.message or str(record.msg))
        log_data |= {
            "time": made.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": message[:MAX_MESSAGE_CHARS],
            "process": self._process,
            **_told(record),
        }
        if trace_id := current_trace_id():
            log_data["trace_id"] = trace_id
        exception = "\n".join(
            str(message_dict[each]) for each in ("exc_info", "stack_info") if each in message_dict
        )
        if exception:  # its end says what happened
            log_data["exception"] = without_addresses(exception[-MAX_EXCEPTION_CHARS:])


class TextLines(logging.Formatter):
    """For people: a line a record, and an exception below it."""

    def __init__(self) -> None:
        super().__init__(_TEXT_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The line, with control characters escaped."""
        return _CONTROL.sub(_escaped, without_addresses(super().formatMessage(record)))

    def formatException(  # noqa: N802 (logging's name)
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """The traceback, indented: whatever an error says, no line of it looks like a record."""
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 (logging's name)
        """The stack, indented."""
        return _indented(super().formatStack(stack_info))


def configure(process: str, log_format: LogFormat) -> None:
    """Send every log of this process to standard error, and what ends it unexpectedly."""
    is_json = log_format is LogFormat.JSON
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(process) if is_json else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it says which database it looks at
    # The SDK knows which run and step a line is of: fields of its own say so.
    workflow.logger.workflow_info_on_message = not is_json
    activity.logger.activity_info_on_message = not is_json
    if is_json:
        sys.excepthook = _log_uncaught
        threading.excepthook = lambda args: _log_uncaught(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )


def complain(process: str, why: str) -> None:
    """Say in one line why a process cannot start, though it may not know its settings yet."""
    if not any(isinstance(each.formatter, JsonLines | TextLines) for each in _handlers()):
        configure(process, LogFormat.JSON)
    logger.critical(why.splitlines()[0] if why else "no reason given")


def core_logging() -> LoggingConfig:
    """What the SDK's core has to say goes into Python's logs, without its fields in the text."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logging.getLogger("temporalio.core"),
            append_target_to_name=False,
            prepend_target_on_message=False,
            append_log_fields_to_message=False,
        ),
    )


def _handlers() -> list[logging.Handler]:
    return logging.getLogger().handlers


def _told(record: logging.LogRecord) -> dict[str, object]:
    """The fields that a record brings along."""
    given: dict[str, Any] = record.__dict__
    told = _where()
    for source, names in (("temporal_workflow", _WORKFLOW), ("temporal_activity", _ACTIVITY)):
        found: Mapping[str, object] = given.get(source) or {}
        told |= {new: found[old] for old, new in names.items() if old in found}
    told |= {name: given[name] for name in EXTRA_FIELDS if name in given}
    if core := given.get("temporal_log"):
        fields = cast("Mapping[str, object]", core.fields)
        told |= {name: fields[name] for name in CORE_FIELDS if name in fields}
        told["target"] = core.target
    return {name: _shown(value) for name, value in told.items() if value not in (None, "")}


def _where() -> dict[str, object]:
    """The run and the step of whoever logs, though not by the SDK's loggers."""
    if not activity.in_activity():
        return {}
    info = activity.info()
    return {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "step": info.activity_type,
        "attempt": info.attempt,
    }


def _unless_address(word: re.Match[str]) -> str:
    return "[hidden]" if _AT.search(word.group(), 1) else word.group()


def _shown(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value
    return without_addresses(str(value))[:MAX_FIELD_CHARS]


def _indented(text: str) -> str:
    lines = without_addresses(text).split("\n")
    return "\n".join(f"  {_CONTROL.sub(_escaped, line)}" for line in lines)


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("ended by %s", kind.__name__, exc_info=(kind, error, trace))
