"""Ends the processes that a killed gateway left behind.

They go on, and nothing would record their end. At the next start their runs are closed as
`interrupted`, and what still works for them is ended here first: an operator who approves such a
run must not get it twice at the same time.
"""

from collections.abc import Collection

from universal_agent.clock import Clock
from universal_agent.runners.family import Family


async def kill_orphans(run_ids: Collection[str], *, clock: Clock, grace: float = 2.0) -> int:
    """End every process of these runs, with SIGTERM first; how many there were.

    Only this user's, never this process nor one that it descends from. They are known by the
    runs' tags (family.py); nothing is found where there is no /proc.
    """
    if not run_ids:
        return 0
    return await Family(run_ids).end(clock=clock, grace=grace)
