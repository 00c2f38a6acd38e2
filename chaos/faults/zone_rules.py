"""F26: a start finds other rules for a time zone than the one before."""

import time
from collections.abc import Iterator

from chaos.checker import LOST, OTHER, TWICE, UNACCOUNTED, Fault
from chaos.evidence import Record
from chaos.faults.site import CRON, Site, site, until
from chaos.faults.trial import Round
from chaos.zone_files import AN_HOUR_EAST, NO_SUMMER_TIME, TOWN, environment, write_rules

_HOUR = 3600

#: How long after the second start the slot comes that the new rules make an hour earlier.
_SOON = 20


def trial(this: Round) -> Iterator[Fault]:
    """Move the town an hour east between two starts, and back again."""
    zones = this.folder / "zoneinfo"
    write_rules(zones, NO_SUMMER_TIME)
    with site(this.folder, environment=environment(zones)) as at:
        often = at.add(**CRON, timezone=TOWN)
        # By the old rules an hour later: the town's clock is an hour ahead of UTC.
        slot = int(at.now()) + _SOON
        local = time.gmtime(slot + 2 * _HOUR)
        daily = at.add(
            cron_expr=f"{local.tm_sec} {local.tm_min} {local.tm_hour} * * *", timezone=TOWN
        )
        yield from _next(at, daily, slot + _HOUR, "before")
        until(lambda: at.done(often), "the first run")
        at.gateway.stop()
        write_rules(zones, AN_HOUR_EAST)
        at.gateway.start()
        yield from _next(at, daily, slot, "after the rules have changed")
        until(lambda: _succeeded(at, daily), "the run by the new rules")
        at.gateway.kill()
        write_rules(zones, NO_SUMMER_TIME)
        at.gateway.start()
        yield from _next(at, daily, slot + _HOUR, "after they have changed back")
        if (count := len(at.done(daily))) != 1:
            yield Fault(TWICE if count else LOST, f"the slot ran {count} times, not once")
        ran = at.get("/api/v1/ops/scheduling/ledger", job_id=daily["job_id"])
        if ran["expected"] != 1 or ran["outcomes"]["ran"]["success"] != 1:
            yield Fault(UNACCOUNTED, f"the ledger judges the past again: {ran}")
        done = len(at.done(often))
        until(lambda: len(at.done(often)) > done, "the next run of every other second")
        for event_id in at.get("/api/v1/ops/scheduling/ledger")["unaccounted"]:
            yield Fault(UNACCOUNTED, f"the ledger does not account for {event_id}")
        if (told := len(at.events("zone_rules_changed"))) != 2:
            yield Fault(OTHER, f"{told} events tell of the rules, not 2")


def _succeeded(at: Site, job: Record) -> bool:
    return any(run["status"] == "success" for run in at.runs(job))


def _next(at: Site, job: Record, slot: int, when: str) -> Iterator[Fault]:
    planned = at.get(f"/api/v1/cron/jobs/{job['job_id']}")["job"]["next_run_at"]
    if planned != slot:
        yield Fault(UNACCOUNTED, f"{when} the next slot is {planned}, not {slot}")
