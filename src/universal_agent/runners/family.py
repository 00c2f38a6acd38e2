"""The processes that belong to a run: identification and termination.

A run's child carries a tag that all its descendants inherit and that is not in the environment: a
soft limit on a resource that is irrelevant to it (RLIMIT_RTTIME, the CPU time of real-time
processes, set to a value that is never reached). The tag is derived from the run id, so a gateway
that restarts after a kill can compute it. A process keeps the tag when it leaves the session
(setsid), clears its environment (env -i) or loses its parent. No other process has it: a process
that received a copy of UA_RUN_ID does not belong to the run.

Processes in the same session as a tagged process, and descendants of one, also belong to the run;
so a process that changes its own limits is found while its parents live. Without /proc, only the
process group of the child is known.
"""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b

import structlog

from universal_agent.clock import Clock
from universal_agent.runners.time_limit import time_limit
from universal_agent.threads import PROCESSES

_log = structlog.get_logger(__name__)

#: The limit that carries the tag; None where the system has no such limit.
_TAG_LIMIT: int | None = getattr(resource, "RLIMIT_RTTIME", None)

#: The lowest tag, in microseconds: 146,000 years, which no process reaches.
_FIRST_TAG = 1 << 62
_TAG_BYTES = 7

_PIECE_BYTES = 64 * 1024

#: How many times surviving processes are searched for and killed. One round suffices unless a
#: process forks during the kill.
_KILL_ROUNDS = 10


def _pidfd_works() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


#: Whether the kernel reports the exit of a process through a file descriptor (Linux 5.3).
HAS_PIDFD = _pidfd_works()


async def exit_of(pid: int) -> None:
    """Return when `pid` has exited. This does not reap a child of the gateway.

    Until the child is reaped, its pid and its process group id cannot be reused.
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


def tag_of(run_id: str) -> int:
    """The tag of a run's processes."""
    digest = blake2b(run_id.encode(), digest_size=_TAG_BYTES).digest()
    return _FIRST_TAG + int.from_bytes(digest, "big")


@contextmanager
def tagged(run_id: str) -> Iterator[None]:
    """Give the run's tag to a child that is started in this block.

    A child inherits its limits from this process, so the limit is set here temporarily, before the
    child can execute anything. If setting it is not permitted, the child has no tag.
    """
    if _TAG_LIMIT is None:
        yield
        return
    soft, hard = before = resource.getrlimit(_TAG_LIMIT)
    try:
        resource.setrlimit(_TAG_LIMIT, (tag_of(run_id), hard))
    except (ValueError, OSError):
        _log.debug("run_not_tagged", soft=soft, hard=hard)
    try:
        yield
    finally:
        resource.setrlimit(_TAG_LIMIT, before)


def settle(future: asyncio.Future[None]) -> None:
    """Set the result of `future` unless it is done or cancelled."""
    if not future.done():
        future.set_result(None)


@dataclass(frozen=True, slots=True)
class Family:
    """All processes that were started, directly or indirectly, for one of `run_ids`."""

    run_ids: Collection[str]
    #: The leader of the session and the group; None when an earlier gateway started it.
    leader: int | None = None
    #: Signals the leader's group, where this process is not the leader's parent and must not rely
    #: on its id.
    to_group: Callable[[signal.Signals], None] | None = None

    async def end(
        self,
        *,
        clock: Clock,
        grace: float,
        leader_exit: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        """Send SIGTERM to all, and SIGKILL after `grace` seconds; returns how many there were.

        Logs a warning about processes that cannot be killed: they hang in the kernel, or belong to
        another user.
        """
        found: set[int] = set()
        try:
            async with time_limit(clock, grace):
                self._terminate_group()
                found.update(await PROCESSES.run(self.living))
                self._terminate_strays(found)
                if leader_exit is not None:
                    await leader_exit()
                await _exits(found)
        except TimeoutError:
            pass  # SIGKILL follows
        finally:
            self.kill_group()
        if left := await self._kill_rest(found, clock, grace):
            _log.warning("processes_left", pids=left)
        return len(found)

    async def _kill_rest(self, found: set[int], clock: Clock, grace: float) -> list[int]:
        """Send SIGKILL until no process is left; returns the processes that survive."""
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
        """The live processes of the family. Reads all of /proc: call it in a thread."""
        tags = {tag_of(run_id) for run_id in self.run_ids}
        stats = {pid: stat for pid in _own_pids() if (stat := _stat(pid))}
        tagged = {pid for pid in stats if _tag_of(pid) in tags}
        sessions = {int(stats[pid][_SESSION]) for pid in tagged} | {self.leader}
        # The session that this gateway belongs to is excluded: if a run started this gateway, that
        # session also contains processes of others.
        sessions -= {None, os.getsid(0)}
        members = {
            pid for pid, stat in stats.items() if pid in tagged or int(stat[_SESSION]) in sessions
        }
        if self.leader in stats:
            members.add(self.leader)
        while more := {
            pid
            for pid, stat in stats.items()
            if pid not in members and int(stat[_PARENT]) in members
        }:
            members |= more
        return [pid for pid in members if stats[pid][_STATE] not in (b"Z", b"X")]

    # A group is signalled in one call, which no fork can escape, and only once: many programs
    # interpret a second SIGTERM as "exit immediately, without cleanup". The groups of processes
    # that left the session are signalled in the same way (`_terminate_strays`).

    def kill_group(self) -> None:
        """Send SIGKILL to the rest of the leader's group; call it before the leader is reaped."""
        self._send_to_group(signal.SIGKILL)

    def _terminate_group(self) -> None:
        self._send_to_group(signal.SIGTERM)
        self._send_to_group(signal.SIGCONT)  # a stopped process cannot handle SIGTERM

    def _terminate_strays(self, pids: Collection[int]) -> None:
        """Send SIGTERM to the processes that left the leader's group.

        A group that one of them leads is signalled as a whole: it may have grown since the search.
        """
        groups = {pid: group for pid in pids if (group := _group(pid)) != self.leader}
        whole = {pid for pid in groups if pid in groups.values()} - {os.getpgrp()}
        targets = [-group for group in whole] + [
            pid for pid, group in groups.items() if group not in whole
        ]
        for target in targets:
            _send(signal.SIGTERM, target)
            _send(signal.SIGCONT, target)

    def _send_to_group(self, number: signal.Signals) -> None:
        if self.to_group is not None:
            self.to_group(number)
        elif self.leader is not None:
            _send(number, -self.leader)


def _send(number: signal.Signals, target: int) -> None:
    """Send a signal to a process, or to the group `-target`."""
    # PermissionError: they belong to other users (sudo).
    with suppress(ProcessLookupError, PermissionError):
        os.kill(target, number)


async def _exits(pids: Iterable[int]) -> None:
    for pid in pids:
        await exit_of(pid)


def _own_pids() -> list[int]:
    """This user's processes without this one and its ancestors; empty if not on Linux."""
    if not HAS_PIDFD:
        return []
    ancestors = _lineage()
    user = os.geteuid()
    pids = []
    with suppress(FileNotFoundError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal() and (pid := int(entry.name)) not in ancestors:
                with suppress(FileNotFoundError, ProcessLookupError):
                    if entry.stat().st_uid == user:
                        pids.append(pid)
    return pids


def _lineage() -> set[int]:
    pid, pids = os.getpid(), set[int]()
    while pid and pid not in pids:
        pids.add(pid)
        stat = _stat(pid)
        pid = int(stat[_PARENT]) if stat else 0
    return pids


def _tag_of(pid: int) -> int | None:
    """The tag of a process; None when it is gone or belongs to another user."""
    if _TAG_LIMIT is None:
        return None
    try:
        return resource.prlimit(pid, _TAG_LIMIT)[0]
    except OSError:
        return None


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


#: Indexes of the fields of /proc/PID/stat that follow the name (proc(5)).
_STATE, _PARENT, _SESSION = 0, 1, 3


def _stat(pid: int) -> list[bytes]:
    """The fields after the name, which may contain any bytes; empty when the process is gone."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _read(pid: int, name: str) -> bytes:
    """A file of /proc; empty when the process is gone or belongs to another user.

    `os.open` is cheaper than `open`: there may be thousands of processes.
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
