"""A child process under a keeper, seen from the gateway: started or adopted, read, ended.

The keeper (keeper.py) owns the pipes. The gateway reads the spool that the keeper writes, from its
beginning, into the same sinks that a pipe would go to; so an adopted run has the same output, reply
and rules as one that was never left. When the gateway stops, it lets go of the run, which goes on.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from signal import Signals
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.run import RunStatus
from universal_agent.failpoint import Failpoint, passing
from universal_agent.files import open_regular, read_regular
from universal_agent.runners import keeper
from universal_agent.runners.base import GATEWAY_LEAVES, RunRequest, RunResult
from universal_agent.runners.family import Family, settle
from universal_agent.runners.keepers import KeeperLost, Keepers, Kept, has_record
from universal_agent.runners.output import RunOutput, one_line
from universal_agent.runners.process_ends import (
    ByteSink,
    result_of,
    sinks_of,
    wait_uncancelled,
    why_missing,
)
from universal_agent.runners.shortage import raise_shortage
from universal_agent.runners.signs_of_life import Sign, SignsOfLife
from universal_agent.runners.time_limit import time_limit

#: Bytes of an exit record at most.
_RECORD_BYTES = 4096

#: Seconds that a keeper gets to write its record after its child was killed.
_RECORD_SECONDS = 10.0

#: Orders that are sent together.
_MOST_ORDERS = 1024

_SEGMENT_NAME = re.compile(r"out\.[0-9]{1,6}", re.ASCII)

_ORDERS = {
    Signals.SIGTERM: keeper.TERMINATE,
    Signals.SIGCONT: keeper.CONTINUE,
    Signals.SIGKILL: keeper.KILL,
}


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How a kept child ended, as its keeper has written it."""

    code: int
    is_over_limit: bool
    is_cut: bool


async def run_kept(
    argv: Sequence[str],
    *,
    request: RunRequest,
    keepers: Keepers,
    environment: Mapping[str, str],
    clock: Clock,
    kill_grace: float,
    reply: ByteSink | None,
) -> RunResult:
    """Run `argv` under a keeper, or adopt the run, to its end; returns how it ended.

    Raises ResourceShortage when the gateway lacks the resources to start it, and KeeperLost when
    the keeper has died. A cancellation because the gateway stops leaves the run to the next
    gateway; any other ends all processes of the run before it propagates.
    """
    output = request.output
    sinks = sinks_of(output, reply)
    stop: asyncio.CancelledError | None = None
    if request.is_adopted:
        found = keepers.attach(request.run_id)
        if found is None:
            raise KeeperLost
        kept = found
        _replay(kept, output)
    else:
        start = asyncio.ensure_future(
            _start(argv, request, keepers, environment, kill_grace, pipes=len(sinks))
        )
        try:
            await asyncio.shield(start)
        except asyncio.CancelledError as cancelled:
            stop = cancelled
            with suppress(Exception):  # it is raised below
                await wait_uncancelled(start)
        except (OSError, ValueError):
            pass
        try:
            kept = start.result()
        except (OSError, ValueError) as error:
            if stop is not None:
                raise stop from None
            raise_shortage(error)
            problem = why_missing(argv[0], request, environment) or one_line(str(error))
            return RunResult(status=RunStatus.ERROR, error=f"cannot start {argv[0]}: {problem}")
    reader = SpoolReader(kept, sinks, output.life)
    try:
        try:
            if stop is not None:
                raise stop
            await reader.ended()
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (GATEWAY_LEAVES,):
                raise
            if not has_record(kept):
                await wait_uncancelled(
                    asyncio.ensure_future(_stop(kept, reader.ended, clock, kill_grace))
                )
                raise
            # A child that exited before the cancellation keeps its own result.
            await wait_uncancelled(asyncio.ensure_future(_within(reader.ended, clock)))
        return _result(read_record(kept), request)
    finally:
        reader.close()
        kept.close()


async def _start(
    argv: Sequence[str],
    request: RunRequest,
    keepers: Keepers,
    environment: Mapping[str, str],
    grace: float,
    *,
    pipes: int,
) -> Kept:
    with request.open_workspace(create=True) as workspace:
        request.make_state_dir()
        passing(Failpoint.BEFORE_SPAWN)
        kept = await keepers.start(
            argv,
            run_id=request.run_id,
            environment={**environment, **request.facts()},
            workspace=workspace,
            pipes=pipes,
            limit=request.limit_seconds,
            grace=grace,
        )
    passing(Failpoint.AFTER_SPAWN)
    return kept


def _replay(kept: Kept, output: RunOutput) -> None:
    """Read what the spool has already without counting it as new output."""
    if (life := output.life) is None:
        return
    life.is_replaying = True
    latest = None
    with suppress(OSError), os.scandir(kept.folder) as entries:
        latest = max(
            (
                entry.stat(follow_symlinks=False).st_mtime
                for entry in entries
                if _SEGMENT_NAME.fullmatch(entry.name)
            ),
            default=None,
        )
    if latest is not None:
        life.show(datetime.fromtimestamp(latest, UTC), Sign.OUTPUT)


async def _stop(
    kept: Kept, ended: Callable[[], Awaitable[None]], clock: Clock, grace: float
) -> None:
    def to_group(number: Signals) -> None:
        kept.order(_ORDERS[number])

    family = Family((kept.run_id,), kept.pid, to_group)
    await family.end(clock=clock, grace=grace, leader_exit=ended)
    await _within(ended, clock)


async def _within(ended: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Wait for the keeper's end, which follows that of the child; a keeper that hangs is left."""
    with suppress(TimeoutError):
        async with time_limit(clock, _RECORD_SECONDS):
            await ended()


def read_record(kept: Kept) -> ExitRecord:
    """The exit record of a run. Raises KeeperLost when there is none that can be believed.

    The run's own processes could have written it: it can say no more than an exit code can.
    """
    try:
        text = read_regular("exit", limit=_RECORD_BYTES, dir_fd=kept.folder)
        record: Any = json.loads(text)
        code = record["code"]
        if record["run_id"] != kept.run_id or type(code) is not int or not -64 <= code <= 255:
            raise KeeperLost
        return ExitRecord(code, record["over_limit"] is True, record["cut"] is True)
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise KeeperLost from error


def _result(record: ExitRecord, request: RunRequest) -> RunResult:
    if record.is_cut:
        raise KeeperLost
    if record.is_over_limit:
        error = f"stopped after its limit of {request.limit_seconds:g} s"
        return RunResult(status=RunStatus.TIMEOUT, error=error + request.output.closing_words)
    return result_of(record.code, request)


class SpoolReader:
    """Reads the spool of a run from its beginning into the sinks, as it grows.

    One piece per iteration of the event loop, as a pipe would be read.
    """

    def __init__(
        self, kept: Kept, sinks: Sequence[ByteSink], life: SignsOfLife | None = None
    ) -> None:
        """`life` counts output as new once what earlier gateways have read is read again."""
        self._kept = kept
        self._life = life
        self._sinks = sinks
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._segment = 0
        self._file: int | None = None
        self._buffer = bytearray()
        #: Why the rest of a segment is not read: it is not what a keeper writes.
        self._is_damaged = False
        self._is_over = not kept.is_alive
        self._is_moving = False
        self._is_closed = False
        if kept.is_alive:
            self._loop.add_reader(kept.bell, self._rung)
        self._move_soon()

    async def ended(self) -> None:
        """Return when the keeper has ended and all of the spool is read."""
        await asyncio.shield(self._ended)

    def close(self) -> None:
        """Stop reading."""
        self._is_closed = True
        if not self._is_over:
            self._loop.remove_reader(self._kept.bell)
        self._close_file()

    def _rung(self) -> None:
        try:
            rung = os.read(self._kept.bell, 65536)
        except BlockingIOError:
            return
        if not rung:
            self._is_over = True
            self._loop.remove_reader(self._kept.bell)
        self._move_soon()

    def _move_soon(self) -> None:
        if not self._is_moving:
            self._is_moving = True
            self._loop.call_soon(self._move)

    def _move(self) -> None:
        self._is_moving = False
        if self._is_closed:
            return
        if self._forward():
            self._move_soon()
            return
        if (life := self._life) is not None:
            life.is_replaying = False  # what comes from now on is new
        if self._is_over:
            settle(self._ended)

    def _forward(self) -> bool:
        """Forward a piece of the spool; False when there is none now."""
        if self._file is None and not self._open():
            return False
        assert self._file is not None
        data = os.read(self._file, keeper.PIECE_BYTES)
        if data:
            if not self._is_damaged:
                self._buffer += data
                self._take_frames()
            return True
        later = self._later_segment()
        if later is None:
            return False
        # The keeper has closed this segment: nothing is added to it any more.
        if data := os.read(self._file, keeper.PIECE_BYTES):
            self._buffer += data
            self._take_frames()
            return True
        self._close_file()
        self._go_to(later)
        return True

    def _go_to(self, segment: int) -> None:
        """Segments in between were dropped while no gateway read."""
        self._kept.order(keeper.SEEN * min(segment - self._segment, _MOST_ORDERS))
        self._segment = segment

    def _open(self) -> bool:
        try:
            self._file = self._open_segment(self._segment)
        except FileNotFoundError:
            later = self._later_segment()
            if later is not None:
                self._go_to(later)
            return False if later is None else self._open()
        except OSError:
            return False
        os.read(self._file, keeper.SEGMENT_HEAD.size)
        self._buffer.clear()
        self._is_damaged = False
        return True

    def _open_segment(self, number: int) -> int:
        return open_regular(f"out.{number}", dir_fd=self._kept.folder)

    def _later_segment(self) -> int | None:
        """The next segment that is there."""
        with os.scandir(self._kept.folder) as entries:
            names = [entry.name for entry in entries]
        numbers = [int(name[4:]) for name in names if _SEGMENT_NAME.fullmatch(name)]
        return min((number for number in numbers if number > self._segment), default=None)

    def _take_frames(self) -> None:
        head = keeper.FRAME.size
        while len(self._buffer) >= head:
            stream, length = keeper.FRAME.unpack_from(self._buffer)
            if stream >= len(self._sinks) or length > keeper.PIECE_BYTES:
                self._is_damaged = True
                self._buffer.clear()
                return
            if len(self._buffer) < head + length:
                return
            self._sinks[stream].write(bytes(self._buffer[head : head + length]))
            del self._buffer[: head + length]

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
