"""Which processes of runs are there that no living gateway has started? Asks /proc."""

import os
import time
from pathlib import Path

from chaos.gateway import Gateway, GatewayDied

_PROC = Path("/proc")


def orphans(data_dir: Path, gateway: int) -> list[int]:
    """Processes that work in this data directory and do not descend from process `gateway`."""
    found = []
    inside = str(data_dir.resolve()) + os.sep
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and int(entry.name) != gateway:
            try:
                works_here = str((entry / "cwd").readlink()).startswith(inside)
            except OSError:  # gone, or another user's
                continue
            if works_here and not _descends(int(entry.name), gateway):
                found.append(int(entry.name))
    return found


def orphans_after(gateway: Gateway, seconds: float) -> tuple[list[int], float]:
    """Who is left when all are gone or `seconds` have passed, and how long that took.

    Raises GatewayDied when the gateway dies meanwhile: its own children are orphans then.
    """
    began = time.monotonic()
    while left := orphans(gateway.data_dir, gateway.pid):
        if gateway.exit_code is not None:
            raise GatewayDied("while its processes were counted")
        if time.monotonic() - began > seconds:
            break
        time.sleep(0.02)
    return left, time.monotonic() - began


def _descends(pid: int, ancestor: int) -> bool:
    while pid > 1:
        try:
            stat = (_PROC / str(pid) / "stat").read_bytes()
        except OSError:
            return True  # gone meanwhile: nobody's orphan
        pid = int(stat.rpartition(b")")[2].split()[1])
        if pid == ancestor:
            return True
    return False
