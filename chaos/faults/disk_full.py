"""F4: there is no room on the disk any more, and then there is again."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaos.checker import OTHER, Fault
from chaos.faults.site import CRON, TICK, Site, site, until
from chaos.faults.trial import Round

#: Past the latency and the grace, so that there is something to miss.
_FULL_SECONDS = 8.0

_CHUNK = 64 * 1024


def trial(this: Round) -> Iterator[Fault]:
    """Fill it, see writes refused and reads answered, free it, and see it go on by itself."""
    with _room(this.folder) as data_dir, site(this.folder, data_dir=data_dir) as at:
        tick = at.add(**TICK)
        at.add(**CRON, on_miss="run_latest")
        until(lambda: len(at.done(tick)) > this.rng.randint(0, 2), "the first runs")
        with _full(at, data_dir.parent):
            until(lambda: _is_refused(at), "a write that is refused")
            began = time.monotonic()
            while time.monotonic() - began < _FULL_SECONDS:
                yield from _holds(at)
                time.sleep(0.2)
        seconds = until(lambda: at.health == 200, "health without a restart")
        yield from this.measure("healthy_again_seconds", seconds, limit=5)
        at.add_when_it_may(dict(TICK), meanwhile=lambda refusal: None)
        until(
            lambda: any(span["cause"] == "store_unavailable" for span in at.missed(tick)),
            "slots that are missed because the database could not take writes",
        )
        yield from at.account()


def _is_refused(at: Site) -> bool:
    body = {"command": "true", "every": "1h"}
    return not at.ask("POST", "/api/v1/cron/jobs", body).is_success


def _holds(at: Site) -> Iterator[Fault]:
    """While it is full."""
    body = {"command": "true", "every": "1h", "title": "no room for this"}
    write = at.ask("POST", "/api/v1/cron/jobs", body)
    if write.status_code not in (503, 507):
        yield Fault(OTHER, f"a write was answered {write.status_code} on a full disk")
    for path in ("/api/v1/cron/jobs", "/api/v1/ops/calendar/events", "/api/v1/ops/stasis"):
        if (read := at.ask("GET", path)).status_code != 200:
            said = f"{read.status_code}: {read.text}"
            yield Fault(OTHER, f"{path} was answered {said} on a full disk")
    health = at.ask("GET", "/api/v1/health")
    if health.status_code != 503 or "has not looked at its clock" in health.text:
        yield Fault(OTHER, f"health does not tell of the full disk, but {health.text}")


@contextmanager
def _room(folder: Path) -> Iterator[Path]:
    """Where the data lie: a small disk of their own, where one can be had."""
    disk = folder / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        yield disk / "data"
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)], check=True)
    try:
        yield disk / "data"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@contextmanager
def _full(at: Site, disk: Path) -> Iterator[None]:
    """Leave no room, and make room again."""
    if os.geteuid() != 0:
        before = resource.prlimit(at.gateway.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(at.gateway.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        yield
        resource.prlimit(at.gateway.pid, resource.RLIMIT_FSIZE, before)
        return
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for chunk in (_CHUNK, 1):
            with suppress(OSError):
                while file.write(b"\0" * chunk):
                    pass
    yield
    ballast.unlink()
