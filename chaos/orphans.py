"""Processes of runs that neither the living gateway nor a keeper answers for. Asks /proc."""

import os
import time
from pathlib import Path

from chaos.gateway import Gateway, GatewayDied

_PROC = Path("/proc")

#: The program that keepers are, and the variable that every process of a run has.
_KEEPER = b"/runners/keeper.py"
_RUN_ID = b"UA_RUN_ID="


def orphans(data_dir: Path, gateway: int) -> list[int]:
    """Processes that work in this data directory and descend neither from process `gateway` nor
    from a keeper, which goes on with its run when a gateway dies.
    """
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
        if pid == ancestor or _is_keeper(pid):
            return True
    return False


def _is_keeper(pid: int) -> bool:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(word.endswith(_KEEPER) for word in words)


def runs_at_work() -> set[str]:
    """The ids of runs that a process of this machine works for."""
    found = set[str]()
    for entry in _PROC.iterdir():
        try:
            variables = (entry / "environ").read_bytes().split(b"\0") if _is_process(entry) else ()
        except OSError:  # gone, or another user's
            continue
        found.update(v[len(_RUN_ID) :].decode() for v in variables if v.startswith(_RUN_ID))
    return found


def _is_process(entry: Path) -> bool:
    return entry.name.isdecimal()
