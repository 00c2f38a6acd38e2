"""How do many jobs get into a database quickly? Through the store, before the gateway opens it.

The rows are those that creating the jobs over HTTP would have made; only the fsyncs are saved.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from universal_agent.domain.draft import draft_job
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import JobId
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
)
from universal_agent.engine.ids import new_id
from universal_agent.store import verbs
from universal_agent.store.store import sqlite_store

#: Jobs handed to the store at once.
_CHUNK = 2000

#: Ahead of every time that is measured.
_FAR = timedelta(days=30)


def whole_second(seconds_ahead: float) -> datetime:
    """The first whole second that is at least so far ahead."""
    return datetime.fromtimestamp(int(time.time() + seconds_ahead) + 1, UTC)


def repeating(count: int, *, every: int, first_at: datetime, **fields: Any) -> Iterator[Job]:
    """Jobs with one interval of seconds, their first slots spread evenly over an interval."""
    make = maker(**fields)
    for number in range(count):
        anchor = first_at + timedelta(seconds=number % every - every)
        yield make(IntervalSchedule(timedelta(seconds=every), anchor), anchor)


def sleeping(count: int) -> Iterator[Job]:
    """Jobs of every kind, none of which is due today or tomorrow."""
    make = maker()
    created_at = whole_second(-1)
    near = {(created_at + timedelta(days=day)).day for day in (0, 1, 2)}
    days = [day for day in range(1, 29) if day not in near]
    for number in range(count):
        minute, hour, day = number % 60, number // 60 % 24, days[number % len(days)]
        schedules: list[Schedule] = [
            OneShotSchedule(created_at + _FAR + timedelta(seconds=number)),
            IntervalSchedule(_FAR, created_at + timedelta(seconds=number % 86_400)),
            CronSchedule(f"{minute} {hour} {day} * *", "UTC"),
        ]
        yield make(schedules[number % len(schedules)], created_at)


def maker(**fields: Any) -> Callable[[Schedule, datetime], Job]:
    """Makes jobs as the gateway would have made them at their time."""
    template = draft_job(
        JobDraft.of({"command": "true", "every": "1h", **fields}),
        base=None,
        now=whole_second(0),
        default_runner="shell",
        shortest_interval=timedelta(seconds=1),
    ).spec

    def make(schedule: Schedule, created_at: datetime) -> Job:
        job_id = JobId(new_id("job", created_at))
        return Job(
            job_id=job_id,
            version=1,
            spec=replace(template, schedule=schedule, workspace_dir=f"cron_{job_id}"),
            created_at=created_at,
            effective_from=created_at,
            next_run_at=schedule.next_after(created_at),
        )

    return make


async def fill(data_dir: Path, jobs: Iterable[Job]) -> None:
    """Put jobs into the database of a data directory, which no gateway has open."""
    store = sqlite_store(data_dir / "ua.db", synchronous="OFF")
    await store.open()
    remaining = iter(jobs)
    while chunk := list(islice(remaining, _CHUNK)):
        await asyncio.gather(
            *(store.write(verbs.jobs.create_job, job, now=job.created_at) for job in chunk)
        )
    await store.close()
