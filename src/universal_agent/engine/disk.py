"""The free space of the disk that the database is on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from universal_agent.threads import Pool

if TYPE_CHECKING:
    from concurrent.futures import Future

_MEGABYTE = 1024 * 1024

#: A lack of space is over once there is this many times the least space: it would come and go
#: with each temporary file otherwise.
_ENOUGH = 1.2


def free_bytes(folder: Path) -> int:
    """The space that this user may still use."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class DiskWatch:
    """Asks for the free space in a thread of its own: a disk that hangs holds up nothing else."""

    def __init__(
        self, folder: Path, *, least_mb: int, free: Callable[[Path], int] = free_bytes
    ) -> None:
        self._folder = folder
        self._least = least_mb * _MEGABYTE
        self._free = free
        self._pool = Pool("disk", 1)
        self._asked: Future[int] | None = None
        #: What is lacking, in words; None while there is enough, and before the first answer.
        self.lack: str | None = None

    def look(self) -> None:
        """Take the answer to the last question, and ask again. Does not wait."""
        if self._asked is not None:
            if not self._asked.done():
                return
            if self._asked.exception() is None:
                self._judge(self._asked.result())
        self._asked = self._pool.submit(lambda: self._free(self._folder))

    def _judge(self, free: int) -> None:
        least = self._least * (1.0 if self.lack is None else _ENOUGH)
        if free >= least:
            self.lack = None
        else:
            self.lack = (
                f"{free / _MEGABYTE:.0f} MB are free on the disk of {self._folder}, and at least "
                f"{self._least / _MEGABYTE:.0f} MB are expected (UA_DISK_FREE_MIN_MB). Make room: "
                "on a full disk nothing can be recorded, and nothing starts."
            )
