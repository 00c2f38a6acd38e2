"""F5: somebody sets the wall clock while the gateway works."""

import time
from collections.abc import Iterator
from datetime import datetime

from chaos.checker import OTHER, Fault
from chaos.evidence import Record
from chaos.faults.shift import Shift
from chaos.faults.site import CRON, TICK, Site, processor_seconds, site, until
from chaos.faults.trial import Round

#: By how much, in turn.
STEPS = (3600.0, -3600.0, 86400.0, -600.0)

#: How long the gateway's use of the processor is looked at; and, in the suite, only begun to be.
_WATCHED_SECONDS = 10.0
_WATCHED_BRIEFLY = 1.0

#: The gateway's clock and ours are the same when they are not further apart: no step is smaller.
_SEEN = 60.0


def trial(this: Round) -> Iterator[Fault]:
    """Step the clock; back again, where it was set back, so that all comes to an end."""
    step = STEPS[this.number % len(STEPS)]
    shift = Shift(this.folder, faked=not this.brief)
    with site(this.folder, argv=shift.argv, environment=shift.environment) as at:
        tick = at.add(**TICK)
        latest = at.add(**CRON, on_miss="run_latest")
        soon = int(at.now()) + 300
        once = at.add(kind="once", run_at=soon, misfire_grace_seconds=30)
        until(lambda: at.done(tick) and at.done(latest), "the first runs")
        jumped = set_clock(at, shift, step)
        if step > 0:
            yield from _goes_on(this, at, tick, since=jumped)
            yield from _watch_processor(this, at.gateway.pid, faked=shift.faked)
            middle = jumped - step / 2
            yield from _decided_once(at, tick, "pending", middle)
            yield from _decided_once(at, latest, "superseded", middle)
            yield from _decided_once(at, once, "pending", soon)
        else:
            # What was admitted stays admitted; the jobs of before go on when their time comes.
            later = at.add(**TICK)
            yield from _goes_on(this, at, later, since=jumped)
            yield from _watch_processor(this, at.gateway.pid, faked=shift.faked)
            jumped = set_clock(at, shift, 0.0)
            yield from _goes_on(this, at, tick, since=jumped)
            yield from _decided_once(at, later, "pending", jumped + step / 2)
        yield from at.account()


def set_clock(at: Site, shift: Shift, offset: float) -> float:
    """Set the clock, and return what it says once the gateway has seen that."""
    shift.set(offset)
    at.offset = offset
    until(lambda: abs(_clock_of(at) - at.now()) < _SEEN, "the gateway's clock is set")
    return at.now()


def _clock_of(at: Site) -> float:
    """What the gateway takes for the time."""
    timestamp = at.ask("GET", "/api/v1/health").json()["timestamp"]
    return datetime.fromisoformat(timestamp).timestamp()


def _goes_on(this: Round, at: Site, job: Record, *, since: float) -> Iterator[Fault]:
    """The first slots after the jump start on time."""

    def lags() -> list[float]:
        starts = [(float(words[1].split("|")[2]), float(words[5])) for words in at.done(job)]
        return [started + at.offset - slot for slot, started in starts if slot >= since]

    until(lambda: len(lags()) >= 2, "runs after the jump")
    yield from this.measure("dispatch_lag_seconds", max(lags()[:2]), limit=2)


def _decided_once(at: Site, job: Record, status: str, instant: float) -> Iterator[Fault]:
    """One span holds an instant that was jumped over."""
    spans = [
        span
        for span in at.missed(job)
        if span["status"] == status and span["first_at"] <= instant <= span["last_at"]
    ]
    if len(spans) != 1:
        yield Fault(OTHER, f"{job['title']} has {len(spans)} spans over {instant:.0f}, not 1")


def _watch_processor(this: Round, pid: int, *, faked: bool) -> Iterator[Fault]:
    """Nobody runs in circles after the jump; libfaketime itself does, and is not judged."""
    seconds = _WATCHED_BRIEFLY if this.brief else _WATCHED_SECONDS
    before, began = processor_seconds(pid), time.monotonic()
    until(lambda: time.monotonic() - began > seconds, "the end of the watch")
    share = (processor_seconds(pid) - before) / (time.monotonic() - began)
    yield from this.measure("processor_percent", 100 * share, limit=None if faked else 10)
