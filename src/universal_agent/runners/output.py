"""The output of a run: a capped log file, and a preview for people.

Each run has one append-only file, readable while it grows. After the cap only the end is kept; it
is written when the output is closed, since errors come last. The file contains the raw bytes. Text
that is shown to people goes through `plain_text`.
"""

import codecs
import os
import re
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from universal_agent.domain.run import PREVIEW_CHARS
from universal_agent.files import folder, open_regular, read_regular
from universal_agent.runners.signs_of_life import SignsOfLife

#: Bytes kept of the beginning of a run's output.
KEPT_BYTES = 1024 * 1024

#: Bytes kept of the end of longer output; the bytes between are counted.
END_BYTES = 64 * 1024

#: How much of the beginning and of the end is kept in memory, for the preview and the last line.
_HEAD_BYTES = PREVIEW_CHARS * 4
_TAIL_BYTES = 1024

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles, hyperlinks
    r"|\x1b[ -/]*[0-~]"
)
#: Control characters, and marks that reverse the direction of the text: both can mislead.
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def plain_text(text: str) -> str:
    """The text without terminal sequences; other control characters become U+FFFD."""
    text = _ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str, limit: int = 200) -> str:
    """The text as one plain line of at most `limit` characters, for the inside of a sentence."""
    line = " ".join(plain_text(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class ReplyListener(NamedTuple):
    """Receives a reply while it arrives."""

    hear: Callable[[str], None]
    #: The text so far was thoughts, not part of the reply.
    restart: Callable[[], None]


def run_log_path(root: Path, run_id: str, queued_at: datetime) -> Path:
    """The path of a run's log: one folder per day."""
    return root / f"{queued_at:%Y-%m-%d}" / f"{run_id}.log"


def reply_path(log: Path) -> Path:
    """The path of an agent's reply, used when the log of its run contains more than the reply."""
    return log.with_suffix(".reply")


class RunOutput:
    """A capped log file that keeps its beginning and its end in memory.

    The file is created at the first byte, so a run without output has no file; its path may be a
    function, called only then.

    `write` appends to an agent's reply and to the log; `write_apart` and `write_stderr` append to
    the log only (thoughts of a model, stderr of a program). If the two differ and `listen` is
    given, the reply is stored in a separate file next to the log.

    `replaces` discards an earlier file: an adopted run is read again from its beginning.

    `listen` is called with each kept piece of the reply as it arrives (agents stream to their
    session through it), and `on_restart` when those pieces turn out to be thoughts; neither may
    raise.

    Each piece is a sign of life in `life`.
    """

    def __init__(
        self,
        path: Path | Callable[[], Path],
        *,
        kept_bytes: int = KEPT_BYTES,
        end_bytes: int = END_BYTES,
        replaces: bool = False,
        listen: Callable[[str], None] | None = None,
        on_restart: Callable[[], None] | None = None,
        life: SignsOfLife | None = None,
    ) -> None:
        self._path = path
        #: Where each piece is a sign of life.
        self.life = life
        #: Whether the file begins again, instead of being appended to.
        self._replaces = replaces
        self.total_bytes = 0
        #: Why the file stopped growing before the cap, such as a full disk; None without a failure.
        self.failure: str | None = None
        self._room = kept_bytes
        self._end_bytes = end_bytes if kept_bytes else 0
        #: The last bytes after the cap.
        self._end = bytearray()
        self._dropped = 0
        self._listen = listen
        self._on_restart = on_restart
        # A character may be split over two pieces.
        self._decode = _Utf8Decoder("replace").decode
        self._head = b""
        self._tail = b""
        self._stderr_tail = b""
        #: The reply, if `listen` is given; and whether the log contains more than the reply.
        self._reply = bytearray()
        self._is_mixed = False
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        """Append to the reply and the log; a full disk or an exceeded cap does not raise."""
        if not data:
            return
        if len(self._head) < _HEAD_BYTES:
            self._head += data[: _HEAD_BYTES - len(self._head)]
        self._tail = _end_of(self._tail, data)
        kept = self._keep(data)
        if kept and self._listen is not None:
            self._reply += kept
            self._listen(self._decode(kept))

    def write_apart(self, data: bytes) -> None:
        """Append to the log only; does not raise, like `write`."""
        if data:
            self._is_mixed = True
            self._keep(data)

    def write_stderr(self, data: bytes) -> None:
        """Append the stderr of an agent program to the log only; does not raise, like `write`."""
        if data:
            self._is_mixed = True
            self._stderr_tail = _end_of(self._stderr_tail, data)
            self._keep(data)

    def restart(self) -> None:
        """Discard the reply so far; the log keeps it."""
        self._is_mixed = True
        self._head = self._tail = b""
        self._reply.clear()
        self._decode = _Utf8Decoder("replace").decode
        if self._on_restart is not None:
            self._on_restart()

    def _keep(self, data: bytes) -> bytes:
        """Append as much as the cap allows; returns that part."""
        if self.life is not None:
            self.life.sign()
        self.total_bytes += len(data)
        kept, rest = data[: self._room], data[self._room :]
        if kept:
            self._room -= len(kept)
            self._append(kept)
        if rest:
            self._end += rest[-self._end_bytes :] if self._end_bytes else b""
            self._dropped += len(rest)
            if len(self._end) > 2 * self._end_bytes:  # amortizes the cost of copying
                del self._end[: -self._end_bytes]
        return kept

    def show(self, text: str) -> None:
        """Set the preview without a file, for an answer that no process printed."""
        self._head = self._tail = text.encode()

    def _append(self, data: bytes) -> None:
        if self.failure is not None:
            self._dropped += len(data)
            return
        try:
            if self._file is None:
                path = self._path() if callable(self._path) else self._path
                begin = os.O_TRUNC if self._replaces else 0
                self._file = FileIO(_open_log(path, os.O_APPEND | begin), "ab")
            while data:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            # A run must not fail because of its log: the run continues, and the loss is reported.
            self.failure = error.strerror or type(error).__name__
            self._dropped += len(data)

    @property
    def dropped_bytes(self) -> int:
        """How many bytes are not kept, because of the cap or a full disk."""
        return max(0, self._dropped - self._end_bytes) if self.failure is None else self._dropped

    @property
    def preview(self) -> str:
        """The first characters of the output, as plain text."""
        return plain_text(self._head.decode("utf-8", "replace"))[:PREVIEW_CHARS]

    @property
    def last_line(self) -> str:
        """The last non-blank line, as plain text; empty when there is none."""
        return next(iter(self.last_lines(1)), "")

    def last_lines(self, count: int) -> list[str]:
        """The last non-blank lines, as plain text; at most `count`."""
        return _last_lines(self._tail, count)

    @property
    def closing_words(self) -> str:
        """The last printed lines, as the end of a sentence about a failure; may be empty."""
        said, apart = self.last_line, next(iter(_last_lines(self._stderr_tail, 1)), "")
        if said and apart:
            return f"; last line: {said}; on stderr: {apart}"
        return f"; last line: {said or apart}" if said or apart else ""

    def close(self) -> None:
        """Write the end of the output, store the reply if the log contains more, and close."""
        if self._file is None:
            return
        if self._listen is not None and (rest := self._decode(b"", final=True)):
            self._listen(rest)
        if self._listen is not None and self._is_mixed:
            self._keep_reply()
        if self._dropped and self.failure is None:
            self._append_end()
        self._file.close()
        self._file = None

    def _append_end(self) -> None:
        left_out = self.dropped_bytes
        end = bytes(self._end[-self._end_bytes :]) if self._end_bytes else b""
        mark = f"\n[{left_out} bytes were left out here]\n".encode() if left_out else b""
        self._append(mark + end)

    def _keep_reply(self) -> None:
        path = self._path() if callable(self._path) else self._path
        try:
            with FileIO(_open_log(reply_path(path), os.O_TRUNC), "wb") as file:
                file.write(self._reply)
        except OSError as error:
            self.failure = self.failure or error.strerror or type(error).__name__


def _end_of(tail: bytes, data: bytes) -> bytes:
    return (tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-_TAIL_BYTES:]


def _last_lines(tail: bytes, count: int) -> list[str]:
    lines = plain_text(tail.decode("utf-8", "replace")).splitlines()
    return [one_line(line) for line in lines if line.strip()][-count:]


def _open_log(path: Path, flags: int) -> int:
    """A descriptor for writing a log; missing folders are created.

    No part of the path may be a link. Raises OSError.
    """
    top = path.parents[2]
    with folder(top, path.parent.relative_to(top), create=True) as descriptor:
        return open_regular(path.name, os.O_WRONLY | os.O_CREAT | flags, dir_fd=descriptor)


def read_log(path: Path) -> bytes:
    """The content of a log. Raises OSError, also for a link or anything but a regular file."""
    with folder(path.parent) as descriptor:
        return read_regular(path.name, limit=2 * KEPT_BYTES, dir_fd=descriptor)
