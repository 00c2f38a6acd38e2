"""F1: the rig of random kills, as one row among the others."""

import asyncio

from chaos.faults.trial import Assignment, Outcome
from chaos.rig import Options, Rig


def work(assignment: Assignment) -> Outcome:
    """As many random kills as rounds, and a tenth of that at each exact instant."""
    options = Options(
        folder=assignment.folder,
        seed=assignment.seed,
        kills=assignment.rounds,
        failpoint_kills=assignment.rounds // 10,
    )
    report = asyncio.run(Rig(options).run())
    return Outcome(
        report.verdict.faults,
        {"restart_seconds": report.restart_seconds},
        {"kills": report.kills, "seen": report.verdict.figures},
    )
