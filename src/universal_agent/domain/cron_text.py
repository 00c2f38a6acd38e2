"""Cron expressions as text: what is read, and the sentences that refuse the rest."""

import re
from functools import lru_cache

from universal_agent.domain.cron_fields import EXPECTED, FIELDS, BadCount, BadField, read_fields
from universal_agent.domain.cron_pattern import CronPattern
from universal_agent.errors import InvalidSchedule

_LONGEST = 200

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekdays": "0 0 * * 1-5",
    "@weekends": "0 0 * * 0,6",
    "@hourly": "0 * * * *",
    "@minutely": "* * * * *",
}

_QUARTZ_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def normalised(expr: str) -> str:
    """The expression with single spaces; an `@alias` stays as it is, in lower case.

    Raises InvalidSchedule when it is too long or has characters that no expression has.
    """
    text = " ".join(expr[: _LONGEST + 1].split())
    if not text or len(expr) > _LONGEST or not (text.isascii() and text.isprintable()):
        raise InvalidSchedule(
            "expected a cron expression such as '0 9 * * 1-5' of at most "
            f"{_LONGEST} characters, got {_shown(expr)}",
            field="cron_expr",
        )
    return text.lower() if text.startswith("@") else text


@lru_cache(maxsize=4096)
def parse_cron(expr: str) -> CronPattern:
    """Read a normalised expression; raises InvalidSchedule when it is none, or no date fits it."""
    if expr.startswith("@") and expr not in ALIASES:
        raise InvalidSchedule(_unknown_alias(expr), field="cron_expr")
    plain = ALIASES.get(expr, expr)
    try:
        pattern = CronPattern(read_fields(plain))
    except BadCount as error:
        raise InvalidSchedule(_wrong_count(expr, error.count), field="cron_expr") from error
    except BadField as error:
        raise InvalidSchedule(_bad_field(expr, error), field="cron_expr") from error
    if other := _two_readings(plain):
        raise InvalidSchedule(f"{other}, got {_shown(expr)}", field="cron_expr")
    if pattern.at_or_after(0) is None:
        raise InvalidSchedule(never_comes(expr), field="cron_expr")
    return pattern


def never_comes(expr: str) -> str:
    """The sentence that refuses an expression without slots."""
    return f"expected a cron expression that comes at some time, {_shown(expr)} never does"


def _shown(expr: str) -> str:
    return repr(expr if len(expr) <= 60 else expr[:57] + "...")


def _unknown_alias(expr: str) -> str:
    if expr == "@reboot":
        return (
            "@reboot has no time, so it has no slots; expected a cron expression or @daily. To run "
            "something at boot, start it as a service of the host"
        )
    if expr.startswith("@every"):
        return (
            "expected a length of time after @every, as in '@every 1h30m' "
            f"(or `every`: '1h30m'), got {_shown(expr)}"
        )
    return f"expected one of {', '.join(ALIASES)}, got {_shown(expr)}"


def _two_readings(expr: str) -> str | None:
    """Why an expression with `?` and numbered weekdays is refused; None for any other.

    `?` is Quartz's, where 1 is Sunday; croner, cron-parser and robfig read `?` as `*`, and 1 as
    Monday.
    """
    fields = expr.split()[:6]
    weekday = fields[-1]
    if "?" not in expr or not re.search(r"\d", weekday.partition("#")[0].partition("/")[0]):
        return None

    def named(shift: int) -> str:
        def name(match: re.Match[str]) -> str:
            return _QUARTZ_DAYS[(int(match[0]) - shift) % 7]

        return " ".join([*fields[:-1], re.sub(r"(?<![#/\d])\d+", name, weekday)]).replace("?", "*")

    return (
        "an expression with ? has two readings when weekdays are numbers: expected "
        f"'{named(1)}' (1 is Sunday, as in Quartz) or '{named(0)}' (1 is Monday, as in crontab)"
    )


def _wrong_count(expr: str, count: int) -> str:
    fields = expr.split()
    if count == 7:
        hint = "a seventh field is the year (Quartz); leave it out, or give one instant as `run_at`"
    elif count > 5 and _reads(" ".join(fields[:5])):
        hint = (
            f"'{' '.join(fields[:5])}' is an expression; what follows it in a crontab is the "
            "command, which has a field of its own"
        )
    else:
        hint = "got another number of fields"
    return (
        "expected 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds "
        f"first, got {count} ({hint}): {_shown(expr)}"
    )


def _reads(expr: str) -> bool:
    try:
        read_fields(expr)
    except (BadCount, BadField):
        return False
    return True


def _bad_field(expr: str, error: BadField) -> str:
    upper = error.value.upper()
    hint = error.reason
    if re.fullmatch(r"H(\(.*\))?(/\d+)?", upper):
        hint = "H is Jenkins' hash; write a number, and spread starts with jitter_seconds"
    elif "~" in upper:
        hint = "~ draws a random number in cronie; write a number, and use jitter_seconds"
    elif upper.endswith("-W") or re.fullmatch(r"L-\d+W", upper):
        hint = "a weekday nearest to a day counted from the end has no form here"
    elif re.fullmatch(r"[A-Z]{1,2}", upper) is None and "\\" in upper:
        hint = "there is no escape in an expression"
    elif _seconds_last(expr):
        hint = (
            "the first of six fields is the seconds; Hermes and croniter have them last: "
            f"'{_seconds_last(expr)}'"
        )
    hint = f" ({hint})" if hint else ""
    value = _shown(_as_written(error.value, expr))
    return (
        f"expected {error.name} to be {EXPECTED.get(error.name, 'HH:MM or HH:MM-HH:MM/30m')}, a "
        f"list, a range or a step, got {value} in {_shown(expr)}{hint}"
    )


def _as_written(value: str, expr: str) -> str:
    found = re.search(re.escape(value), expr, re.IGNORECASE)
    return found[0] if found else value


def _seconds_last(expr: str) -> str | None:
    """The expression with its last field first, when it can be read that way."""
    fields = expr.split()
    turned = " ".join([fields[-1], *fields[:-1]])
    return turned if len(fields) == len(FIELDS) and _reads(turned) else None
