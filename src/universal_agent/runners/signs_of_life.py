"""Signs of life of a run: output, events, and a touch of its progress file.

Silence is counted from the latest sign, by the monotonic clock. While a tool is in flight in an
agent's stream of events, silence is no sign of a hang: the clock of silence stands still then.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from universal_agent.clock import Clock
from universal_agent.files import folder

#: Tools in flight at the same time, and characters of their ids, that are told apart.
_MOST_TOOLS, _TOOL_CHARS = 1000, 200


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

    def __init__(self, clock: Clock, log: Path | None = None) -> None:
        """`log` is the run's log: the progress file that the run may touch is next to it."""
        self._clock = clock
        self._log = log
        self.last = LastSign(clock.now(), Sign.START)
        self._at = clock.monotonic()
        #: When the progress file was changed, at the latest look.
        self._touched: float | None = None
        #: Tools that an agent waits for, by its own ids.
        self._tools: set[str] = set()
        #: Whether output is read that an earlier gateway has read already.
        self.is_replaying = False

    def sign(self, kind: Sign = Sign.OUTPUT, *, shown_at: datetime | None = None) -> None:
        """Record a sign of life now. `shown_at` is its time where that is known to be earlier."""
        if not self.is_replaying:
            self._at = self._clock.monotonic()
            self.show(shown_at or self._clock.now(), kind)

    def show(self, at: datetime, kind: Sign) -> None:
        """Show that sign as the latest one. Silence is counted as before.

        An adopted run gets its whole idle time again: the wall clock, which alone knows how long
        no gateway was there, may have been set, and the machine may have slept.
        """
        self.last = LastSign(at, kind)

    def tool_began(self, tool: object) -> None:
        """An agent waits for a tool."""
        if len(self._tools) < _MOST_TOOLS:
            self._tools.add(str(tool)[:_TOOL_CHARS])

    def tool_ended(self, tool: object) -> None:
        """The tool has answered."""
        self._tools.discard(str(tool)[:_TOOL_CHARS])

    def silent_for(self) -> float:
        """Seconds since the latest sign, 0 while an agent waits for a tool."""
        return 0.0 if self._tools else self._clock.monotonic() - self._at

    def read_progress(self) -> None:
        """Look at the progress file: a change since the last time is a sign of life."""
        if self._log is None:
            return
        path = progress_path(self._log)
        try:
            with folder(path.parent) as descriptor:
                touched = os.stat(path.name, dir_fd=descriptor, follow_symlinks=False).st_mtime
        except OSError:  # it was never made, or a link is in its path
            return
        if touched != self._touched:
            self._touched = touched
            now = self._clock.now()
            with suppress(OverflowError, ValueError, OSError):  # a time that no clock shows
                self.sign(Sign.PROGRESS, shown_at=min(datetime.fromtimestamp(touched, UTC), now))


def silence_words(seconds: int, last: LastSign, limit: float) -> str:
    """Why a run was stopped that gave no sign of life for so long."""
    what = {Sign.START: "its start", Sign.OUTPUT: "output", Sign.PROGRESS: "progress"}[last.kind]
    return (
        f"stopped: no sign of life for {seconds} s (the last: {what} at "
        f"{last.at:%Y-%m-%d %H:%M:%S} UTC); its limit would have been {limit:g} s"
    )
