"""F23: the child has ended, and the gateway dies before that is in the database."""

import signal
from collections.abc import Iterator

from chaos.checker import OTHER, TWICE, Fault
from chaos.faults.site import site, until
from chaos.faults.trial import Round


def trial(this: Round) -> Iterator[Fault]:
    """Its keeper has the outcome: the next gateway records it, and nothing is done again."""
    with site(this.folder, failpoint="before_finish_commit") as at:
        job = at.add(kind="once", run_at="now", after="sleep 0.2")
        if (code := at.gateway.wait()) != -signal.SIGKILL:
            yield Fault(OTHER, f"the gateway ended with {code} at the failpoint")
        at.gateway.start()
        until(lambda: at.runs(job)[0]["finished_at"] is not None, "the run's end is recorded")
        (run,) = at.runs(job)
        if run["status"] != "success":
            yield Fault(OTHER, f"the run whose end was lost is {run['status']}")
        if len(at.done(job)) != 1:
            yield Fault(TWICE, f"its child worked {len(at.done(job))} times")
        outcomes = at.get("/api/v1/ops/scheduling/ledger")["outcomes"]
        if outcomes["interrupted"] or sum(outcomes["missed"].values()):
            yield Fault(OTHER, f"the ledger says {outcomes}")
        yield from at.account()
