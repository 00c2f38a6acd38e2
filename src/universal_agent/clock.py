"""The clocks: the only file that reads time.

Everything else receives a `Clock`, so that tests move time by hand and a wall clock that jumps
is seen in one place. Wall time (`now`) says when slots are due; monotonic time says how long
something took. The two drift apart when the host sleeps or somebody sets the clock, and
`ClockWatch` turns that difference into a fact.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

#: Longest single sleep towards a wall-clock instant. A suspend or a clock step is noticed
#: within this long after resume, because no sleep outlives it.
LONGEST_SLEEP = timedelta(seconds=1)

#: A change of the clock by no more than this is a correction; by more, a jump.
TOLERANCE = timedelta(seconds=2)

#: Linux: nanoseconds on a processor, nanoseconds ready and without one, time slices.
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


class Cancellable(Protocol):
    """A call that has not happened yet."""

    def cancel(self) -> None:
        """Cancel the call; no effect after it was made."""
        ...


class Clock(Protocol):
    """The source of time."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, may stand still in a suspend."""
        ...

    def asleep(self) -> float:
        """Seconds this host has spent suspended since it booted; 0 where that is not known."""
        ...

    def worked(self) -> float:
        """Seconds in which this process computed, or waited for a processor, since its start.

        They go on while the process is busy and stand still while it is stopped.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Return when the wall clock has reached `instant`, or after LONGEST_SLEEP.

        The caller looks at the clock again and decides: a sleep is never trusted past the bound.
        """
        ...

    def call_later(self, seconds: float, call: Callable[[], object]) -> Cancellable:
        """Call `call` on the running event loop after `seconds` of monotonic time."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def asleep(self) -> float:
        # Linux stops CLOCK_MONOTONIC in a suspend and lets CLOCK_BOOTTIME run on.
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return 0.0
        awake = time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.clock_gettime(time.CLOCK_BOOTTIME) - awake

    def worked(self) -> float:
        return time.process_time() + _waited_for_a_processor()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def sleep_until(self, instant: datetime) -> None:
        ahead = min(instant - self.now(), LONGEST_SLEEP)
        await asyncio.sleep(max(0.0, ahead.total_seconds()))

    def call_later(self, seconds: float, call: Callable[[], object]) -> Cancellable:
        return asyncio.get_running_loop().call_later(seconds, call)


def _waited_for_a_processor() -> float:
    """Seconds that this thread was ready to run and had no processor; 0 where that is unknown."""
    try:
        return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class ClockJump(StrEnum):
    """The kinds of divergence of wall and monotonic time."""

    #: The host slept, or the process was stopped: time passed and nothing could run.
    SUSPENDED = "host_suspended"
    #: The wall clock was set forward.
    FORWARD = "clock_step"
    #: The wall clock was set back.
    BACKWARD = "clock_step_back"


@dataclass(frozen=True, slots=True)
class ClockGap:
    """One jump: what it was, and the wall times on either side of it."""

    jump: ClockJump
    before: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class _Reading:
    wall: datetime
    monotonic: float
    asleep: float
    worked: float


class ClockWatch:
    """Finds jumps of the wall clock by comparing it with the monotonic one.

    Look at least every `longest_sleep`; each jump is reported once. Between two looks both clocks
    should move on alike, and by little:

    - the wall clock fell behind the other: it was set back (BACKWARD);
    - it ran ahead: the host was asleep (SUSPENDED), or else it was set forward (FORWARD). Where
      the host does not tell its time asleep, a suspend is taken for a step;
    - both moved on alike, but far past the longest sleep, and the process did not work in that
      time: it was stopped (SIGSTOP, a paused VM), which for its slots is a suspend too
      (SUSPENDED). A process that was busy with its own work was not.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        tolerance: timedelta = TOLERANCE,
        longest_sleep: timedelta = LONGEST_SLEEP,
    ) -> None:
        self._clock = clock
        self._tolerance = tolerance.total_seconds()
        self._longest_sleep = longest_sleep.total_seconds()
        self._last = self._read()

    def look(self) -> ClockGap | None:
        """The jump since the last look, or None when both clocks moved as they should."""
        last, self._last = self._last, self._read()
        wall = (self._last.wall - last.wall).total_seconds()
        ran = self._last.monotonic - last.monotonic
        slept = self._last.asleep - last.asleep
        if wall - ran < -self._tolerance:
            jump = ClockJump.BACKWARD
        elif wall - ran > self._tolerance:
            jump = ClockJump.SUSPENDED if slept > self._tolerance else ClockJump.FORWARD
        elif ran - (self._last.worked - last.worked) > self._longest_sleep + self._tolerance:
            jump = ClockJump.SUSPENDED
        else:
            return None
        return ClockGap(jump, last.wall, self._last.wall)

    def _read(self) -> _Reading:
        clock = self._clock
        return _Reading(clock.now(), clock.monotonic(), clock.asleep(), clock.worked())


class Stopwatch:
    """Monotonic seconds since it was made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.monotonic()

    def seconds(self) -> float:
        return self._clock.monotonic() - self._start
