"""The timer that the scheduler waits on.

It sleeps to the earliest due instant it knows of, and never longer than a second and a half: it
then compares the wall clock with the monotonic one, so that a suspend or a clock step is noticed
that soon after resume. While nothing is due, that look is all that happens. While the scheduler
works (`looking`), the clock is still compared, so that work is not taken for a suspend.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from universal_agent.clock import Cancellable, Clock, ClockGap, ClockWatch

#: The longest sleep, in seconds.
_LOOK_SECONDS = 1.5


class Timer:
    """Sleeps until the earliest due instant, which may be brought forward while it sleeps."""

    def __init__(self, clock: Clock, *, longest_sleep: timedelta | None = None) -> None:
        """`longest_sleep` is for a clock that cannot jump, and so is looked at seldom."""
        self._clock = clock
        self._longest_sleep = _LOOK_SECONDS
        self._watch = ClockWatch(clock)
        if longest_sleep is not None:
            self._longest_sleep = longest_sleep.total_seconds()
            self._watch = ClockWatch(clock, longest_sleep=longest_sleep)
        self._due_at: datetime | None = None
        self._changed = asyncio.Event()
        self._ticked = clock.monotonic()
        #: Jumps that were noticed and not yet returned by `wait`.
        self._gaps: deque[ClockGap] = deque()
        self._next_look: Cancellable | None = None
        #: The loop that waits here.
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def has_gap(self) -> bool:
        """Whether the clock has jumped since `wait` last returned."""
        return bool(self._gaps)

    @property
    def due_at(self) -> datetime | None:
        """The earliest due instant that is known."""
        return self._due_at

    def silent_seconds(self) -> float:
        """How long ago the timer last looked at the clock: the sign of life of its loop."""
        return self._clock.monotonic() - self._ticked

    def tick(self) -> None:
        """Give a sign of life: the scheduler's loop has made a step."""
        self._ticked = self._clock.monotonic()

    def forget(self) -> None:
        """Forget the due instant, before the store is asked for it.

        A `bring_forward` that arrives while the store is being queried is not lost.
        """
        self._due_at = None

    def bring_forward(self, due_at: datetime) -> None:
        """Wake at `due_at`, if not earlier."""
        if self._due_at is None or due_at < self._due_at:
            self._due_at = due_at
            self._changed.set()

    def rearm(self) -> None:
        """Look at the clock now. From any thread; nothing happens before the first `wait`."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.bring_forward, self._clock.now())

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look for jumps of the clock at the usual intervals while other work is done."""

        self._look_on()
        try:
            yield
        finally:
            if self._next_look is not None:
                self._next_look.cancel()
            self._look()

    def _look_on(self) -> None:
        self._look()
        self._next_look = self._clock.call_later(self._longest_sleep, self._look_on)

    def _look(self) -> None:
        gap = self._watch.look()
        if gap is not None:
            self._gaps.append(gap)

    async def wait(self) -> ClockGap | None:
        """Return when the due instant is reached, or with the gap when the clock jumped."""
        self._loop = asyncio.get_running_loop()
        while True:
            self.tick()
            self._look()
            now = self._clock.now()
            if self._gaps:
                return self._gaps.popleft()
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
