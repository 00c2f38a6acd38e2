"""The load: writers that make, change, run and delete jobs, each as a careful client would.

A writer owns its jobs and does one thing at a time. What it sends and what it is answered is
written down before it goes on. A request that got no answer is sent again, with the same
Idempotency-Key where there is one, until it is answered: so it is known in the end what every
request came to, and between two tries either state may be true.
"""

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from chaos.evidence import Evidence, Record
from chaos.kinds import TICK, Fields, Kind, choose_kind, fields_of

#: Seconds to wait before something that got no answer is sent again.
_PAUSE = 0.02

#: A request that takes longer is given up, and sent again.
_TIMEOUT = 15.0

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


@dataclass(slots=True)
class Line:
    """The line to the gateway, which is up or down."""

    base_url: str
    up: asyncio.Event = field(default_factory=asyncio.Event)
    #: Requests that got no answer at the first try.
    unanswered_count: int = 0


class Writer:
    """One client."""

    def __init__(
        self, name: str, *, seed: int, line: Line, evidence: Evidence, share: int, pace: float
    ) -> None:
        self.name = name
        self.jobs: list[Kept] = []
        self._rng = random.Random(f"{seed}/{name}")
        self._line = line
        self._evidence = evidence
        self._share = share
        self._pace = pace
        self._count = 0
        self._stopping = False
        self._http = httpx.AsyncClient(base_url=line.base_url, timeout=_TIMEOUT)

    def stop(self) -> None:
        """Do no more than what is begun."""
        self._stopping = True

    async def run(self) -> None:
        """Fill up with jobs, then change them at the given pace, until told to stop."""
        async with self._http:
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
                title = f"{job.kind.name} {job.key} {self._count}"
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
        key = f"{self.name}-{self._count}"
        fields = fields_of(kind, key, self._evidence.lines, self._rng, now=time.time())
        answer = await self._send(
            "create", "POST", "/api/v1/cron/jobs", body=fields, key=key, kind=kind
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
        answer = await self._send(
            "edit",
            "PUT",
            f"/api/v1/cron/jobs/{job.job_id}",
            body=fields | ({"version": job.version} if with_version else {}),
            job=job,
        )
        if answer.status == 200:
            job.fields = _compared(answer.body["job"])
            job.version = answer.body["job"]["version"]
        job.asked = None

    async def _delete(self, job: Kept) -> None:
        job.may_go = True
        await self._send("delete", "DELETE", f"/api/v1/cron/jobs/{job.job_id}", job=job)
        job.gone = True

    async def _run_now(self, job: Kept) -> None:
        key = f"{self.name}-{self._count}"
        path = f"/api/v1/cron/jobs/{job.job_id}/run?wait_seconds=0"
        await self._send("run", "POST", path, body={}, key=key, job=job)

    # -- how it does it

    async def _send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        body: Fields | None = None,
        key: str | None = None,
        kind: Kind | None = None,
        job: Kept | None = None,
    ) -> "_Answer":
        """Send a request until it is answered; what is written down tells the whole story."""
        self._count += 1
        base: Record = {
            "id": f"{self.name}-{self._count}",
            "operation": operation,
            "key": key,
            "job_id": job and job.job_id,
            "kind": (job.kind if job else kind or TICK).name,
            "fields": body,
        }
        self._evidence.append("writes", base | {"phase": "sent", "at": time.time()})
        answer, tries = await self._until_answered(method, path, body, key)
        phase = "acknowledged" if answer.status < 300 else "refused"
        if tries > 1 and phase == "refused":
            answer, phase = await self._find_out(operation, answer, job)
        result = {"status": answer.status, "answer": answer.body, "tries": tries}
        self._evidence.append("writes", base | {"phase": phase, "at": time.time()} | result)
        return answer

    async def _until_answered(
        self, method: str, path: str, body: Fields | None, key: str | None
    ) -> "tuple[_Answer, int]":
        headers = {} if key is None else {"Idempotency-Key": key}
        tries = 0
        while True:
            await self._line.up.wait()
            tries += 1
            try:
                response = await self._http.request(method, path, json=body, headers=headers)
                if response.status_code != 503:
                    return _Answer(response.status_code, response.json()), tries
            except (httpx.TransportError, ValueError):
                self._line.unanswered_count += tries == 1
            await asyncio.sleep(_PAUSE)

    async def _find_out(
        self, operation: str, answer: "_Answer", job: Kept | None
    ) -> "tuple[_Answer, str]":
        """What became of a request whose first try was cut off, and whose next one is refused.

        The first may have gone through: then the job is gone, or has a newer version. Looked up
        and held against what was asked.
        """
        if operation == "delete" and answer.status == 404:
            return answer, "acknowledged"
        if operation == "create" and answer.status == 409:
            return answer, "came and went"  # made at the first try, ran, and deleted itself
        if operation == "edit" and answer.status == 409 and job and job.asked:
            found, _ = await self._until_answered(
                "GET", f"/api/v1/cron/jobs/{job.job_id}", None, None
            )
            if found.status == 200 and found.body["job"]["title"] == job.asked["title"]:
                return found, "acknowledged"
        return answer, "refused"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any


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
