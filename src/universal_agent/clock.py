"""What time is it, and wake me later: the only file that reads time.

Everything else is handed a `Clock`, so that tests move time by hand and a wall clock that jumps
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
from typing import Protocol

#: Longest single sleep towards a wall-clock instant. A suspend or a clock step is noticed
#: within this long after resume, because no sleep outlives it.
LONGEST_SLEEP = timedelta(seconds=1)


class Cancellable(Protocol):
    """A call that has not happened yet."""

    def cancel(self) -> None:
        """Do not make the call; harmless when it was made."""
        ...


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back, may stand still in a suspend."""
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
        """Make `call` on the running event loop after `seconds` of monotonic time."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def sleep_until(self, instant: datetime) -> None:
        ahead = min(instant - self.now(), LONGEST_SLEEP)
        await asyncio.sleep(max(0.0, ahead.total_seconds()))

    def call_later(self, seconds: float, call: Callable[[], object]) -> Cancellable:
        return asyncio.get_running_loop().call_later(seconds, call)


class ClockJump(StrEnum):
    """How wall and monotonic time came apart."""

    #: The host slept: wall time went on alone, forward, and the loop did not run.
    SUSPENDED = "host_suspended"
    #: Somebody set the clock forward (or the host slept with its monotonic clock stopped).
    FORWARD = "clock_step"
    #: Somebody set the clock back.
    BACKWARD = "clock_step_back"


@dataclass(frozen=True, slots=True)
class ClockGap:
    """One jump: what it was, and the wall times on either side of it."""

    jump: ClockJump
    before: datetime
    after: datetime


class ClockWatch:
    """Compares the two clocks each time it is asked, and tells of a jump once.

    A process that was stopped (SIGSTOP, a frozen VM) sees both clocks move on together while it
    could do nothing: that is a suspend too, seen as a tick that came much later than it was
    asked for. A wall clock that moved without the monotonic one is a step, or a suspend on a
    kernel whose monotonic clock stands still in one; the two cannot be told apart from here, and
    `suspend_stops_monotonic` is how Linux does it, so a forward jump is called `host_suspended`
    only where the boot-time clock, which runs on in a suspend, moved with the wall clock.
    """

    def __init__(
        self, clock: Clock, *, tolerance: timedelta = timedelta(seconds=2), boottime: bool = True
    ) -> None:
        self._clock = clock
        self._tolerance = tolerance
        self._boottime = boottime and hasattr(time, "CLOCK_BOOTTIME")
        self._wall = clock.now()
        self._mono = clock.monotonic()
        self._asleep = self._time_asleep()

    def _time_asleep(self) -> float:
        """Seconds this host has spent suspended since it booted; 0 where that is not known."""
        if not (self._boottime and isinstance(self._clock, SystemClock)):
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)

    def look(self) -> ClockGap | None:
        """The jump since the last look, or None when both clocks moved as they should."""
        wall, mono, asleep = self._clock.now(), self._clock.monotonic(), self._time_asleep()
        before, ran = self._wall, mono - self._mono
        drift = (wall - before).total_seconds() - ran
        slept = asleep - self._asleep
        self._wall, self._mono, self._asleep = wall, mono, asleep
        limit = self._tolerance.total_seconds()
        if drift < -limit:
            return ClockGap(ClockJump.BACKWARD, before, wall)
        if drift > limit:
            jump = ClockJump.SUSPENDED if slept > limit else ClockJump.FORWARD
            return ClockGap(jump, before, wall)
        if ran > LONGEST_SLEEP.total_seconds() + limit:
            return ClockGap(ClockJump.SUSPENDED, before, wall)
        return None


class Stopwatch:
    """Monotonic seconds since it was made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.monotonic()

    def seconds(self) -> float:
        return self._clock.monotonic() - self._start
