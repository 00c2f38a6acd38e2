"""The keeper of a run's child process, a program of its own with the standard library only.

One server (`serve`) is started per gateway. For each run it forks a keeper, which starts the child
and owns its pipes, its spool (the output as it came) and its exit record, all in the run's folder.
So a child outlives the gateway that started it, and the next gateway adopts the run (kept.py).

    folder/bell      FIFO: one byte per piece of output; its end means that the keeper has ended
    folder/control   FIFO: one byte per order of the gateway
    folder/out.N     the spool in segments: frames of (stream, length, data)
    folder/exit      the exit record, written when the child has exited

The keeper holds a lock on the folder while it lives. It ends with the run. While no gateway is
there, it keeps the run's time limit by itself, and drops the middle of very long output.
"""

import contextlib
import errno
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

#: A frame of the spool: 0 for stdout, 1 for stderr; the length of the data that follow.
FRAME = struct.Struct(">BI")
#: The head of a segment: how many bytes of output came before it.
SEGMENT_HEAD = struct.Struct(">Q")
#: The length of the request, and of nothing else.
REQUEST_HEAD = struct.Struct(">I")

PIECE_BYTES = 64 * 1024
SEGMENT_BYTES = 4 * 1024 * 1024
#: Segments of the beginning that are kept, and of the end when no gateway reads.
FIRST_SEGMENTS = 4
LAST_SEGMENTS = 2

#: Orders of the gateway.
ATTACHED, SEEN, TERMINATE, CONTINUE, KILL = b"A", b"S", b"T", b"C", b"K"
_TO_GROUP = {
    TERMINATE: signal.SIGTERM,
    CONTINUE: signal.SIGCONT,
    KILL: signal.SIGKILL,
}

#: Seconds by which the gateway may exceed the time limit before the keeper stops the run itself.
_SLACK_SECONDS = 1.0
_ATTENDED_SLACK_SECONDS = 30.0

#: Output that is read after the child has exited: a daemon can keep the pipe open and print on.
_DRAINED_BYTES = 1024 * 1024

_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
_TAG_LIMIT: int | None = getattr(resource, "RLIMIT_RTTIME", None)


def serve(server: socket.socket) -> None:
    """Have a keeper ready for each message; return when the gateway has closed its end.

    A message carries a socket on which the keeper gets its request, the run's folder and the
    workspace. One keeper is forked ahead, so that a run does not wait for the fork.
    """
    # Handlers, which the children do not inherit: an ignored signal would stay ignored in them.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    # The exits of keepers are of no interest: the kernel collects them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    hung_up = select.poll()
    hung_up.register(server, 0)
    while not hung_up.poll(0):
        taken, ready = os.pipe()
        try:
            is_keeper = os.fork() == 0
        except OSError as error:
            is_keeper = False
            _refuse(server, error)
        if is_keeper:
            os.close(taken)
            _wait_for_run(server, ready)
        os.close(ready)
        os.read(taken, 1)  # the end of the pipe: the keeper has a run, or has died
        os.close(taken)


def _refuse(server: socket.socket, error: OSError) -> None:
    """Answer the next message with an error."""
    message, descriptors, _, _ = socket.recv_fds(server, 16, 3)
    if message and descriptors:
        with socket.socket(fileno=os.dup(descriptors[0])) as talk:
            _answer_error(talk, error)
    for descriptor in descriptors:
        os.close(descriptor)


def _wait_for_run(server: socket.socket, ready: int) -> None:
    """Be the keeper of the next run. Does not return."""
    os.setsid()
    message, descriptors, _, _ = socket.recv_fds(server, 16, 3)
    if not message:
        os._exit(0)
    os.close(ready)
    server.close()
    _keep(*descriptors)


def _keep(talk: int, folder: int, workspace: int) -> None:
    """Be the keeper of one run. Does not return."""
    status = 1
    try:
        with socket.socket(fileno=talk) as gateway:
            keeper = Keeper(_read_request(gateway), folder)
            is_started = keeper.start(gateway, workspace)
        os.close(workspace)
        if is_started:
            os.chdir("/")
            keeper.run()
        status = 0
    finally:
        os._exit(status)


def _read_request(gateway: socket.socket) -> dict[str, Any]:
    with gateway.makefile("rb") as stream:
        (length,) = REQUEST_HEAD.unpack(stream.read(REQUEST_HEAD.size))
        request: dict[str, Any] = json.loads(stream.read(length))
    return request


def _answer_error(gateway: socket.socket, error: BaseException) -> None:
    if isinstance(error, OSError):
        answer = [error.errno, error.strerror, error.filename]
    else:
        answer = [errno.EINVAL, str(error), None]
    gateway.sendall(json.dumps({"error": answer}).encode())


class Keeper:
    """The keeper of one run."""

    def __init__(self, request: dict[str, Any], folder: int) -> None:
        self._request = request
        self._run_id: str = request["run_id"]
        self._tag: int | None = request["tag"]
        self._limit: float | None = request["limit"]
        self._grace: float = request["grace"]
        # A descriptor of its own: the lock is this process's, not the gateway's.
        self._folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        os.close(folder)
        self._poll = select.poll()
        self._outs: dict[int, int] = {}
        self._is_reading = True
        self._pid = 0
        self._bell = self._control = self._woken = -1
        self._signals: set[int] = set()
        #: The step of ending the run: 0 while it is not to end.
        self._ending = 0
        self._is_over_limit = False
        self._is_cut = False
        self._is_waiting_for_gateway = False

    def start(self, gateway: socket.socket, workspace: int) -> bool:
        """Start the child and answer how that went; returns whether it runs."""
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._control = self._open("control", os.O_RDWR)
            # Fails when the gateway is gone by now: it would not know of this child.
            self._bell = self._open("bell", os.O_WRONLY)
            self._catch_signals()
            os.fchdir(workspace)
            process = self._spawn()
        except (OSError, ValueError) as error:
            _answer_error(gateway, error)
            return False
        self._process = process  # a Popen that is dropped reaps its child
        self._pid = process.pid
        self._request = {}
        self._spool = Spool(self._folder)
        gateway.sendall(json.dumps({"pid": self._pid}).encode())
        return True

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | _NO_LINK, dir_fd=self._folder)

    def _catch_signals(self) -> None:
        self._woken, writer = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM):
            signal.signal(number, lambda number, _: self._signals.add(number))

    def _spawn(self) -> "subprocess.Popen[bytes]":
        pipes = [os.pipe() for _ in range(self._request["pipes"])]
        before = None
        if _TAG_LIMIT is not None and self._tag is not None:
            before = resource.getrlimit(_TAG_LIMIT)
        try:
            if before is not None and _TAG_LIMIT is not None and self._tag is not None:
                try:
                    resource.setrlimit(_TAG_LIMIT, (self._tag, before[1]))
                except (ValueError, OSError):
                    before = None  # not permitted: the child has no tag
            process = subprocess.Popen(  # noqa: S603 - running commands is what a runner is for
                self._request["argv"],
                stdin=subprocess.DEVNULL,
                stdout=pipes[0][1],
                stderr=pipes[-1][1],
                env=self._request["env"],
                start_new_session=True,
                close_fds=True,
            )
        finally:
            if before is not None and _TAG_LIMIT is not None:
                resource.setrlimit(_TAG_LIMIT, before)
            for _, writer in pipes:
                os.close(writer)
        for stream, (reader, _) in enumerate(pipes):
            os.set_blocking(reader, False)
            self._outs[reader] = stream
        return process

    # -- the loop

    def run(self) -> None:
        """Store the output until the child has exited; then write the exit record."""
        if self._limit is not None:
            signal.setitimer(signal.ITIMER_REAL, self._limit + _SLACK_SECONDS)
        self._poll.register(self._woken, select.POLLIN)
        self._poll.register(self._control, select.POLLIN)
        for reader in self._outs:
            self._poll.register(reader, select.POLLIN)
        while not self._has_exited():
            self._pause_or_read()
            for descriptor, _ in self._poll.poll(None if self._is_reading else 200):
                if descriptor == self._woken:
                    self._handle_signals()
                elif descriptor == self._control:
                    self._obey(os.read(self._control, 4096))
                elif descriptor in self._outs:
                    self._store(descriptor)
        self._finish()

    def _has_exited(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._pid, options) is not None

    def _store(self, reader: int) -> int:
        """Store one piece of output; returns its size, 0 when there is none."""
        try:
            data = os.read(reader, PIECE_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._poll.unregister(reader)
            del self._outs[reader]
            os.close(reader)
            return 0
        self._spool.write(self._outs[reader], data)
        # It rings already, or no gateway is there.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._bell, b"x")
        return len(data)

    def _pause_or_read(self) -> None:
        """Read no output while a gateway reads more slowly than the child prints."""
        may_read = self._spool.has_room or not self._is_attended()
        if may_read != self._is_reading:
            self._is_reading = may_read
            for reader in self._outs:
                self._poll.modify(reader, select.POLLIN if may_read else 0)

    def _is_attended(self) -> bool:
        """Whether a gateway has the bell open."""
        poll = select.poll()
        poll.register(self._bell, 0)
        return not any(event & select.POLLERR for _, event in poll.poll(0))

    def _obey(self, orders: bytes) -> None:
        for order in (orders[place : place + 1] for place in range(len(orders))):
            if order == ATTACHED:
                self._spool.seen = 0
            elif order == SEEN:
                self._spool.seen += 1
            elif order in _TO_GROUP:
                self._to_group(_TO_GROUP[order])

    def _to_group(self, number: int) -> None:
        # The child is not reaped yet: its group id belongs to no other process.
        _send(-self._pid, number)

    # -- ending the run without a gateway

    def _handle_signals(self) -> None:
        while _read_or_nothing(self._woken):
            pass
        signals, self._signals = self._signals, set()
        if signal.SIGTERM in signals and not self._ending:
            # From outside: the machine stops, or a service manager ends what is left.
            self._is_cut = True
            self._end()
        elif signal.SIGALRM in signals:
            if not self._ending and not self._is_waiting_for_gateway and self._is_attended():
                self._is_waiting_for_gateway = True
                slack = _ATTENDED_SLACK_SECONDS + 2 * self._grace
                signal.setitimer(signal.ITIMER_REAL, slack)
                return
            self._is_over_limit = self._is_over_limit or not self._is_cut
            self._end()

    def _end(self) -> None:
        """The next step of ending the run: SIGTERM, and after the grace period SIGKILL."""
        number = signal.SIGKILL if self._ending else signal.SIGTERM
        self._to_group(number)
        self._to_strays(number)
        if not self._ending:
            self._to_group(signal.SIGCONT)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, self._grace if not self._ending else 1.0))
        self._ending += 1

    def _to_strays(self, number: int) -> None:
        """Signal the processes of the run that have left the child's group."""
        for pid in _tagged(self._tag):
            try:
                if os.getpgid(pid) != self._pid:
                    os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                pass

    def _finish(self) -> None:
        self._to_group(signal.SIGKILL)
        if self._ending:
            self._to_strays(signal.SIGKILL)
        room = _DRAINED_BYTES
        for reader in list(self._outs):
            while room > 0 and reader in self._outs and (size := self._store(reader)):
                room -= size
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        self._spool.close()
        record = {
            "run_id": self._run_id,
            "code": code,
            "over_limit": self._is_over_limit,
            "cut": self._is_cut and code < 0,
            "bytes": self._spool.total,
            "lost": self._spool.lost,
        }
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINK
        draft = os.open("exit.new", flags, 0o600, dir_fd=self._folder)
        os.write(draft, json.dumps(record).encode())
        os.close(draft)
        os.rename("exit.new", "exit", src_dir_fd=self._folder, dst_dir_fd=self._folder)


class Spool:
    """The output in segments: those of the beginning, and the latest ones."""

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._file = -1
        self._size = 0
        self._number = -1
        #: How many segments the gateway has read to their end.
        self.seen = 0
        self.total = 0
        #: Bytes that could not be written, such as on a full disk.
        self.lost = 0

    @property
    def has_room(self) -> bool:
        """Whether the next piece fits without dropping a segment that was not read."""
        if self._size + FRAME.size + PIECE_BYTES <= SEGMENT_BYTES:
            return True
        victim = self._number + 1 - LAST_SEGMENTS
        return victim < FIRST_SEGMENTS or self.seen > victim

    def write(self, stream: int, data: bytes) -> None:
        """Append a piece of output. A full disk loses output, not the run."""
        frame = FRAME.pack(stream, len(data)) + data
        try:
            if self.lost:
                raise OSError(errno.ENOSPC, "output is lost already")
            if self._file < 0 or self._size + len(frame) > SEGMENT_BYTES:
                self._next()
            while frame:
                written = os.write(self._file, frame)
                self._size += written
                frame = frame[written:]
        except OSError:
            self.lost += len(data)
        self.total += len(data)

    def _next(self) -> None:
        self.close()
        self._number += 1
        victim = self._number - LAST_SEGMENTS
        if victim >= FIRST_SEGMENTS:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"out.{victim}", dir_fd=self._folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        self._file = os.open(f"out.{self._number}", flags, 0o600, dir_fd=self._folder)
        self._size = os.write(self._file, SEGMENT_HEAD.pack(self.total))

    def close(self) -> None:
        """Close the segment."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _tagged(tag: int | None) -> list[int]:
    """The processes that carry the tag of the run."""
    found = []
    if tag is not None and _TAG_LIMIT is not None:
        for name in _listed("/proc"):
            if name.isdecimal():
                try:
                    if resource.prlimit(int(name), _TAG_LIMIT)[0] == tag:
                        found.append(int(name))
                except OSError:
                    pass
    return found


def _listed(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _send(target: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(target, number)


def _read_or_nothing(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def main(arguments: list[str], *, run: Callable[[socket.socket], None] = serve) -> None:
    """Serve on the socket whose descriptor is the first argument."""
    import gc

    gc.disable()
    gc.freeze()  # a fork copies fewer pages
    with socket.socket(fileno=int(arguments[0])) as server:
        run(server)


if __name__ == "__main__":
    main(sys.argv[1:])
