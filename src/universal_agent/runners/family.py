"""The processes that belong to a run, and how all of them are ended.

A run's child is started with a tag that every process descending from it inherits and that is in
no environment: a soft limit of a resource that means nothing to it (RLIMIT_RTTIME, the processor
time of real-time processes, of a length that none lives through). The tag follows from the run's
id, so a gateway that was started after a kill knows it too. It stays with processes that leave the
session (setsid), clear their environment (env -i) or lose their parent, and nothing else has it: a
process that was given a copy of UA_RUN_ID by hand is a stranger.

Besides, whatever shares a session with such a process belongs to the run, and whatever descends
from one; so a process that changes its own limits is found while its parents live. Where there is
no /proc only the process group of the child is known.
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

#: Microseconds that no process lives through: 146,000 years. Tags are from here on.
_FIRST_TAG = 1 << 62
_TAG_BYTES = 7

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


def tag_of(run_id: str) -> int:
    """The tag of a run's processes."""
    digest = blake2b(run_id.encode(), digest_size=_TAG_BYTES).digest()
    return _FIRST_TAG + int.from_bytes(digest, "big")


@contextmanager
def tagged(run_id: str) -> Iterator[None]:
    """Have a child that is started in this block carry the run's tag.

    A child inherits its limits from this process, so they are set here for a moment: before the
    child runs, and nothing that it does can come first. Without a tag where that is not allowed.
    """
    if _TAG_LIMIT is None:
        yield
        return
    soft, hard = before = resource.getrlimit(_TAG_LIMIT)
    try:
        resource.setrlimit(_TAG_LIMIT, (tag_of(run_id), hard))
    except (ValueError, OSError):
        _log.debug("run_not_tagged", action="run_not_tagged", soft=soft, hard=hard)
    try:
        yield
    finally:
        resource.setrlimit(_TAG_LIMIT, before)


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
        """The processes of the family that run now. Reads all of /proc: call it in a thread."""
        tags = {tag_of(run_id) for run_id in self.run_ids}
        stats = {pid: stat for pid in _own_pids() if (stat := _stat(pid))}
        tagged = {pid for pid in stats if _tag_of(pid) in tags}
        sessions = {int(stats[pid][_SESSION]) for pid in tagged} | {self.leader}
        # A tagged process has left the session that the gateway was started in, unless it is a
        # gateway itself that a run has started: that session has strangers in it.
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
        pid = int(stat[_PARENT]) if stat else 0
    return pids


def _tag_of(pid: int) -> int | None:
    """The tag of a process; None when it is gone or not ours to look into."""
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


#: Where the fields of /proc/PID/stat are that come after the name (proc(5)).
_STATE, _PARENT, _SESSION = 0, 1, 3


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
