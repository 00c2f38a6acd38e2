"""How does each life of the gateway end? Planned from the seed, before anything is started."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

#: Random kills come up to this long after the gateway is healthy.
LONGEST_LIFE = 3.0

#: One in so many is killed while it starts, health or not.
_EARLY = 8
_EARLIEST_LIFE = 1.0

#: After so many kills it is asked to stop, once.
_ASKED = 10

#: A failpoint is passed up to so many times before it kills.
_MOST_PASSES = 8

#: Where UA_FAILPOINT can kill; the last two are passed once, at start.
FAILPOINTS = (
    "before_admit_commit",
    "after_admit_commit",
    "before_spawn",
    "after_spawn",
    "before_finish_commit",
    "after_finish_commit",
)
START_FAILPOINTS = ("before_interrupt_commit", "after_interrupt_commit")


@dataclass(frozen=True, slots=True)
class End:
    """How one life ends."""

    #: Seconds after it is healthy; for an early end, after its start.
    after: float = 0.0
    early: bool = False
    #: UA_FAILPOINT; empty for a kill from outside.
    failpoint: str = ""
    #: SIGTERM instead: it must close what it runs, and leave nothing.
    asked: bool = False

    def __str__(self) -> str:
        if self.failpoint:
            return self.failpoint
        if self.asked:
            return f"asked to stop, healthy + {self.after:.3f} s"
        return f"{'started' if self.early else 'healthy'} + {self.after:.3f} s"


def plan(seed: int, *, kills: int, failpoint_kills: int) -> Sequence[End]:
    """Random kills and a few stops, then `failpoint_kills` at each failpoint, shuffled."""
    rng = random.Random(f"{seed}/kills")
    ends = []
    for number in range(kills):
        early = number % _EARLY == _EARLY - 1
        longest = _EARLIEST_LIFE if early else LONGEST_LIFE
        ends.append(End(after=rng.uniform(0, longest), early=early))
        if number % _ASKED == _ASKED - 1:
            ends.append(End(after=rng.uniform(0, LONGEST_LIFE), asked=True))
    exact = []
    for _ in range(failpoint_kills):
        exact += [End(failpoint=f"{p}:{rng.randint(1, _MOST_PASSES)}") for p in FAILPOINTS]
        exact += [End(failpoint=point) for point in START_FAILPOINTS]
    rng.shuffle(exact)
    return ends + exact
