"""The schedule that the clauses of a recurring phrase make together."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from universal_agent.domain.cron_fields import DAY_SECONDS, MonthDays, Period, WeekDays
from universal_agent.domain.cron_writing import numbers_text, period_text, times_text
from universal_agent.domain.instant_phrase import Moment
from universal_agent.domain.local_time import zone_of
from universal_agent.domain.phrase_reader import PhraseReader
from universal_agent.domain.recurring_phrase import read_said
from universal_agent.domain.said_clauses import DayClause, Said
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    make_cron,
    make_interval,
)
from universal_agent.domain.wording import describe_duration

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EPOCH_DATE = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Recurring:
    """A schedule, and what a person may not expect of it."""

    schedule: CronSchedule | IntervalSchedule
    note: str = ""
    #: Whether the phrase says from when on it counts.
    is_anchored: bool = False


def read_recurring(reader: PhraseReader, *, now: datetime, timezone: str) -> Recurring | None:
    """The schedule of a whole recurring phrase; None when the phrase is not one.

    Raises InvalidPhrase when it is one but lacks its time of day, or cannot be.
    """
    said = read_said(reader, now=now, timezone=timezone)
    if said is None or not said.recurs:
        reader.rewind()
        return None
    return _Maker(reader, said, now, timezone).make()


class _Maker:
    """Makes the schedule of what was said."""

    def __init__(self, reader: PhraseReader, said: Said, now: datetime, timezone: str) -> None:
        self._reader = reader
        self._said = said
        self._now = now
        self._timezone = timezone

    def make(self) -> Recurring:
        said = self._said
        if said.count is not None and said.count > 1 and said.count != self._said_count():
            raise self._needs_count(said.count)
        if said.count == 1 and self._said_count() > 1:
            rest = re.sub(r"^once (?:a|an|per|each|every) \w+,? (?:on )?", "", self._reader.text)
            raise self._reader.refusal(f"this says once and names several: write '{rest}'")
        if said.interval is None and said.step is None:
            self._check_base(said.days)
        if said.fields is not None:
            return self._cron(self._field_times())
        if said.step is not None and (said.step[1] in ("month", "year") or self._is_stepped()):
            return self._stepped(*said.step)
        if said.interval is not None:
            return self._repeated(said.interval)
        if said.window is not None:
            days = re.sub(r"^(every day|each day|daily|every|each|on) ", "", self._reader.text)
            raise self._reader.refusal(
                f"this needs an interval in the window, as in 'every 30 minutes {days}'"
            )
        if said.minutes is not None:
            raise self._reader.refusal("minutes are of an hour: write 'every hour at :15'")
        return self._cron(self._times())

    def _said_count(self) -> int:
        """How many times of day, or days of the week or month, were said."""
        said = self._said
        if said.base == "day":
            return len(said.times)
        weeks = [day.weekdays.numbers for day in said.days if day.weekdays]
        months = [day.month_days.numbers for day in said.days if day.month_days]
        return sum(map(len, weeks)) + sum(map(len, months))

    def _is_stepped(self) -> bool:
        """Whether days or weeks are counted on the calendar rather than by the clock."""
        said = self._said
        starts_on = said.start is not None and said.start.clock is not None
        return bool(
            said.days or said.times or said.window or said.minutes or starts_on or said.without
        )

    # -- intervals

    def _repeated(self, every: timedelta) -> Recurring:
        said = self._said
        on_days = bool(said.days or said.months or said.base or said.part or said.without)
        if said.base == "day" and said.times:
            raise self._reader.refusal("this says both an interval and times of every day")
        start_time = said.start.clock if said.start and not said.start.dates else None
        if said.window is not None:
            return self._cron(self._window_times(every, *said.window))
        if said.minutes is not None:
            return self._cron(self._past_the_hour(every, said.minutes))
        if said.times or start_time is not None:
            return self._cron(self._around_the_clock(every, start_time))
        if said.second is not None or on_days or said.wild:
            return self._cron(self._grid(every))
        if said.start is None:
            return Recurring(make_interval(every, self._now))
        first = said.start.instant(self._timezone)
        if first is None:
            raise self._needs("a time of day at which it starts", " at 9am")
        note = f"first at {first.astimezone(zone_of(self._timezone)):%Y-%m-%d %H:%M}"
        return Recurring(make_interval(every, first - every), note, is_anchored=True)

    def _window_times(self, every: timedelta, begin: int, end: int) -> str:
        end += DAY_SECONDS if end < begin else 0
        if end >= DAY_SECONDS and (self._said.days or self._said.step):
            raise self._reader.refusal(
                "a window that goes past midnight is on two days: name the days of each part, as "
                "in 'every 30 minutes from 22:00 to 23:30 on weekdays'"
            )
        step = every // _SECOND
        if step > end - begin:
            raise self._reader.refusal("the window is shorter than the interval")
        times = frozenset(time % DAY_SECONDS for time in range(begin, end + 1, step))
        return times_text(times, wild=self._said.wild)

    def _past_the_hour(self, every: timedelta, minutes: frozenset[int]) -> str:
        hours = every // _HOUR
        if every % _HOUR or 24 % hours:
            raise self._uneven(every)
        minute = numbers_text(minutes)
        if self._said.wild is False:
            return f"{minute} {numbers_text(range(0, 24, hours))}"
        return f"{minute} {'*' if hours == 1 else f'*/{hours}'}"

    def _around_the_clock(self, every: timedelta, start: time | None) -> str:
        """ "every 12 hours at 9", "every 6 hours starting at 8am"."""
        clocks = [start] if start is not None else [said.clock for said in self._said.times]
        if len(clocks) > 1 or (start is not None and self._said.times) or _DAY % every:
            raise self._uneven(every)
        first, step = _second_of(clocks[0]), every // _SECOND
        times = frozenset((first + n * step) % DAY_SECONDS for n in range(DAY_SECONDS // step))
        return times_text(times, wild=self._said.wild or False)

    def _grid(self, every: timedelta) -> str:
        """An interval by the clock, counted from midnight."""
        seconds, second = every // _SECOND, self._said.second
        if second is not None:
            if seconds % 60 or 3600 % seconds:
                raise self._uneven(every)
            return f"{second} {_star(seconds // 60)} *"
        if 60 % seconds == 0:
            return f"{_star(seconds)} * *"
        if seconds % 60 == 0 and 3600 % seconds == 0:
            return f"{_star(seconds // 60)} *"
        if seconds % 3600 == 0 and DAY_SECONDS % seconds == 0:
            return f"0 {_star(seconds // 3600)}"
        raise self._uneven(every)

    def _uneven(self, every: timedelta) -> Exception:
        words = describe_duration(every)
        return self._reader.refusal(
            f"every {words} does not come out even with the clock: write "
            f"'every {words} from 00:00 to 23:59', which begins again each day, or "
            f"'every {words} starting tomorrow at 9am', which goes on"
        )

    # -- days

    def _stepped(self, count: int, unit: str) -> Recurring:
        """Every n-th day, week, month or year, with a time of day."""
        said = self._said
        start = said.start
        if unit in ("month", "year"):
            if unit == "year" and count > 1:
                raise self._reader.refusal("a period is of days, weeks or months, or every year")
            if 12 % count or start is not None:
                raise self._reader.refusal(
                    "months are counted from January, 1, 2, 3, 4 or 6 apart: name the months, as "
                    "in 'on the 1st of january and july every year at 9am'"
                )
            said.base = said.base or "month"
            months = frozenset(range(1, 13, count))
            return self._cron(self._times(), months=None if unit == "year" else months)
        plain = all(
            not day.month_days and day.weekdays and day.weekdays.numbers for day in said.days
        )
        if not plain or (said.days and unit == "day") or said.base not in (None, unit):
            raise self._reader.refusal(
                f"every {count} {unit}s is counted on its own: with days, write weeks, as in "
                "'every 2 weeks on monday at 9am'"
            )
        if unit == "week" and not said.days and not (start and start.dates):
            raise self._needs("a day of the week", " on monday at 9am")
        if unit == "week" and not said.days:
            count, unit = 7 * count, "day"
        if said.window is not None and said.interval is not None:
            raise self._needs("times of day", " at 9am and 5pm")
        clock = start.clock if start and not said.times else None
        text = times_text(frozenset((_second_of(clock),))) if clock else self._times()
        return self._cron(text, period=(count, f"{unit}s"))

    def _times(self) -> str:
        """The time fields of the times of day that were said."""
        said = self._said
        if not said.times:
            raise self._needs("a time of day", " at 9am")
        clocks = frozenset(_second_of(self._meant(index)) for index in range(len(said.times)))
        return times_text(clocks, wild=said.wild or False)

    def _meant(self, index: int) -> time:
        """The time of day, as it is meant in the part of the day that was named."""
        said, part = self._said.times[index], self._said.part
        if part is None:
            return said.clock
        clock = said.in_part(part)
        if clock is None:
            raise self._reader.refusal(f"{said.clock:%H:%M} is not in the {part}")
        if part == "night" and clock.hour < 12 and self._said.days:
            raise self._reader.refusal(
                f"{clock:%H:%M} of that night is on the day after; name that day"
            )
        return clock

    def _field_times(self) -> str:
        assert self._said.fields is not None
        seconds, minutes, hours = self._said.fields
        times = frozenset(
            hour * 3600 + minute * 60 + second
            for hour in hours
            for minute in minutes
            for second in seconds
        )
        return times_text(times, wild=self._said.wild or False)

    def _cron(
        self,
        times: str,
        *,
        months: frozenset[int] | None = None,
        period: tuple[int, str] | None = None,
    ) -> Recurring:
        expr = f"{times} {self._dates(months)}"
        start = self._said.start
        if (start and start.dates) or period is not None:
            expr += f" {period_text(self._period(expr, period or (1, 'days'), start))}"
        is_anchored = start is not None and bool(start.dates)
        return Recurring(make_cron(expr, self._timezone), is_anchored=is_anchored)

    def _period(self, expr: str, period: tuple[int, str], start: Moment | None) -> Period:
        """The period from the day that was said, or from that of the first slot to come."""
        if start is None or not start.dates:
            first = make_cron(expr, self._timezone).next_after(self._now)
            assert first is not None
            day = first.astimezone(zone_of(self._timezone)).date()
        else:
            moment = start.local
            day = moment.date()
            if start.clock is not None and self._said.times:
                wall = (moment - datetime(1970, 1, 1)) // _SECOND  # noqa: DTZ001 - a wall clock
                return Period(wall, *period)
        return Period((day - _EPOCH_DATE).days * DAY_SECONDS, *period)

    def _dates(self, months: frozenset[int] | None) -> str:
        """The last three fields."""
        said = self._said
        days = list(said.days)
        months = months or said.months
        if said.base == "quarter":
            months = frozenset((1, 4, 7, 10))
            days = days or [DayClause(month_days=MonthDays(frozenset((1,))))]
        self._check_base(days)
        named = {day.months for day in days if day.months is not None}
        if len(named | ({months} if months else set())) > 1:
            raise self._reader.refusal("days of different months need a schedule each")
        months = named.pop() if named else months
        in_month = [day.month_days for day in days if day.month_days]
        in_week = [day.weekdays for day in days if day.weekdays]
        if len(in_month) > 1:
            raise self._reader.refusal("days of the month are said once, 'on the 1st and 15th'")
        if said.without:
            in_week = [self._remaining(in_month, in_week)]
        month = "*" if months is None else numbers_text(months)
        day = _month_days_text(in_month[0]) if in_month else "*"
        weekday = _week_days_text(in_week) if in_week else "*"
        if any(clause.also for clause in days):
            day, weekday = self._both(in_month[0], in_week, day, weekday)
        return f"{day} {month} {weekday}"

    def _remaining(self, in_month: list[MonthDays], in_week: list[WeekDays]) -> WeekDays:
        """The weekdays but those that "except" names."""
        without = self._said.without
        named = frozenset[int]().union(*(days.numbers for days in in_week))
        if in_month or any(days.nth or days.last for days in in_week):
            raise self._reader.refusal("only weekdays are left out of weekdays, or of every day")
        rest = (named if in_week else frozenset(range(7))) - without
        if not rest or (in_week and not without & named):
            raise self._reader.refusal("nothing remains, or nothing is left out, of these days")
        return WeekDays(rest)

    def _both(
        self, days: MonthDays, weekdays: list[WeekDays], day: str, weekday: str
    ) -> tuple[str, str]:
        """Day fields that have to match both: cron does so when one begins with a star."""
        if 1 in days.numbers:
            return f"*/32,{day}", weekday
        if any(0 in named.numbers for named in weekdays):
            return day, f"*/8,{weekday}"
        raise self._reader.refusal("a cron expression cannot ask for both of these days")

    def _check_base(self, days: list[DayClause]) -> None:
        """Refuse a week without a weekday, a month without a day, and the like."""
        said = self._said
        if said.base == "week" and not any(day.weekdays for day in days):
            raise self._needs("a day of the week", " on monday at 9am")
        if said.base == "month":
            if not days:
                raise self._needs("a day of the month", " on the 1st at 9am")
            if any(day.weekdays and day.weekdays.numbers for day in days):
                raise self._reader.refusal(
                    "a weekday of a month needs its rank: write 'every first friday of the month "
                    "at 9am', 'every last friday of the month at 9am', or 'every friday at 9am'"
                )
        if said.base == "year" and not any(day.months for day in days) and said.months is None:
            raise self._needs("a date", " on 24 december at 9am")
        if said.base == "day" and days and not said.months:
            raise self._reader.refusal("this says both every day and certain days")

    def _needs_count(self, count: int) -> Exception:
        """A refusal for "three times a day" without as many times, or days."""
        base = self._said.base or "day"
        if base == "day":
            what = "times of day"
            hours = [9 + 8 * n // (count - 1) if count < 10 else 24 * n // count for n in range(24)]
            names = [f"{(h - 1) % 12 + 1}{'am' if h < 12 else 'pm'}" for h in hours[:count]]
            lead, end = "at", ""
        else:
            what, lead, end = "days", "on", " at 9am"
            names = (
                ["monday", "thursday", "saturday", "tuesday", "friday", "wednesday", "sunday"]
                if base == "week"
                else [f"the {day}" for day in ("1st", "15th", "8th", "22nd", "28th")]
            )[:count]
        if base == "year" or len(names) < count:
            return self._reader.refusal(
                f"this needs {count} {what}; write a length of time, as in 'every 30 minutes'"
            )
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        times = "twice" if count == 2 else f"{count} times"
        return self._reader.refusal(
            f"this needs {count} {what}, as in '{times} a {base} {lead} {listed}{end}'"
        )

    def _needs(self, what: str, example: str) -> Exception:
        said = self._said
        text = self._reader.text.rstrip(" .,")
        if example == " at 9am" and said.part:
            example = {"night": " at 22:00", "evening": " at 20:00", "afternoon": " at 3pm"}.get(
                said.part, example
            )
        if said.times:
            example = example.replace(" at 9am", "")
        start = re.search(r" (from|starting|beginning) .*", text) if said.start else None
        if start is not None:
            begins = re.sub(r" at .*", "", start[0])
            text, example = text[: start.start()], f"{example}{begins}"
        return self._reader.refusal(f"this needs {what}, as in '{text}{example}'")


def _star(step: int) -> str:
    return "*" if step == 1 else f"*/{step}"


def _second_of(clock: time) -> int:
    return clock.hour * 3600 + clock.minute * 60 + clock.second


def _month_days_text(days: MonthDays) -> str:
    if days.is_every:
        return "*"
    items = [numbers_text(days.numbers)] if days.numbers else []
    items += ["L" if not back else f"L-{back}" for back in sorted(days.before_last)]
    items += [f"{day}W" for day in sorted(days.nearest)]
    return ",".join(items + (["LW"] if days.last_weekday else []))


def _week_days_text(weekdays: list[WeekDays]) -> str:
    items = []
    numbers = frozenset[int]().union(*(named.numbers for named in weekdays))
    if numbers:
        items.append(numbers_text(numbers))
    for named in weekdays:
        items += [f"{day}#{n}" for day, n in sorted(named.nth)]
        items += [f"{day}L" for day in sorted(named.last)]
    return ",".join(items)
