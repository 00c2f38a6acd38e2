"""What is written to standard error, and in which form?

One line a record: for people when standard error is a terminal, else JSON. The event log is
written there too, as its journal; with thousands of events a second that path is kept short.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

import orjson
import structlog

from universal_agent.domain.events import Event


def configure_logging(level: str) -> None:
    """One line a record on standard error: for people on a terminal, else JSON."""
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not people else _as_it_is,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _as_it_is(_: object, __: str, record: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return record


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
