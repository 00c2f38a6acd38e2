"""Rules of time zones, and jobs that are planned by other rules than the present ones."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.local_time import (
    ZoneRules,
    fingerprint_of,
    know_rules,
    know_unrecorded,
    rules_of,
)
from universal_agent.domain.schedule import CronSchedule
from universal_agent.store.encoding import from_json
from universal_agent.store.steps.decided_slots import first_open, lock_job
from universal_agent.store.steps.zone_rules import keep_rules
from universal_agent.store.tx import Tx
from universal_agent.store.values import ChangedZone
from universal_agent.store.verbs.jobs import end_version, first_decided_ahead, get_job
from universal_agent.store.verbs.replanning import put_plan

#: The reason of slots that were about to start when the rules of their zone changed.
_ZONE_RULES = "zone_rules"


def know_zones(tx: Tx) -> None:
    """Load the rules on record into this process.

    Zones without rules on record get those of this process.
    """
    for (timezone,) in tx.all("zones_without_rules"):
        if fingerprint_of(timezone) is not None:
            keep_rules(tx, rules_of(timezone))
    for timezone, changes in tx.all("all_zone_rules"):
        rules = ZoneRules(
            timezone, tuple((second, offset) for second, offset in from_json(changes))
        )
        know_rules(rules)
        tx.after_commit(partial(tx.kept_rules.add, rules.fingerprint))
    for timezone, fingerprint in tx.all("first_zone_rules"):
        know_unrecorded(timezone, fingerprint)


def changed_zones(tx: Tx) -> list[ChangedZone]:
    """The zones whose rules have changed since their jobs were planned."""
    changed = []
    for timezone, before in tx.all("zones_with_rules"):
        after = fingerprint_of(timezone)
        if after != before:
            changed.append(ChangedZone(timezone, before, after))
    return changed


def jobs_by_other_rules(tx: Tx, zone: ChangedZone) -> list[str]:
    """The ids of enabled cron jobs of the zone that are planned by other rules."""
    rows = tx.all("jobs_by_other_rules", timezone=zone.timezone, rules=zone.after)
    return [job_id for (job_id,) in rows]


def plan_by_rules(tx: Tx, job_ids: Sequence[str], zone: ChangedZone, *, now: datetime) -> int:
    """Begin a version of each of these jobs by the present rules, from `now`; returns how many."""
    count = 0
    for job_id in job_ids:
        job = get_job(tx, job_id)
        if job is not None and job.spec.enabled:
            count += _plan(tx, job, zone, now=now)
    return count


def _plan(tx: Tx, old: Job, zone: ChangedZone, *, now: datetime) -> bool:
    schedule = old.spec.schedule
    if not isinstance(schedule, CronSchedule) or schedule.timezone != zone.timezone:
        return False
    if not lock_job(tx, old):
        return False  # it was changed since, under the present rules
    spec = replace(old.spec, schedule=replace(schedule, rules=zone.after))
    undecided = old.before(first_decided_ahead(tx, old.job_id, after=now))
    closed_at = undecided.end(now)
    job = undecided.replaced_by(spec, now=now, next_run_at=None, continues=False)
    void = end_version(
        tx,
        job,
        replaces=old,
        closed_at=closed_at,
        now=now,
        reason=_ZONE_RULES,
    )
    job = put_plan(tx, job, first_open(tx, job, spec.schedule.next_after(job.effective_from)))
    tx.append(
        events.job_updated(
            job,
            now=now,
            changed=[_ZONE_RULES],
            effective_until=closed_at,
            void=void,
            reason=f"the rules of the time zone {zone.timezone} have changed",
        )
    )
    return True


def finish_zone(tx: Tx, zone: ChangedZone, *, jobs: int, now: datetime) -> None:
    """Record that the zone's jobs are planned by the present rules.

    Appends an event if any job was planned again.
    """
    assert zone.after is not None, f"{zone.timezone} has no rules any more"
    keep_rules(tx, rules_of(zone.timezone))
    tx.run("set_zone_rules", timezone=zone.timezone, rules=zone.after)
    if jobs:
        tx.append(
            events.zone_rules_changed(
                zone.timezone, before=zone.before, after=zone.after, jobs=jobs, now=now
            )
        )
