"""How is a cron expression read, refused, and said in words?

cronsim reads it. Here are the aliases that it does not know, the one thing that it reads wrongly,
and sentences that say what was expected and what came.
"""

import re
from functools import lru_cache

from cronsim import CronSim, CronSimError

from universal_agent.domain.cron_pattern import CronPattern, read_fields
from universal_agent.errors import InvalidSchedule

_LONGEST = 200

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_ORDINAL_ENDING = {"1": "st", "2": "nd", "3": "rd"}

_RANGE_OF_ONE = re.compile(r"(^|[ ,])0*(\w+)-0*\2/0*[1-9][0-9]*(?=$|[ ,])", re.IGNORECASE)

_FIELDS = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L or LW",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT, 5L, MON#1",
}


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
    if expr.startswith("@") and expr not in _ALIASES:
        raise InvalidSchedule(_unknown_alias(expr), field="cron_expr")
    try:
        pattern = CronPattern(_read(_ALIASES.get(expr, expr)))
    except CronSimError as error:
        raise InvalidSchedule(_explain_refusal(expr, str(error)), field="cron_expr") from error
    if pattern.at_or_after(0) is None:
        raise InvalidSchedule(never_comes(expr), field="cron_expr")
    return pattern


def never_comes(expr: str) -> str:
    """The sentence that refuses an expression without slots."""
    return f"expected a cron expression that comes at some time, {_shown(expr)} never does"


@lru_cache(maxsize=4096)
def explain_cron(expr: str) -> str:
    """The expression in words, "at 09:00 on weekdays"."""
    text: str = _read(_ALIASES.get(expr, expr)).explain()
    text = text[0].lower() + text[1:]
    text = text.replace("on Monday through Friday", "on weekdays")
    text = text.replace("on Sunday and Saturday", "on weekends")
    text = text.replace("day of month", "day of the month")
    text = text.replace(" and on ", " or on ")
    return re.sub(r"([2-5])([123])th\b", lambda m: m[1] + m[2] + _ORDINAL_ENDING[m[2]], text)


def _read(expr: str) -> CronSim:
    """Let cronsim read an expression; raises its CronSimError.

    The one thing that it reads wrongly is rewritten before: it takes the step of a range of one,
    `9-9/2`, to go on to the end of the field, as in `9/2`.
    """
    return read_fields(_RANGE_OF_ONE.sub(r"\1\2", expr))


def _is_cron(expr: str) -> bool:
    try:
        _read(expr)
    except CronSimError:
        return False
    return True


def _shown(expr: str) -> str:
    return repr(expr if len(expr) <= 60 else expr[:57] + "...")


def _unknown_alias(expr: str) -> str:
    if expr == "@reboot":
        return "@reboot has no time, so it has no slots; expected a cron expression or @daily"
    return f"expected one of {', '.join(_ALIASES)}, got {_shown(expr)}"


def _explain_refusal(expr: str, reason: str) -> str:
    fields = expr.split()
    if len(fields) not in (5, 6):
        return (
            "expected 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds "
            f"first, got {len(fields)}: {_shown(expr)}"
        )
    names = list(_FIELDS)[6 - len(fields) :]
    name = reason.removeprefix("Bad ")
    value = fields[names.index(name)]
    if name == "day-of-month" and _is_cron(f"0 0 {value} * *"):
        return never_comes(expr)
    return (
        f"expected {name} to be {_FIELDS[name]}, a list, a range or a step, "
        f"got {_shown(value)} in {_shown(expr)}"
    )
