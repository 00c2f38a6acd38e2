"""A bounded reader of server-sent events.

Follows the WHATWG event stream format: LF, CR and CRLF end a line, an event may span several
`data:` lines, and a byte order mark at the start is skipped. Two differences are deliberate: the
length of an event is limited, and a last event that lacks its closing blank line still counts,
because some endpoints omit it after `[DONE]`.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

#: The longest line, and the longest data of one event.
EVENT_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class EventTooLong(Exception):
    """A line, or the data of an event, exceeds EVENT_BYTES."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `name` is empty where the stream names none."""

    name: str
    data: str


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[ServerEvent]:
    """The events of a stream. Raises EventTooLong."""
    lines, event = _Lines(), _Event()
    async for piece in pieces:
        for line in lines.split(piece):
            if (complete := event.take(line)) is not None:
                yield complete
    for line in (lines.rest(), b""):
        if (complete := event.take(line)) is not None:
            yield complete


class _Lines:
    """Splits a stream into lines, whatever pieces it arrives in."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._is_first = True
        #: The last piece ended in CR: an LF at the start of the next one belongs to it.
        self._after_cr = False

    def split(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes."""
        if not piece:
            return []
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
            if not piece:
                return []
        self._after_cr = piece.endswith(b"\r")
        first, *others = _LINE_END.split(piece)
        self._keep(first)
        lines = []
        for part in others:
            lines.append(self.rest())
            self._keep(part)
        return lines

    def rest(self) -> bytes:
        """What has come of the line that is not complete yet."""
        line = b"".join(self._rest)
        self._rest, self._size = [], 0
        if self._is_first:
            self._is_first = False
            line = line.removeprefix(_BOM)
        return line

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > EVENT_BYTES:
            raise EventTooLong(f"expected lines of at most {EVENT_BYTES} bytes")
        if part:
            self._rest.append(part)


@dataclass(slots=True)
class _Event:
    """An event under construction."""

    name: str = ""
    data: list[bytes] = field(default_factory=list)
    size: int = 0

    def take(self, line: bytes) -> ServerEvent | None:
        """Add a line; the event when the line completes one."""
        if not line:
            return self._complete()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self.size += len(value) + 1
            if self.size > EVENT_BYTES:
                raise EventTooLong(f"expected events of at most {EVENT_BYTES} bytes")
            self.data.append(value)
        elif name == b"event":
            self.name = value.decode("utf-8", "replace")
        return None

    def _complete(self) -> ServerEvent | None:
        name, data = self.name, b"\n".join(self.data)
        self.name, self.data, self.size = "", [], 0
        if not data and not name:
            return None
        return ServerEvent(name, data.decode("utf-8", "replace"))
