"""Writes cron expressions for sets of times and dates."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from universal_agent.domain.cron_fields import DAY_SECONDS, Period, clock_text, ranges

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FEW = 3


def times_text(times: frozenset[int], *, wild: bool | None = None) -> str:
    """The time fields that name exactly these times of day, as seconds since midnight.

    `wild`: whether they follow the clock through `*`; by default, windows that fill whole hours do.
    """
    hours = frozenset(time // 3600 for time in times)
    minutes = frozenset(time // 60 % 60 for time in times)
    seconds = frozenset(time % 60 for time in times)
    if len(hours) * len(minutes) * len(seconds) != len(times):
        return _listed(sorted(times))
    wild = is_wild_window(times) if wild is None else wild
    minute, hour = numbers_text(minutes), numbers_text(hours)
    if wild:
        if (step := _grid_step(minutes, 60)) and len(minutes) > 1:
            minute = "*" if step == 1 else f"*/{step}"
            hour = "*" if len(hours) == 24 else hour
        elif (step := _grid_step(hours, 24)) and len(hours) > 1:
            hour = "*" if step == 1 else f"*/{step}"
        elif 0 in minutes:
            minute = _starred(minutes, 60)
        elif 0 in hours:
            hour = _starred(hours, 24)
    text = f"{minute} {hour}"
    return text if seconds == {0} else f"{numbers_text(seconds)} {text}"


def is_wild_window(times: frozenset[int]) -> bool:
    """Whether the times fill whole hours evenly: crontab has `*` or `*/n` for the minute."""
    hours = {time // 3600 for time in times}
    minutes = frozenset(time // 60 % 60 for time in times)
    is_product = len(hours) * len(minutes) == len(times) and all(time % 60 == 0 for time in times)
    return is_product and len(minutes) > 1 and _grid_step(minutes, 60) is not None


def numbers_text(numbers: Iterable[int]) -> str:
    """A field with these numbers, "1,2,9-17"."""
    items: list[str] = []
    for first, last in ranges(sorted(numbers)):
        if last - first + 1 >= _FEW:
            items.append(f"{first}-{last}")
        else:
            items += [str(number) for number in range(first, last + 1)]
    return ",".join(items)


def period_text(period: Period) -> str:
    """What follows the fields: "every 2 weeks from 2026-11-30"."""
    start = _EPOCH + timedelta(seconds=period.start)
    text = start.strftime(
        "from %Y-%m-%d" if period.start % DAY_SECONDS == 0 else "from %Y-%m-%dT%H:%M"
    )
    text += start.strftime(":%S") if period.start % 60 else ""
    return text if period.every == 1 else f"every {period.every} {period.unit} {text}"


def _grid_step(numbers: frozenset[int], size: int) -> int | None:
    step = size // len(numbers)
    return step if size % step == 0 and numbers == frozenset(range(0, size, step)) else None


def _starred(numbers: frozenset[int], size: int) -> str:
    """A field that begins with a star and has 0 and the others: `*/60,5`."""
    others = numbers_text(numbers - {0})
    return f"*/{size},{others}" if others else f"*/{size}"


def _listed(times: list[int]) -> str:
    """Times of day in the place of minute and hour, "09:30,12:00-17:00/30m"."""
    items: list[str] = []
    index = 0
    while index < len(times):
        step = times[index + 1] - times[index] if index + 1 < len(times) else 0
        end = index
        while end + 1 < len(times) and times[end + 1] - times[end] == step:
            end += 1
        if end - index + 1 > _FEW:
            unit = f"{step // 60}m" if step % 60 == 0 else f"{step}s"
            items.append(f"{clock_text(times[index])}-{clock_text(times[end])}/{unit}")
            index = end + 1
        else:
            items.append(clock_text(times[index]))
            index += 1
    return ",".join(items)
