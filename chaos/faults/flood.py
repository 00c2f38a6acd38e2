"""F17: one worker, a job that keeps it busy, and a crowd behind it."""

from collections.abc import Iterator

from chaos.checker import OTHER, TWICE, Fault
from chaos.evidence import Record
from chaos.faults.site import TICK, Site, site, until
from chaos.faults.trial import Round

_BUSY_SECONDS = 18
_BRIEFLY = 4
_CROWD = 5


def trial(this: Round) -> Iterator[Fault]:
    """Every one-shot that waited runs once, when its turn comes, and never again."""
    busy = _BRIEFLY if this.brief else _BUSY_SECONDS
    with site(this.folder, environment={"UA_CRON_MAX_CONCURRENCY": "1"}) as at:
        at.add(kind="once", run_at="now", after=f"sleep {busy}")
        until(lambda: at.done(), "the job that keeps the worker busy")
        crowd = [at.add(kind="once", run_at="now") for _ in range(_CROWD)]
        tick = at.add(**TICK | {"overlap": "queue_one"})
        until(lambda: at.done(tick), "a run of the interval behind them")
        until(lambda: all(_has_ended(at, job) for job in crowd), "the end of the crowd")
        for job in crowd:
            statuses = [run["status"] for run in at.runs(job)]
            if len(statuses) > 1 or len(at.done(job)) > 1:
                yield Fault(TWICE, f"a one-shot that waited ran as {statuses}")
            if statuses != ["success"]:
                yield Fault(OTHER, f"a one-shot that waited ended as {statuses}")
        waited = max(
            run["started_at"] - run["scheduled_at"] for job in crowd for run in at.runs(job)
        )
        yield from this.measure("waited_seconds", waited)
        yield from at.account()


def _has_ended(at: Site, job: Record) -> bool:
    return at.runs(job)[-1]["finished_at"] is not None
