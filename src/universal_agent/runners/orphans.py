"""Termination of the processes that a killed gateway left behind.

Such processes keep running, and no gateway would record their end. The next start closes their runs
as `interrupted` and terminates the processes first: if an operator approves such a run, two
instances of it must not run at the same time.
"""

from collections.abc import Collection

from universal_agent.clock import Clock
from universal_agent.runners.family import Family


async def kill_orphans(run_ids: Collection[str], *, clock: Clock, grace: float = 2.0) -> int:
    """Terminate all processes of these runs, SIGTERM first; returns how many there were.

    Only processes of this user, never this process or an ancestor. They are identified by the tags
    of the runs (family.py); without /proc none are found.
    """
    if not run_ids:
        return 0
    return await Family(run_ids).end(clock=clock, grace=grace)
