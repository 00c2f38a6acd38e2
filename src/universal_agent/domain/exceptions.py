"""What may be done to a single future slot, besides letting it come?"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: The outcome of a slot that waits for the time it was moved to.
MOVED = "moved"

#: Why a slot was skipped: a person said so.
OPERATOR = "operator"


class ExceptionKind(StrEnum):
    """What a person decided about one slot ahead of its time."""

    #: It does not run.
    SKIP = "skip"
    #: It runs at another time, under its own id.
    MOVE = "move"
    #: It runs now.
    RUN_EARLY = "run_early"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotException:
    """An exception; only a move has a time."""

    kind: ExceptionKind
    move_to: datetime | None = None
