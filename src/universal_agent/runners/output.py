"""Where does a run's output go, and how much of it is kept?

One append-only file a run, readable while it grows; past the cap the bytes are counted, not kept.
"""

from collections.abc import Callable
from io import BufferedWriter
from pathlib import Path

from universal_agent.domain.run import PREVIEW_CHARS

#: Bytes of output kept for each run; the rest is counted.
KEPT_BYTES = 1024 * 1024


class RunOutput:
    """A capped log file that remembers its beginning.

    The file is made at the first byte, so a silent run costs no file. `listen` is called with
    each piece of text as it comes (agents stream to their session through it).
    """

    def __init__(
        self,
        path: Path,
        *,
        kept_bytes: int = KEPT_BYTES,
        listen: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.total_bytes = 0
        self._kept_bytes = kept_bytes
        self._listen = listen
        self._head = b""
        self._file: BufferedWriter | None = None

    def write(self, data: bytes) -> None:
        """Append; never raises for being over the cap."""
        if not data:
            return
        room = self._kept_bytes - self.total_bytes
        self.total_bytes += len(data)
        if len(self._head) < PREVIEW_CHARS * 4:
            self._head += data[: PREVIEW_CHARS * 4 - len(self._head)]
        if room > 0:
            if self._file is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = self.path.open("ab")
            self._file.write(data[:room])
            self._file.flush()
        if self._listen is not None:
            self._listen(data.decode("utf-8", "replace"))

    @property
    def dropped_bytes(self) -> int:
        """How many bytes came after the cap."""
        return max(0, self.total_bytes - self._kept_bytes)

    @property
    def preview(self) -> str:
        """The first characters of the output, as text."""
        return self._head.decode("utf-8", "replace").replace("\x00", "\ufffd")[:PREVIEW_CHARS]

    def close(self) -> None:
        """Say how much was dropped, and close the file."""
        if self._file is None:
            return
        if self.dropped_bytes:
            self._file.write(f"\n[{self.dropped_bytes} more bytes were not kept]\n".encode())
        self._file.close()
        self._file = None
