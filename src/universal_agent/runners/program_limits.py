"""The classes of the messages with which known agent programs report limits and refusals.

Only messages that a program is known to print are classified; the pattern decides, not a guess.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.runners.said_reset import reset_in_text

_RATE, _QUOTA = EndClass.RATE_LIMITED, EndClass.QUOTA
_AWAY, _REFUSED = EndClass.UNREACHABLE, EndClass.REFUSED

_PATTERNS: Mapping[str, tuple[tuple[str, EndClass], ...]] = {
    "claude": (
        (r"usage limit reached|you've hit your\b.*\blimit|\blimit reached", _QUOTA),
        (r"credit balance is too low", _QUOTA),
        (r"api error: (?:request rejected \()?429|rate_limit_error", _RATE),
        (r"api error: (?:5(?:02|03|04|29)\b|overloaded|connection|unable to connect)", _AWAY),
        (r"overloaded_error", _AWAY),
        (r"not logged in|invalid api key|failed to authenticate|api error: 40[123]\b", _REFUSED),
    ),
    "codex": (
        (r"you've hit your usage limit|usage_limit_reached|quota exceeded", _QUOTA),
        (r"(?:unexpected status|status code:?|last status:) 429|rate limit reached", _RATE),
        (r"(?:unexpected status|last status:) 5(?:02|03|04|29)|error sending request", _AWAY),
        (r"not logged in|unexpected status 40[123]", _REFUSED),
    ),
    "gemini": (
        (r"your quota will reset|exhausted your (?:daily|capacity)|quota exceeded", _QUOTA),
        (r"exceeded your current quota", _QUOTA),
        (r"resource_exhausted|\b429\b|rate limit", _RATE),
        (r"\bunavailable\b|\b503\b|overloaded", _AWAY),
        (r"please set an auth method|api key not valid|permission_denied", _REFUSED),
    ),
    "opencode": (
        (r"usage limit|quota exceeded|insufficient_quota|exceeded your current quota", _QUOTA),
        (r"rate limit|too many requests|\b429\b", _RATE),
        (r"cannot connect to api|overloaded|service unavailable", _AWAY),
        (r"invalid api key|unauthorized|authentication", _REFUSED),
    ),
}  # fmt: skip
_COMPILED = {
    name: tuple((re.compile(pattern, re.IGNORECASE), kind) for pattern, kind in patterns)
    for name, patterns in _PATTERNS.items()
}


def classify_message(program: str, message: str, *, now: datetime) -> Ending | None:
    """The class of a failure that a known program reports; None for what is not known.

    A time without an offset is one of this machine's zone, as the programs print it.
    """
    for pattern, kind in _COMPILED.get(program, ()):
        if pattern.search(message):
            zone = now.astimezone().tzinfo
            assert zone is not None, "an aware time has a zone"
            return Ending(kind=kind, until=reset_in_text(message, now=now, zone=zone))
    return None
