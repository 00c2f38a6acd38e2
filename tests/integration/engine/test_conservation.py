"""Whatever people, clocks, crashes and governments do: what was promised has one outcome.

Random histories of a gateway on a clock that is moved by hand. A slot is promised when a job's
plan says that it is next, and owed once its nominal time has come. In the end every slot that is
owed has an outcome, none has run twice, and the ledger counts as one would by hand.
"""

import asyncio
import zoneinfo
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.engine.gateway import MINUTE, Gateway
from tests.oracle.ledger_oracle import reconcile_one_by_one
from tests.oracle.zone_files import AN_HOUR_EAST, NO_SUMMER_TIME, SUMMER_TIME, TOWN, put_rules
from universal_agent.domain.calendar import build_feed
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.explain import explain
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import DISABLED, PAUSED, RESUMED, JobDraft
from universal_agent.domain.ledger import reconcile
from universal_agent.domain.local_time import forget_zones
from universal_agent.domain.run import Trigger
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.errors import UniversalAgentError
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, SUCCESS, ManualClock
from universal_agent.views.calendar_provider import both_calendars
from universal_agent.views.calendar_text import RowWriter

HOUR = timedelta(hours=1)

SCHEDULES: Sequence[dict[str, Any]] = (
    {"every": "5m"},
    {"every": "7m"},
    {"cron_expr": "*/10 * * * *"},
    {"cron_expr": "0 * * * *", "timezone": TOWN},
    {"cron_expr": "30 13,14,15 * * *", "timezone": TOWN},
    {"run_at": "10m"},
)

POLICIES: Sequence[dict[str, Any]] = (
    {},
    {"jitter_seconds": 400, "overlap": "allow"},
    {"on_miss": "run_latest", "useful_for_seconds": 1800},
    {"on_miss": "run_all", "overlap": "queue_one"},
    {"on_miss": "skip", "misfire_grace_seconds": 1200},
    {"auto_pause_after": 2, "jitter_seconds": 120},
    {"delete_after_run": True, "retries": 1, "retry_backoff": [20]},
)

RULES = (SUMMER_TIME, NO_SUMMER_TIME, AN_HOUR_EAST)

Owed = set[tuple[str, datetime]]


@dataclass
class World:
    """The gateway, and what it owes."""

    gateway: Gateway
    clock: ManualClock
    rules: Path
    owed: Owed = field(default_factory=set)
    #: Each job's next slot, as it was planned last.
    promised: dict[str, datetime] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    starts: Counter[tuple[str, datetime]] = field(default_factory=Counter)

    async def step(self, name: str, *choices: int) -> None:
        before = self.clock.now()
        with suppress(UniversalAgentError):
            await getattr(self, name)(*choices)
        await self.clock.advance(2)  # whatever the clock did is noticed
        if self.clock.now() < before:
            self.forgive()
        await self.look()

    def forgive(self) -> None:
        """The clock was set back: what is to come again may be planned otherwise before."""
        now = self.clock.now()
        self.owed = {(ref, at) for ref, at in self.owed if at + self.jobs[ref].jitter <= now}
        self.promised = {ref: at for ref, at in self.promised.items() if at <= now}

    async def look(self) -> None:
        """What was promised before, and is owed by now; what is promised next."""
        now = self.clock.now()
        self.owed |= {(ref, at) for ref, at in self.promised.items() if at <= now}
        live = (await self.gateway.store.read(verbs.jobs.list_jobs, limit=1000)).jobs
        self.jobs |= {job.job_id: job for job in live}
        self.promised = {job.job_id: job.next_run_at for job in live if job.next_run_at is not None}

    # -- what people do

    async def create(self, schedule: int, policy: int, _: int) -> None:
        fields = {**SCHEDULES[schedule % len(SCHEDULES)], **POLICIES[policy % len(POLICIES)]}
        if "run_at" not in fields:
            fields.pop("delete_after_run", None)
        job = await self.gateway.create(**fields)
        self.jobs[job.job_id] = job

    async def edit(self, which: int, what: int, _: int) -> None:
        fields = SCHEDULES[what % len(SCHEDULES)] if what % 2 else {"title": f"edited {what}"}
        await self.gateway.runtime.jobs.edit(self.one(which).job_id, JobDraft.of(fields))

    async def switch(self, which: int, how: int, _: int) -> None:
        job_id, jobs = self.one(which).job_id, self.gateway.runtime.jobs
        if how % 3:
            await jobs.edit(job_id, PAUSED if how % 3 == 1 else DISABLED)
        if how % 2:
            await jobs.edit(job_id, RESUMED)

    async def delete(self, which: int, _: int, __: int) -> None:
        await self.gateway.runtime.jobs.delete(self.one(which).job_id)

    async def make_exception(self, which: int, kind: int, minutes: int) -> None:
        job = await self.gateway.store.read(verbs.jobs.get_job, self.one(which).job_id)
        if job is not None and job.next_run_at is not None:
            kinds = list(OverrideKind)
            chosen = kinds[kind % len(kinds)]
            move_to = self.clock.now() + (1 + minutes % 30) * MINUTE
            await self.gateway.runtime.slot_overrides.make(
                SlotKey(job.source, job.job_id, job.next_run_at),
                chosen,
                by="ada",
                move_to=move_to.timestamp() if chosen is OverrideKind.MOVE else None,
            )
            self.promised.pop(job.job_id, None)  # a person has decided it

    async def resolve(self, which: int, action: int, scope: int) -> None:
        pending = await self.gateway.pending()
        if pending:
            record = pending[which % len(pending)]
            await self.gateway.runtime.stasis.resolve(
                SlotKey(record.source, record.source_ref, record.span.last_at),
                list(StasisAction)[action % 3],
                scope=list(Scope)[scope % 2],
                by="ada",
            )

    async def fail(self, how_often: int, why: int, minutes: int) -> None:
        """The next runs fail: for a reason of their own, or for the outage of a service."""
        until = self.clock.now() + minutes * MINUTE if why % 2 else None
        kind = list(EndClass)[why % len(EndClass)]
        failure = replace(FAILURE, ending=Ending(kind=kind, until=until))
        self.gateway.runner.answer(*[failure] * (how_often % 4), SUCCESS)

    # -- what happens

    async def wait(self, seconds: int, _: int, __: int) -> None:
        await self.clock.advance(10 + seconds)

    async def clock_ahead(self, minutes: int, _: int, __: int) -> None:
        self.clock.step(60 * minutes * (1 if minutes % 2 else 8))

    async def clock_back(self, minutes: int, _: int, __: int) -> None:
        self.clock.step(-60 * minutes * (1 if minutes % 2 else 8))

    async def suspend(self, minutes: int, _: int, __: int) -> None:
        self.clock.suspend(60 * minutes)

    async def restart(self, minutes: int, how: int, rule: int) -> None:
        """Killed, and started: later, earlier by its clock, with other rules."""
        await self.gateway.kill()
        self.count_starts()
        self.clock.step(60 * minutes * (-1 if how % 4 == 0 else 1))
        if how % 3 == 0:
            put_rules(self.rules, RULES[rule % len(RULES)])
        await self.gateway.start()

    def count_starts(self) -> None:
        self.starts.update(
            (request.job_id, request.scheduled_at)
            for request in self.gateway.runner.requests
            if request.attempt == 1
            and request.trigger in (Trigger.SCHEDULE, Trigger.CATCH_UP, Trigger.EARLY)
        )
        self.gateway.runner.requests.clear()

    def one(self, which: int) -> Job:
        """A job, which may be deleted."""
        if not self.jobs:
            raise UniversalAgentError("there is no job")
        return list(self.jobs.values())[which % len(self.jobs)]

    # -- the end

    async def check(self) -> None:
        self.clock.suspend(3600)  # quicker than to live through it
        await self.clock.advance(60)
        await self.look()
        self.count_starts()
        assert [slot for slot, count in self.starts.items() if count > 1] == [], "ran twice"
        now, store = self.clock.now(), self.gateway.store
        for ref, at in sorted(self.owed):
            slot = SlotKey(self.jobs[ref].source, ref, at)
            if at + self.jobs[ref].jitter + 2 * MINUTE > now:
                continue
            outcome = explain(
                slot, await store.read(verbs.ledger.slot_history, slot), now=now
            ).outcome
            assert outcome not in ("not_expected", "scheduled", "due"), (slot.event_id, outcome)
        start, end = now - timedelta(days=4), now
        facts = await store.read(verbs.ledger.ledger_facts, start=start, end=end, job_id=None)
        ledger = reconcile(facts, start=start, end=end, now=now)
        by_hand = reconcile_one_by_one(facts, start=start, end=end, now=now)
        ledger.unaccounted.sort()
        by_hand.unaccounted.sort()
        assert ledger == by_hand
        assert ledger.unaccounted == []
        await self.check_calendar()

    async def check_calendar(self) -> None:
        """The log alone makes the same calendar as the tables."""
        now, zone = self.clock.now(), ZoneInfo("UTC")
        window = Window(start=now - 2 * HOUR, end=now + 12 * HOUR, zone=zone, include_resolved=True)
        scan, projection = (
            RowWriter().write(build_feed(facts, window), zone)
            for facts in await both_calendars(self.gateway.store, window)
        )
        assert scan.differences(projection) == []


STEPS = (
    "create",
    "edit",
    "switch",
    "delete",
    "make_exception",
    "resolve",
    "fail",
    "wait",
    "wait",
    "clock_ahead",
    "clock_back",
    "suspend",
    "restart",
    "restart",
)

numbers = st.integers(0, 120)
steps = st.tuples(st.sampled_from(STEPS), numbers, numbers, numbers)


async def lived(history: list[tuple[str, int, int, int]], folder: Path) -> None:
    clock = ManualClock()
    gateway = Gateway(folder / "data", clock)
    world = World(gateway, clock, folder / "zoneinfo")
    put_rules(world.rules, SUMMER_TIME)
    await gateway.start()
    try:
        for first in (("create", 3, 0, 0), ("create", 0, 1, 0)):
            await world.step(*first)
        for step in history:
            await world.step(*step)
        await world.check()
    finally:
        await gateway.stop()


# (A quarter of the profile's examples: each is a gateway's life.)
@settings(
    max_examples=settings().max_examples // 4,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=3, max_size=14))
def test_every_slot_that_was_promised_has_one_outcome_whatever_happens(
    history: list[tuple[str, int, int, int]],
) -> None:
    path = zoneinfo.TZPATH
    try:
        with TemporaryDirectory() as folder:
            asyncio.run(lived(history, Path(folder)))
    finally:
        zoneinfo.reset_tzpath(path)
        forget_zones()
