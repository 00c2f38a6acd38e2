"""One gateway with a small load, and all that is known of it from outside.

It writes down the same evidence as the rig of random kills, so that the same checker judges it:
what was acknowledged, what the runs' children did, and what the gateway says in the end.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from chaos.checker import LOST, Fault, check
from chaos.client import Line
from chaos.evidence import Evidence, Record
from chaos.follower import PollingFollower
from chaos.gateway import PATIENCE, SERVE, Gateway
from chaos.kinds import line
from chaos.rig import collect

#: For what is switched off in the end, so that everything comes to rest.
_OFF = {"enabled": False, "off_label": "paused"}

_POLL = 0.02

#: The load: a job of every second, a cron job, and whatever the trial adds. `kind` is what the
#: checker knows it by.
TICK: Record = {"kind": "tick", "every": "1s", "misfire_grace_seconds": 1, "overlap": "allow"}
CRON: Record = TICK | {"kind": "cron", "cron_expr": "*/2 * * * * *", "every": None}


class Site:
    """A gateway over a folder, and the evidence beside it."""

    def __init__(
        self,
        folder: Path,
        *,
        data_dir: Path | None = None,
        argv: Sequence[str] = SERVE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.evidence = Evidence(folder / "evidence")
        self.gateway = Gateway(
            data_dir or folder / "data",
            log=folder / "gateway.log",
            environment={"UA_CRON_MAX_CONCURRENCY": "64", **(environment or {})},
            argv=argv,
        )
        #: How far the gateway's clock is ahead of this one.
        self.offset = 0.0
        self.jobs: list[Record] = []
        self._count = 0
        self._began = time.time()
        self._http = httpx.Client(base_url=self.gateway.base_url, timeout=30, trust_env=False)

    def close(self) -> None:
        self._http.close()
        self.gateway.close()

    def now(self) -> float:
        """What the gateway's clock says."""
        return time.time() + self.offset

    # -- requests

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """One try, and whatever came of it."""
        return self._http.request(method, path, json=body, **more)

    def get(self, path: str, **params: Any) -> Record:
        """A document. Raises httpx.HTTPError when it is refused."""
        response = self._http.get(path, params=params)
        document: Record = response.raise_for_status().json()
        return document

    @property
    def health(self) -> int:
        """The status that health answers with."""
        return self.ask("GET", "/api/v1/health").status_code

    def add(self, **fields: Any) -> Record:
        """A job whose runs write a line and then do `after`; acknowledged, or raised."""
        return self.add_when_it_may(fields)

    def add_when_it_may(
        self, fields: Record, *, meanwhile: Callable[[httpx.Response], object] | None = None
    ) -> Record:
        """Ask for a job until it is answered with 200; `meanwhile` hears every other answer."""
        key = f"key-{self._count}"
        kind, after = fields.pop("kind", "tick"), fields.pop("after", "")
        start = line("start", self.evidence.lines)
        body = {
            "command": f"{start}; {after}" if after else f"exec {start}",
            "title": f"{kind} {key}",
            "metadata": {"key": key, "kind": kind},
            "runner": "shell",
            "auto_pause_after": 0,
        } | {name: value for name, value in fields.items() if value is not None}
        answer = self._write(
            "POST", "/api/v1/cron/jobs", body, key, meanwhile, operation="create", kind=kind
        )
        job: Record = answer["job"]
        self.jobs.append(job)
        return job

    def run(self, job: Record) -> Record:
        """An extra run of the job, asked for and not waited for."""
        answer = self._write(
            "POST",
            f"/api/v1/cron/jobs/{job['job_id']}/run?wait_seconds=0",
            {},
            f"key-{self._count}",
            operation="run",
            job_id=job["job_id"],
        )
        run: Record = answer["run"]
        return run

    def decide(self, event_id: str, answer: Record) -> None:
        """Write down a decision that was acknowledged."""
        facts = {"operation": "decide", "event_id": event_id, "job_id": event_id.split("|")[1]}
        self._record(facts, "acknowledged", answer)

    def _write(
        self,
        method: str,
        path: str,
        body: Record,
        key: str,
        meanwhile: Callable[[httpx.Response], object] | None = None,
        **facts: Any,
    ) -> Record:
        self._count += 1
        base = {"id": key, "key": key, "fields": body, **facts}
        self.evidence.append("writes", base | {"phase": "sent", "at": self.now()})
        headers = {} if method == "PUT" else {"Idempotency-Key": key}
        deadline = time.monotonic() + PATIENCE
        while not (response := self.ask(method, path, body, headers=headers)).is_success:
            if meanwhile is None or time.monotonic() > deadline:
                raise httpx.HTTPStatusError(
                    response.text, request=response.request, response=response
                )
            meanwhile(response)
            time.sleep(_POLL)
        answer: Record = response.json()
        self._record(base, "acknowledged", answer)
        return answer

    def _record(self, base: Record, phase: str, answer: Record) -> None:
        facts = {"id": f"decision-{self._count}", "key": None, "fields": None} | base
        result = {"phase": phase, "status": 200, "answer": answer, "tries": 1, "at": self.now()}
        self._count += 1
        self.evidence.append("writes", facts | result)

    # -- what there is

    def runs(self, job: Record) -> list[Record]:
        """The job's runs, oldest first."""
        path = f"/api/v1/cron/jobs/{job['job_id']}/runs"
        runs: list[Record] = self.get(path, limit=5000)["runs"]
        return runs[::-1]

    def events(self, kind: str) -> list[Record]:
        """Every event of a type, oldest first."""
        found: list[Record] = []
        page: Record = {"has_more": True, "events": [{"seq": 0}]}
        while page["has_more"]:
            seq = page["events"][-1]["seq"]
            page = self.get("/api/v1/ops/scheduling/events", since_seq=seq, limit=5000)
            found += [event for event in page["events"] if event["type"] == kind]
        return found

    def missed(self, job: Record) -> list[Record]:
        """What the log says that the job has missed."""
        events = self.events("cron_run_missed")
        return [event["data"] for event in events if event["source_ref"] == job["job_id"]]

    def done(self, job: Record | None = None) -> list[list[str]]:
        """The words of the lines that runs have written: phase, event, run, attempt, trigger, at.

        Times are the machine's, whatever clock the gateway has.
        """
        if not self.evidence.lines.exists():
            return []
        # What comes after the last newline is being written.
        written = self.evidence.lines.read_text().split("\n")[:-1]
        lines = [text.split() for text in written]
        return [words for words in lines if job is None or words[1].split("|")[1] == job["job_id"]]

    # -- the end

    def account(self) -> Iterator[Fault]:
        """Let everything come to rest, and hold all that is known against each other."""
        for job in self.jobs:
            if self.ask("GET", f"/api/v1/cron/jobs/{job['job_id']}").status_code == 404:
                yield Fault(LOST, f"{job['job_id']} was acknowledged and is not there")
                return
            path = f"/api/v1/cron/jobs/{job['job_id']}"
            key = f"key-{self._count}"
            self._write("PUT", path, _OFF, key, operation="edit", job_id=job["job_id"], title=None)
        self.evidence.append(
            "rounds", {"life": 1, "end": "paused", "started_at": 0, "ended_at": self.now()}
        )
        until(lambda: not self._is_at_work(), "everything has come to rest")
        asyncio.run(self._collect())
        yield from check(self.evidence).faults

    def _is_at_work(self) -> bool:
        ledger = self.get("/api/v1/ops/scheduling/ledger")
        return bool(ledger["outcomes"]["in_flight"]) or any(
            self.get("/api/v1/cron/runs", status=status, limit=1)["runs"]
            for status in ("queued", "running")
        )

    async def _collect(self) -> None:
        line = Line(self.gateway.base_url)
        line.up.set()
        follower = PollingFollower("poll-0", line=line, evidence=self.evidence)
        follower.limit = 5000
        newest = self.get("/api/v1/ops/scheduling/events", limit=1)["event_bus_seq"]
        follower.stop(newest)
        await follower.run()
        await collect(self.gateway.base_url, self.evidence)


@contextmanager
def site(folder: Path, *, failpoint: str = "", **more: Any) -> Iterator[Site]:
    """A started gateway, which is gone after the block; `failpoint` is for its first start."""
    made = Site(folder, **more)
    try:
        made.gateway.start(UA_FAILPOINT=failpoint)
        yield made
    finally:
        made.close()


def until(question: Callable[[], object], what: str) -> float:
    """Wait until the answer is true; the seconds that took. Raises TimeoutError with `what`."""
    began = time.monotonic()
    while not question():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"never came true: {what}")
        time.sleep(_POLL)
    return time.monotonic() - began


def processor_seconds(pid: int) -> float:
    """How much of a processor the process itself has used so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
