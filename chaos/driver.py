"""The load: writers that make, change, run and delete jobs.

A writer owns its jobs and does one thing at a time, so that what it will do depends on its seed
alone, and not on when the gateway dies.
"""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from chaos.client import Answer, Client, Line
from chaos.evidence import Evidence, Record
from chaos.kinds import TICK, Fields, Kind, choose_kind, fields_of

#: What edits change; each is compared after every restart.
COMPARED = ("title", "enabled", "every_seconds")


@dataclass(slots=True)
class Kept:
    """A job as its writer knows it."""

    key: str
    kind: Kind
    job_id: str
    #: What was acknowledged last.
    version: int
    fields: Fields
    #: A change that was sent and not answered yet.
    asked: Fields | None = None
    #: It may delete itself, or was asked to be deleted.
    may_go: bool = False
    gone: bool = False


class Writer:
    """One client."""

    def __init__(
        self, name: str, *, seed: int, line: Line, evidence: Evidence, share: int, pace: float
    ) -> None:
        self.jobs: list[Kept] = []
        self._name = name
        self._rng = random.Random(f"{seed}/{name}")
        self._client = _Client(name, line, evidence)
        self._lines = evidence.lines
        self._share = share
        self._pace = pace
        self._stopping = False

    def stop(self) -> None:
        """Do no more than what is begun."""
        self._stopping = True

    async def run(self) -> None:
        """Fill up with jobs, then change them at the given pace, until told to stop."""
        while not self._stopping and len(self._changeable()) < self._share:
            await self._create()
        due = time.monotonic()
        while not self._stopping:
            due = max(due + self._pace, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._act()
        for job in self.jobs:
            if not job.gone and not job.may_go and job.fields["enabled"]:
                await self._edit(job, {"enabled": False, "off_label": "paused"})
        await self._client.close()

    def _changeable(self) -> list[Kept]:
        return [job for job in self.jobs if not job.gone and not job.kind.settled]

    async def _act(self) -> None:
        jobs = self._changeable()
        surplus = len(jobs) - self._share
        if surplus < 0:
            await self._create()
            return
        job = self._rng.choice(jobs)
        match self._rng.choices(
            ("create", "title", "every", "switch", "run", "delete"),
            (8, 26, 8, 16, 34, 8 if surplus == 0 else 30),
        )[0]:
            case "create":
                await self._create()
            case "title":
                title = f"{job.kind.name} {job.key} {self._client.count}"
                await self._edit(job, {"title": title}, with_version=self._rng.random() < 0.5)
            case "every" if job.fields["every_seconds"]:
                await self._edit(job, {"every": self._rng.choice(("2s", "3s", "5s"))})
            case "switch":
                # Most are on most of the time.
                on = not job.fields["enabled"] or self._rng.random() < 0.5
                label = {} if on else {"off_label": "paused"}
                await self._edit(job, {"enabled": on, **label})
            case "delete":
                await self._delete(job)
            case _:
                # The others take long: their extra runs would be all they do.
                job = self._rng.choice([j for j in jobs if not j.kind.ends] or jobs)
                await self._run_now(job)

    # -- what a writer does

    async def _create(self) -> None:
        kind = choose_kind(self._rng) if self.jobs else TICK
        key = self._key()
        fields = fields_of(kind, key, self._lines, self._rng, now=time.time())
        answer = await self._client.write(
            "POST", "/api/v1/cron/jobs", fields, key=key, operation="create", kind=kind.name
        )
        if answer.status == 200:
            job = answer.body["job"]
            self.jobs.append(
                Kept(
                    key,
                    kind,
                    job["job_id"],
                    job["version"],
                    _compared(job),
                    may_go=job["delete_after_run"],
                )
            )

    async def _edit(self, job: Kept, fields: Fields, *, with_version: bool = False) -> None:
        job.asked = fields
        answer = await self._client.write(
            "PUT",
            f"/api/v1/cron/jobs/{job.job_id}",
            fields | ({"version": job.version} if with_version else {}),
            operation="edit",
            job_id=job.job_id,
            title=fields.get("title"),
        )
        if answer.status == 200:
            job.fields = _compared(answer.body["job"])
            job.version = answer.body["job"]["version"]
        job.asked = None

    async def _delete(self, job: Kept) -> None:
        job.may_go = True
        await self._client.write(
            "DELETE",
            f"/api/v1/cron/jobs/{job.job_id}",
            None,
            operation="delete",
            job_id=job.job_id,
        )
        job.gone = True

    async def _run_now(self, job: Kept) -> None:
        path = f"/api/v1/cron/jobs/{job.job_id}/run?wait_seconds=0"
        await self._client.write(
            "POST", path, {}, key=self._key(), operation="run", job_id=job.job_id
        )

    def _key(self) -> str:
        return f"{self._name}-{self._client.count}"


class _Client(Client):
    """Knows how its writer's requests may have gone through unheard."""

    async def find_out(self, answer: Answer, facts: Record) -> Answer:
        """Then the job is gone, or has what was asked for."""
        done = replace(answer, phase="acknowledged")
        match facts["operation"], answer.status:
            case "delete", 404:
                return done
            case "create", 409:
                # Made at the first try, it ran and deleted itself.
                return replace(answer, phase="came and went")
            case "edit", 409:
                found = await self.send("GET", f"/api/v1/cron/jobs/{facts['job_id']}")
                if found.status == 200 and found.body["job"]["title"] == facts["title"]:
                    return replace(found, tries=answer.tries)
        return answer


def _compared(job: Record) -> Fields:
    return {name: job[name] for name in COMPARED}


def differences(jobs: Iterable[Kept], listed: Iterable[Record]) -> list[str]:
    """Where the gateway's list of jobs contradicts what was acknowledged."""
    by_id = {record["job_id"]: record for record in listed}
    found = []
    for job in jobs:
        record = by_id.get(job.job_id)
        if record is None:
            if not (job.gone or job.may_go):
                found.append(f"{job.job_id} ({job.key}) was acknowledged and is not there")
        elif job.gone:
            found.append(f"{job.job_id} ({job.key}) was deleted and is back")
        elif record["version"] < job.version:
            found.append(
                f"{job.job_id} ({job.key}) is at version {record['version']}, and "
                f"{job.version} was acknowledged"
            )
        else:
            found += _contradictions(job, _compared(record))
    return found


def _contradictions(job: Kept, now: Fields) -> list[str]:
    asked = dict(job.asked or {})
    if "every" in asked:
        asked["every_seconds"] = int(asked.pop("every").removesuffix("s"))
    return [
        f"{job.job_id} ({job.key}): {name} is {value!r}, and {job.fields[name]!r} was acknowledged"
        for name, value in now.items()
        if value not in (job.fields[name], asked.get(name, job.fields[name]))
    ]
