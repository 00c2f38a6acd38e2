"""Cooldowns of resources: listed, and closed by a person."""

from datetime import datetime

from universal_agent.domain.cooldown import UNUSED_FOR, Closed, Cooldown
from universal_agent.store.steps.cooldowns import close_cooldown, read_open
from universal_agent.store.tx import Tx


def open_cooldowns(tx: Tx) -> list[Cooldown]:
    """Every open cooldown, by the name of its resource."""
    return list(read_open(tx).values())


def clear_cooldown(tx: Tx, resource: str, *, by: str, now: datetime) -> Cooldown | None:
    """Close the cooldown of a resource, whatever it waits for; None when there is none."""
    cooldown = read_open(tx).get(resource)
    if cooldown is None or not close_cooldown(tx, cooldown, Closed.OPERATOR, by=by, now=now):
        return None
    return cooldown


def close_unused(tx: Tx, *, now: datetime) -> int:
    """Close cooldowns whose time is long over and that no run has probed; returns how many."""
    unused = [
        cooldown
        for cooldown in read_open(tx).values()
        if cooldown.until + UNUSED_FOR < now and not cooldown.is_probing
    ]
    return sum(close_cooldown(tx, cooldown, Closed.UNUSED, now=now) for cooldown in unused)
