"""When is there something to do next?

The timer sleeps to the earliest due instant it knows of, and never longer than a second and a
half: it then holds the wall clock against the monotonic one, so that a suspend or a clock step is
noticed that soon after resume. While nothing is due, that look is all that happens.
"""

import asyncio
from datetime import datetime

from universal_agent.clock import Clock, ClockGap, ClockWatch

#: The longest sleep, in seconds.
_LOOK_SECONDS = 1.5


class Timer:
    """Sleeps until it is time, or until somebody says that the time has changed."""

    def __init__(self, clock: Clock, *, longest_sleep: float = _LOOK_SECONDS) -> None:
        self._clock = clock
        self._longest_sleep = longest_sleep
        self._watch = ClockWatch(clock)
        self._due_at: datetime | None = None
        self._changed = asyncio.Event()
        self._ticked = clock.monotonic()

    @property
    def due_at(self) -> datetime | None:
        """The earliest instant it was told of."""
        return self._due_at

    @property
    def seconds_since_tick(self) -> float:
        """How long ago the timer last looked at the clock: the sign of life of its loop."""
        return self._clock.monotonic() - self._ticked

    def tick(self) -> None:
        """Give a sign of life: the loop is there, if only to try again."""
        self._ticked = self._clock.monotonic()

    def forget(self) -> None:
        """Nothing is known to be due: called before the store is asked what is.

        What others bring forward between the question and its answer is kept.
        """
        self._due_at = None

    def bring_forward(self, due_at: datetime) -> None:
        """Something is due at `due_at`: wake then, if not earlier."""
        if self._due_at is None or due_at < self._due_at:
            self._due_at = due_at
            self._changed.set()

    async def wait(self) -> ClockGap | None:
        """Return when the due instant is reached, or with the gap when the clock jumped."""
        while True:
            self.tick()
            gap = self._watch.look()
            now = self._clock.now()
            if gap is not None:
                return gap
            if self._due_at is not None and self._due_at <= now:
                return None
            await self._sleep(now)

    async def _sleep(self, now: datetime) -> None:
        """One bounded sleep, cut short when an earlier instant is set."""
        self._changed.clear()
        seconds = self._longest_sleep
        if self._due_at is not None:
            seconds = min(seconds, (self._due_at - now).total_seconds())
        timer = self._clock.call_later(seconds, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            timer.cancel()
