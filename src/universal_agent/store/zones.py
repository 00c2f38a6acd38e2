"""Time zones whose rules jobs are planned by, and jobs that are planned by other rules than before.

Parts of transactions.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.local_time import ZoneRules, fingerprint_of, rules_of
from universal_agent.domain.schedule import CronSchedule
from universal_agent.store.ahead import first_open
from universal_agent.store.job_verbs import end_version, first_decided_ahead, read_job
from universal_agent.store.plan_store import ChangedZone
from universal_agent.store.replan import put_plan
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Tx, from_json, to_json

#: Why slots are skipped that were about to start when the rules of their zone changed.
_ZONE_RULES = "zone_rules"


def keep_rules(tx: Tx, rules: ZoneRules) -> None:
    """Keep the rules that jobs of the zone are planned by, unless they are known."""
    fingerprint = rules.fingerprint
    tx.run(
        "keep_zone_rules",
        fingerprint=fingerprint,
        timezone=rules.timezone,
        changes=to_json(rules.changes),
    )
    tx.run("keep_zone", timezone=rules.timezone, rules=fingerprint)


def adopt_rules(tx: Tx) -> None:
    """Zones of a database that had no rules on record get those of this process."""
    for (timezone,) in tx.all("zones_without_rules"):
        if fingerprint_of(timezone) is not None:
            keep_rules(tx, rules_of(timezone))


def lacks_rules(tx: Tx) -> bool:
    return bool(tx.all("zones_without_rules"))


def kept_rules(tx: Tx) -> tuple[list[ZoneRules], list[tuple[str, str]]]:
    """All rules on record, and (zone, fingerprint) for versions that recorded none."""
    rules = [
        ZoneRules(timezone, tuple((second, offset) for second, offset in from_json(changes)))
        for timezone, changes in tx.all("all_zone_rules")
    ]
    return rules, [(timezone, first) for timezone, first in tx.all("first_zone_rules")]


def changed_zones(tx: Tx) -> list[ChangedZone]:
    changed = []
    for timezone, before in tx.all("zones_with_rules"):
        after = fingerprint_of(timezone)
        if after != before:
            changed.append(ChangedZone(timezone, before, after))
    return changed


def jobs_by_other_rules(tx: Tx, zone: ChangedZone) -> list[str]:
    rows = tx.all("jobs_by_other_rules", timezone=zone.timezone, rules=zone.after)
    return [job_id for (job_id,) in rows]


def plan_by_rules(
    tx: Tx, job_ids: Sequence[str], zone: ChangedZone, *, now: datetime, specs: SpecCache
) -> int:
    count = 0
    for job_id in job_ids:
        job = read_job(tx, job_id, specs)
        if job is not None and job.spec.enabled:
            count += _plan(tx, job, zone, specs, now=now)
    return count


def _plan(tx: Tx, old: Job, zone: ChangedZone, specs: SpecCache, *, now: datetime) -> bool:
    schedule = old.spec.schedule
    if not isinstance(schedule, CronSchedule) or schedule.timezone != zone.timezone:
        return False
    spec = replace(old.spec, schedule=replace(schedule, rules=zone.after))
    undecided = old.before(first_decided_ahead(tx, old.job_id, after=now))
    closed_at = undecided.end(now)
    job = undecided.replaced_by(spec, now=now, next_run_at=None, continues=False)
    void = end_version(
        tx,
        job,
        replaces=old,
        closed_at=closed_at,
        specs=specs,
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
    assert zone.after is not None, f"{zone.timezone} has no rules any more"
    keep_rules(tx, rules_of(zone.timezone))
    tx.run("set_zone_rules", timezone=zone.timezone, rules=zone.after)
    if jobs:
        tx.append(
            events.zone_rules_changed(
                zone.timezone, before=zone.before, after=zone.after, jobs=jobs, now=now
            )
        )
