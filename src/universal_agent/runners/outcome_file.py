"""The file in which a program says how its run ended, beyond its exit code.

The program finds the path in `UA_OUTCOME_FILE` and writes lines `NAME=value` there. The path
follows from the run alone, and the file stays with the run's log: a process that adopts the run
after it was read, and before its end was recorded, reads the same.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import RunStatus
from universal_agent.files import read_regular
from universal_agent.runners.base import RunResult
from universal_agent.runners.output import one_line
from universal_agent.runners.said_reset import bounded, reset_value

#: The exit code of a program that asks to be run again later (EX_TEMPFAIL of sysexits.h).
EXIT_TEMPFAIL = 75

_BYTES = 16 * 1024
_RESOURCE_CHARS = 200
_LINE = re.compile(r"\s*(?:export\s+)?(UA_[A-Z_]+)\s*=\s*(.*?)\s*")
_CLASSES = {kind.value: kind for kind in EndClass if kind.is_outage}


@dataclass(frozen=True, slots=True)
class SaidOutcome:
    """What a program wrote; None for what it left out."""

    outcome: str | None = None
    retry_after: str | None = None
    resource: str | None = None


def make_folder_of(path: Path | None) -> None:
    """Make the folder that a program is to write its outcome file in."""
    if path is not None:
        with suppress(OSError):  # a full disk: the file cannot be written either
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def read_outcome(path: Path) -> SaidOutcome:
    """What the file says. An absent file, or one that is no file, says nothing."""
    try:
        text = read_regular(path, limit=_BYTES).decode("utf-8", "replace")
    except OSError:
        return SaidOutcome()
    said: dict[str, str] = {}
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is not None and (value := match[2].strip("\"'")):
            said[match[1]] = value
    resource = said.get("UA_RESOURCE")
    return SaidOutcome(
        outcome=said.get("UA_OUTCOME"),
        retry_after=said.get("UA_RETRY_AFTER"),
        resource=None if resource is None else one_line(resource, _RESOURCE_CHARS),
    )


def with_outcome(result: RunResult, path: Path | None, *, now: datetime) -> RunResult:
    """The result of a program, classified by its exit code and its outcome file."""
    said = SaidOutcome() if path is None else read_outcome(path)
    if result.status is not RunStatus.ERROR or result.exit_code is None:
        return result
    kind = _CLASSES.get(said.outcome or "")
    until = bounded(reset_value(said.retry_after, now=now), now=now)
    if kind is None and (result.exit_code == EXIT_TEMPFAIL or until is not None):
        kind = EndClass.RATE_LIMITED
    if kind is None:
        return result
    return replace(result, ending=Ending(kind=kind, until=until, resource=said.resource))
