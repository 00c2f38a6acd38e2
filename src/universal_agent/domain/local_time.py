"""Local time: a zone's wall clock against UTC.

A zone is a chain of *stretches* with a constant offset. Everything that crosses a clock change is
computed in UTC seconds over these, never by arithmetic on local times.

Governments change the rules of zones, and a process has those of its host. Schedules planned by
other rules are read by those: they are stored under a fingerprint and registered with `know_rules`.
"""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from universal_agent.errors import InvalidSchedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The years that schedules live in, and their first UTC second and the one after their last.
FIRST_YEAR, LAST_YEAR = 1970, 9989
FIRST_SECOND = 0
LAST_SECOND = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())

_DAY = 86_400

#: How much of a zone is computed in one block.
_BLOCK = 400 * _DAY

#: No zone has changed its offset twice within six days since 1970, and none is known to plan it.
_STEP = 5 * _DAY

#: Cron takes a change of the clock by this much or more for a correction and does not make up
#: for it (cron(8), Debian).
_CORRECTION = 3 * 3600

_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*", re.ASCII)

#: Not places: `right/` counts leap seconds, the others mean whatever this machine is set to.
_NOT_A_ZONE = re.compile(r"(right/|posix/|localtime$|posixrules$|Factory$)")

_SECOND = timedelta(seconds=1)


def second_of(instant: datetime) -> int:
    """The whole UTC second that an aware instant lies in."""
    return (instant - EPOCH) // _SECOND


def instant_of(second: int) -> datetime:
    """The instant at which a UTC second begins."""
    return EPOCH + timedelta(seconds=second)


def rounded_up(instant: datetime) -> datetime:
    """The first whole UTC second not before an aware instant."""
    return instant_of(-((EPOCH - instant) // _SECOND))


@lru_cache(maxsize=1024)
def load_zone(timezone: str) -> ZoneInfo:
    """The zone of an IANA name; raises InvalidSchedule when there is no such zone."""
    if len(timezone) <= 64 and _ZONE_NAME.fullmatch(timezone) and not _NOT_A_ZONE.match(timezone):
        try:
            return ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise InvalidSchedule(
        f"expected an IANA time zone such as Europe/Berlin or UTC, got {timezone[:64]!r}",
        field="timezone",
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a zone keeps its offset: UTC seconds [start, end)."""

    start: int
    end: int
    #: wall seconds = UTC seconds + offset
    offset: int
    #: The first wall second that the zone has not yet been through as the stretch begins: before
    #: the clock's reading when it has just leapt forward (what was left out is still owed), after
    #: it when it has been set back (the repeated hour is not owed twice).
    owed_from: int


#: Offsets at UTC seconds.
_Offsets = Callable[[int], int]

#: What a fingerprint of rules covers: what is older was planned before there was this product.
_RULES_FROM = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
_RULES_UNTIL = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """The offsets of a zone from 2020 to 2100, as a process had them."""

    timezone: str
    #: UTC seconds, and the offset from each of them on.
    changes: tuple[tuple[int, int], ...]

    @property
    def fingerprint(self) -> str:
        """The same for the same zone and offsets."""
        text = orjson.dumps([self.timezone, self.changes])
        return hashlib.blake2b(text, digest_size=8).hexdigest()

    def offset_at(self, second: int) -> int:
        """The offset at a UTC second; before and after what is covered, that of its edge."""
        index = bisect_right(self.changes, second, key=lambda change: change[0])
        return self.changes[max(index - 1, 0)][1]


@lru_cache(maxsize=1024)
def rules_of(timezone: str) -> ZoneRules:
    """The rules that this process has for a zone; raises InvalidSchedule without one."""
    offsets = _offsets_of(load_zone(timezone))
    changes = tuple(_changes(offsets, _RULES_FROM, _RULES_UNTIL))
    return ZoneRules(timezone, ((_RULES_FROM, offsets(_RULES_FROM)), *changes))


@lru_cache(maxsize=1024)
def fingerprint_of(timezone: str) -> str | None:
    """The fingerprint of the rules that this process has for a zone; None without such a zone."""
    try:
        return rules_of(timezone).fingerprint
    except InvalidSchedule:
        return None


#: Rules that were recorded, and differ from those that this process has, by fingerprint.
_recorded: dict[str, ZoneRules] = {}

#: The rules of schedules that were stored without, by zone.
_unrecorded: dict[str, str] = {}


def know_rules(rules: ZoneRules) -> None:
    """Make recorded rules known, so that schedules that were planned by them can be read."""
    if rules.fingerprint != fingerprint_of(rules.timezone):
        _recorded[rules.fingerprint] = rules


def know_unrecorded(timezone: str, fingerprint: str) -> None:
    """Schedules of the zone that were stored without rules were planned by these."""
    _unrecorded[timezone] = fingerprint


def unrecorded_rules(timezone: str) -> str | None:
    """The fingerprint for a schedule that was stored without; None: this process's own rules."""
    return _unrecorded.get(timezone)


def rules_on_record(timezone: str) -> ZoneRules | None:
    """Recorded rules for a zone that this process does not have; None when there are none."""
    return next((rules for rules in _recorded.values() if rules.timezone == timezone), None)


class _RecordedZone(tzinfo):
    """A zone by recorded rules."""

    def __init__(self, rules: ZoneRules) -> None:
        self._rules = rules

    def fromutc(self, dt: datetime) -> datetime:
        second = second_of(dt.replace(tzinfo=UTC))
        offset = self._rules.offset_at(second)
        local = dt + timedelta(seconds=offset)
        wall = second + offset
        is_second_reading = self._offsets(wall)[0] != offset
        return local.replace(fold=int(is_second_reading))

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        if dt is None:
            return None
        offsets = self._offsets(second_of(dt.replace(tzinfo=UTC)))
        return timedelta(seconds=offsets[dt.fold])

    def _offsets(self, wall: int) -> tuple[int, int]:
        """The offsets of a wall second's first and second reading, as PEP 495 has them."""
        before, after = self._rules.offset_at(wall - _DAY), self._rules.offset_at(wall + _DAY)
        real = [
            offset for offset in (before, after) if self._rules.offset_at(wall - offset) == offset
        ]
        return (real[0], real[0]) if len(real) == 1 else (before, after)

    def tzname(self, dt: datetime | None) -> str:
        return self._rules.timezone

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None


def zone_of(timezone: str) -> tzinfo:
    """The zone, or what is on record of one that is gone. Raises InvalidSchedule as `load_zone`."""
    try:
        return load_zone(timezone)
    except InvalidSchedule:
        rules = rules_on_record(timezone)
        if rules is None:
            raise
        return _RecordedZone(rules)


def forget_zones() -> None:
    """Read zones again, with the rules that the host has by now; for tests."""
    ZoneInfo.clear_cache()
    for cached in (load_zone, rules_of, fingerprint_of, _stretches):
        cached.cache_clear()
    _recorded.clear()
    _unrecorded.clear()


def shown_in(instant: datetime, zone: str, rules: str | None = None) -> datetime:
    """What the clock of a zone shows at an instant, by the rules with this fingerprint.

    A zone that this process does not have is read by rules on record, or else shown in UTC: a job
    outlives its zone.
    """
    recorded = _recorded.get(rules) if rules else None
    if recorded is None:
        try:
            return instant.astimezone(load_zone(zone))
        except InvalidSchedule:
            recorded = rules_on_record(zone)
    offset = 0 if recorded is None else recorded.offset_at(second_of(instant))
    return instant.astimezone(timezone(timedelta(seconds=offset)))


def _offsets_in(timezone: str) -> _Offsets:
    """The offsets of a zone as `read_by` names it; of a zone that is gone, those on record."""
    _, is_recorded, rules = timezone.partition("@")
    if is_recorded:
        return _recorded[rules].offset_at
    on_record = rules_on_record(timezone)
    if on_record is not None and fingerprint_of(timezone) is None:
        return on_record.offset_at
    return _offsets_of(load_zone(timezone))


def _offsets_of(zone: ZoneInfo) -> _Offsets:
    return lambda second: _offset(zone, second)


def read_by(timezone: str, rules: str | None) -> str:
    """The zone to ask for stretches, read by the rules with this fingerprint.

    Without rules, or with those that this process has, that is the zone itself.
    """
    return f"{timezone}@{rules}" if rules in _recorded else timezone


def stretches_from(timezone: str, second: int) -> Iterator[Stretch]:
    """The stretches of a zone from the one that holds `second` on, until the year 9990."""
    block = second // _BLOCK
    while block * _BLOCK < LAST_SECOND:
        for stretch in _stretches(timezone, block):
            if stretch.end > second:
                yield stretch
        block += 1


def stretches_back_from(timezone: str, second: int) -> Iterator[Stretch]:
    """The stretches of a zone from the one that holds `second` backwards, until 1970."""
    block = second // _BLOCK
    while block >= 0:
        for stretch in reversed(_stretches(timezone, block)):
            if stretch.start <= second:
                yield stretch
        block -= 1


def instant_at(wall: datetime, timezone: str) -> datetime:
    """The instant at which a zone's clock shows `wall` (a naive time, in whole seconds).

    A time that comes twice is taken to be the first; one that is leapt over, the end of the leap.
    """
    second = (wall - EPOCH.replace(tzinfo=None)) // _SECOND
    for stretch in stretches_from(timezone, second - 2 * _DAY):
        if second < stretch.end + stretch.offset:
            return instant_of(max(second - stretch.offset, stretch.start))
    raise InvalidSchedule(f"expected a time before the year 9990, got {wall}")


@lru_cache(maxsize=4096)
def _stretches(timezone: str, block: int) -> tuple[Stretch, ...]:
    """The stretches of one block of time; one that crosses its edge is cut there."""
    offsets = _offsets_in(timezone)
    begin, end = block * _BLOCK, (block + 1) * _BLOCK
    # Two days earlier, so that a clock set back shortly before the edge is still known.
    start = begin - 2 * _DAY
    offset = offsets(start)
    owed_from = start + offset
    stretches: list[Stretch] = []
    for change, changed_offset in _changes(offsets, start, end):
        stretches.append(Stretch(start, change, offset, owed_from))
        been_through = max(owed_from, change + offset)
        start, offset = change, changed_offset
        reading = start + offset
        owed_from = been_through if abs(reading - been_through) < _CORRECTION else reading
    stretches.append(Stretch(start, end, offset, owed_from))
    return tuple(_from(stretch, begin) for stretch in stretches if stretch.end > begin)


def _from(stretch: Stretch, begin: int) -> Stretch:
    """The part of the stretch from `begin` on, by when nothing that was leapt over is owed."""
    if stretch.start >= begin:
        return stretch
    owed_from = max(stretch.owed_from, begin + stretch.offset)
    return Stretch(begin, stretch.end, stretch.offset, owed_from)


def _changes(offsets: _Offsets, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Each second in (start, end) at which the offset changes, with the new one."""
    offset = offsets(start)
    for before in range(start, end - 1, _STEP):
        after = min(before + _STEP, end - 1)
        changed_offset = offsets(after)
        if changed_offset != offset:
            seconds = range(before, after)
            change = before + bisect_left(
                seconds, True, key=lambda second: offsets(second) == changed_offset
            )
            yield change, changed_offset
            offset = changed_offset


def _offset(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    return 0 if offset is None else offset // _SECOND
