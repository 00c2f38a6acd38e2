"""What is a result, and when is it good enough?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any


class Better(StrEnum):
    """Which way a figure should go."""

    LESS = "less"
    MORE = "more"


class Verdict(StrEnum):
    """How a figure stands to what was promised of it."""

    GOAL = "goal reached"
    MUST = "must reached"
    MISSED = "MISSED"
    #: Nothing was promised.
    NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number, beside what it must reach and what the peer reaches."""

    name: str
    unit: str
    better: Better
    value: float
    must: float | None = None
    goal: float | None = None
    peer: float | None = None
    #: What the build before reached in the same run, and the median of the ratios of each pair of
    #: rounds, ours over its.
    before: float | None = None
    before_ratio: float | None = None
    #: What was measured on the way; goes to the JSON document only.
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer; None without a peer, or with a zero."""
        if self.peer is None or not self.peer or not self.value:
            return None
        return self.peer / self.value if self.better is Better.LESS else self.value / self.peer

    @property
    def verdict(self) -> Verdict:
        if self.goal is not None and self._reaches(self.goal):
            return Verdict.GOAL
        if self.must is not None:
            return Verdict.MUST if self._reaches(self.must) else Verdict.MISSED
        return Verdict.NONE

    def _reaches(self, limit: float) -> bool:
        return self.value <= limit if self.better is Better.LESS else self.value >= limit

    def within(self, factor: float) -> bool:
        """Whether it is at most `factor` times worse than the build before; True without one."""
        if self.before_ratio is None:
            return True
        if self.better is Better.LESS:
            return self.before_ratio <= factor
        return self.before_ratio >= 1 / factor

    def document(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "better": self.better,
            "must": self.must,
            "goal": self.goal,
            "peer": self.peer,
            "ratio": self.ratio,
            "before": self.before,
            "before_ratio": self.before_ratio,
            "verdict": self.verdict,
            "detail": dict(self.detail),
        }


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """How values are distributed."""
    return {
        "count": len(values),
        "p50": quantile(values, 0.50),
        "p95": quantile(values, 0.95),
        "p99": quantile(values, 0.99),
        "max": max(values),
    }


def middle(rounds: Sequence[Mapping[str, float]], key: str) -> float:
    """The median of the rounds: one disturbed round does not decide."""
    return median(one[key] for one in rounds)
