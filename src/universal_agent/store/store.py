"""The durable state: verbs, run in transactions on a database.

`write` commits what a verb changes and the events that tell of it in one durable transaction, or
nothing. Two callers that race for the same thing are settled by the database: one gets it, the
other gets None (or less than it asked for), never an exception. No verb assumes that it is the
only process. All take the time from the caller.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from universal_agent.domain.events import Event
from universal_agent.store import keyed, verbs
from universal_agent.store.databases.sqlite import SqliteDatabase
from universal_agent.store.effects import effect_of
from universal_agent.store.log_tail import LogTail
from universal_agent.store.tx import Database, Tx, lane_of

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """The durable state. Opened and closed once, by the composition root."""

    def __init__(self, database: Database, tail: LogTail) -> None:
        self._database = database
        self._tail = tail

    async def open(self) -> None:
        """Lock, migrate and start. Raises DataDirLocked or StoreCorrupt."""
        await self._database.open()
        try:
            await self._database.write(verbs.event_log.name_stream)
            await self._database.write(verbs.zones.know_zones)
        except BaseException:
            await self._database.close()
            raise

    async def close(self) -> None:
        """Finish what was acknowledged and close the database; a second call does nothing."""
        self._tail.close()
        await self._database.close()

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Rows that cannot be read and were skipped, and why."""
        return self._database.set_aside.reasons

    @property
    def last_error(self) -> str | None:
        """Why the latest write failed; None since a write succeeded."""
        return self._database.last_error

    @property
    def is_exclusive(self) -> bool:
        """Whether no other process can write to the database while this store is open."""
        return self._database.is_exclusive

    async def write(
        self, verb: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the verb returns, once its transaction is durable.

        The companions of this task that fit its result are written in the same transaction.
        Raises what the verb raises, or StoreUnavailable when the database cannot take the write;
        nothing was changed then.
        """
        companions = keyed.companions()

        def together(tx: Tx) -> T:
            result = verb(tx, *args, **kwargs)
            if companions:
                effect = effect_of(verb, result)
                for companion in companions:
                    if companion.goes_with(effect):
                        companion.put(tx, effect)
            return result

        result = await self._database.write(together)
        if companions:
            effect = effect_of(verb, result)
            for companion in companions:
                if companion.goes_with(effect):
                    companion.written()
        return result

    async def read(
        self, verb: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the verb returns for one snapshot of what is committed, read in the verb's lane."""
        lane = lane_of(verb, *args, **kwargs)
        return await self._database.read(lambda tx: verb(tx, *args, **kwargs), lane)

    # -- the event log, whose end is in memory

    def appended(self, *, after_seq: int) -> AsyncIterator[int]:
        """The highest visible seq, each time it has grown past `after_seq` and past the last one.

        Ends when the store closes. A reader that names how far it has read misses nothing that
        was appended before it began to wait.
        """
        return self._tail.watch(after_seq)

    async def read_events(self, *, after_seq: int, limit: int) -> Sequence[Event]:
        """The first `limit` events after `after_seq`, oldest first."""
        recent = self._tail.after(after_seq, limit)
        if recent is not None:
            return recent
        return await self.read(verbs.event_log.read_events, after_seq=after_seq, limit=limit)

    async def forget_events(self, *, until: int) -> None:
        """Delete the events up to that seq from the log. The newest one stays, whatever its seq."""
        await self.write(verbs.event_log.forget_events, until=until)
        self._tail.forget(until)


def sqlite_store(
    path: Path, *, synchronous: str = "FULL", state_dir: Path | None = None, is_kept: bool = True
) -> Store:
    """A store in one SQLite file. The other parameters are those of `SqliteDatabase`."""
    tail = LogTail()
    database = SqliteDatabase(
        path,
        synchronous=synchronous,
        on_append=tail.grown,
        state_dir=state_dir,
        is_kept=is_kept,
    )
    return Store(database, tail)
