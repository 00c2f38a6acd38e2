"""Schedules: the instants at which a job expects to run.

A schedule answers for ranges, not for ticks, so that normal running, a start after a night off and
the ledger's recount are the same question. Slots are whole UTC seconds, strictly increasing.

Clock changes are treated as Debian's cron documents it. An expression with a wildcard minute or
hour follows the real clock. One that names times of day runs each of them once: a time that the
clock leaps over runs right after the leap, a time that comes twice runs the first time. A change
of three hours or more is a correction of the clock, and nothing is made up for (Apia had no
30 December 2011, and a daily job there no slot that day).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar

from universal_agent.domain.cron_pattern import CronPattern
from universal_agent.domain.cron_text import never_comes, normalised, parse_cron
from universal_agent.domain.cron_words import explain_cron
from universal_agent.domain.local_time import (
    FIRST_SECOND,
    LAST_SECOND,
    Stretch,
    fingerprint_of,
    instant_of,
    read_by,
    rounded_up,
    rules_on_record,
    second_of,
    stretches_back_from,
    stretches_from,
    zone_of,
)
from universal_agent.domain.wording import describe_duration
from universal_agent.errors import InvalidSchedule

SHORTEST_INTERVAL = timedelta(seconds=1)
LONGEST_INTERVAL = timedelta(days=3650)

_SECOND = timedelta(seconds=1)

#: An interval of a day is not one day of the calendar, which may be longer or shorter.
_SINGLE_UNITS = {
    timedelta(seconds=1): "second",
    timedelta(minutes=1): "minute",
    timedelta(hours=1): "hour",
    timedelta(days=1): "24 hours",
}

#: No cron expression that has slots at all waits longer for its next one.
_HORIZON = 45 * 366 * 86_400


class ScheduleKind(StrEnum):
    """The kind of a schedule."""

    #: A cron expression in a zone.
    CRON = "cron"
    #: A fixed distance from an anchor.
    EVERY = "every"
    #: A single instant.
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The instants at which a zone's wall clock matches a cron expression.

    `expr` has single spaces and is otherwise as it was written, an alias such as `@daily` included.
    """

    kind: ClassVar[ScheduleKind] = ScheduleKind.CRON

    expr: str
    timezone: str
    #: The fingerprint of the zone's rules that it was planned by; None: those of this process.
    rules: str | None = None

    @property
    def _zone(self) -> str:
        return read_by(self.timezone, self.rules)

    def next_after(self, after: datetime) -> datetime | None:
        """The first slot after `after`; None when there is none any more."""
        slot = self._at_or_after(second_of(after) + 1)
        return None if slot is None else instant_of(slot)

    def latest_at(self, until: datetime, after: datetime) -> datetime | None:
        """The last slot in (after, until]; None when it is empty."""
        pattern = parse_cron(self.expr)
        last, floor = second_of(until), second_of(after)
        for stretch in stretches_back_from(self._zone, min(last, LAST_SECOND)):
            if stretch.end <= floor:
                return None
            slot = _last_in(stretch, pattern, last)
            if slot is not None:
                return instant_of(slot) if slot > floor else None
        return None

    def slots(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Every slot in (after, until], ascending."""
        pattern = parse_cron(self.expr)
        start, last = max(second_of(after) + 1, FIRST_SECOND), second_of(until)
        for stretch in stretches_from(self._zone, start):
            if stretch.start > last:
                return
            slot = _first_in(stretch, pattern, start)
            while slot is not None:
                if slot > last:
                    return
                yield instant_of(slot)
                slot = _first_in(stretch, pattern, slot + 1)

    def count(self, after: datetime, until: datetime) -> int:
        """How many slots lie in (after, until], without going through them."""
        pattern = parse_cron(self.expr)
        start, stop = max(second_of(after) + 1, FIRST_SECOND), second_of(until) + 1
        count = 0
        for stretch in stretches_from(self._zone, start):
            if stretch.start >= stop:
                break
            count += _count_in(stretch, pattern, start, stop)
        return count

    def describe(self) -> str:
        """In words: "at 09:00 on weekdays, Europe/Berlin"."""
        return f"{explain_cron(self.expr)}, {self.timezone}"

    def _at_or_after(self, second: int) -> int | None:
        pattern = parse_cron(self.expr)
        second = max(second, FIRST_SECOND)
        for stretch in stretches_from(self._zone, second):
            if stretch.start - second > _HORIZON:
                return None
            slot = _first_in(stretch, pattern, second)
            if slot is not None:
                return slot
        return None


# The one place where clock changes are decided. Within a stretch a wall second w is the instant
# w - offset. Wall seconds that the zone leapt over come out before the stretch: they run as it
# begins. Wall seconds that it has been through already are below `owed_from` and left out.


def _owed_from(stretch: Stretch, pattern: CronPattern) -> int:
    return stretch.owed_from if pattern.fixed else stretch.start + stretch.offset


def _first_in(stretch: Stretch, pattern: CronPattern, second: int) -> int | None:
    """The first slot of the stretch that is not before `second`."""
    wall = _owed_from(stretch, pattern)
    if second > stretch.start:
        wall = max(wall, second + stretch.offset)
    match = pattern.at_or_after(wall)
    if match is None or match >= stretch.end + stretch.offset:
        return None
    return max(match - stretch.offset, stretch.start)


def _last_in(stretch: Stretch, pattern: CronPattern, second: int) -> int | None:
    """The last slot of the stretch that is not after `second`."""
    match = pattern.at_or_before(min(second, stretch.end - 1) + stretch.offset)
    if match is None or match < _owed_from(stretch, pattern):
        return None
    return max(match - stretch.offset, stretch.start)


def _count_in(stretch: Stretch, pattern: CronPattern, start: int, stop: int) -> int:
    """How many slots of the stretch lie in [start, stop)."""
    opening = stretch.start + stretch.offset
    wall = _owed_from(stretch, pattern)
    if start > stretch.start:
        wall = max(wall, start + stretch.offset)
    end = min(stop, stretch.end) + stretch.offset
    if wall >= end:
        return 0
    if wall >= opening:
        return pattern.count(wall, end)
    # All that was leapt over, and the opening second itself, is one slot.
    return pattern.count(opening + 1, end) + (pattern.count(wall, opening + 1) > 0)


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """Slot k, k >= 1, is at anchor + k * every, independent of earlier runs."""

    kind: ClassVar[ScheduleKind] = ScheduleKind.EVERY

    every: timedelta
    anchor: datetime

    def next_after(self, after: datetime) -> datetime | None:
        """The first slot after `after`; None when the calendar ends before it."""
        return self._slot(max(self._index(after), 0) + 1)

    def latest_at(self, until: datetime, after: datetime) -> datetime | None:
        """The last slot in (after, until]; None when it is empty."""
        index = self._index(until)
        return self._slot(index) if index > max(self._index(after), 0) else None

    def slots(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Every slot in (after, until], ascending."""
        for index in range(max(self._index(after), 0) + 1, self._index(until) + 1):
            yield self.anchor + index * self.every

    def count(self, after: datetime, until: datetime) -> int:
        """How many slots lie in (after, until]."""
        return max(0, self._index(until) - max(self._index(after), 0))

    def describe(self) -> str:
        """In words: "every 30 minutes", "every hour"."""
        return f"every {_SINGLE_UNITS.get(self.every) or describe_duration(self.every)}"

    def _index(self, instant: datetime) -> int:
        """The number of the last slot that is not after the instant."""
        return (instant - self.anchor) // self.every

    def _slot(self, index: int) -> datetime | None:
        slot = second_of(self.anchor) + index * (self.every // _SECOND)
        return instant_of(slot) if slot < LAST_SECOND else None


@dataclass(frozen=True, slots=True)
class OneShotSchedule:
    """A single slot."""

    kind: ClassVar[ScheduleKind] = ScheduleKind.ONCE

    run_at: datetime

    def next_after(self, after: datetime) -> datetime | None:
        """The slot, or None when it is not after `after`."""
        return self.run_at if self.run_at > after else None

    def latest_at(self, until: datetime, after: datetime) -> datetime | None:
        """The slot, or None when it is not in (after, until]."""
        return self.run_at if after < self.run_at <= until else None

    def slots(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The slot, if it is in (after, until]."""
        if after < self.run_at <= until:
            yield self.run_at

    def count(self, after: datetime, until: datetime) -> int:
        """1 when the slot is in (after, until], else 0."""
        return int(after < self.run_at <= until)

    def describe(self) -> str:
        """In words: "once, on 2026-11-24 at 09:15 UTC"."""
        form = "%Y-%m-%d at %H:%M:%S UTC" if self.run_at.second else "%Y-%m-%d at %H:%M UTC"
        return f"once, on {self.run_at.strftime(form)}"


Schedule = CronSchedule | IntervalSchedule | OneShotSchedule


@lru_cache(maxsize=10_000)
def make_cron(expr: str, timezone: str) -> CronSchedule:
    """A cron schedule; raises InvalidSchedule for a bad expression or zone, or if it never runs."""
    expr = normalised(expr)
    parse_cron(expr)
    zone_of(timezone)
    schedule = CronSchedule(expr, timezone)
    if schedule.next_after(datetime(2024, 1, 1, tzinfo=UTC)) is None:
        # Its dates exist, but its wildcard times are always in the hour that is leapt over.
        raise InvalidSchedule(never_comes(expr), field="cron_expr")
    return schedule


def make_interval(every: timedelta, anchor: datetime) -> IntervalSchedule:
    """An interval schedule from `anchor`, rounded up to the whole second.

    Raises InvalidSchedule unless `every` is whole seconds, from 1 second to 3650 days.
    """
    if not SHORTEST_INTERVAL <= every <= LONGEST_INTERVAL or every % _SECOND:
        raise InvalidSchedule(
            f"expected an interval of whole seconds, from 1 second to {LONGEST_INTERVAL.days} "
            f"days, got {every.total_seconds():g} seconds",
            field="every",
        )
    return IntervalSchedule(every, rounded_up(anchor))


def make_once(run_at: datetime) -> OneShotSchedule:
    """A one-shot schedule at `run_at`, rounded up to the whole second."""
    return OneShotSchedule(rounded_up(run_at))


def same_slots(one: Schedule, other: Schedule) -> bool:
    """Whether two schedules are known to have the same slots, however they are written."""
    if isinstance(one, CronSchedule) and isinstance(other, CronSchedule):
        same_times = parse_cron(one.expr).fields == parse_cron(other.expr).fields
        return same_times and (one.timezone, one.rules) == (other.timezone, other.rules)
    return one == other


def same_but_for_start(one: CronSchedule, other: CronSchedule) -> bool:
    """Whether two expressions differ in nothing but the date that their period counts from."""
    fields, others = parse_cron(one.expr).fields, parse_cron(other.expr).fields
    if fields.period is None or others.period is None:
        return False
    start = others.period.start
    return replace(fields, period=replace(fields.period, start=start)) == others


def by_present_rules(schedule: Schedule) -> Schedule:
    """The schedule with the rules that this process has for its zone.

    A schedule in a zone that is gone keeps its rules, or gets those on record.
    """
    if not isinstance(schedule, CronSchedule) or schedule.timezone == "UTC":
        return schedule
    fingerprint = fingerprint_of(schedule.timezone) or schedule.rules
    if fingerprint is None and (on_record := rules_on_record(schedule.timezone)) is not None:
        fingerprint = on_record.fingerprint
    return replace(schedule, rules=fingerprint)


def stable_jitter(job_id: str, jitter_seconds: int) -> timedelta:
    """The shift of a job's starts: in [0, jitter_seconds), the same in every process."""
    if jitter_seconds <= 0:
        return timedelta(0)
    digest = hashlib.blake2b(job_id.encode(), digest_size=8).digest()
    return timedelta(milliseconds=int.from_bytes(digest, "big") % (jitter_seconds * 1000))
