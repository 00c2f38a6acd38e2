"""F24: files are taken away, or swapped, under a running gateway."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from chaos.checker import LOST, OTHER, Fault
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round
from chaos.gateway import Gateway

#: Brings the files back as they were.
Undo = Callable[[], object]

_NOTICED_SECONDS = 5.0


def without_database(data: Path, aside: Path) -> Undo:
    """The database is gone."""
    return _moved(data / "ua.db", aside)


def without_log(data: Path, aside: Path) -> Undo:
    """The write-ahead log is gone."""
    return _moved(data / "ua.db-wal", aside)


def without_index(data: Path, aside: Path) -> Undo:
    """The write-ahead log's index is gone."""
    return _moved(data / "ua.db-shm", aside)


def without_directory(data: Path, aside: Path) -> Undo:
    """The whole data directory is gone."""
    return _moved(data, aside)


def with_another_database(data: Path, aside: Path) -> Undo:
    """Another database has the name."""
    # Made elsewhere: SQLite removes a log that it finds beside a new database.
    other = aside.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE other (x)")
    undo = _moved(data / "ua.db", aside)
    other.rename(data / "ua.db")
    return undo


def _moved(path: Path, aside: Path) -> Undo:
    path.rename(aside)

    def undo() -> None:
        if path.is_dir():
            shutil.rmtree(path)
        aside.replace(path)

    return undo


_HARMS = (
    without_database,
    without_log,
    without_index,
    without_directory,
    with_another_database,
)


def trial(this: Round) -> Iterator[Fault]:
    """Harm one gateway in one way, and see nothing acknowledged that is not kept."""
    harm = this.rng.choice(_HARMS) if this.brief else _HARMS[this.number % len(_HARMS)]
    with site(this.folder) as at:
        tick = at.add(**TICK)
        at.add(**CRON)
        until(lambda: len(at.done(tick)) > this.rng.randint(0, 2), "the first runs")
        yield from _second_gateway(at)
        yield from _swapped_workspace(at, this.folder)
        data = at.gateway.data_dir
        undo = harm(data, this.folder / "aside")
        yield from this.measure("noticed_seconds", _until_noticed(at), limit=_NOTICED_SECONDS)
        yield from _holds(at, harm.__name__)
        at.gateway.kill()
        if harm is not without_index:  # SQLite makes another from the log
            yield from _refused(at, harm.__name__)
        undo()
        at.gateway.start()
        yield from at.account()


def _until_noticed(at: Site) -> float:
    """Write until it is refused. What is acknowledged until then has to be there in the end."""
    began = time.monotonic()

    def is_refused() -> bool:
        body = {"command": "true", "every": "1h", "title": "in the meantime"}
        return at.ask("POST", "/api/v1/cron/jobs", body).status_code == 503

    until(is_refused, "a write that is refused")
    until(lambda: at.health == 503, "health that says so")
    return time.monotonic() - began


def _holds(at: Site, what: str) -> Iterator[Fault]:
    """Once it is noticed, nothing is acknowledged, and the reason is said."""
    write = at.ask("POST", "/api/v1/cron/jobs", {"command": "true", "every": "1h"})
    if write.status_code != 503:
        yield Fault(LOST, f"{what}: a write was answered {write.status_code}")
    for answer in (write, at.ask("GET", "/api/v1/health")):
        if "ua.db" not in answer.text or "while the gateway ran" not in answer.text:
            yield Fault(OTHER, f"{what}: the reason is not said, but {answer.text[:300]}")


def _refused(at: Site, what: str) -> Iterator[Fault]:
    """It does not start without what was acknowledged, and names the command that accepts that."""
    at.gateway.spawn()
    code = at.gateway.wait()
    said = at.gateway.last_words()
    if code != 2 or "ua.db" not in said or "ua accept-loss" not in said:
        yield Fault(LOST, f"{what}: the next start ended with {code}: {said[-300:]}")


def _second_gateway(at: Site) -> Iterator[Fault]:
    """With the lock file gone, a second gateway does not start."""
    (at.gateway.data_dir / "ua.db.lock").unlink()
    second = Gateway(at.gateway.data_dir, log=at.gateway.log.with_name("second.log"))
    try:
        second.spawn()
        if (code := second.wait()) != 2:
            yield Fault(OTHER, f"a second gateway ended with {code}: {second.last_words()}")
    finally:
        second.close()
    if at.health != 200:
        yield Fault(OTHER, "the first gateway is not well after a second one was started")


def _swapped_workspace(at: Site, folder: Path) -> Iterator[Fault]:
    """A workspace that became a link is not followed."""
    outside = folder / "outside"
    outside.mkdir()
    job = at.add(kind="once", run_at="in 1s", workspace_dir="plain", after="touch ran")
    link = at.gateway.data_dir / "workspaces" / "plain"
    link.symlink_to(outside.absolute())
    until(lambda: any(run["finished_at"] for run in at.runs(job)), "a run in that workspace")
    (run,) = at.runs(job)
    if run["status"] != "error" or at.done(job) or list(outside.iterdir()):
        yield Fault(OTHER, f"a run in a workspace that is a link is {run['status']}")
    link.unlink()
