"""F6: the process is stopped, as a sleeping laptop or a paused machine would stop it."""

import signal
import time
from collections.abc import Iterator

from chaos.checker import OTHER, Fault
from chaos.faults.site import CRON, TICK, site, until
from chaos.faults.trial import Round

_STOPPED_SECONDS = 30.0

#: Past the latency and the grace, so that there is something to miss.
_STOPPED_BRIEFLY = 8.0


def trial(this: Round) -> Iterator[Fault]:
    """Stop it, let time pass, go on; a run that was under way ends as it would have."""
    with site(this.folder) as at:
        tick = at.add(**TICK)
        latest = at.add(**CRON, on_miss="run_latest")
        long = at.add(kind="once", run_at="now", after="sleep 2")
        until(lambda: at.done(tick) and at.done(latest) and at.done(long), "the first runs")
        at.gateway.signal(signal.SIGSTOP)
        stopped_at = time.time()
        seconds = _STOPPED_BRIEFLY if this.brief else _STOPPED_SECONDS
        until(lambda: time.time() - stopped_at > seconds, "the end of the stop")
        at.gateway.signal(signal.SIGCONT)
        woken_at = time.time()
        after = "runs after it was stopped"
        until(lambda: any(float(words[5]) > woken_at for words in at.done(tick)), after)
        first = min(float(words[5]) for words in at.done(tick) if float(words[5]) > woken_at)
        yield from this.measure("first_run_after_seconds", first - woken_at, limit=2)
        for job, status in ((tick, "pending"), (latest, "approved_and_run")):
            spans = [
                span
                for span in at.missed(job)
                if span["cause"] == "host_suspended" and span["status"] == status
            ]
            if len(spans) != 1:
                yield Fault(OTHER, f"{job['title']} was decided {len(spans)} times, not once")
        until(lambda: at.runs(long)[0]["status"] == "success", "the end of the long run")
        yield from at.account()
