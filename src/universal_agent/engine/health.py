"""Health: whether the gateway can be relied on right now, and why not."""

from dataclasses import dataclass

from universal_agent.engine.drain import Drain
from universal_agent.engine.pools import Pools
from universal_agent.engine.supervisor import Supervisor
from universal_agent.engine.watchdog import Watchdog
from universal_agent.masking import mask
from universal_agent.store.store import Store


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Whether the gateway can be relied on right now."""

    ok: bool
    #: Why not, one sentence each.
    reasons: tuple[str, ...]
    store_error: str | None
    #: Runs wait too long: it is up, and has too little room.
    is_degraded: bool = False
    #: The gateway drains, and stops when its runs have ended.
    is_draining: bool = False


class Health:
    """Collects what is wrong."""

    def __init__(self, store: Store, supervisor: Supervisor) -> None:
        self._store = store
        self._supervisor = supervisor
        self._watchdog: Watchdog | None = None
        self._drain: Drain | None = None
        self._pools: Pools | None = None
        self._has_recovered = False

    def drains(self, drain: Drain) -> None:
        """Report that the gateway drains."""
        self._drain = drain

    def asks(self, pools: Pools) -> None:
        """Report runs that wait too long."""
        self._pools = pools

    def watch(self, watchdog: Watchdog) -> None:
        """Report the watchdog's alarm too."""
        self._watchdog = watchdog

    def recovered(self) -> None:
        """The start is complete."""
        self._has_recovered = True

    def has_recovered(self) -> bool:
        """Whether the start is complete."""
        return self._has_recovered

    def loop_alarm(self) -> str | None:
        """Why the event loop seems to stand still; None while it does not."""
        return None if self._watchdog is None else self._watchdog.alarm

    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.report().ok

    def report(self) -> HealthReport:
        """What is wrong right now, if anything."""
        reasons = []
        if not self._has_recovered:
            reasons.append("recovery has not finished")
        for loop, reason in sorted(self._supervisor.failures.items()):
            reasons.append(f"the {loop} loop is down ({reason}) and is being started again")
        if (alarm := self.loop_alarm()) is not None:
            reasons.append(alarm)
        error = self._store.last_error
        if error is not None:
            reasons.append(f"the database cannot take writes ({error})")
        ok, drain = not reasons, self._drain
        if is_draining := drain is not None and drain.is_on:
            reasons.append(drain.sentence)
        waits = [] if self._pools is None else self._pools.reasons()
        reasons += waits
        return HealthReport(
            ok=ok,
            is_degraded=bool(waits),
            reasons=tuple(map(mask, reasons)),
            store_error=error,
            is_draining=is_draining,
        )
