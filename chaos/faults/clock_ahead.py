"""F25: the clock runs ahead, at a start or while the gateway works, and is put right."""

from collections import Counter
from collections.abc import Iterator

from chaos.checker import OTHER, TWICE, UNACCOUNTED, Fault
from chaos.evidence import Record
from chaos.faults.clock_step import set_clock
from chaos.faults.shift import Shift
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round

#: By how much it runs ahead, in turn.
AHEAD = (86_400.0, 400 * 86_400.0, 3_600.0)

_HOUR = 3600


def trial(this: Round) -> Iterator[Fault]:
    """Run ahead, and go on when the clock is right again: each slot once, and people told."""
    ahead = AHEAD[this.number % len(AHEAD)]
    shift = Shift(this.folder, faked=not this.brief)
    with site(this.folder, argv=shift.argv, environment=shift.environment) as at:
        jobs = [at.add(**TICK, after="echo done"), at.add(**CRON, on_miss="run_latest")]
        once = at.add(kind="once", run_at=int(at.now()) + _HOUR // 2)
        until(lambda: all(map(at.done, jobs)), "the first runs")
        until(lambda: _run_logs(at), "the first run log")
        kept = _run_logs(at)
        _move(this, at, shift, ahead)
        jobs.append(at.add(**TICK))  # made while the clock is ahead
        began = at.now()
        until(lambda: all(_slots(at, job, since=began) for job in jobs), "runs in the wrong time")
        _move(this, at, shift, 0.0)
        since = at.now()
        until(lambda: all(len(_ran(at, job, since)) >= 3 for job in jobs), "runs in the right time")
        yield from _once(at, jobs)
        yield from _accounted(at, since)
        yield from _planned_again(at, once)
        if lost := kept - _run_logs(at):
            yield Fault(OTHER, f"{len(lost)} run logs were deleted because the clock ran ahead")


def _move(this: Round, at: Site, shift: Shift, offset: float) -> None:
    """Set the clock: under the gateway, or while it is down."""
    if this.number % 2:
        at.gateway.kill()
        shift.set(offset)
        at.gateway.start()
    set_clock(at, shift, offset)


def _slots(at: Site, job: Record, *, since: float) -> list[int]:
    """The times of the job's slots after `since` that have run."""
    found = [int(words[1].split("|")[2]) for words in at.done(job)]
    return [slot for slot in found if slot > since]


def _ran(at: Site, job: Record, since: float) -> list[int]:
    """Those of them whose time has come."""
    return [slot for slot in _slots(at, job, since=since) if slot <= at.now()]


def _once(at: Site, jobs: list[Record]) -> Iterator[Fault]:
    for job in jobs:
        counts = Counter(words[1] for words in at.done(job))
        for event_id in [event_id for event_id, count in counts.items() if count > 1]:
            yield Fault(TWICE, f"{event_id} ran twice")


def _accounted(at: Site, since: float) -> Iterator[Fault]:
    ledger = at.get("/api/v1/ops/scheduling/ledger", start=str(since - 60), end=str(at.now() - 15))
    for event_id in ledger["unaccounted"]:
        yield Fault(UNACCOUNTED, f"the ledger does not account for {event_id}")


def _planned_again(at: Site, once: Record) -> Iterator[Fault]:
    job = at.get(f"/api/v1/cron/jobs/{once['job_id']}")["job"]
    if job["next_run_at"] != once["run_at"]:
        yield Fault(UNACCOUNTED, f"a one-shot that is to come is planned at {job['next_run_at']}")
    if len(at.events("clock_set_back")) != 1:
        yield Fault(OTHER, f"{len(at.events('clock_set_back'))} events tell of the clock, not 1")
    kinds = [
        one["kind"] for one in at.get("/api/v1/dashboard/notifications", limit=100)["notifications"]
    ]
    if kinds.count("clock_set_back") != 1:
        yield Fault(OTHER, f"people were told of the clock {kinds.count('clock_set_back')} times")


def _run_logs(at: Site) -> set[str]:
    folder = at.gateway.data_dir / "runs"
    return {str(path.relative_to(folder)) for path in folder.rglob("*.log")}
