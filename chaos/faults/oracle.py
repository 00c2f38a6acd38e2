"""F7: clock changes, leap days and odd zones, held against a crond that walks every minute.

The one row that needs the product's code and no process: time is a number here.
"""

import subprocess
import sys
from pathlib import Path

from chaos.checker import OTHER, Fault
from chaos.faults.trial import Assignment, Outcome

_SCRIPT = Path(__file__).parents[2] / "bench" / "schedule_oracle.py"

#: Expressions, zones and instants in a round.
TRIPLES = 20_000


def work(assignment: Assignment) -> Outcome:
    """So many triples a round; every difference is a fault."""
    triples = assignment.rounds * TRIPLES
    command = [
        sys.executable,
        str(_SCRIPT),
        "--triples",
        str(triples),
        "--seed",
        str(assignment.seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    *differences, summary = done.stdout.splitlines() or [done.stderr]
    assignment.say(summary)
    faults = [Fault(OTHER, difference) for difference in differences]
    if done.returncode and not faults:
        faults = [Fault(OTHER, summary)]
    return Outcome(faults, {}, {"triples": triples})
