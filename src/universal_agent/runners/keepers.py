"""The keepers of a gateway: their server, and the folders of the runs they keep (keeper.py)."""

import asyncio
import fcntl
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import structlog

from universal_agent.files import open_folder
from universal_agent.runners import keeper
from universal_agent.runners.family import HAS_PIDFD, tag_of
from universal_agent.runners.shortage import ResourceShortage
from universal_agent.threads import FILES

_log = structlog.get_logger(__name__)

#: Whether the system has what keepers need: folders by descriptor, and locks that end with them.
HAS_KEEPERS = HAS_PIDFD

_READ_WRITE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class KeeperLost(Exception):
    """The keeper of a run died before its child exited: how the run ended is unknown."""


class Kept:
    """The open ends of a run's folder: what a gateway holds of a kept run."""

    def __init__(self, run_id: str, folder: int, bell: int, control: int) -> None:
        self.run_id = run_id
        self.folder = folder
        self.bell = bell
        self.control = control
        #: The process id of the child; None when another gateway started it.
        self.pid: int | None = None
        #: Whether the keeper lives; if not, there is its exit record.
        self.is_alive = True

    def order(self, order: bytes) -> None:
        """Send an order to the keeper. One that is gone has nothing to obey."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self.control, order)

    def close(self) -> None:
        """Close the open ends; the keeper goes on."""
        for descriptor in (self.bell, self.control, self.folder):
            os.close(descriptor)


class Keepers:
    """Starts keepers, and finds those of an earlier gateway."""

    def __init__(self, data_dir: Path) -> None:
        """The runs' folders are in `keepers` of the data directory."""
        self._data_dir = data_dir
        self._root: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._server: socket.socket | None = None
        #: Runs of this process that have a folder.
        self._kept: set[str] = set()
        self._removals: set[asyncio.Future[None]] = set()

    # -- the server

    def prepare(self) -> None:
        """Start the server, so that the first run does not wait for it."""
        if self._process is not None and self._process.poll() is None:
            return
        self._end_server()
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other, ExitStack() as stack:
            stack.callback(own.close)
            # It holds nothing of the gateway: no environment, no descriptor, no terminal.
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                (sys.executable, "-I", "-S", keeper.__file__, str(other.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
            stack.pop_all()
        self._server = own

    async def close(self) -> None:
        """End the server; keepers go on until their runs have ended."""
        await asyncio.gather(*self._removals, return_exceptions=True)
        self._end_server()
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._process is not None:
            self._process.wait()  # it returns when its socket is closed
            self._process = None

    # -- starting and adopting

    async def start(
        self,
        argv: Sequence[str],
        *,
        run_id: str,
        environment: Mapping[str, str],
        workspace: int,
        pipes: int,
        limit: float | None,
        grace: float,
    ) -> Kept:
        """Start a child under a keeper.

        Raises OSError as the start of the child does, ResourceShortage when there is no server, and
        KeeperLost when the keeper died before it answered.
        """
        request = json.dumps(
            {
                "argv": list(argv),
                "env": dict(environment),
                "run_id": run_id,
                "tag": tag_of(run_id),
                "pipes": pipes,
                "limit": limit,
                "grace": grace,
            }
        ).encode()
        self._remove(run_id)
        root = self._root_folder()
        os.mkdir(run_id, 0o700, dir_fd=root)
        self._kept.add(run_id)
        kept = None
        try:
            folder = _open_inside(root, run_id)
            for name in ("bell", "control"):
                os.mkfifo(name, 0o600, dir_fd=folder)
            kept = _open_kept(run_id, folder)
            own, other = socket.socketpair()
            with own:
                own.setblocking(False)
                with other:
                    self._send(other.fileno(), folder, workspace)
                kept.pid = await _ask(own, request)
        except BaseException:
            if kept is not None:
                kept.close()
            self._remove(run_id)
            raise
        return kept

    def _send(self, *descriptors: int) -> None:
        for is_last in (False, True):
            self.prepare()
            assert self._server is not None
            try:
                socket.send_fds(self._server, [b"keep"], descriptors)
            except (BrokenPipeError, ConnectionResetError) as error:
                if is_last:
                    raise ResourceShortage("the server of keepers has died") from error
                self._end_server()
            else:
                return

    def attach(self, run_id: str) -> Kept | None:
        """The open ends of a run that has a keeper or an exit record; else None."""
        root = self._root_folder()
        try:
            folder = _open_inside(root, run_id)
        except OSError:
            return None
        try:
            kept = _open_kept(run_id, folder)
        except OSError:
            os.close(folder)
            return None
        kept.is_alive = _is_locked(folder)
        if kept.is_alive or _has_record(folder):
            kept.order(keeper.ATTACHED)
            self._kept.add(run_id)
            return kept
        kept.close()
        return None

    def has(self, run_id: str) -> bool:
        """Whether the run has a keeper or an exit record."""
        try:
            folder = _open_inside(self._root_folder(), run_id)
        except OSError:
            return False
        try:
            return _is_locked(folder) or _has_record(folder)
        finally:
            os.close(folder)

    def found(self) -> list[str]:
        """The runs that have a folder."""
        with os.scandir(self._root_folder()) as entries:
            return [entry.name for entry in entries]

    async def discard(self, run_ids: Collection[str]) -> None:
        """Remove the folders of runs whose end is recorded."""
        if run_ids:
            await FILES.run(self._remove_all, list(run_ids))

    def discard_soon(self, run_ids: Iterable[str]) -> None:
        """Remove the folders of these runs of this process, without waiting for it."""
        if kept := self._kept.intersection(run_ids):
            self._kept -= kept
            removal = asyncio.ensure_future(FILES.run(self._remove_all, list(kept)))
            self._removals.add(removal)
            removal.add_done_callback(self._removals.discard)

    def _remove_all(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            self._remove(run_id)

    def _remove(self, run_id: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(run_id, dir_fd=self._root_folder())

    def _root_folder(self) -> int:
        if self._root is None:
            self._root = open_folder(self._data_dir, "keepers", create=True)
        return self._root


def has_record(kept: Kept) -> bool:
    """Whether the child has exited and its keeper has said how."""
    return _has_record(kept.folder)


def _has_record(folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat("exit", dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _open_inside(root: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
    return os.open(name, flags, dir_fd=root)


def _open_kept(run_id: str, folder: int) -> Kept:
    """The pipes of a run's folder. Raises OSError; the folder stays open."""
    with ExitStack() as stack:
        opened = []
        # Read and write: an order does not wait for the keeper to have opened its end.
        for name, flags in (("bell", os.O_RDONLY), ("control", os.O_RDWR)):
            descriptor = os.open(name, flags | _READ_WRITE, dir_fd=folder)
            stack.callback(os.close, descriptor)
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                raise OSError(f"{name} is not a pipe")
            opened.append(descriptor)
        stack.pop_all()
    return Kept(run_id, folder, *opened)


def _is_locked(folder: int) -> bool:
    """Whether a keeper holds the lock of the folder."""
    probe = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(probe)


async def _ask(talk: socket.socket, request: bytes) -> int:
    """Send the request to the keeper; returns the process id of the child."""
    loop = asyncio.get_running_loop()
    answer = b""
    try:
        await loop.sock_sendall(talk, keeper.REQUEST_HEAD.pack(len(request)) + request)
        while piece := await loop.sock_recv(talk, 4096):
            answer += piece
    except (BrokenPipeError, ConnectionResetError):
        pass  # what it has answered by then counts
    if not answer:
        raise KeeperLost
    said: dict[str, Any] = json.loads(answer)
    if "error" in said:
        number, text, filename = said["error"]
        raise OSError(number, text, filename)
    pid: int = said["pid"]
    return pid
