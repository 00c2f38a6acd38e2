"""F23: the child has ended, and the gateway dies before that is on the disk."""

import signal
from collections.abc import Iterator

from chaos.checker import OTHER, TWICE, Fault
from chaos.faults.site import site
from chaos.faults.trial import Round


def trial(this: Round) -> Iterator[Fault]:
    """What became of the run is unknown: it is interrupted, never missed, never done again."""
    with site(this.folder, failpoint="before_finish_commit") as at:
        job = at.add(kind="once", run_at="now", after="sleep 0.2")
        if (code := at.gateway.wait()) != -signal.SIGKILL:
            yield Fault(OTHER, f"the gateway ended with {code} at the failpoint")
        at.gateway.start()
        (run,) = at.runs(job)
        if run["status"] != "interrupted":
            yield Fault(OTHER, f"the run whose end was lost is {run['status']}")
        if len(at.done(job)) != 1:
            yield Fault(TWICE, f"its child worked {len(at.done(job))} times")
        outcomes = at.get("/api/v1/ops/scheduling/ledger")["outcomes"]
        if outcomes["interrupted"] != 1 or sum(outcomes["missed"].values()):
            yield Fault(OTHER, f"the ledger says {outcomes}")
        (item,) = at.get("/api/v1/ops/stasis")["stasis_queue"]
        if item["cause"] != "interrupted" or item["event_id"] != run["event_id"]:
            yield Fault(OTHER, f"what waits for a decision is {item['event_id']}")
        yield from at.account()
