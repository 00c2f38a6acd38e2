"""Which processes belong to a run, and how are they all ended?

The child of a run leads a session of its own, so what it started is found by session. A process
that left the session (setsid, a daemon) still carries the UA_RUN_ID it inherited, which Linux
shows in /proc. Elsewhere only the process group is known.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from universal_agent.clock import Clock
from universal_agent.runners.time_limit import time_limit
from universal_agent.threads import PROCESSES

_log = structlog.get_logger(__name__)

_MARK = b"UA_RUN_ID="
_PIECE_BYTES = 64 * 1024

#: How often those left are looked for and killed again. Once is enough, unless something forks
#: away from the kill.
_KILL_ROUNDS = 10


def _pidfd_works() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


#: Whether the kernel tells of a process's end through a file descriptor (Linux 5.3).
HAS_PIDFD = _pidfd_works()


async def exit_of(pid: int) -> None:
    """Return when `pid` has exited. A child of ours is not reaped by this.

    Until it is, its number, and the group named after it, cannot come to mean another.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, settle, exited)
    try:
        await exited
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def settle(future: asyncio.Future[None]) -> None:
    """Let whoever waits for `future` go on, if somebody still does."""
    if not future.done():
        future.set_result(None)


@dataclass(frozen=True, slots=True)
class Family:
    """Every process that was started, directly or not, for one of `run_ids`."""

    run_ids: Collection[str]
    #: The process that leads the session and its group; None when an earlier gateway started it.
    leader: int | None = None

    async def end(
        self,
        *,
        clock: Clock,
        grace: float,
        leader_exit: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        """SIGTERM to all, after `grace` seconds SIGKILL to who is left; how many there were.

        Logs a warning about what cannot be killed: it hangs in the kernel, or is another user's.
        """
        found: set[int] = set()
        try:
            async with time_limit(clock, grace):
                self._ask_group()
                found.update(await PROCESSES.run(self.living))
                self._ask_strays(found)
                if leader_exit is not None:
                    await leader_exit()
                await _exits(found)
        except TimeoutError:
            pass  # asked in vain
        finally:
            self.kill_group()
        if left := await self._kill_rest(found, clock, grace):
            _log.warning("processes_left", action="processes_left", pids=left)
        return len(found)

    async def _kill_rest(self, found: set[int], clock: Clock, grace: float) -> list[int]:
        """SIGKILL until nobody is left; who is, all the same."""
        for _ in range(_KILL_ROUNDS):
            left = await PROCESSES.run(self.living)
            found.update(left)
            for pid in left:
                _send(signal.SIGKILL, pid)
            try:
                async with time_limit(clock, grace):
                    await _exits(left)
            except TimeoutError:
                return left
            if not left:
                break
        return left

    def living(self) -> list[int]:
        """Who of the family runs now. Reads all of /proc: call it in a thread."""
        marks = {run_id.encode() for run_id in self.run_ids}
        pids = _own_pids()
        marked = {pid for pid in pids if _mark_of(pid) in marks}
        sessions = {_session(pid) for pid in marked} | {self.leader}
        sessions -= {None, _session(os.getpid())}
        return [
            pid
            for pid in pids
            if (pid in marked or _session(pid) in sessions) and not _is_zombie(pid)
        ]

    # A group is signalled as one, in one call that nothing can fork away from, and only once:
    # many programs take a second SIGTERM for "at once, without cleaning up".

    def kill_group(self) -> None:
        """SIGKILL to whoever is left in the leader's group; only before the leader is reaped."""
        self._send_to_group(signal.SIGKILL)

    def _ask_group(self) -> None:
        self._send_to_group(signal.SIGTERM)
        self._send_to_group(signal.SIGCONT)  # a stopped process would not hear the question

    def _ask_strays(self, pids: Iterable[int]) -> None:
        for pid in pids:
            if self.leader is None or _group(pid) != self.leader:
                _send(signal.SIGTERM, pid)
                _send(signal.SIGCONT, pid)

    def _send_to_group(self, number: signal.Signals) -> None:
        if self.leader is not None:
            # PermissionError: only processes of other users (sudo) are left in it.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader, number)


def _send(number: signal.Signals, pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


async def _exits(pids: Iterable[int]) -> None:
    for pid in pids:
        await exit_of(pid)


def _own_pids() -> list[int]:
    """This user's processes, but for this one and those it descends from; none where not Linux."""
    if not HAS_PIDFD:
        return []
    spared = _lineage()
    user = os.geteuid()
    pids = []
    with suppress(FileNotFoundError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and (pid := int(entry.name)) not in spared:
                with suppress(FileNotFoundError, ProcessLookupError):
                    if entry.stat().st_uid == user:
                        pids.append(pid)
    return pids


def _lineage() -> set[int]:
    pid, pids = os.getpid(), set[int]()
    while pid and pid not in pids:
        pids.add(pid)
        stat = _stat(pid)
        pid = int(stat[1]) if stat else 0
    return pids


def _mark_of(pid: int) -> bytes | None:
    """The UA_RUN_ID a process was started with; None for a zombie or without one."""
    _, found, rest = (b"\x00" + _read(pid, "environ")).partition(b"\x00" + _MARK)
    return rest.partition(b"\x00")[0] if found else None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_zombie(pid: int) -> bool:
    stat = _stat(pid)
    return not stat or stat[0] in (b"Z", b"X")


def _stat(pid: int) -> list[bytes]:
    """State, parent and so on; empty when it is gone. The name before them may hold anything."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int, name: str) -> bytes:
    """A file of /proc; empty when the process is gone, or not ours to look into.

    Without the layers of `open`: there may be thousands of processes.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return b"".join(iter(lambda: os.read(descriptor, _PIECE_BYTES), b""))
    except OSError:
        return b""
    finally:
        os.close(descriptor)
