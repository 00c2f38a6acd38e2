"""Which slots the words of a change request mean, "tomorrow's run", "the 9am run on friday"."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice

from universal_agent.domain.change_terms import Asked
from universal_agent.domain.cron_text import parse_cron
from universal_agent.domain.local_time import instant_at
from universal_agent.domain.phrases import parse_schedule
from universal_agent.domain.said_time import DAY_PARTS
from universal_agent.domain.schedule import CronSchedule, Schedule
from universal_agent.errors import InvalidInput, InvalidPhrase

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)

#: More slots than these are not told apart one by one.
_FEW = 5

# fmt: off
_WEEKDAYS = {
    "mon": 0, "tue": 1, "tues": 1, "wed": 2, "weds": 2, "thu": 3, "thur": 3, "thurs": 3, "fri": 4,
    "sat": 5, "sun": 6, "monday": 0, "tuesday": 1, "wednesday": 2, "thursday": 3, "friday": 4,
    "saturday": 5, "sunday": 6,
}
# fmt: on
WEEKDAY = "|".join(sorted(_WEEKDAYS, key=len, reverse=True))

TIME = (
    r"(?:\d{1,2}[:.]\d{2}(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?|noon|midday"
    r"|(?:(?<=at )\d{1,2}(?: o'clock)?))"
)
_RUN = r"(?:run|one|slot|execution)"

_ITSELF = re.compile(rf"it|this|that|(?:this|that|the) {_RUN}")
_NEXT = re.compile(rf"(?:just |only )?(?:the )?(?:next|following)(?: {_RUN}| time)?")
_FORMS = (
    re.compile(
        rf"(?:the )?(?P<day>.+?)'s?(?: (?P<time>{TIME}))?(?: {_RUN})?(?: (?:at )(?P<at>{TIME}))?"
    ),
    re.compile(rf"(?:(?:it|(?:the |this )?{_RUN}) )?(?:on |of |for )?at (?P<time>{TIME})"),
    re.compile(rf"(?:the )?(?P<time>{TIME})(?: {_RUN})?(?: (?:on |of )?(?P<day>.+))?"),
    re.compile(rf"(?:(?:it|(?:the |this )?{_RUN}) )?(?P<day>.+?),? at (?P<time>{TIME})"),
    re.compile(rf"(?:(?:it|(?:the |this )?{_RUN}) )?(?P<day>.+)"),
)


def slots(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """The slots in (after, until)."""
    slot = schedule.next_after(after)
    while slot is not None and slot < until:
        yield slot
        slot = schedule.next_after(slot)


def clock_of(text: str, asked: Asked) -> time | None:
    """The time of day that is said; None for other words."""
    words = text if text.startswith("at ") or not text[:1].isdigit() else f"at {text}"
    try:
        found = parse_schedule(f"every day {words}", now=asked.now, timezone=asked.timezone)
    except InvalidInput:
        return None
    if not isinstance(found.schedule, CronSchedule):
        return None
    times = parse_cron(found.schedule.expr).fields.times
    if len(times) != 1:
        return None
    minutes, second = divmod(times[0], 60)
    return time(minutes // 60, minutes % 60, second)


def slot_of(asked: Asked, words: str, form: str) -> datetime | None:
    """The one slot to come that the words mean; None when they are no such words.

    `form` is the sentence with a blank for the slot, "skip {}", for the forms that a refusal
    proposes. Raises InvalidInput when there is none or several.
    """
    words = words.lower().strip()
    if _ITSELF.fullmatch(words):
        return itself(asked)
    if _NEXT.fullmatch(words):
        first = asked.spec.schedule.next_after(asked.now)
        if asked.slot > asked.now and first is not None and first != asked.slot:
            raise asked.refused(
                f"this is not the next run: say '{form.format('it')}' for this one, or "
                f"'{form.format(_run(asked, first))}'"
            )
        return itself(asked)
    for pattern in _FORMS:
        match = pattern.fullmatch(words)
        if match is None:
            continue
        said = match.groupdict()
        clock = said.get("time") or said.get("at")
        found = _on(asked, said.get("day"), clock, words, form)
        if found is not None:
            return found
    return None


def itself(asked: Asked) -> datetime:
    """The slot that was asked about; raises InvalidInput when it is past."""
    if asked.slot > asked.now:
        return asked.slot
    raise asked.refused(f"only a slot to come can be changed; {asked.local(asked.slot)} is past")


def _run(asked: Asked, slot: datetime) -> str:
    return f"the run of {asked.wall(slot):%Y-%m-%d at %H:%M}"


def _on(asked: Asked, day: str | None, clock: str | None, words: str, form: str) -> datetime | None:
    at = None if clock is None else clock_of(clock, asked)
    if clock is not None and at is None:
        return None
    if day is None:
        windows = [(asked.now, asked.now + 8 * _DAY)]
    elif (found := windows_of(asked, day)) is not None:
        windows = found
    else:
        return None
    coming = [
        slot
        for start, end in windows
        for slot in islice(slots(asked.spec.schedule, max(start - _SECOND, asked.now), end), 100)
        if at is None or asked.wall(slot).time() == at
    ]
    if day is None:
        coming = [asked.slot] if asked.slot in coming else coming[:1]
    words = re.sub(r"^(?:it|this|that) ", "", words)
    if not coming:
        raise asked.refused(_none_then(asked, words, form))
    if len(coming) > 1:
        raise asked.refused(_several_then(asked, coming, words, form))
    return coming[0]


def _none_then(asked: Asked, words: str, form: str) -> str:
    following = asked.spec.schedule.next_after(asked.now)
    near = (
        f"; the next one is {asked.local(following)}: say '{form.format('it')}'"
        if following is not None and following == asked.slot
        else ""
    )
    return f"the job has no slot to come {words}{near}"


def _several_then(asked: Asked, coming: list[datetime], words: str, form: str) -> str:
    if len(coming) > _FEW:
        until = asked.wall(coming[-1]).date() + _DAY
        return f"the job has {len(coming)} slots {words}: say 'pause until {until}'"
    first, second = (form.format(_run(asked, slot)) for slot in coming[:2])
    return f"the job has several slots {words}: say '{first}' or '{second}'"


def windows_of(asked: Asked, words: str) -> list[tuple[datetime, datetime]] | None:
    """The time that the words for a day, its part, or a week mean; None for other words.

    After midnight "tonight" is this night or the next one.
    """
    words = re.sub(r"^(?:on|of|for) ", "", words.strip(" ,"))
    today = asked.wall(asked.now).date()
    if week := re.fullmatch(r"(this|next) week", words):
        monday = (
            today - timedelta(days=today.weekday()) + (_WEEK if week[1] == "next" else 0 * _DAY)
        )
        return [(_at(asked, monday, 0), _at(asked, monday + _WEEK, 0))]
    words = re.sub(r"^tonight$", "today night", words)
    match = re.fullmatch(rf"(.+?) ({'|'.join(DAY_PARTS)})", words)
    words, part = (match[1], match[2]) if match else (words, None)
    if part is not None and words == "this":
        words = "today"
    day = day_of(asked, words, part)
    if day is None:
        return None
    begin, end = DAY_PARTS[part] if part else (0, 24)
    days = [day]
    if part == "night" and day == today and _at(asked, today, end - 24) > asked.now:
        days = [day - _DAY, day]
    return [(_at(asked, on, begin), _at(asked, on, end)) for on in days]


def _at(asked: Asked, day: date, hour: int) -> datetime:
    wall = datetime.combine(day, time()) + timedelta(hours=hour)
    return instant_at(wall, asked.timezone)


def day_of(asked: Asked, words: str, part: str | None = None) -> date | None:
    """The date that is meant; None for words that are no day.

    Raises InvalidInput for today's weekday while a slot of today is to come: it has two readings.
    """
    today = asked.wall(asked.now).date()
    if match := re.fullmatch(
        rf"(?:(this|next|coming) )?({WEEKDAY})(?: (this|next) week)?", words, re.IGNORECASE
    ):
        return _weekday(asked, today, match)
    if match := re.fullmatch(r"(?:the )?(\d{1,2})(?:st|nd|rd|th)(?: of (this|next) month)?", words):
        return _month_day(today, int(match[1]), match[2])
    midnight = _at(asked, today, 0)
    if re.search(r"\d[hms]\b|hour|minute|second|\bnow\b", words) or words in ("", "it", "next"):
        return None
    try:
        return asked.wall(asked.instant(f"{words} at 12:00", now=midnight)).date()
    except InvalidInput:
        return None


def _weekday(asked: Asked, today: date, match: re.Match[str]) -> date:
    which, name, week = match[1], match[2].lower(), match[3]
    ahead = (_WEEKDAYS[name] - today.weekday()) % 7
    if week is not None:
        monday = today - timedelta(days=today.weekday())
        return monday + timedelta(days=_WEEKDAYS[name]) + (_WEEK if week == "next" else 0 * _DAY)
    if which == "next":
        return today + timedelta(days=ahead or 7)
    if ahead:
        return today + timedelta(days=ahead)
    first = asked.spec.schedule.next_after(asked.now)
    if first is not None and first < _at(asked, today + _DAY, 0):
        raise asked.refused(
            f"today is {name}, which has two readings: say 'skip today' or 'skip {today + _WEEK}'"
        )
    return today + _WEEK


def _month_day(today: date, number: int, month: str | None) -> date | None:
    """The next date that is this day of a month."""
    if not 1 <= number <= 31:
        return None
    first = today.replace(day=1)
    if month == "next":
        first = (first + 32 * _DAY).replace(day=1)
    for _ in range(3):
        try:
            day = first.replace(day=number)
        except ValueError:
            day = None
        if day is not None and (day >= today or month is not None):
            return day
        if month is not None:
            return None
        first = (first + 32 * _DAY).replace(day=1)
    return None


def instants_of(asked: Asked, slot: datetime, words: str) -> Sequence[datetime] | None:
    """The instants that are meant: a weekday may be the next one, or the next after the run."""
    found = [_instant(asked, slot, words, asked.now)]
    if re.match(rf"(?:on )?(?:{WEEKDAY})\b", words):
        found.append(_instant(asked, slot, words, max(slot, asked.now)))
    instants = sorted({at for at in found if at is not None})
    return instants or None


def _instant(asked: Asked, slot: datetime, words: str, now: datetime) -> datetime | None:
    if ordinal := re.fullmatch(r"(?:the )?\d{1,2}(?:st|nd|rd|th)(?: at (.+))?", words):
        found = windows_of(asked, words.partition(" at ")[0])
        if not found:
            return None
        words = f"{asked.wall(found[0][0]):%Y-%m-%d}" + (f" at {ordinal[1]}" if ordinal[1] else "")
    clock = f"{asked.wall(slot):%H:%M:%S}"
    is_date = re.fullmatch(r"\d{4}-\d{2}-\d{2}", words)
    for text in (f"{words} at {clock}",) if is_date else (words, f"{words} at {clock}"):
        try:
            return asked.instant(text, now=now)
        except InvalidPhrase as refusal:
            if "needs a time of day" not in refusal.message:
                return None
    return None


def one_of(asked: Asked, instants: Sequence[datetime]) -> datetime:
    """The one instant that is meant; raises InvalidInput when there are two."""
    if len(instants) == 1:
        return instants[0]
    forms = " or ".join(f"'move it to {asked.wall(at):%Y-%m-%d at %H:%M}'" for at in instants[:2])
    raise asked.refused(f"this has two readings: say {forms}")
