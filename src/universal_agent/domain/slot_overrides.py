"""What a person may decide about one slot ahead of its time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: The outcome of a slot that waits for the time it was moved to.
MOVED = "moved"

#: The reason of a slot that a person skipped.
OPERATOR = "operator"


class OverrideKind(StrEnum):
    """A decision about one slot to come."""

    #: It does not run.
    SKIP = "skip"
    #: It runs at another time, under its own id.
    MOVE = "move"
    #: It runs now.
    RUN_EARLY = "run_early"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotOverride:
    """An override; only a move has a time."""

    kind: OverrideKind
    move_to: datetime | None = None
