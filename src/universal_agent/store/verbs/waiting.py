"""Groups of missed slots that wait, with the facts that decide about them."""

from collections.abc import Mapping, Sequence

from universal_agent.domain.cooldown import Cooldown
from universal_agent.domain.job import Job
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.recommendation import Waiting
from universal_agent.domain.resources import resources_of
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import MissedRecord
from universal_agent.errors import Conflict
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.steps.cooldowns import read_open
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.verbs.jobs import get_job
from universal_agent.store.verbs.stasis import find_missed, group_of, require_undecided


@in_lane(Lane.LONG)
def waiting_groups(tx: Tx, *, agent: Sequence[str], off: Sequence[Source]) -> list[Waiting]:
    """Every group that waits, in no order.

    `agent` is what the configured agent uses, `off` the sources whose engine is switched off.
    """
    rows = tx.all("missed_spans", status=MissedStatus.PENDING, job_id=None, limit=-1)
    groups: dict[tuple[str, str], list[MissedRecord]] = {}
    for record in decoded(tx, "missed", rows, missed_from_row):
        groups.setdefault((record.source_ref, record.outage_id), []).append(record)
    jobs = {ref: get_job(tx, ref) for ref in {ref for ref, _ in groups}}
    cooling = read_open(tx)
    return [
        _waiting(records, job, cooling, agent, off)
        for records in groups.values()
        if (job := jobs[records[0].source_ref]) is not None
    ]


def waiting_with(tx: Tx, slot: SlotKey, *, agent: Sequence[str], off: Sequence[Source]) -> Waiting:
    """The group that the slot is in.

    Raises SlotNotFound, AlreadyResolved, and Conflict when its job was deleted.
    """
    named = find_missed(tx, slot)
    require_undecided(named)
    job = get_job(tx, slot.source_ref)
    if job is None:
        raise Conflict("The job of this missed slot was deleted.")
    return _waiting(group_of(tx, named), job, read_open(tx), agent, off)


def _waiting(
    records: Sequence[MissedRecord],
    job: Job,
    cooling: Mapping[str, Cooldown],
    agent: Sequence[str],
    off: Sequence[Source],
) -> Waiting:
    latest = max(records, key=lambda r: (r.span.last_at, r.created_at, r.missed_id))
    untils = [cooling[name].until for name in resources_of(job.spec, agent) if name in cooling]
    return Waiting(
        event_id=latest.event_id,
        spec=job.spec,
        count=sum(record.span.count for record in records),
        last_at=latest.span.last_at,
        created_at=min(record.created_at for record in records),
        useful_until=latest.useful_until,
        cause=latest.cause,
        next_run_at=job.next_run_at if job.spec.enabled else None,
        cooling_until=max(untils, default=None),
        is_engine_off=job.source in off,
    )
