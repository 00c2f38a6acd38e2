"""Which faults are there, and how is each brought about? (docs/chaos.md says what must hold)"""

from dataclasses import dataclass

from chaos.faults import (
    absence,
    approvals,
    clock_ahead,
    clock_step,
    corruption,
    disk_error,
    disk_full,
    flood,
    kills,
    lost_files,
    lost_result,
    oracle,
    readers,
    repeats,
    runaway,
    suspend,
    zone_rules,
)
from chaos.faults.trial import Trial, Work, in_rounds
from chaos.strace import has_strace


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    name: str
    what: str
    #: How many rounds make up its long form.
    rounds: int
    work: Work
    #: What this machine lacks for it; empty when it lacks nothing.
    lacks: str = ""


def _row(name: str, rounds: int, what: str, trial: Trial, *, lacks: str = "") -> Row:
    return Row(name, what, rounds, in_rounds(trial), lacks)


_ROWS = (
    Row("F1", "kill -9 at random and at exact instants, under load", 200, kills.work),
    _row(
        "F3",
        20,
        "the disk answers a sync with EIO: for ever, once",
        disk_error.trial,
        lacks="" if has_strace() else "strace",
    ),
    _row("F4", 10, "the disk is full, and then it is not", disk_full.trial),
    _row("F5", 80, "the clock is set +1 h, -1 h, +1 day, -10 min", clock_step.trial),
    _row("F6", 10, "the process is stopped for half a minute", suspend.trial),
    Row("F7", "clock changes in all zones, against an oracle", 50, oracle.work),
    _row("F8", 5, "90 days off, 100 jobs of every minute", absence.trial),
    _row("F16", 5, "children that flood, fork, and do not listen", runaway.trial),
    _row("F17", 5, "a crowd behind the only worker", flood.trial),
    _row("F19", 10, "a damaged database, in eight ways", corruption.trial),
    _row("F22", 20, "50 approvals of one missed slot at once", approvals.trial),
    _row("F23", 20, "a crash between a child's end and its record", lost_result.trial),
    _row("F24", 20, "files are taken away, or swapped, under a running gateway", lost_files.trial),
    _row("F25", 12, "the clock runs ahead, at a start and while it works", clock_ahead.trial),
    _row("F26", 10, "a start finds other rules for a time zone", zone_rules.trial),
    _row("F27", 5, "hundreds of clients ask and never read", readers.trial),
    _row("F28", 10, "decisions repeated after a kill", repeats.trial),
)

ROWS = {row.name: row for row in _ROWS}
