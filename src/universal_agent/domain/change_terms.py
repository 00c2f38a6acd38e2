"""What an instruction about a job can ask for, and what it is about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from universal_agent.domain.change_words import Sentence
from universal_agent.domain.job import JobSpec
from universal_agent.domain.job_draft import DISABLED, PAUSED, RESUMED, JobDraft
from universal_agent.domain.local_time import zone_of
from universal_agent.domain.phrases import parse_instant
from universal_agent.errors import InvalidInput, InvalidPhrase

EXAMPLES = (
    "pause, pause until monday, resume, run now, run early, skip next, skip tomorrow, undo the "
    "skip, move to tomorrow 9:15am, move it 1 hour later, an hour later from now on, every 30 "
    "minutes, every weekday at 9am, at 07:30, on mondays and thursdays, not on fridays, also at "
    "5pm, every other week, 0 9 * * 1-5, change the timezone to Europe/Berlin, change the command "
    "to ./backup.sh, rename to Nightly report"
)

MAX_CHARS = 300


class Operation(StrEnum):
    """What is to be done; each is one command of the engine."""

    PAUSE = "pause"
    RESUME = "resume"
    DISABLE = "disable"
    RUN_NOW = "run_now"
    RENAME = "rename"
    SET_COMMAND = "set_command"
    SET_TIMEZONE = "set_timezone"
    RESCHEDULE = "set_schedule"
    SKIP_SLOT = "skip_slot"
    MOVE_SLOT = "move_slot"
    RUN_EARLY = "run_slot_early"
    UNDO_SLOT = "undo_slot"


#: Operations that switch the job off and on, and those that edit it with their own draft.
SWITCHES = {
    Operation.PAUSE: PAUSED,
    Operation.DISABLE: DISABLED,
    Operation.RESUME: RESUMED,
}
EDITS = (Operation.RENAME, Operation.SET_COMMAND, Operation.SET_TIMEZONE, Operation.RESCHEDULE)


class Confidence(StrEnum):
    """How sure the understanding is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """An instruction, understood."""

    operation: Operation
    summary: str
    #: What one of EDITS makes of the job.
    edit: JobDraft | None = None
    #: `move_to` of a slot; `slot_at`: another slot than the one asked about. In epoch seconds.
    slot: Mapping[str, float] = field(default_factory=dict)
    confidence: Confidence = Confidence.HIGH
    warnings: tuple[str, ...] = ()

    @property
    def arguments(self) -> dict[str, Any]:
        """What a proposal keeps of it, as JSON."""
        return dict(self.slot) if self.edit is None else self.edit.fields()


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction and what it is about."""

    instruction: str
    spec: JobSpec
    slot: datetime
    now: datetime
    timezone: str
    #: The instruction in plain form.
    said: Sentence = field(default=Sentence(""))

    def local(self, at: datetime) -> str:
        """An instant as it is said in a summary."""
        return f"{self.wall(at):%a %Y-%m-%d %H:%M:%S} ({self.timezone})"

    def wall(self, at: datetime) -> datetime:
        """An instant in the zone that the words are read in."""
        return at.astimezone(zone_of(self.timezone))

    def instant(self, when: str, *, now: datetime | None = None) -> datetime:
        return parse_instant(when, now=now or self.now, timezone=self.timezone, field="instruction")

    def refused(self, reason: str) -> InvalidInput:
        """The refusal of what is understood and cannot be."""
        return InvalidInput(reason, field="instruction")

    def not_understood(self, nearest: str = "") -> InvalidPhrase:
        hint = f" {nearest}" if nearest else ""
        return InvalidPhrase(
            f"this was not understood, and nothing was changed: {self.instruction[:100]!r}.{hint} "
            f"What can be said: {EXAMPLES}",
            field="instruction",
        )


def edit(operation: Operation, draft: JobDraft, summary: str, *warnings: str) -> Understood:
    """An edit of the job; a warning makes it less sure."""
    said = tuple(filter(None, warnings))
    return Understood(
        operation=operation,
        edit=draft,
        summary=summary,
        confidence=Confidence.MEDIUM if said else Confidence.HIGH,
        warnings=said,
    )


#: A form that a refusal proposes.
PROPOSED = re.compile(r"(?:say|or|write|as in|without it:) '([^']+)'")
