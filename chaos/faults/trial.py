"""What is a fault's trial? So many rounds, each on a gateway of its own; what they come to.

A round is a generator: it does its harm, and yields a `Fault` for everything that must not be.
Everything it chooses comes from the generator of random numbers that it is handed.
"""

import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.checker import LOST, OTHER, TWICE, UNACCOUNTED, Fault
from chaos.evidence import Record


@dataclass(slots=True)
class Round:
    """One round: where it works, what it chooses from, what it measures."""

    folder: Path
    number: int
    rng: random.Random
    #: The suite's form: as short as the fault can be shown, and no stopwatch is believed on a
    #: machine that does other things too.
    brief: bool
    figures: dict[str, float] = field(default_factory=dict)

    def measure(self, name: str, value: float, *, limit: float | None = None) -> Iterator[Fault]:
        """Keep a figure; a fault when it is over the limit."""
        self.figures[name] = max(round(value, 3), self.figures.get(name, 0.0))
        if limit is not None and value > limit and not self.brief:
            yield Fault(OTHER, f"{name}: {value:.3f}, and {limit:g} is the limit")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is asked of a row."""

    folder: Path
    rounds: int
    seed: int
    brief: bool = False
    say: Callable[[str], None] = lambda line: None


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    faults: list[Fault] = field(default_factory=list)
    #: Each figure's value in each round.
    figures: dict[str, list[float]] = field(default_factory=dict)
    #: What else is worth keeping.
    facts: dict[str, Any] = field(default_factory=dict)

    def count(self, sort: str) -> int:
        return sum(fault.sort == sort for fault in self.faults)

    @property
    def verdict(self) -> str:
        """`0 lost, 0 twice, 0 unaccounted`, and what else there is to say."""
        line = ", ".join(f"{self.count(sort)} {sort}" for sort in (LOST, TWICE, UNACCOUNTED))
        if others := self.count(OTHER):
            line += f", {others} other faults"
        worst = [f"{name} {max(values):g} at most" for name, values in self.figures.items()]
        return "; ".join([line, *worst])

    def record(self) -> Record:
        """The outcome as JSON."""
        return {
            "ok": not self.faults,
            **{sort: self.count(sort) for sort in (LOST, TWICE, UNACCOUNTED, OTHER)},
            "figures": {
                name: {"median": statistics.median(values), "max": max(values)}
                for name, values in self.figures.items()
            },
            **self.facts,
            "faults": [fault.record() for fault in self.faults],
        }


Work = Callable[[Assignment], Outcome]
Trial = Callable[[Round], Iterator[Fault]]


def in_rounds(trial: Trial) -> Work:
    """The work of a row that is one trial, again and again; a round that raises is a fault too."""

    def work(assignment: Assignment) -> Outcome:
        outcome = Outcome()
        for number in range(assignment.rounds):
            folder = assignment.folder / f"round-{number + 1}"
            folder.mkdir(parents=True)
            rng = random.Random(f"{assignment.seed}/{number}")
            this = Round(folder, number, rng, assignment.brief)
            faults = list[Fault]()
            try:
                faults += trial(this)
            except Exception as error:
                faults.append(Fault(OTHER, f"{type(error).__name__}: {error}"))
            outcome.faults += [
                Fault(fault.sort, f"round {number + 1}: {fault.sentence}") for fault in faults
            ]
            for name, value in this.figures.items():
                outcome.figures.setdefault(name, []).append(value)
            assignment.say(f"round {number + 1}: {len(faults)} faults, {this.figures}")
        return outcome

    return work
