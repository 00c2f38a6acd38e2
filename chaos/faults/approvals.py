"""F22: fifty people approve the same missed slot in the same moment."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx

from chaos.checker import OTHER, TWICE, Fault
from chaos.faults.shift import Shift
from chaos.faults.site import Site, site, until
from chaos.faults.trial import Round

_PEOPLE = 50

#: In this time a job of every five minutes misses eleven slots; none is near its end.
_AWAY = 3500


def trial(this: Round) -> Iterator[Fault]:
    """Miss an hour of a job, then let all of them approve it: one run, and 49 conflicts."""
    shift = Shift(this.folder)
    shift.set(-_AWAY)
    with site(this.folder, argv=shift.argv, environment=shift.environment) as at:
        at.offset = -_AWAY
        job = at.add(kind="five", every="5m", misfire_grace_seconds=0)
        at.gateway.stop()
        shift.set(0)
        at.offset = 0
        at.gateway.start()
        (item,) = at.get("/api/v1/ops/stasis")["stasis_queue"]
        answers = asyncio.run(_approve_all(at, item["event_id"]))
        statuses = Counter(answer.status_code for answer in answers)
        if statuses != {200: 1, 409: _PEOPLE - 1}:
            yield Fault(OTHER, f"{_PEOPLE} approvals were answered {dict(statuses)}")
        for answer in answers:
            if answer.status_code == 200:
                at.decide(item["event_id"], answer.json())
        until(lambda: at.done(job), "the approved run")
        until(lambda: all(run["finished_at"] for run in at.runs(job)), "its end")
        triggers = [run["trigger"] for run in at.runs(job)]
        if triggers != ["approved"] or len(at.done(job)) != 1:
            yield Fault(TWICE, f"one approval made runs {triggers}")
        yield from at.account()


async def _approve_all(at: Site, event_id: str) -> list[httpx.Response]:
    path = f"/api/v1/ops/calendar/events/{event_id}/action"
    limits = httpx.Limits(max_connections=_PEOPLE)
    async with httpx.AsyncClient(
        base_url=at.gateway.base_url, limits=limits, timeout=30, trust_env=False
    ) as http:
        # Everybody has an open connection before the first one asks.
        await asyncio.gather(*(http.get("/api/v1/health") for _ in range(_PEOPLE)))
        body = {"action": "approve_backfill_run"}
        return await asyncio.gather(*(http.post(path, json=body) for _ in range(_PEOPLE)))
