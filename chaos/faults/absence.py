"""F8: the gateway was off for ninety days, and a hundred jobs run every minute."""

import time
from collections.abc import Iterator

from chaos.checker import TWICE, UNACCOUNTED, Fault
from chaos.faults.shift import Shift
from chaos.faults.site import processor_seconds, site
from chaos.faults.trial import Round

_DAYS = 90
_AWAY = _DAYS * 86400
_JOBS = 100

#: How far into its minute the gateway's clock is at each start: all slots of that minute but none
#: of the next are past their grace, however long the start takes.
_INTO_THE_MINUTE = 10


def trial(this: Round) -> Iterator[Fault]:
    """Make the jobs ninety days ago, start today."""
    shift = Shift(this.folder)
    today = time.time() // 60 * 60 + _INTO_THE_MINUTE
    jobs = 10 if this.brief else _JOBS
    shift.set(today - _AWAY - time.time())
    with site(this.folder, argv=shift.argv, environment=shift.environment) as at:
        for _ in range(jobs):
            at.add(kind="minute", cron_expr="* * * * *", misfire_grace_seconds=0)
        at.gateway.stop()
        shift.set(today - time.time())
        began = time.monotonic()
        at.gateway.start()
        yield from this.measure("ready_seconds", time.monotonic() - began, limit=2)
        used = processor_seconds(at.gateway.pid)
        yield from this.measure("ready_processor_seconds", used)
        queue = at.get("/api/v1/ops/stasis")["stasis_queue"]
        counts = [item["group"]["count"] for item in queue]
        yield from this.measure("slots_in_a_group", max(counts, default=0))
        if counts != [_AWAY // 60] * jobs:
            yield Fault(UNACCOUNTED, f"{len(counts)} groups with {set(counts)} slots")
        if runs := at.get("/api/v1/cron/runs", limit=5000)["runs"]:
            yield Fault(TWICE, f"{len(runs)} runs of the past began by themselves")
        day = time.time() - this.rng.uniform(1, _DAYS - 2) * 86400
        ledger = at.get("/api/v1/ops/scheduling/ledger", start=str(day - 86400), end=str(day))
        if ledger["unaccounted"] or ledger["outcomes"]["missed"]["pending"] != jobs * 1440:
            yield Fault(UNACCOUNTED, f"of a day of it the ledger says {ledger['outcomes']}")
