"""Runs the gateway through its lives: load, kill, look, start again; then collects and checks."""

import asyncio
import shutil
import sqlite3
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from chaos.approver import Approver
from chaos.checker import Verdict, check, summary
from chaos.client import Line
from chaos.driver import Writer, differences
from chaos.durability import Durability, watch_syncs
from chaos.evidence import Evidence, Record
from chaos.follower import followers
from chaos.gateway import SERVE, Gateway, GatewayDied
from chaos.orphans import orphans, orphans_after, runs_at_work
from chaos.plan import End, plan
from chaos.strace import has_strace

#: How long orphans may live after a restart.
ORPHAN_SECONDS = 5.0

#: How long a failpoint may take to be passed.
_FAILPOINT_SECONDS = 30.0

#: How long the last runs may take to end.
_SETTLE_SECONDS = 60.0

#: How far back the ledger is asked after each restart; in the end it is asked for everything.
_LEDGER_SECONDS = 120.0
_LONGEST_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much of everything."""

    folder: Path
    seed: int = 1
    kills: int = 200
    failpoint_kills: int = 0
    jobs: int = 200
    writes_per_second: float = 50.0
    writers: int = 5
    followers: int = 2
    streams: int = 3
    concurrency: int = 64
    #: How the gateway is started.
    argv: Sequence[str] = SERVE


@dataclass(slots=True)
class Report:
    """What came of it."""

    options: Options
    kills: int
    verdict: Verdict
    started_at: float
    ended_at: float
    restart_seconds: list[float]
    #: None where there is no strace to ask.
    durability: Durability | None

    @property
    def summary(self) -> str:
        line = summary(self.verdict, kills=self.kills, seed=self.options.seed)
        if self.durability and self.durability.unsynced_count:
            line += f", {self.durability.unsynced_count} acknowledged before they were on the disk"
        return line

    @property
    def ok(self) -> bool:
        unsynced = self.durability.unsynced_count if self.durability else 0
        return not self.verdict.faults and not unsynced

    def record(self) -> Record:
        """The report as JSON."""
        restarts = self.restart_seconds or [0.0]
        return {
            "summary": self.summary,
            "ok": self.ok,
            "seed": self.options.seed,
            "kills": self.kills,
            "seconds": round(self.ended_at - self.started_at, 1),
            "evidence": str(self.options.folder),
            "restart_seconds": {
                "median": round(statistics.median(restarts), 3),
                "max": round(max(restarts), 3),
            },
            "durability": self.durability and asdict(self.durability),
            "figures": self.verdict.figures,
            "faults": [fault.record() for fault in self.verdict.faults],
        }


class Rig:
    """One gateway, its load, and everything that is written down about it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.evidence = Evidence(options.folder / "evidence")
        environment = {"UA_CRON_MAX_CONCURRENCY": str(options.concurrency)}
        self.gateway = Gateway(options.folder / "data", environment=environment, argv=options.argv)
        self.line = Line(self.gateway.base_url)
        shares = [options.jobs // options.writers] * options.writers
        shares[0] += options.jobs - sum(shares)
        self.writers = [
            Writer(
                f"w{number}",
                seed=options.seed,
                line=self.line,
                evidence=self.evidence,
                share=share,
                pace=options.writers / options.writes_per_second,
            )
            for number, share in enumerate(shares)
        ]
        self.approver = Approver(
            seed=options.seed,
            line=self.line,
            evidence=self.evidence,
            pace=10 / options.writes_per_second,
        )
        self.followers = followers(
            options.followers,
            options.streams,
            seed=options.seed,
            line=self.line,
            evidence=self.evidence,
            listen=self.approver.hear,
        )
        self._http = httpx.AsyncClient(base_url=self.gateway.base_url, timeout=60)
        self._restarts: list[float] = []

    async def run(self) -> Report:
        """All lives, one after the other. Raises when the gateway does not start."""
        began = time.time()
        ends = plan(
            self.options.seed,
            kills=self.options.kills,
            failpoint_kills=self.options.failpoint_kills,
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                load: list[Writer | Approver] = [*self.writers, self.approver]
                writing = [tasks.create_task(writer.run()) for writer in load]
                following = [tasks.create_task(follower.run()) for follower in self.followers]
                for life, end in enumerate(ends, start=1):
                    await self._live(life, end)
                await self._live(len(ends) + 1, End(), last=True)
                for writer in load:
                    writer.stop()
                await asyncio.gather(*writing)
                last = await self._settle()
                for follower in self.followers:
                    follower.stop(last)
                await asyncio.gather(*following)
                await collect(self.gateway.base_url, self.evidence)
        finally:
            self.gateway.close()
            await self._http.aclose()
        return Report(
            self.options,
            sum(not end.asked for end in ends),
            await asyncio.to_thread(check, self.evidence),
            began,
            time.time(),
            self._restarts,
            await asyncio.to_thread(self._durability),
        )

    # -- one life

    async def _live(self, life: int, end: End, *, last: bool = False) -> None:
        """Start, look around, let the load in, and wait for the end; the last life goes on."""
        record: Record = {"life": life, "end": str(end) if not last else "stop"}
        environment = {"UA_FAILPOINT": end.failpoint} if end.failpoint else {}
        self.gateway.spawn(**environment)
        if end.early:
            await asyncio.sleep(end.after)
        elif await self._look(record, may_die=bool(end.failpoint)):
            self.line.up.set()
            if last:
                self.evidence.append("rounds", record | {"ended_at": time.time()})
                return
            await self._await_end(end, record)
        if end.asked:
            await asyncio.to_thread(self._stop, record)
        self.gateway.kill()
        self.line.up.clear()
        record["ended_at"] = time.time()
        record["integrity"] = await asyncio.to_thread(self._integrity)
        self.evidence.append("rounds", record)

    def _stop(self, record: Record) -> None:
        """Ask the gateway to stop: it must end well, and leave no process behind."""
        code = self.gateway.stop()
        if code != 0:
            record["failure"] = f"exit code {code}: {self.gateway.last_words()}"
        record["orphans"] += orphans(self.gateway.data_dir, self.gateway.pid)

    async def _await_end(self, end: End, record: Record) -> None:
        if not end.failpoint:
            await asyncio.sleep(end.after)
            return
        try:
            await asyncio.to_thread(self.gateway.wait, _FAILPOINT_SECONDS)
        except TimeoutError:
            record["failure"] = f"{end.failpoint} was not passed in {_FAILPOINT_SECONDS:.0f} s"

    async def _look(self, record: Record, *, may_die: bool) -> bool:
        """Wait for health, then hold what is there against what must be.

        False when the gateway died meanwhile, as it may where a failpoint is set.
        """
        began = time.monotonic()
        try:
            await asyncio.to_thread(self.gateway.wait_until_healthy)
            record["restart_seconds"] = time.monotonic() - began
            self._restarts.append(record["restart_seconds"])
            left, seconds = await asyncio.to_thread(orphans_after, self.gateway, ORPHAN_SECONDS)
            record |= {"orphans": left, "orphan_seconds": seconds}
            record |= await self._contradictions()
        except (GatewayDied, httpx.TransportError):
            if not may_die:
                raise
            await asyncio.to_thread(self.gateway.wait)
            return False
        return True

    async def _contradictions(self) -> Record:
        http = self._http
        kept = [job for writer in self.writers for job in writer.jobs]
        listed = await _pages(http, "/api/v1/cron/jobs", "jobs")
        since = str(time.time() - _LEDGER_SECONDS)
        ledger = await _get(http, "/api/v1/ops/scheduling/ledger", start=since)
        return {
            "contradictions": differences(kept, listed),
            "still_running": await self._run_by_nobody(),
            "unaccounted": ledger["unaccounted"],
        }

    async def _run_by_nobody(self) -> list[str]:
        """Runs of an earlier gateway that are called running though no process works for them."""
        deadline = time.monotonic() + ORPHAN_SECONDS
        while True:
            running = await _get(self._http, "/api/v1/cron/runs", status="running", limit=5000)
            old = {
                run["run_id"]
                for run in running["runs"]
                if run["started_at"] < self.gateway.started_at
            }
            left = old - await asyncio.to_thread(runs_at_work) if old else old
            if not left or time.monotonic() > deadline:
                return sorted(left)
            await asyncio.sleep(0.1)  # its end is being recorded

    def _integrity(self) -> str:
        """What `PRAGMA integrity_check` says of a copy: looking at the original would mend it."""
        folder = self.options.folder / "copy"
        folder.mkdir(exist_ok=True)
        for name in ("ua.db", "ua.db-wal"):
            source = self.gateway.data_dir / name
            (folder / name).unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, folder / name)
        with closing(sqlite3.connect(folder / "ua.db")) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])

    def _durability(self) -> Durability | None:
        if not has_strace():
            return None
        return watch_syncs(self.options.folder / "durability", argv=self.options.argv)

    # -- the end

    async def _settle(self) -> int:
        """Wait until every slot has its outcome, or a while: the checker will tell.

        The seq of the last event there is then.
        """
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            ledger = await _get(self._http, "/api/v1/ops/scheduling/ledger")
            active = [
                await _get(self._http, "/api/v1/cron/runs", status=status, limit=1)
                for status in ("queued", "running")
            ]
            if not ledger["outcomes"]["in_flight"] and not any(page["runs"] for page in active):
                break
            await asyncio.sleep(0.2)
        page = await _get(self._http, "/api/v1/ops/scheduling/events", limit=1)
        return int(page["event_bus_seq"])


async def collect(base_url: str, evidence: Evidence) -> None:
    """Write down every run, and the ledger of every job that was ever acknowledged."""
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as http:
        evidence.replace("runs", await _pages(http, "/api/v1/cron/runs", "runs"))
        job_ids = {
            write["answer"]["job"]["job_id"]
            for write in evidence.read("writes")
            if write["operation"] == "create" and write["phase"] == "acknowledged"
        }
        start = str(time.time() - _LONGEST_SECONDS)
        ledgers = [
            await _get(http, "/api/v1/ops/scheduling/ledger", job_id=job_id, start=start)
            | {"job_id": job_id}
            for job_id in sorted(job_ids)
        ]
        evidence.replace("ledgers", ledgers)
        queue = await _get(http, "/api/v1/ops/stasis")
        evidence.replace("stasis", queue["stasis_queue"])


async def _get(http: httpx.AsyncClient, path: str, **params: Any) -> Record:
    response = await http.get(path, params=params)
    response.raise_for_status()
    record: Record = response.json()
    return record


async def _pages(http: httpx.AsyncClient, path: str, name: str) -> list[Record]:
    """Every item of a paged list: jobs by cursor, runs by the last id."""
    found: list[Record] = []
    params: dict[str, Any] = {"limit": 5000}
    while True:
        page = await _get(http, path, **params)
        found += page[name]
        if name == "jobs":
            cursor = page["next_cursor"]
        else:
            cursor = page[name][-1]["run_id"] if len(page[name]) == params["limit"] else None
        if cursor is None:
            return found
        params["cursor" if name == "jobs" else "before"] = cursor
