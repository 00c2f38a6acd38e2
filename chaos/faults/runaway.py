"""F16: children that misbehave: floods, deaf ones, litters, garbage."""

import time
from collections.abc import Iterator
from pathlib import Path

from chaos.checker import OTHER, Fault
from chaos.evidence import Record
from chaos.faults.site import TICK, Site, site
from chaos.faults.trial import Round
from chaos.orphans import orphans

_GIB = 1024**3
_MIB = 1024**2

#: What is kept of an output: its first MiB and its last 64 KiB.
_KEPT_BYTES = _MIB + 64 * 1024

#: A run is ended so long after its time limit at the latest: the grace between SIGTERM and
#: SIGKILL, and a second.
_LIMIT_SECONDS = 2
_ENDED_AFTER = _LIMIT_SECONDS + 5 + 1

_ONCE: Record = {"kind": "once", "run_at": "now", "timeout_seconds": _LIMIT_SECONDS}


def trial(this: Round) -> Iterator[Fault]:
    """Start all of them at once beside a job that is to run each second."""
    flood = 20 * _MIB if this.brief else _GIB
    litter = 20 if this.brief else 300
    with site(this.folder) as at:
        at.add(**TICK)
        loud = at.add(
            kind="once", run_at="now", timeout_seconds=300, after=f"head -c {flood} /dev/zero"
        )
        at.add(**_ONCE, after="trap '' TERM; setsid sleep 600 & while :; do sleep 1; done")
        at.add(**_ONCE, after="exec >&- 2>&-; sleep 600")
        many = f"i=0; while [ $i -lt {litter} ]; do sleep 600 & i=$((i+1)); done; wait"
        at.add(**_ONCE, after=many)
        noise = at.add(kind="once", run_at="now", after=r"printf '\0\033[2J\377\n'")
        while not all(_has_ended(at, job) for job in at.jobs[1:]):
            began = time.monotonic()
            if at.health != 200:
                yield Fault(OTHER, "health is not 200 beside a runaway child")
            yield from this.measure("health_answer_seconds", time.monotonic() - began, limit=1)
            time.sleep(0.05)
        for job in at.jobs[1:]:
            yield from _ended(this, at, job, {loud["job_id"], noise["job_id"]})
        (run,) = at.runs(loud)
        kept = sum(path.stat().st_size for path in _logs(at, run))
        yield from this.measure("kept_mib", kept / _MIB)
        if kept > _KEPT_BYTES + 200:
            yield Fault(OTHER, f"{kept} bytes of a flood were kept")
        tail = at.ask("GET", f"/api/v1/ops/logs/tail?run_id={at.runs(noise)[0]['run_id']}")
        if tail.status_code != 200:
            yield Fault(OTHER, f"a log of garbage is answered {tail.status_code}")
        lags = [run["started_at"] - run["scheduled_at"] for run in at.runs(at.jobs[0])]
        yield from this.measure("dispatch_lag_seconds", max(lags), limit=1)
        yield from at.account()
        if left := orphans(at.gateway.data_dir, at.gateway.pid):
            yield Fault(OTHER, f"processes {left} are nobody's")


def _has_ended(at: Site, job: Record) -> bool:
    runs = at.runs(job)
    return bool(runs) and all(run["finished_at"] is not None for run in runs)


def _ended(this: Round, at: Site, job: Record, well: set[str]) -> Iterator[Fault]:
    """How it ended, and after how long."""
    (run,) = at.runs(job)
    expected = "success" if job["job_id"] in well else "timeout"
    if run["status"] != expected:
        yield Fault(OTHER, f"{job['command'][-60:]!r} ended in {run['status']}")
    if expected == "timeout":
        seconds = run["duration_seconds"]
        yield from this.measure("ended_after_seconds", seconds, limit=_ENDED_AFTER)


def _logs(at: Site, run: Record) -> list[Path]:
    return list(at.gateway.data_dir.glob(f"runs/*/{run['run_id']}.log"))
