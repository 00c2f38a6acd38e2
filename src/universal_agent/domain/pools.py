"""Pools: named bounds on how many runs are in execution at the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from universal_agent.errors import InvalidInput
from universal_agent.pool_sizes import DEFAULT_POOL, pool_name, pool_size

#: Runs that are named as the holders of a pool.
_NAMED_HOLDERS = 3


class Origin(StrEnum):
    """Where a pool was set."""

    #: UA_POOLS.
    SETTINGS = "settings"
    #: An operator, by API, command or page.
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool as it is set."""

    name: str
    size: int
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """A pool and the runs in it right now."""

    pool: Pool
    running: int
    waiting: int
    #: When the run that has waited longest was queued; None when none waits.
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A run in execution that holds a place of a pool."""

    run_id: str
    title: str
    started_at: datetime


def check_pool_name(name: str) -> str:
    """The name of a pool. Raises InvalidInput."""
    try:
        return pool_name(name)
    except ValueError as error:
        raise InvalidInput(str(error), field="pool") from None


def check_pool_size(size: int) -> int:
    """The size of a pool. Raises InvalidInput."""
    try:
        return pool_size(size)
    except ValueError as error:
        raise InvalidInput(str(error), field="size") from None


def held_by(name: str | None, size: int, holders: Sequence[Holder], count: int) -> str:
    """What held a pool: the sentence for a slot that was missed while it waited.

    `holders` are the oldest of the `count` runs in execution.
    """
    pool = f"the pool {name or DEFAULT_POOL} (size {size})"
    if not holders:
        return f"{pool} had no free place in time"
    named = [
        f"{holder.title} ({holder.run_id}, since {holder.started_at:%Y-%m-%d %H:%M:%S} UTC)"
        for holder in holders[:_NAMED_HOLDERS]
    ]
    more = count - len(named)
    return f"{pool} was held by {', '.join(named)}" + (f" and {more} more" if more > 0 else "")


def document(use: PoolUse, *, now: datetime, reserved: Mapping[str, int]) -> dict[str, object]:
    """A pool's wire form (docs/contract.md, Pools). `reserved`: light workers, by pool."""
    since = use.waiting_since
    return {
        "name": use.pool.name,
        "size": use.pool.size,
        "origin": use.pool.origin,
        "light_workers": reserved.get(use.pool.name, 0),
        "running": use.running,
        "waiting": use.waiting,
        "oldest_wait_seconds": None if since is None else max(0.0, (now - since).total_seconds()),
    }
