"""Tracebacks in the log: bounded, without local variables, and written by a thread of their own.

Formatting one reads source files and may take milliseconds, writing one to a slow terminal longer;
the event loop does neither. Local variables are never shown: the token may be among them.
"""

import atexit
import queue
import sys
import threading
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, TypeAlias

from structlog import DropEvent

Record: TypeAlias = MutableMapping[str, Any]

#: Records that may wait to be written; further ones are written without their traceback.
_WAITING = 64

#: Frames of each exception, and characters of the whole.
_FRAMES = 30
_HEAD_CHARS, _TAIL_CHARS = 12_000, 8_000

#: How long the end of the process waits for what is still to be written.
_LAST_SECONDS = 2.0

#: How much of an exception's message is shown without its traceback.
_MESSAGE_CHARS = 300


class TracebackWriter:
    """structlog processor: takes records with an exception out of the chain and writes them."""

    def __init__(self, write: Callable[[Record], None]) -> None:
        self._write = write
        self._records: queue.Queue[Record | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, _: object, __: str, record: Record) -> Record:
        error = _exception_of(record.pop("exc_info", None))
        if error is None:
            return record
        self._start()
        try:
            self._records.put_nowait({**record, "exception": error})
        except queue.Full:
            record["exception"] = f"{_message(error)} (no traceback)"
            return record
        raise DropEvent

    def flush(self) -> None:
        """Return when everything that was taken is written."""
        self._records.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tracebacks", daemon=True)
                self._thread.start()
                atexit.register(self._close)

    def _run(self) -> None:
        while (record := self._records.get()) is not None:
            try:
                self._write({**record, "exception": format_bounded(record["exception"])})
            except (OSError, ValueError):  # standard error is closed: there is nowhere to write
                pass
            finally:
                self._records.task_done()

    def _close(self) -> None:
        try:
            self._records.put(None, timeout=_LAST_SECONDS)
        except queue.Full:
            return
        if self._thread is not None:
            self._thread.join(_LAST_SECONDS)


def format_bounded(error: BaseException) -> str:
    """The traceback of an exception and its causes, without local variables, cut in the middle."""
    text = "".join(traceback.format_exception(error, limit=_FRAMES)).rstrip()
    if len(text) > _HEAD_CHARS + _TAIL_CHARS:
        left_out = len(text) - _HEAD_CHARS - _TAIL_CHARS
        text = f"{text[:_HEAD_CHARS]}\n... {left_out} characters ...\n{text[-_TAIL_CHARS:]}"
    return text


def _exception_of(given: object) -> BaseException | None:
    """The exception of an `exc_info`, in any of the forms that logging takes."""
    match given:
        case BaseException():
            return given
        case (_, BaseException() as error, _):
            return error
        case _:
            return sys.exc_info()[1] if given else None


def _message(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()[:_MESSAGE_CHARS]
