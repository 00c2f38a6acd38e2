"""Would anybody notice if the event loop itself stood still?

A thread outside the loop. It looks at the timer's last tick: when that is older than it may be,
health says so (from the thread's own flag, which a stuck loop cannot hide), and the loop is asked
to look at its clock again. With UA_WATCHDOG_PING_URL it also tells an outside monitor that all is
well, so that a gateway that is gone altogether is noticed by its silence.
"""

import threading
from collections.abc import Callable

import httpx
import structlog

_log = structlog.get_logger(__name__)

#: Seconds without a tick that mean trouble.
STALLED_SECONDS = 5.0

#: The least seconds between two looks of the thread. While the loop ticks it sleeps for as long as
#: the last tick is good for.
_LOOK_SECONDS = 1.0

_PING_SECONDS = 60.0


class Watchdog:
    """Watches a sign of life from outside the event loop."""

    def __init__(
        self,
        seconds_since_tick: Callable[[], float],
        *,
        rearm: Callable[[], None],
        healthy: Callable[[], bool],
        ping_url: str = "",
    ) -> None:
        self._seconds_since_tick = seconds_since_tick
        self._rearm = rearm
        self._healthy = healthy
        self._ping_url = ping_url
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: Why the loop is thought to be stuck; None while it ticks.
        self.alarm: str | None = None
        #: Why the last ping did not get through; None when it did.
        self.ping_error: str | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="ua-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; harmless when called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LOOK_SECONDS)
            self._thread = None

    def _watch(self) -> None:
        ping_in = pause = _LOOK_SECONDS
        while not self._stop.wait(pause):
            self.look()
            ping_in -= pause
            if self._ping_url and ping_in <= 0:
                self._ping()
                ping_in = _PING_SECONDS
            pause = max(_LOOK_SECONDS, STALLED_SECONDS - self._seconds_since_tick())

    def look(self) -> None:
        """Compare the last tick with what is allowed, and raise or clear the alarm."""
        silent = self._seconds_since_tick()
        if silent <= STALLED_SECONDS:
            if self.alarm is not None:
                _log.warning("loop_ticks_again", action="loop_ticks_again")
            self.alarm = None
            return
        if self.alarm is None:
            _log.error("loop_stalled", action="loop_stalled", silent_seconds=round(silent, 1))
        self.alarm = f"the scheduler has not looked at its clock for {silent:.0f} s"
        self._rearm()

    def _ping(self) -> None:
        if self.alarm is not None or not self._healthy():
            return  # silence is the message
        try:
            httpx.get(self._ping_url, timeout=10).raise_for_status()
        except httpx.HTTPError as error:
            self.ping_error = f"{type(error).__name__}: {error}"
            _log.warning("ping_failed", action="ping_failed", error=self.ping_error)
        else:
            self.ping_error = None
