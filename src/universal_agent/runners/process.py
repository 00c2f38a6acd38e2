"""The child process of a run: start, output, exit and termination.

    argv -> a separate session, empty stdin, an allow-listed environment
         -> stdout and stderr together, in order, to the run's output; an agent's stdout to the
            parser of its reply, its stderr to the log only
         -> exit; processes that are left in its process group are killed
    cancel -> SIGTERM to everything it started, a grace period, SIGKILL

The child is started with `subprocess.Popen` and watched through a pidfd. Popen uses vfork, which
takes under a millisecond regardless of the size of this process; the fork of uvloop copies the page
tables, which takes ten times as long and blocks the event loop. The pidfd reports the exit before
the child is reaped, while its process group id is still reserved: only then can the rest of the
group be killed without hitting an unrelated process.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from universal_agent.clock import Clock
from universal_agent.domain.run import RunStatus
from universal_agent.failpoint import Failpoint, passing
from universal_agent.files import path_of
from universal_agent.runners.base import GATEWAY_LEAVES, GATEWAY_STOPS, RunRequest, RunResult
from universal_agent.runners.family import HAS_PIDFD, Family, exit_of, settle, tagged
from universal_agent.runners.kept import run_kept
from universal_agent.runners.output import KEPT_BYTES, one_line
from universal_agent.runners.process_ends import (
    ByteSink,
    result_of,
    sinks_of,
    wait_uncancelled,
    why_missing,
)
from universal_agent.runners.shortage import raise_shortage

#: How much is read from a pipe at a time: its default capacity.
_PIECE_BYTES = 64 * 1024


#: The minimum age at which a child is stopped when the gateway stops: a process that is killed
#: while its program loads has done nothing, and its run would be `interrupted` for that.
_SETTLES_SECONDS = 0.5


async def run_process(
    argv: Sequence[str],
    *,
    request: RunRequest,
    environment: Mapping[str, str],
    clock: Clock,
    kill_grace: float,
    reply: ByteSink | None = None,
) -> RunResult:
    """Run `argv` in the request's workspace to its end; returns how it ended.

    With `reply`, stdout goes there, and stderr to the log only. Without it, both go to the output
    through one pipe, and so in order.

    With `request.keepers` the child outlives the gateway (kept.py).

    Raises ResourceShortage when the gateway lacks the resources to start a process. If cancelled
    before the child has exited, it raises CancelledError after every process that was started has
    ended.
    """
    if request.keepers is not None:
        return await run_kept(
            argv,
            request=request,
            keepers=request.keepers,
            environment=environment,
            clock=clock,
            kill_grace=kill_grace,
            reply=reply,
        )
    started_at = clock.monotonic()
    try:
        with request.open_workspace(create=True) as workspace:
            request.make_state_dir()
            passing(Failpoint.BEFORE_SPAWN)
            process, descriptors = _start(
                argv, request, environment, workspace, pipes=1 if reply is None else 2
            )
        passing(Failpoint.AFTER_SPAWN)
    except (OSError, ValueError) as error:
        raise_shortage(error)
        problem = why_missing(argv[0], request, environment) or one_line(str(error))
        return RunResult(status=RunStatus.ERROR, error=f"cannot start {argv[0]}: {problem}")
    family = Family((request.run_id,), process.pid)

    async def leader_exit() -> None:
        if HAS_PIDFD:
            with suppress(OSError):  # no file descriptor is left
                await exit_of(process.pid)
                return
        await _exit_by_thread(process)

    async def stop() -> None:
        await family.end(clock=clock, grace=kill_grace, leader_exit=leader_exit)
        await leader_exit()

    output = request.output
    sinks = sinks_of(output, reply)
    with ExitStack() as stack:
        pipes = [
            stack.enter_context(_Pipe(descriptor, sink))
            for descriptor, sink in zip(descriptors, sinks, strict=True)
        ]
        try:
            await leader_exit()
        except asyncio.CancelledError as cancelled:
            if cancelled.args in ((GATEWAY_STOPS,), (GATEWAY_LEAVES,)):
                moment = _SETTLES_SECONDS - (clock.monotonic() - started_at)
                await wait_uncancelled(
                    asyncio.create_task(_exit_within(moment, leader_exit, clock))
                )
            # A child that exited before the cancellation keeps its own result.
            if not _has_exited(process):
                await wait_uncancelled(asyncio.create_task(stop()))
                raise
        finally:
            family.kill_group()
            for pipe in pipes:
                pipe.drain()
            # Returns immediately, unless the event loop ended during the stop.
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=1)
    return result_of(process.returncode, request)


def _start(
    argv: Sequence[str],
    request: RunRequest,
    environment: Mapping[str, str],
    workspace: int,
    *,
    pipes: int,
) -> tuple[subprocess.Popen[bytes], list[int]]:
    """The child, and the read ends of its pipes: stdout, then stderr."""
    readers: list[int] = []
    writers: list[int] = []
    try:
        for _ in range(pipes):
            reader, writer = os.pipe()
            readers.append(reader)
            writers.append(writer)
        with tagged(request.run_id):
            process = subprocess.Popen(  # noqa: S603 - running commands is what a runner is for
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writers[0],
                stderr=writers[-1],
                # By descriptor: the path may lead elsewhere by now.
                cwd=path_of(workspace, request.workspace_dir),
                env={**environment, **request.facts()},
                start_new_session=True,
                close_fds=True,
            )
    except BaseException:
        for reader in readers:
            os.close(reader)
        raise
    finally:
        for writer in writers:
            os.close(writer)
    return process, readers


async def _exit_within(
    seconds: float, leader_exit: Callable[[], Awaitable[None]], clock: Clock
) -> None:
    """Return when the child has exited, or after `seconds`."""
    if seconds <= 0:
        return
    waits = [
        asyncio.ensure_future(leader_exit()),
        asyncio.ensure_future(clock.sleep(seconds)),
    ]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _has_exited(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child has exited. Does not reap it."""
    if process.returncode is not None:
        return True
    try:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, options) is not None
    except ChildProcessError:
        return True  # it has been reaped


async def _exit_by_thread(process: subprocess.Popen[bytes]) -> None:
    """Return when the child has exited, on systems without pidfds.

    Each run has its own thread: in a pool, short runs would wait for long ones. The thread reaps
    the child, so the group id is free before the group is killed; ids are not reused that soon.
    """
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()

    def wait() -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, exited)

    threading.Thread(target=wait, name=f"exit of {process.pid}", daemon=True).start()
    await exited


class _Pipe:
    """Forwards data from a pipe, one piece per iteration of the event loop.

    A child that prints without end blocks in its own write; it costs neither memory nor the time of
    other runs.
    """

    def __init__(self, descriptor: int, sink: ByteSink) -> None:
        self._descriptor = descriptor
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)

    def __enter__(self) -> Self:
        self._loop.add_reader(self._descriptor, self._move)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _move(self) -> int:
        """Forward one piece; returns its size, 0 when the pipe is empty or closed."""
        try:
            data = os.read(self._descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._loop.remove_reader(self._descriptor)
        self._sink.write(data)
        return len(data)

    def drain(self) -> None:
        """Forward what the pipe contains now, up to a limit.

        A daemon can keep the pipe open and print without end. The output of the child itself is at
        most the capacity of the pipe.
        """
        room = KEPT_BYTES
        while room > 0 and (moved := self._move()):
            room -= moved
