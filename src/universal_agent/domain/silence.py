"""Silence of sessions: more planned beats in a row than a person would overlook, and none ended.

A missed beat alone is no news, since the next one makes up for it. Several in a row are.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from universal_agent.domain.heartbeat import HeartbeatConfig
from universal_agent.domain.job import Job
from universal_agent.domain.judge import grace_of

#: Slots that are looked at to find those in active hours; further ones are not awaited.
_LOOKED_AT = 20_000

_HORIZON = timedelta(days=40)


@dataclass(frozen=True, slots=True)
class Liveness:
    """A session's beats, and what is known of their life."""

    job: Job
    #: When its last beat ended; None when none has.
    ended_at: datetime | None
    #: The latest slot that is excused: its engine was off, a service was away, or the breaker open.
    excused_at: datetime | None
    #: Whether a beat is in execution. Its own time limit ends it.
    is_running: bool = False
    #: Whether a service that it uses is away: that has a notification of its own.
    is_cooling: bool = False

    @property
    def counts_from(self) -> datetime:
        """The instant after which its planned beats are counted."""
        known = (self.job.effective_from, self.ended_at, self.excused_at)
        return max(instant for instant in known if instant is not None)

    @property
    def is_excused(self) -> bool:
        """Whether nobody is to be told, however long it is silent."""
        spec = self.job.spec
        return not spec.enabled or spec.is_held or self.is_running or self.is_cooling


def silent_from(life: Liveness, config: HeartbeatConfig, *, beats: int) -> datetime | None:
    """When the session counts as silent unless a beat ends before: the grace of the planned beat
    that follows `beats` others is over. Beats outside the active hours are not counted.

    None when it does not, or not within weeks.
    """
    if life.is_excused:
        return None
    spec, since = life.job.spec, life.counts_from
    slots = islice(spec.schedule.slots(since, since + _HORIZON), _LOOKED_AT)
    active = (slot for slot in slots if config.is_active(slot))
    last = next(islice(active, beats, None), None)
    return None if last is None else last + grace_of(spec.policy)
