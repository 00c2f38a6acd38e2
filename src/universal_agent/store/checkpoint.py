"""The projection of events that were deleted from the log.

Before events are deleted, they are folded into a separate projection, in a file next to the
database. The checkpoint and the rest of the log give the whole projection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from universal_agent.errors import Conflict, StartupError
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)


class Checkpoint:
    """The projection as of the last deleted event, or of a later one."""

    def __init__(self, database: Path, store_at: Callable[[Path], Store]) -> None:
        self._database = database
        self._store_at = store_at
        self._using = asyncio.Lock()

    @asynccontextmanager
    async def opened(self, stream_id: str) -> AsyncIterator[Store]:
        """The store that keeps it, for one user at a time; an empty one when there was none.

        The name of its file contains the stream id, so that one database's checkpoint is never
        taken for another's. Raises Conflict when the file is damaged or is no regular file.
        """
        path = self._database.with_name(f"{self._database.name}.checkpoint-{stream_id}")
        async with self._using:
            store = self._store_at(path)
            try:
                await store.open()
            except StartupError as error:
                _log.error("checkpoint_unusable", error=str(error))
                raise Conflict(
                    f"The checkpoint {path.name} cannot be read; the log has why. Nothing was "
                    "changed. Restore the file from a backup; it is next to the database."
                ) from error
            try:
                yield store
            finally:
                await store.close()
