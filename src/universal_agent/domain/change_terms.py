"""What an instruction about a job can ask for, and what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from universal_agent.domain.job import JobSpec
from universal_agent.domain.local_time import zone_of
from universal_agent.domain.phrases import parse_instant
from universal_agent.errors import InvalidPhrase

EXAMPLES = (
    "pause, pause until monday, resume, run now, run early, skip next, skip tomorrow, undo the "
    "skip, move to tomorrow 9:15am, move it 1 hour later, every 30 minutes, every weekday at 9am, "
    "at 07:30, on mondays and thursdays, 0 9 * * 1-5, change the timezone to Europe/Berlin, change "
    "the command to ./backup.sh, rename to Nightly report"
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


#: Operations that edit the job; their arguments are the fields of the edit.
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
    #: Fields of an edit, or `move_to` of a slot; JSON. `slot_at`: another slot than the one asked
    #: about, in epoch seconds.
    arguments: Mapping[str, Any]
    summary: str
    confidence: Confidence = Confidence.HIGH
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """An instruction and what it is about."""

    instruction: str
    spec: JobSpec
    slot: datetime
    now: datetime
    timezone: str

    def local(self, at: datetime) -> str:
        """An instant as it is said in a summary."""
        return f"{at.astimezone(zone_of(self.timezone)):%a %Y-%m-%d %H:%M:%S} ({self.timezone})"

    def instant(self, when: str) -> datetime:
        return parse_instant(when, now=self.now, timezone=self.timezone, field="instruction")

    def not_understood(self, nearest: str = "") -> InvalidPhrase:
        hint = f" {nearest}" if nearest else ""
        return InvalidPhrase(
            f"this was not understood, and nothing was changed: {self.instruction[:100]!r}.{hint} "
            f"What can be said: {EXAMPLES}",
            field="instruction",
        )
