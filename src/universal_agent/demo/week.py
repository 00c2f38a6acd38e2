"""The course of the demo's week.

seven days ago   the jobs are made, and the week begins
three days ago   the gateway dies at night and is started in the morning; some of what it
                 missed is decided, the rest waits
now              further jobs are planned, a coming slot is skipped and one moved
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from universal_agent.demo.runner import StoryBeats, StoryRunner
from universal_agent.demo.story import AHEAD, COMPANIONS, COMPANIONS_HOURS_AGO, PARTS, Part
from universal_agent.domain.heartbeat import CHECKLIST_FILE, OVERRIDES_FILE
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import StasisAction
from universal_agent.runners.heartbeat_settings import config_from
from universal_agent.runners.workspace_watch import Unwatched
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, ManualStore

_WEEK = timedelta(days=7)
#: Between the making of two jobs.
_APART = timedelta(minutes=7, seconds=12)

#: When it died, before the end of the week: while the first job ran; and for how long.
_DIED = timedelta(days=2, hours=20) - _APART - timedelta(seconds=20)
_DOWN = timedelta(hours=5, minutes=35)

_BY = "ada"


async def live(settings: Settings, *, now: datetime) -> None:
    """Live the week that ends `now`, in an empty data directory."""
    week = _Week(settings, now)
    await week.begin(now - _WEEK)
    await week.until(now - _DIED)
    await week.die()
    await week.begin(now - _DIED + _DOWN)
    await week.decide()
    await week.until(now - timedelta(hours=COMPANIONS_HOURS_AGO))
    await week.invite()
    await week.until(now)
    await week.look_ahead()
    await week.end()


class _Week:
    """A gateway that lives through it."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._parts = {part.title: part for part in PARTS}
        self._parts |= {fields["title"]: _later(fields["title"]) for fields in AHEAD}
        self._counts: Counter[str] = Counter()
        self._to_make = sorted(PARTS, key=lambda part: (-part.hours_ago, PARTS.index(part)))
        self._clock: ManualClock
        self._runtime: Runtime
        self._beats: StoryBeats

    async def begin(self, at: datetime) -> None:
        """Start the gateway."""
        self._clock = ManualClock(at)
        store = ManualStore(self._settings.database_path, self._clock)
        runner = StoryRunner(self._clock, self._parts, self._counts)
        self._beats = StoryBeats(config_from(self._settings), self._counts)
        self._runtime = Runtime(
            self._settings,
            clock=self._clock,
            store=store,
            runners={"shell": runner, "heartbeat": self._beats},
            watch=Unwatched(),
            watched=False,
        )
        await self._runtime.start()
        await self._clock.settle()

    async def until(self, end: datetime) -> None:
        """Let time pass, and create each job at its time."""
        while self._to_make:
            part = self._to_make[0]
            # Not all at one instant, or the slots of all intervals would coincide.
            made_at = self._now - timedelta(hours=part.hours_ago) + _APART * (PARTS.index(part) + 1)
            if made_at >= end:
                break
            if made_at > self._clock.now():
                await self._clock.advance_to(made_at)
            await self._make(self._to_make.pop(0))
        await self._clock.advance_to(end)

    async def _make(self, part: Part) -> Job:
        draft = JobDraft(
            title=part.title,
            command=part.command,
            runner="shell",
            metadata=dict(part.metadata),
            **part.fields,
        )
        return await self._runtime.jobs.create(draft)

    async def die(self) -> None:
        """End as by `kill -9`: what runs is not recorded."""
        self._runtime.watchdog.stop()
        await self._runtime.supervisor.stop()
        runs = [task for task in asyncio.all_tasks() if task.get_name().startswith("run ")]
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await self._runtime.store.close()

    async def decide(self) -> None:
        """Decide up to two of the missed slots; one at least waits, whatever the time of day."""
        pending = await self._runtime.stasis.pending()
        actions = (StasisAction.APPROVE, StasisAction.DELETE)
        for record, action in zip(pending[:-1], actions, strict=False):
            await self._runtime.stasis.resolve(
                SlotKey.parse(record.event_id), action, by=_BY, note="after the outage"
            )

    async def invite(self) -> None:
        """Create the sessions, each with its files."""
        for companion in COMPANIONS:
            workspace = self._settings.workspaces_root / companion.workspace
            workspace.mkdir(mode=0o700, parents=True)
            (workspace / CHECKLIST_FILE).write_text(companion.checklist, encoding="utf-8")
            (workspace / OVERRIDES_FILE).write_text('{"every": "1h"}\n', encoding="utf-8")
            session = await self._runtime.sessions.create(
                user_id=companion.owner,
                workspace_dir=companion.workspace,
                source="demo",
                metadata={},
            )
            self._beats.companions[session.session_id] = companion
            await self._clock.advance(_APART.total_seconds())

    async def look_ahead(self) -> None:
        """Add future jobs, skip one coming slot and move another."""
        for fields in AHEAD:
            await self._runtime.jobs.create(JobDraft(runner="shell", **fields))
        jobs = {job.spec.title: job for job in await self._jobs()}
        await self._except(jobs["Podcast transcripts"], OverrideKind.SKIP)
        await self._except(jobs["News digest"], OverrideKind.MOVE, move_to="in 7 hours")
        await self._clock.settle()

    async def _jobs(self) -> Sequence[Job]:
        return (await self._runtime.store.read(verbs.jobs.list_jobs, limit=100)).jobs

    async def _except(self, job: Job, kind: OverrideKind, *, move_to: str | None = None) -> None:
        assert job.next_run_at is not None
        slot = SlotKey(Source.CRON, job.job_id, job.next_run_at)
        await self._runtime.slot_overrides.make(slot, kind, by=_BY, move_to=move_to)

    async def end(self) -> None:
        """Stop it in order."""
        await self._runtime.stop()


def _later(title: str) -> Part:
    return Part(title=title, fields={}, command="")
