"""Cooldowns of resources in words for people."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from universal_agent.domain.cooldown import Closed
from universal_agent.domain.ending import EndClass
from universal_agent.domain.slot import from_epoch

_STATES = {
    EndClass.RATE_LIMITED: "limits the rate of calls",
    EndClass.QUOTA: "has no quota left",
    EndClass.UNREACHABLE: "cannot be reached",
    EndClass.REFUSED: "refuses the account or its key",
}
_ENDS = {
    Closed.PROBE: "A run used it again.",
    Closed.OPERATOR: "An operator closed the cooldown.",
    Closed.UNUSED: "No run has used it since.",
}


def state_of(cause: str) -> str:
    """What is wrong, as the predicate of a sentence about the resource."""
    return _STATES[EndClass(cause)]


def slots_lost(count: int) -> str:
    """How many slots did not run."""
    return {0: "no slot was lost", 1: "1 slot did not run"}.get(count, f"{count} slots did not run")


def down_words(data: Mapping[str, Any]) -> tuple[str, str]:
    """Title and message about an open cooldown, of an event's data."""
    until = from_epoch(data["until"])
    reason = "the time that it named" if data["is_named"] else "by backoff"
    message = (
        f"Runs that use it wait since {_at(from_epoch(data['since']))}; one of them tries again "
        f"at {_at(until)} ({reason}). No attempt is spent and no failure counts while they wait. "
        f"Last error: {data['error'] or data['cause']}"
    )
    return f"{data['resource']} {state_of(data['cause'])}", message


def back_words(data: Mapping[str, Any]) -> tuple[str, str]:
    """Title and message about a cooldown that is over."""
    since = _at(from_epoch(data["since"]))
    lost = slots_lost(data["slots"])
    message = f"The outage began at {since} ({data['cause']}); {lost}. {_ENDS[Closed(data['why'])]}"
    return f"{data['resource']} can be used again", message


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
