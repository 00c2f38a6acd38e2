"""Cooldowns, decoded from rows."""

from universal_agent.domain.cooldown import Cooldown
from universal_agent.domain.ending import EndClass
from universal_agent.domain.run import RunId
from universal_agent.domain.slot import from_epoch
from universal_agent.store.tx import Row


def cooldown_from_row(row: Row) -> Cooldown:
    """A cooldown from the row of `open_cooldowns`."""
    resource, cause, since, until, is_named, ends, slots, opened_by, run_id = row[:9]
    error, probe_run_id, is_probing = row[9:]
    return Cooldown(
        resource=resource,
        cause=EndClass(cause),
        since=from_epoch(since),
        until=from_epoch(until),
        is_named=bool(is_named),
        ends=ends,
        slots=slots,
        opened_by=RunId(opened_by),
        run_id=RunId(run_id),
        error=error,
        probe_run_id=None if probe_run_id is None else RunId(probe_run_id),
        is_probing=bool(is_probing),
    )
