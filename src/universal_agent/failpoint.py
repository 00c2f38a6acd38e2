"""Failpoints: places at which a test kills this process.

    UA_FAILPOINT=after_spawn:3 python -m universal_agent serve

kills the gateway when it has started a child for the third time, as `kill -9` would: nothing is
flushed, no handler runs. For crash tests only. It is read from the environment once, at start, and
cannot be set over HTTP. While it is not set, passing a point costs one comparison.
"""

import os
import signal
from enum import StrEnum
from threading import Lock

from universal_agent.errors import SettingsError


class Failpoint(StrEnum):
    """The points in the life of a run at which a crash is tested."""

    #: Slots are claimed, not committed.
    BEFORE_ADMIT_COMMIT = "before_admit_commit"
    #: Slots are claimed and committed; no caller has been answered.
    AFTER_ADMIT_COMMIT = "after_admit_commit"
    #: The run is called running, its child does not exist.
    BEFORE_SPAWN = "before_spawn"
    #: The child runs and is not watched yet.
    AFTER_SPAWN = "after_spawn"
    #: The end is written, not committed.
    BEFORE_FINISH_COMMIT = "before_finish_commit"
    #: The end is committed; no caller has been answered.
    AFTER_FINISH_COMMIT = "after_finish_commit"
    #: At start: the processes of a dead gateway are ended, their runs not closed yet.
    BEFORE_INTERRUPT_COMMIT = "before_interrupt_commit"
    #: At start: the runs of a dead gateway are closed; the slots since then are not decided.
    AFTER_INTERRUPT_COMMIT = "after_interrupt_commit"
    #: A channel has taken a notification; that is not recorded yet.
    BEFORE_DELIVERY_COMMIT = "before_delivery_commit"


class _Trap:
    """Kills this process when a point is passed for the n-th time."""

    def __init__(self, point: Failpoint, passes: int) -> None:
        self._point = point
        self._left = passes
        self._lock = Lock()  # points are passed on the event loop and on the store's writer

    def passed(self, point: Failpoint) -> None:
        if point is not self._point:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.write(2, f"UA_FAILPOINT: killed at {point}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


_trap: _Trap | None = None


def arm(setting: str) -> None:
    """Set the trap that `point` or `point:n` describes; an empty text sets none.

    Raises SettingsError for anything else.
    """
    global _trap
    if not setting:
        _trap = None
        return
    name, _, passes = setting.partition(":")
    if name not in tuple(Failpoint) or not (passes or "1").isdecimal() or int(passes or 1) < 1:
        raise SettingsError(
            f"UA_FAILPOINT: expected one of {', '.join(Failpoint)}, with :n for its n-th pass, "
            f"got {setting!r}"
        )
    _trap = _Trap(Failpoint(name), int(passes or 1))


def passing(point: Failpoint) -> None:
    """Kill this process here if UA_FAILPOINT names this point."""
    if _trap is not None:
        _trap.passed(point)
