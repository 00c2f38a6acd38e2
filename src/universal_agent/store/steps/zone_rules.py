"""The rules of time zones that jobs are planned by."""

from universal_agent.domain.local_time import ZoneRules, rules_of
from universal_agent.domain.schedule import CronSchedule, Schedule
from universal_agent.store.encoding import to_json
from universal_agent.store.tx import Tx


def keep_zone(tx: Tx, schedule: Schedule) -> None:
    """Keep the rules that a schedule is planned by, in the transaction that stores it."""
    if not isinstance(schedule, CronSchedule) or schedule.rules is None:
        return
    fingerprint = schedule.rules
    if fingerprint not in tx.kept_rules:
        keep_rules(tx, rules_of(schedule.timezone))
        tx.after_commit(lambda: tx.kept_rules.add(fingerprint))


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
