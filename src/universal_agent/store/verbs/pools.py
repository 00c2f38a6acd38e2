"""Pools: read, set and removed; the queue's ageing; what a pool is held by."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.pools import Origin, Pool, PoolUse
from universal_agent.domain.slot import from_epoch
from universal_agent.errors import Conflict, LimitReached, NotFound
from universal_agent.pool_sizes import DEFAULT_POOL, MOST_POOLS
from universal_agent.store.tx import Lane, Row, Tx, in_lane

_OPERATOR = "UA_POOLS"


def _pool(row: Row) -> Pool:
    name, size, origin = row
    return Pool(name=name, size=size, origin=Origin(origin))


def pools_in_use(tx: Tx, *, concurrency: int) -> list[PoolUse]:
    """Every pool with its runs: first that of jobs that name none, then by name."""
    running: dict[str, int] = dict(tx.all("pools_running"))
    waiting = {name: (count, since) for name, count, since in tx.all("pools_waiting")}
    unnamed = Pool(name=DEFAULT_POOL, size=concurrency, origin=Origin.SETTINGS)
    found = []
    for pool in (unnamed, *map(_pool, tx.all("list_pools"))):
        name = "" if pool is unnamed else pool.name
        count, since = waiting.get(name, (0, None))
        found.append(
            PoolUse(
                pool=pool,
                # Runs of every pool have a worker.
                running=sum(running.values()) if pool is unnamed else running.get(name, 0),
                waiting=count,
                waiting_since=None if since is None else from_epoch(since),
            )
        )
    return found


def put_pool(tx: Tx, name: str, size: int, *, by: str, now: datetime) -> Pool:
    """Make or resize a pool. Raises Conflict for one of UA_POOLS, and LimitReached."""
    before = tx.one("get_pool", name=name)
    if before is None and len(tx.all("list_pools")) >= MOST_POOLS:
        raise LimitReached(f"There are {MOST_POOLS} pools; remove one first.")
    _require_own(before)
    pool = Pool(name=name, size=size, origin=Origin.OPERATOR)
    _put(tx, pool, before, by=by, now=now)
    return pool


def delete_pool(tx: Tx, name: str, *, by: str, now: datetime) -> None:
    """Remove a pool. Raises NotFound, and Conflict for one of UA_POOLS or that a job names."""
    row = tx.one("get_pool", name=name)
    if row is None:
        raise NotFound(f"There is no pool {name!r}.")
    _require_own(row)
    if (job := tx.one("job_of_pool", name=name)) is not None:
        raise Conflict(
            f"The job {job[0]} runs in the pool {name!r}: move it to another pool first "
            "(`ua job edit ID --pool NAME`, or `--pool none`)."
        )
    _drop(tx, _pool(row), by=by, now=now)


def apply_pools(tx: Tx, sizes: Mapping[str, int], *, now: datetime) -> None:
    """Set the pools of UA_POOLS. One that it names no more goes, or stays if a job names it."""
    rows = {row[0]: row for row in tx.all("list_pools")}
    for name, size in sizes.items():
        pool = Pool(name=name, size=size, origin=Origin.SETTINGS)
        _put(tx, pool, rows.get(name), by=_OPERATOR, now=now)
    for name, row in rows.items():
        pool = _pool(row)
        if name in sizes or pool.origin is not Origin.SETTINGS:
            continue
        if tx.one("job_of_pool", name=name) is None:
            _drop(tx, pool, by=_OPERATOR, now=now)
        else:
            kept = Pool(name=name, size=pool.size, origin=Origin.OPERATOR)
            _put(tx, kept, row, by=_OPERATOR, now=now)


def _require_own(row: Row | None) -> None:
    if row is not None and _pool(row).origin is Origin.SETTINGS:
        raise Conflict(
            f"The pool {row[0]!r} is set by UA_POOLS: change it there, and restart the gateway."
        )


def _put(tx: Tx, pool: Pool, before: Row | None, *, by: str, now: datetime) -> None:
    if before is not None and _pool(before) == pool:
        return
    tx.run("put_pool", name=pool.name, size=pool.size, origin=pool.origin, now=now.timestamp())
    tx.append(events.pool_changed(pool, size=pool.size, by=by, now=now))


def _drop(tx: Tx, pool: Pool, *, by: str, now: datetime) -> None:
    tx.run("delete_pool", name=pool.name)
    tx.run("runs_leave_pool", name=pool.name)
    tx.append(events.pool_changed(pool, size=None, by=by, now=now))


@in_lane(Lane.ENGINE)
def waiting_since(tx: Tx) -> dict[str, datetime]:
    """When the run that has waited longest in each pool was queued."""
    return {name or DEFAULT_POOL: from_epoch(since) for name, _, since in tx.all("pools_waiting")}


def raise_waiting(tx: Tx, *, after: timedelta, now: datetime, limit: int) -> int:
    """Raise the priority of up to `limit` runs that have waited for so long by one step.

    Returns how many.
    """
    since = (now - after).timestamp()
    return tx.run("raise_waiting", since=since, now=now.timestamp(), limit=limit)
