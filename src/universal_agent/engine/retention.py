"""Retention: deletes the beginning of the event log, and the logs of old runs.

Each transaction deletes little and is followed by a pause for other writers. Events are folded into
the checkpoint, on the disk, before they are deleted, so that a kill in between loses nothing.
"""

import re
import shutil
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path

import orjson
import structlog

from universal_agent.clock import Clock
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.lived_time import LivedTime
from universal_agent.errors import Conflict, UniversalAgentError
from universal_agent.store import verbs
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import Store
from universal_agent.threads import FILES

#: The folder that a day's run logs are in.
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 3600.0

#: Events that go in one transaction, and the pause after it.
BATCH = 200
_PAUSE_SECONDS = 0.05


class Retention:
    """Deletes what is older than its retention."""

    def __init__(
        self,
        store: Store,
        checkpoint: Checkpoint,
        clock: Clock,
        *,
        events_for: timedelta | None,
        run_logs_for: timedelta | None,
        run_logs_dir: Path,
        slot_states_dir: Path,
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._clock = clock
        self._events_for = events_for
        self._run_logs_for = run_logs_for
        self._folders = (run_logs_dir, slot_states_dir)
        self._swept = clock.monotonic()

    async def run(self) -> None:
        """Sweep once an hour, until cancelled."""
        while True:
            await self.sweep()
            await self._clock.sleep(_EVERY_SECONDS)

    async def sweep(self) -> None:
        """Delete what is too old by the time that retention trusts (domain/lived_time.py)."""
        await self._store.write(verbs.cooldowns.close_unused, now=self._clock.now())
        now = await self._trusted_time()
        if self._events_for is not None:
            try:
                await self._forget_events(now - self._events_for)
            except UniversalAgentError as error:
                _log.warning("events_kept", reason=str(error))
        if self._run_logs_for is not None:
            oldest = f"{now - self._run_logs_for:%Y-%m-%d}"
            try:
                for folder in self._folders:
                    await FILES.run(_remove_days_before, oldest, folder)
            except OSError as error:
                _log.warning("run_logs_kept", reason=str(error))

    async def _trusted_time(self) -> datetime:
        """The time without leaps of the clock that may prove wrong."""
        text = await self._store.read(verbs.event_log.lived_time)
        now, monotonic = self._clock.now(), self._clock.monotonic()
        lived = LivedTime(now) if text is None else LivedTime.from_record(orjson.loads(text))
        lived = lived.moved_on(now, ran=monotonic - self._swept)
        self._swept = monotonic
        await self._store.write(
            verbs.event_log.keep_lived_time, orjson.dumps(lived.record()).decode()
        )
        return lived.trusted

    async def _forget_events(self, before: datetime) -> None:
        """Delete the events before the first one that is to be kept."""
        bounds = await self._store.read(verbs.event_log.log_bounds)
        if not (expired := await self._expired(before, bounds.oldest_seq)):
            return
        async with self._checkpoint.opened(bounds.stream_id) as checkpoint:
            while expired:
                until = expired[-1].seq
                position = await checkpoint.write(verbs.projection.project, expired)
                if position < until:
                    raise Conflict(
                        f"The checkpoint is at event {position}, and the log begins with "
                        f"{expired[0].seq}: what lies between is gone, so no more is forgotten."
                    )
                await self._store.forget_events(until=until)
                await self._clock.sleep(_PAUSE_SECONDS)
                expired = await self._expired(before, until + 1)
        _log.info("events_forgotten", until=until)

    async def _expired(self, before: datetime, oldest_seq: int) -> list[Event]:
        """The oldest events that are too old; never the newest event of the log."""
        events = await self._store.read_events(after_seq=oldest_seq - 1, limit=BATCH + 1)
        return list(takewhile(lambda event: event.timestamp < before, events[:-1]))


def _remove_days_before(oldest: str, folder: Path) -> None:
    """Remove the folders of days before that day: logs of runs, states of slots."""
    days = folder.iterdir() if folder.exists() else ()
    for day in days:
        if _DAY.fullmatch(day.name) and day.name < oldest:
            shutil.rmtree(day)
