"""APScheduler 3 on SQLite: python -m bench.peers.apscheduler3 PART ...; prints one JSON line.

It gets what suits it best: a write-ahead log with synchronous=NORMAL (its default, a rollback
journal with FULL, is slower; ours syncs each commit), no limit on how late a job may run (with its
default of one second, a busy second's jobs are dropped), and functions called in its own process.
"""

import argparse
import asyncio
import json
import os
import pickle
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import create_engine, event

from bench.figure import spread
from bench.process import usage

#: Before the first job of a measurement is due.
_LEAD_SECONDS = 3

#: When each run began, and when it was to begin.
_starts: list[tuple[float, float]] = []


async def work(due_at: float = 0.0) -> None:
    """What every job does: say when it began."""
    _starts.append((time.time(), due_at))


def database(directory: Path) -> SQLAlchemyJobStore:
    engine = create_engine(f"sqlite:///{directory}/peer.db")

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    return SQLAlchemyJobStore(engine=engine)


def scheduler_on(store: SQLAlchemyJobStore) -> AsyncIOScheduler:
    return AsyncIOScheduler(
        jobstores={"default": store},
        timezone=UTC,
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1000},
    )


def fill(
    scheduler: AsyncIOScheduler,
    store: SQLAlchemyJobStore,
    jobs: Iterable[tuple[BaseTrigger, float]],
) -> None:
    """Put jobs into the database in one go: adding them one by one would take minutes."""
    rows = []
    for number, (trigger, due_at) in enumerate(jobs):
        job = Job(
            scheduler,
            id=f"job{number}",
            name="work",
            func=work,
            args=(due_at,),
            kwargs={},
            trigger=trigger,
            executor="default",
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1000,
            next_run_time=trigger.get_next_fire_time(None, datetime.now(UTC)),
        )
        rows.append(
            {
                "id": job.id,
                "next_run_time": job.next_run_time.timestamp(),
                "job_state": pickle.dumps(job.__getstate__(), store.pickle_protocol),
            }
        )
    with store.engine.begin() as connection:
        connection.execute(store.jobs_t.insert(), rows)


def sleeping(count: int) -> Iterable[tuple[BaseTrigger, float]]:
    """Jobs that are due in a month."""
    far = datetime.now(UTC) + timedelta(days=30)
    for number in range(count):
        yield DateTrigger(far + timedelta(seconds=number)), 0.0


def first_at() -> datetime:
    return datetime.fromtimestamp(int(time.time()) + 1 + _LEAD_SECONDS, UTC)


async def until_started(count: int) -> None:
    while len(_starts) < count:  # noqa: ASYNC110 - the work is to do nothing but to begin
        await asyncio.sleep(0.05)


async def burst(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """Many jobs due in one second."""
    scheduler = scheduler_on(store)
    scheduler.start(paused=True)
    due_at = first_at() + timedelta(seconds=options.size // 2000)
    fill(scheduler, store, [(DateTrigger(due_at), due_at.timestamp())] * options.size)
    scheduler.resume()
    await until_started(options.size)
    return spread([1000 * (began - due) for began, due in _starts])


async def steady(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """The same number of jobs due in each second, all of them at the whole second."""
    scheduler = scheduler_on(store)
    scheduler.start(paused=True)
    lead = first_at() + timedelta(seconds=options.registered // 2000)
    every = options.registered // options.size
    fill(
        scheduler,
        store,
        [
            (IntervalTrigger(seconds=every, start_date=due_at), due_at.timestamp())
            for number in range(options.registered)
            for due_at in [lead + timedelta(seconds=number % every)]
        ],
    )
    scheduler.resume()
    await until_started(options.size * options.seconds)
    return spread([1000 * (began - due) for began, due in _starts])


async def sustained(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """Runs in each second when more are due than it can do."""
    scheduler = scheduler_on(store)
    scheduler.start(paused=True)
    lead = first_at()
    fill(scheduler, store, [(IntervalTrigger(seconds=1, start_date=lead), 0.0)] * options.size)
    scheduler.resume()
    await until_started(options.size)
    begun, at = len(_starts), time.time()
    await asyncio.sleep(options.seconds)
    return {"per_second": (len(_starts) - begun) / (time.time() - at)}


async def create(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """Jobs made in each second, one after another, without HTTP."""
    scheduler = scheduler_on(store)
    scheduler.start()
    began = time.perf_counter()
    for number in range(options.size):
        trigger = CronTrigger(minute=number % 60, hour=3, day=1, timezone=UTC)
        scheduler.add_job(work, trigger)
    return {"per_second": options.size / (time.perf_counter() - began)}


async def idle(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """Wake-ups while nothing is due."""
    scheduler = scheduler_on(store)
    scheduler.start(paused=True)
    fill(scheduler, store, sleeping(options.size))
    scheduler.resume()
    await asyncio.sleep(2)
    before = usage(os.getpid())
    await asyncio.sleep(options.seconds)
    used = usage(os.getpid()) - before
    return {
        "wakeups_per_second": used.voluntary_switches / options.seconds,
        "written_bytes": used.written_bytes,
    }


async def seed(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """Fill a database for `startup`."""
    scheduler = scheduler_on(store)
    scheduler.start(paused=True)
    fill(scheduler, store, [*sleeping(options.size), (IntervalTrigger(seconds=1), 0.0)])
    return {}


async def startup(options: argparse.Namespace, store: SQLAlchemyJobStore) -> dict[str, Any]:
    """When the first run began, on a database that was filled before."""
    scheduler = scheduler_on(store)
    scheduler.start()
    await until_started(1)
    return {"first_start_at": _starts[0][0]}


PARTS: dict[str, Callable[..., Any]] = {
    part.__name__: part for part in (burst, steady, sustained, create, idle, seed, startup)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--size", type=int, default=1000)
    parser.add_argument("--registered", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--directory", type=Path, required=True)
    options = parser.parse_args()
    result = asyncio.run(PARTS[options.part](options, database(options.directory)))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
