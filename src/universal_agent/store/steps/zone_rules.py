"""The rules of time zones that jobs are planned by."""

from universal_agent.domain.local_time import ZoneRules, rules_of
from universal_agent.domain.schedule import CronSchedule, Schedule
from universal_agent.store.encoding import to_json
from universal_agent.store.tx import Tx


def keep_zone(tx: Tx, schedule: Schedule) -> None:
    """Record the rules that a schedule is planned by, where the schedule is stored."""
    if not isinstance(schedule, CronSchedule) or schedule.rules is None:
        return
    fingerprint = schedule.rules
    if fingerprint not in tx.kept_rules:
        keep_rules(tx, rules_of(schedule.timezone))
        tx.after_commit(lambda: tx.kept_rules.add(fingerprint))


def keep_rules(tx: Tx, rules: ZoneRules) -> None:
    """Record a zone's rules, unless they are on record."""
    fingerprint = rules.fingerprint
    tx.run(
        "keep_zone_rules",
        fingerprint=fingerprint,
        timezone=rules.timezone,
        changes=to_json(rules.changes),
    )
    tx.run("keep_zone", timezone=rules.timezone, rules=fingerprint)
