"""Where does a run's output go, and how much of it is kept?

One append-only file a run, readable while it grows; past the cap the bytes are counted, not kept.
The file has the bytes as they came. What people are shown of them goes through `plain_text`.
"""

import codecs
import os
import re
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path

from universal_agent.domain.run import PREVIEW_CHARS

#: Bytes of output kept for each run; the rest is counted.
KEPT_BYTES = 1024 * 1024

#: How much of the beginning and of the end is remembered, for the preview and the last line.
_HEAD_BYTES = PREVIEW_CHARS * 4
_TAIL_BYTES = 1024

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles, hyperlinks
    r"|\x1b[ -/]*[0-~]"
)
#: What a terminal or a reader could be misled by: control characters, and marks that turn the
#: direction of the text around.
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


def run_log_path(root: Path, run_id: str, queued_at: datetime) -> Path:
    """Where a run's output is kept: a folder a day."""
    return root / f"{queued_at:%Y-%m-%d}" / f"{run_id}.log"


class RunOutput:
    """A capped log file that remembers its beginning and its end.

    The file is made at the first byte, so a silent run costs no file; its path may be given as a
    function, called only then. `listen` is called with
    each piece of text that is kept, as it comes (agents stream to their session through it); it
    must not raise.
    """

    def __init__(
        self,
        path: Path | Callable[[], Path],
        *,
        kept_bytes: int = KEPT_BYTES,
        listen: Callable[[str], None] | None = None,
    ) -> None:
        self._path = path
        self.total_bytes = 0
        #: Why the file stopped growing before the cap, such as a full disk; None while all is well.
        self.failure: str | None = None
        self._room = kept_bytes
        self._dropped = 0
        self._listen = listen
        # A character may come in two pieces.
        self._decode = _Utf8Decoder("replace").decode
        self._head = b""
        self._tail = b""
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        """Append; never raises for being over the cap, nor for a disk that is full."""
        if not data:
            return
        self.total_bytes += len(data)
        if len(self._head) < _HEAD_BYTES:
            self._head += data[: _HEAD_BYTES - len(self._head)]
        self._tail = (
            (self._tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-_TAIL_BYTES:]
        )
        kept = data[: self._room]
        self._dropped += len(data) - len(kept)
        if kept:
            self._room -= len(kept)
            self._append(kept)
            if self._listen is not None:
                self._listen(self._decode(kept))

    def show(self, text: str) -> None:
        """Set the preview without a file: for an answer that nothing has printed."""
        self._head = self._tail = text.encode()

    def _append(self, data: bytes) -> None:
        if self.failure is not None:
            self._dropped += len(data)
            return
        try:
            if self._file is None:
                path = self._path() if callable(self._path) else self._path
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = FileIO(path, "ab", opener=_private)
            while data:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            # The run matters more than its log: it goes on, and the loss is told.
            self.failure = error.strerror or type(error).__name__
            self._dropped += len(data)

    @property
    def dropped_bytes(self) -> int:
        """How many bytes were not kept: what came after the cap, or found no room on the disk."""
        return self._dropped

    @property
    def preview(self) -> str:
        """The first characters of the output, as plain text."""
        return plain_text(self._head.decode("utf-8", "replace"))[:PREVIEW_CHARS]

    @property
    def is_blank(self) -> bool:
        """Whether nothing but white space came at the beginning and at the end."""
        return not (self._head.strip() or self._tail.strip())

    @property
    def last_line(self) -> str:
        """The last line that is not blank, as plain text; empty when there is none."""
        return next(iter(self.last_lines(1)), "")

    def last_lines(self, count: int) -> list[str]:
        """The last lines that are not blank, as plain text; as many of `count` as are known."""
        lines = plain_text(self._tail.decode("utf-8", "replace")).splitlines()
        return [one_line(line) for line in lines if line.strip()][-count:]

    def close(self) -> None:
        """Say how much was not kept, and close the file."""
        if self._file is None:
            return
        if self._listen is not None and (rest := self._decode(b"", final=True)):
            self._listen(rest)
        if self._dropped and self.failure is None:
            self._append(f"\n[{self._dropped} more bytes were not kept]\n".encode())
        self._file.close()
        self._file = None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
