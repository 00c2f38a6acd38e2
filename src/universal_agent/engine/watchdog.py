"""The watchdog: a thread that notices when the event loop stands still.

It checks the age of the timer's last tick. If that is too old, health reports it (from the thread's
own flag, which a stuck loop cannot hide), the timer is asked to look at its clock again, and
`on_alarm` is called from this thread. With UA_WATCHDOG_PING_URL an outside monitor is pinged while
all is well, so that a gateway that has stopped is noticed by its silence. A ping has a thread of
its own: one that hangs delays no check of the loop.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import httpx
import structlog

from universal_agent.masking import mask
from universal_agent.threads import Pool

_log = structlog.get_logger(__name__)

#: Seconds without a tick that mean trouble.
STALLED_SECONDS = 5.0

#: The least seconds between two looks of the thread. While the loop ticks it sleeps for as long as
#: the last tick is good for.
_LOOK_SECONDS = 1.0

_PING_SECONDS = 60.0

#: Seconds that each step of a ping may take: to connect, to send, to receive.
_PING_STEP_SECONDS = 10.0

_UNANSWERED = "the ping before has had no answer yet"


class Watchdog:
    """Watches a sign of life from outside the event loop."""

    def __init__(
        self,
        seconds_since_tick: Callable[[], float],
        *,
        rearm: Callable[[], None],
        healthy: Callable[[], bool],
        ping_url: str = "",
        on_alarm: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`on_alarm` is called with the reason, from the watchdog's thread, when an alarm begins;
        it must not wait.
        """
        self._seconds_since_tick = seconds_since_tick
        self._rearm = rearm
        self._healthy = healthy
        self._ping_url = ping_url
        self._on_alarm = on_alarm
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pings = Pool("ping", 1)
        self._pinging = threading.Event()
        #: Why the loop is thought to be stuck; None while it ticks.
        self.alarm: str | None = None
        #: Why the last ping did not get through; None when it did.
        self.ping_error: str | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="ua-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. A second call does nothing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _LOOK_SECONDS)
            self._thread = None

    def _watch(self) -> None:
        ping_in = pause = _LOOK_SECONDS
        while not self._stop.wait(pause):
            try:
                self.look()
                ping_in -= pause
                if self._ping_url and ping_in <= 0:
                    ping_in = _PING_SECONDS
                    self.ping()
            except Exception:
                # The thread must live: nothing else watches the loop.
                _log.exception("watchdog_failed")
            pause = max(_LOOK_SECONDS, STALLED_SECONDS - self._seconds_since_tick())

    def look(self) -> None:
        """Compare the last tick with what is allowed, and raise or clear the alarm."""
        silent = self._seconds_since_tick()
        if silent <= STALLED_SECONDS:
            if self.alarm is not None:
                _log.warning("loop_ticks_again")
            self.alarm = None
            return
        begins = self.alarm is None
        self.alarm = f"the scheduler has not looked at its clock for {silent:.0f} s"
        if begins:
            _log.error("loop_stalled", silent_seconds=round(silent, 1))
        self._rearm()
        if begins:
            self._on_alarm(self.alarm)

    def ping(self) -> Future[None] | None:
        """Begin to ping the outside monitor. None when something is wrong, so that its silence is
        the message, and while the ping before is not answered.
        """
        if self.alarm is not None or not self._healthy():
            return None
        if self._pinging.is_set():
            self._ping_failed(_UNANSWERED)
            return None
        self._pinging.set()
        return self._pings.submit(self._send_ping)

    def _send_ping(self) -> None:
        try:
            httpx.get(self._ping_url, timeout=_PING_STEP_SECONDS).raise_for_status()
        except Exception as error:
            self._ping_failed(f"{type(error).__name__}: {error}")
        else:
            self.ping_error = None
        finally:
            self._pinging.clear()

    def _ping_failed(self, reason: str) -> None:
        self.ping_error = mask(reason)
        _log.warning("ping_failed", error=self.ping_error)
