"""Slots that come due within a second, decided ahead of their time.

Reading a job, judging its slot and naming its run takes longer than admitting it. Done in the
second before, it does not delay the start. A decision made ahead claims nothing: like any other it
applies only while its job is as it was when the decision was made.
"""

from collections import deque
from datetime import datetime, timedelta

from universal_agent.store.values import Decision

#: How far ahead slots are decided.
AHEAD = timedelta(seconds=1)

#: Decisions kept at the most: what comes due beyond them is decided when its time has come.
LIMIT = 2000


class Lookahead:
    """Decisions that wait for the time of their slot, earliest first."""

    def __init__(self) -> None:
        self._decisions: deque[Decision] = deque()

    def __len__(self) -> int:
        return len(self._decisions)

    def keep(self, decision: Decision) -> None:
        """Add a decision that is not earlier than those that wait."""
        self._decisions.append(decision)

    def take(self, *, now: datetime, limit: int) -> list[Decision]:
        """The decisions whose time has come, at most `limit`.

        A decision that was not taken in time is dropped, because its slot may be missed by now:
        the slot is judged again.
        """
        taken: list[Decision] = []
        while self._decisions and len(taken) < limit:
            due_at = self._decisions[0].job.due_at
            assert due_at is not None
            if due_at > now:
                break
            decision = self._decisions.popleft()
            if now - due_at <= AHEAD:
                taken.append(decision)
        return taken

    def clear(self) -> None:
        """Forget all of them: the clock has jumped."""
        self._decisions.clear()
