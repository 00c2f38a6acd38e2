"""When does the interpreter look for cycles of objects that nobody needs? Never while it is busy.

To look through all objects stops everything for 50 to 200 ms, a slot that is due as well, and the
interpreter does it whenever a quarter more objects are there: while a thousand clients connect,
say. Here it looks through the young ones by itself, and through all at long intervals.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from universal_agent.clock import Clock

#: While imports go on: what they make stays, and to look through it as it grows is a fifth of a
#: start.
_STARTING = (100_000, 50, 1_000)

#: New objects between two looks at them, and such looks between two at those that have survived
#: one: each takes a few milliseconds. The last number stands for never.
_THRESHOLDS = (2_000, 4, 1_000_000_000)

#: Seconds between two looks at all.
_PAUSE_SECONDS = 600.0


def look_seldom() -> None:
    """For a process that starts."""
    gc.set_threshold(*_STARTING)


def look_at_the_young() -> None:
    """Leave the old objects to `collect_at_times`."""
    gc.set_threshold(*_THRESHOLDS)


async def collect_at_times(clock: "Clock") -> None:
    """Look through all objects at long intervals, for ever.

    What is there when it begins, all that a start makes, stays and is not looked at: there is
    hardly any garbage in it, and whoever waits for the start would wait 0.1 s longer.
    """
    gc.freeze()
    while True:
        await clock.sleep(_PAUSE_SECONDS)
        gc.collect()
