"""Garbage collection at fixed intervals instead of under load.

A full collection stops the process for 50 to 200 ms, and so delays slots that are due. CPython
starts one whenever the number of objects has grown by a quarter, for example while a thousand
clients connect. Here only the young generations are collected automatically; full collections run
at long intervals.
"""

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from universal_agent.clock import Clock

#: During imports: what they create stays, and collecting while it grows takes a fifth of a start.
_STARTING = (100_000, 50, 1_000)

#: Thresholds of the generations: new objects per young collection (a few milliseconds each), young
#: collections per middle one; the last number means never.
_THRESHOLDS = (2_000, 4, 1_000_000_000)

#: Seconds between two full collections.
_PAUSE_SECONDS = 600.0


def look_seldom() -> None:
    """Collect rarely while a process starts."""
    gc.set_threshold(*_STARTING)


def look_at_the_young() -> None:
    """Collect the young generations automatically, the old one only in `collect_at_times`."""
    gc.set_threshold(*_THRESHOLDS)


async def collect_at_times(clock: "Clock") -> None:
    """Run a full collection at long intervals, until cancelled.

    Objects that exist when it begins are frozen and never looked at: a start leaves hardly any
    garbage, and collecting it would delay the first answer by 0.1 s.
    """
    gc.freeze()
    while True:
        await clock.sleep(_PAUSE_SECONDS)
        gc.collect()
