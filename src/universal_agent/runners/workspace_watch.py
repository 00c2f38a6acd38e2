"""Notification of changes to the files that configure a session (inotify, on Linux only).

There is no polling: the event loop watches the file descriptor.
"""

import asyncio
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from universal_agent.files import folder, path_of

if TYPE_CHECKING:
    from asyncinotify import Inotify

_log = structlog.get_logger(__name__)


class WorkspaceWatch(Protocol):
    """Reports sessions whose files have changed."""

    def follow(self, session_id: str, workspace: Path) -> None:
        """Watch this session; idempotent."""
        ...

    def forget(self, session_id: str) -> None:
        """Stop watching this session; idempotent."""
        ...

    async def changed(self) -> Collection[str]:
        """Wait until files have changed; returns the ids of their sessions."""
        ...

    def close(self) -> None:
        """Release all resources; idempotent."""
        ...


class Unwatched:
    """Reports no change: files are read when a beat starts and when a client connects."""

    def follow(self, session_id: str, workspace: Path) -> None:
        """Do nothing."""

    def forget(self, session_id: str) -> None:
        """Do nothing."""

    async def changed(self) -> Collection[str]:
        await asyncio.get_running_loop().create_future()
        return ()

    def close(self) -> None:
        """Do nothing."""


class InotifyWatch:
    """Watches named files in the top folders of the sessions' workspaces."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._inotify: Inotify | None = None
        #: Session id by the kernel's watch descriptor.
        self._sessions: dict[int, str] = {}

    def _open(self) -> "Inotify":
        from asyncinotify import Inotify

        if self._inotify is None:
            self._inotify = Inotify(cache_size=100)
        return self._inotify

    def follow(self, session_id: str, workspace: Path) -> None:
        from asyncinotify import Mask

        # Not CREATE, since a new file is empty: when it is written, or moved into place.
        changed = Mask.CLOSE_WRITE | Mask.MOVE | Mask.DELETE
        try:
            with folder(workspace) as descriptor:
                place = path_of(descriptor, workspace)
                watch = self._open().add_watch(place, changed | Mask.ONLYDIR)
        except FileNotFoundError:
            return  # the folder is created when the session is resumed
        except OSError as error:
            _log.warning(
                "workspace_not_watched",
                session_id=session_id,
                error=str(error),
            )
        else:
            self._sessions[watch.wd] = session_id

    def forget(self, session_id: str) -> None:
        if self._inotify is None:
            return
        for watch in self._inotify.watches:
            if self._sessions.get(watch.wd) == session_id:
                del self._sessions[watch.wd]
                self._inotify.rm_watch(watch)

    async def changed(self) -> Collection[str]:
        from asyncinotify import Mask

        while True:
            event = await self._open().get()
            if Mask.Q_OVERFLOW in event.mask:
                return set(self._sessions.values())  # the queue overflowed and events are lost
            number = event.watch.wd if event.watch is not None else -1
            if Mask.IGNORED in event.mask:
                self._sessions.pop(number, None)
            elif str(event.name) in self._names and number in self._sessions:
                return {self._sessions[number]}

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None


def watch_workspaces(names: Collection[str]) -> WorkspaceWatch:
    """The watch that this system supports."""
    return InotifyWatch(names) if sys.platform == "linux" else Unwatched()
