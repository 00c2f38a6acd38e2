"""When does a file that steers a session change? The kernel tells, where it is Linux's (inotify).

Nothing is asked again and again: the file descriptor is one of the event loop's.
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
    """Tells which sessions' files have changed."""

    def follow(self, session_id: str, workspace: Path) -> None:
        """Tell of this session from now on; harmless when it is told of already."""
        ...

    def forget(self, session_id: str) -> None:
        """Tell of it no more; harmless when it is not told of."""
        ...

    async def changed(self) -> Collection[str]:
        """Wait until files have changed; the ids of the sessions that they are of."""
        ...

    def close(self) -> None:
        """Let go of what is held; harmless when called twice."""
        ...


class Unwatched:
    """Tells nothing: files are looked at when a beat starts, and when somebody comes."""

    def follow(self, session_id: str, workspace: Path) -> None:
        """Nothing is followed."""

    def forget(self, session_id: str) -> None:
        """Nothing was followed."""

    async def changed(self) -> Collection[str]:
        await asyncio.get_running_loop().create_future()
        return ()

    def close(self) -> None:
        """Nothing is held."""


class InotifyWatch:
    """Follows some files of the sessions' workspaces, right in these folders."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._inotify: Inotify | None = None
        #: By the kernel's number for the folder.
        self._sessions: dict[int, str] = {}

    def _open(self) -> "Inotify":
        from asyncinotify import Inotify

        if self._inotify is None:
            self._inotify = Inotify(cache_size=100)
        return self._inotify

    def follow(self, session_id: str, workspace: Path) -> None:
        from asyncinotify import Mask

        # Not when a file is made, for it is empty then: once it is written or moved to its place.
        changed = Mask.CLOSE_WRITE | Mask.MOVE | Mask.DELETE
        try:
            with folder(workspace) as descriptor:
                place = path_of(descriptor, workspace)
                watch = self._open().add_watch(place, changed | Mask.ONLYDIR)
        except FileNotFoundError:
            return  # it is made when the session is resumed
        except OSError as error:
            _log.warning(
                "workspace_not_watched",
                action="workspace_not_watched",
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
                return set(self._sessions.values())  # too much has happened for it to be told
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
    """What tells of changes on this system."""
    return InotifyWatch(names) if sys.platform == "linux" else Unwatched()
