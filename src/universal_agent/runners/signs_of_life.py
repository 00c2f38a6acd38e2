"""Signs of life of a run: output, events, and a touch of its progress file.

Silence is counted from the latest sign, by the monotonic clock. While a tool is in flight in an
agent's stream of events, silence is no sign of a hang: the clock of silence stands still then.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from universal_agent.clock import Clock
from universal_agent.files import folder


class Sign(StrEnum):
    """What the latest sign of life was."""

    START = "start"
    OUTPUT = "output"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class LastSign:
    """The latest sign of life."""

    at: datetime
    kind: Sign


def progress_path(log: Path) -> Path:
    """The path of a run's progress file, next to its log."""
    return log.with_suffix(".progress")


class SignsOfLife:
    """The signs of one run, in the memory of the process that executes it."""

    def __init__(self, clock: Clock, progress: Path | None = None) -> None:
        """`progress` is the file that the run may touch."""
        self._clock = clock
        self._progress = progress
        self.last = LastSign(clock.now(), Sign.START)
        self._at = clock.monotonic()
        #: When the progress file was changed, at the latest look.
        self._touched: float | None = None
        #: Tools that an agent waits for, by its own ids.
        self._tools: set[str] = set()
        #: Whether output is read again that an earlier gateway has read.
        self.is_replaying = False

    def sign(self, kind: Sign = Sign.OUTPUT) -> None:
        """There is a sign of life now."""
        if not self.is_replaying:
            self._at, self.last = self._clock.monotonic(), LastSign(self._clock.now(), kind)

    def resume(self, at: datetime, kind: Sign = Sign.OUTPUT) -> None:
        """The latest sign was at that time of the wall clock, if that is not earlier than known.

        A time that is yet to come counts as now.
        """
        now = self._clock.now()
        at = min(at, now)
        monotonic = self._clock.monotonic() - (now - at).total_seconds()
        if monotonic > self._at or self.last.kind is Sign.START:
            self._at, self.last = monotonic, LastSign(at, kind)

    def began(self, at: datetime) -> None:
        """The run began at that time, under an earlier gateway."""
        self.last = LastSign(at, Sign.START)
        self._at = self._clock.monotonic() - (self._clock.now() - at).total_seconds()

    def tool_began(self, tool: object) -> None:
        """An agent waits for a tool."""
        self._tools.add(str(tool))

    def tool_ended(self, tool: object) -> None:
        """The tool has answered."""
        self._tools.discard(str(tool))

    @property
    def is_in_tool(self) -> bool:
        """Whether an agent waits for a tool."""
        return bool(self._tools)

    def silent_for(self) -> float:
        """Seconds since the latest sign, 0 while an agent waits for a tool.

        Looks at the progress file.
        """
        self._look()
        return 0.0 if self._tools else self._clock.monotonic() - self._at

    def _look(self) -> None:
        if self._progress is None:
            return
        touched = None
        with suppress(OSError):  # it was never made, or a link is in its path
            with folder(self._progress.parent) as descriptor:
                found = os.stat(self._progress.name, dir_fd=descriptor, follow_symlinks=False)
            touched = found.st_mtime
        if touched is not None and touched != self._touched:
            self._touched = touched
            with suppress(OverflowError, ValueError, OSError):  # a time that no clock shows
                at = datetime.fromtimestamp(touched, self.last.at.tzinfo)
                self.resume(at, Sign.PROGRESS)


def silence_words(seconds: int, last: LastSign, limit: float) -> str:
    """Why a run was stopped that gave no sign of life for so long."""
    what = {Sign.START: "its start", Sign.OUTPUT: "output", Sign.PROGRESS: "progress"}[last.kind]
    return (
        f"stopped: no sign of life for {seconds} s (the last: {what} at "
        f"{last.at:%Y-%m-%d %H:%M:%S} UTC); its limit would have been {limit:g} s"
    )
