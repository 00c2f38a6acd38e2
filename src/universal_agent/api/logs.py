"""Log output on standard error.

One line per record: readable on a terminal, else JSON. Every secret is masked. Records of libraries
and uncaught exceptions take the same path. The event log is written there too, as its journal; that
path is short because of thousands of events a second.
"""

import logging
import sys
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import Any

import orjson
import structlog

from universal_agent.api.tracebacks import TracebackWriter
from universal_agent.domain.events import (
    Event,
)
from universal_agent.masking import mask

_log = structlog.get_logger(__name__)


def configure_logging(level: str) -> None:
    """One line a record on standard error: for people on a terminal, else JSON."""
    people = sys.stderr.isatty()
    # Its own way of showing exceptions prints local variables; ours come as text.
    render = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer()
    stream = sys.stderr

    def write(record: MutableMapping[str, Any]) -> None:
        stream.write(mask(str(render(None, "", record))) + "\n")
        stream.flush()

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _with_action,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            TracebackWriter(write),
            render,
            _masked,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward(logging.WARNING)]
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _with_action(_: object, __: str, record: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """The record with its event as `action`, unless it names another one."""
    record.setdefault("action", record["event"])
    return record


def _masked(_: object, __: str, rendered: Any) -> str:
    """The rendered line, tracebacks included, without secrets."""
    return mask(rendered)


class _Forward(logging.Handler):
    """Logs what libraries log through `logging` as records of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        _log.log(
            record.levelno,
            record.getMessage(),
            action="library",
            logger=record.name,
            exc_info=record.exc_info or None,
        )


def _uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        _log.critical("uncaught", exc_info=(kind, error, traceback))


def _uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    error = arguments.exc_value
    if error is not None and not isinstance(error, SystemExit):
        thread = arguments.thread
        _log.critical(
            "thread_failed",
            thread=None if thread is None else thread.name,
            exc_info=error,
        )


def journal(level: str) -> Callable[[Sequence[Event]], None] | None:
    """Writes events as log lines; None when the level leaves them out."""
    if getattr(logging, level.upper()) > logging.INFO:
        return None
    line = _for_people if sys.stderr.isatty() else _as_json

    def write(events: Sequence[Event]) -> None:
        sys.stderr.write("".join(map(line, events)))
        sys.stderr.flush()

    return write


def _facts(event: Event) -> dict[str, object]:
    run = event.data.get("run")
    return {
        "action": event.type,
        "seq": event.seq,
        "source_ref": event.source_ref,
        "run_id": run["run_id"] if run else None,
        "status": event.status,
    }


def _as_json(event: Event) -> str:
    head = {"level": "info", "timestamp": event.timestamp, "event": event.type}
    return orjson.dumps(head | _facts(event), option=orjson.OPT_APPEND_NEWLINE).decode()


def _for_people(event: Event) -> str:
    run = event.data.get("run")
    what = run["run_id"] if run else ""
    return (
        f"{event.timestamp:%H:%M:%S}  {event.type:<20} {event.status:<11} "
        f"{event.source_ref} {what}\n"
    )
