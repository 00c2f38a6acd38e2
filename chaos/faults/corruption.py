"""F19: the database is not what it was when the gateway left it."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from chaos.checker import LOST, OTHER, Fault
from chaos.driver import COMPARED
from chaos.evidence import Record
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round
from chaos.gateway import Gateway

_PAGE = 4096
_DATABASE, _LOG = "ua.db", "ua.db-wal"

#: What a sound page of a b-tree begins with: its sort, the first free block, how many cells there
#: are and where they begin.
_PAGE_HEADER_BYTES = 8


def truncated(folder: Path, rng: random.Random) -> None:
    """The database lost everything after some point."""
    path = folder / _DATABASE
    os.truncate(path, rng.randrange(1, path.stat().st_size // 2))


def torn_page(folder: Path, rng: random.Random) -> None:
    """The database's last page is there in part."""
    path = folder / _DATABASE
    os.truncate(path, path.stat().st_size - rng.randrange(1, _PAGE))


def flipped_byte(folder: Path, rng: random.Random) -> None:
    """One byte in the head of one of the database's pages is another one."""
    path = folder / _DATABASE
    page = rng.randrange(path.stat().st_size // _PAGE)
    _flip(path, page * _PAGE + (100 if page == 0 else 0) + rng.randrange(_PAGE_HEADER_BYTES), rng)


def empty(folder: Path, rng: random.Random) -> None:
    """There is nothing in the database."""
    os.truncate(folder / _DATABASE, 0)


def gone_log(folder: Path, rng: random.Random) -> None:
    """The write-ahead log is not there, with everything that was in it alone."""
    (folder / _LOG).unlink()


def torn_log(folder: Path, rng: random.Random) -> None:
    """The write-ahead log lost its end: the latest events are torn."""
    path = folder / _LOG
    os.truncate(path, rng.randrange(_PAGE, path.stat().st_size - 1))


def flipped_log(folder: Path, rng: random.Random) -> None:
    """One byte of the write-ahead log is another one."""
    path = folder / _LOG
    _flip(path, rng.randrange(32, path.stat().st_size), rng)


def _flip(path: Path, at: int, rng: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ (1 << rng.randrange(8))]))


@dataclass(frozen=True, slots=True)
class _Known:
    """What a sound start would show."""

    jobs: list[Record]
    seq: int


Damage = Callable[[Path, random.Random], None]

#: What is done to a database that was closed well, and to one whose gateway was killed.
_CLOSED: tuple[Damage, ...] = (truncated, torn_page, flipped_byte, empty)
_KILLED: tuple[Damage, ...] = (truncated, gone_log, torn_log, flipped_log)


def trial(this: Round) -> Iterator[Fault]:
    """Damage copies of a database in each of the ways, and start a gateway on each.

    The brief form takes one of the ways for each of the two states.
    """
    with site(this.folder) as at:
        tick = at.add(**TICK)
        at.add(**CRON)
        until(lambda: len(at.done(tick)) >= 2, "some runs")
        newest = at.get("/api/v1/ops/scheduling/events", limit=1)["event_bus_seq"]
        known = _Known(at.jobs, newest)
        at.gateway.kill()
        killed = _copy(at, this.folder / "killed")
        at.gateway.start()
        at.gateway.stop()
        closed = _copy(at, this.folder / "closed")
    count = 0
    for pristine, damages in ((closed, _CLOSED), (killed, _KILLED)):
        for damage in this.rng.sample(damages, 1) if this.brief else damages:
            count += 1
            folder = this.folder / f"{pristine.name}-{damage.__name__}"
            shutil.copytree(pristine, folder)
            damage(folder, this.rng)
            yield from _refused(folder, known, f"{pristine.name}, {damage.__name__}")
    yield from this.measure("damages", count)


def _copy(at: Site, folder: Path) -> Path:
    """The data as they are now, without the pipes of a keeper whose run is under way."""
    ignored = shutil.ignore_patterns("keepers")
    shutil.copytree(at.gateway.data_dir, folder, ignore=ignored)
    return folder


def _refused(folder: Path, known: _Known, where: str) -> Iterator[Fault]:
    """It does not start, says why and what to do, and touches nothing; or it is all there."""
    files = [folder / name for name in (_DATABASE, _LOG)]
    before = [file.read_bytes() if file.exists() else None for file in files]
    gateway = Gateway(folder)
    try:
        gateway.spawn()
        until(lambda: gateway.exit_code is not None or gateway.is_healthy(), f"a start ({where})")
        if gateway.exit_code is None:
            yield from _complete(gateway, known, where)
            return
    finally:
        gateway.close()
    said = gateway.last_words()
    if gateway.exit_code != 2 or str(folder / _DATABASE) not in said or "backup" not in said:
        yield Fault(OTHER, f"{where}: exit code {gateway.exit_code}, {said[-300:]}")
    if [file.read_bytes() if file.exists() else None for file in files] != before:
        yield Fault(LOST, f"{where}: the damaged files were changed")


def _complete(gateway: Gateway, known: _Known, where: str) -> Iterator[Fault]:
    """A byte that nothing depends on may change; what was acknowledged is there, as it was."""
    with httpx.Client(base_url=gateway.base_url, timeout=30, trust_env=False) as http:
        listed = {job["job_id"]: job for job in http.get("/api/v1/cron/jobs").json()["jobs"]}
        page = http.get("/api/v1/ops/scheduling/events", params={"limit": 1}).json()
    for job in known.jobs:
        found = listed.get(job["job_id"], {})
        if any(found.get(name) != job[name] for name in COMPARED):
            yield Fault(LOST, f"{where}: it started without {job['job_id']} as it was")
    if page["event_bus_seq"] < known.seq:
        yield Fault(LOST, f"{where}: it started at event {page['event_bus_seq']} of {known.seq}")
