"""Output of one part of a run, captured while it is forwarded to the run's output."""

import os
from pathlib import Path

from universal_agent.runners.output import RunOutput, plain_text

#: How much of the beginning is captured by default.
_CAPTURED_BYTES = 64 * 1024


class CapturedOutput(RunOutput):
    """Forwards everything, and captures the beginning and the end of this part."""

    def __init__(self, onto: RunOutput, *, captured_bytes: int = _CAPTURED_BYTES) -> None:
        super().__init__(Path(os.devnull), kept_bytes=0, life=onto.life)  # no file
        self._onto = onto
        self._captured_bytes = captured_bytes
        self._text = b""

    def write(self, data: bytes) -> None:
        super().write(data)
        self._text += data[: self._captured_bytes - len(self._text)]
        self._onto.write(data)

    def write_apart(self, data: bytes) -> None:
        super().write_apart(data)
        self._onto.write_apart(data)

    def write_stderr(self, data: bytes) -> None:
        super().write_stderr(data)
        self._onto.write_stderr(data)

    def show(self, text: str) -> None:
        super().show(text)
        self._onto.show(text)

    def restart(self) -> None:
        super().restart()
        self._text = b""
        self._onto.restart()

    @property
    def text(self) -> str:
        """The captured beginning, as plain text."""
        return plain_text(self._text.decode("utf-8", "replace"))
