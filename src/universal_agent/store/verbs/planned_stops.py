"""Stops that were asked for: a drain, and the stop of the gateway itself.

They are kept until the next start has decided what passed since.
"""

from datetime import datetime

from universal_agent.domain.judge import Cause
from universal_agent.store.tx import Tx

_DRAINED, _STOPPED = "drained_at", "stopped_at"


def drain_began(tx: Tx, *, now: datetime) -> None:
    """Record that the gateway starts nothing more, because it is to be restarted."""
    tx.run("set_meta", name=_DRAINED, value=str(now.timestamp()))


def stopped(tx: Tx, *, now: datetime) -> None:
    """Record that the gateway was asked to stop, and does."""
    tx.run("set_meta", name=_STOPPED, value=str(now.timestamp()))


def was_planned(tx: Tx) -> bool:
    """Whether the last process stopped because it was asked to."""
    return tx.one("get_meta", name=_STOPPED) is not None


def cause_of_gap(tx: Tx) -> Cause:
    """Why slots were missed between the last process and this one."""
    drained = tx.one("get_meta", name=_DRAINED) is not None
    return Cause.PLANNED_RESTART if drained else Cause.PROCESS_DOWN


def started(tx: Tx) -> None:
    """Forget the last stop: what passed since is decided."""
    tx.run("drop_meta", name=_DRAINED)
    tx.run("drop_meta", name=_STOPPED)
