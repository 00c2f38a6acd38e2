"""The ledger of expected slots and their outcomes, and the explanation of an outcome."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.explain import explain
from universal_agent.domain.job import JobVersion
from universal_agent.domain.ledger import Ledger, reconcile
from universal_agent.domain.run import JobId
from universal_agent.domain.slot import SlotKey, epoch, from_epoch
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs
from universal_agent.store.store import Store

#: The longest window of one answer.
LONGEST = timedelta(days=366)

#: The most recorded slots that are in memory at a time, except for a single hour with more: those
#: of a year may not fit.
_AT_ONCE = 200_000

_RAN = ("success", "error", "timeout", "stalled", "cancelled")
_MISSED = ("pending", "open", "approved_and_run", "rescheduled", "deleted", "superseded", "expired")


class LedgerView:
    """Computes ledgers from the store."""

    def __init__(
        self,
        store: Store,
        *,
        judging: Callable[[], bool],
        at_once: int = _AT_ONCE,
        agent: Sequence[str] = (),
    ) -> None:
        """`judging` returns whether an engine runs, which decides the outcomes of due slots.

        `agent` is what the configured agent uses.
        """
        self._agent = agent
        self._store = store
        self._judging = judging
        self._at_once = at_once
        #: One ledger is computed at a time: more would compete with the scheduler for the GIL
        #: without being faster.
        self._turn = asyncio.Lock()

    async def ledger(
        self, *, start: datetime, end: datetime, now: datetime, job_id: str | None = None
    ) -> dict[str, Any]:
        """The ledger of (start, end]. Raises InvalidInput for an empty or too long window."""
        if not start < end:
            raise InvalidInput(
                f"expected start before end, got {start.isoformat()} and {end.isoformat()}",
                field="start",
            )
        if end - start > LONGEST:
            raise InvalidInput(
                f"expected a window of at most {LONGEST.days} days, got {(end - start).days}",
                field="start",
            )
        job = None if job_id is None else JobId(job_id)
        ledger = Ledger(start=start, end=start)
        async with self._turn:
            for until in await self._pieces(start, end, job):
                ledger.add(await self._computed(ledger.end, until, now, job))
        return ledger_document(ledger)

    async def _pieces(self, start: datetime, end: datetime, job_id: JobId | None) -> list[datetime]:
        """The ends of the parts of the window, which are computed one after the other."""
        ends, held = [], 0
        for hour, count in await self._store.read(
            verbs.ledger.recorded_by_hour, start=start, end=end, job_id=job_id
        ):
            if held and held + count > self._at_once:
                ends.append(from_epoch(hour - 1))
                held = 0
            held += count
        return [*ends, end]

    async def _computed(
        self, start: datetime, end: datetime, now: datetime, job_id: JobId | None
    ) -> Ledger:
        facts = await self._store.read(
            verbs.ledger.ledger_facts, start=start, end=end, job_id=job_id
        )
        undecided = {} if self._judging() else await self._undecided(facts.versions)
        return await asyncio.to_thread(
            reconcile, facts, start=start, end=end, now=now, undecided=undecided
        )

    async def _undecided(self, versions: Iterable[JobVersion]) -> dict[str, int]:
        """The first slot of each job that no engine has decided, as epochs."""
        jobs = await self._store.read(
            verbs.calendar.job_facts, sorted({version.job_id for version in versions})
        )
        return {job.job_id: epoch(job.next_run_at) for job in jobs if job.next_run_at is not None}

    async def explain(self, slot: SlotKey, *, now: datetime) -> dict[str, Any]:
        """Why a slot ran, ran late or did not run, with the events as evidence."""
        history = await self._store.read(verbs.ledger.slot_history, slot)
        explanation = explain(slot, history, now=now, agent=self._agent)
        return {
            "event_id": slot.event_id,
            "outcome": explanation.outcome,
            "sentences": explanation.sentences,
            "events": [event.envelope() for event in history.events],
        }


def ledger_document(ledger: Ledger) -> dict[str, Any]:
    """A ledger's wire form (docs/contract.md, Events)."""
    return {
        "start_utc": ledger.start.isoformat(),
        "end_utc": ledger.end.isoformat(),
        "expected": ledger.expected,
        "outcomes": {
            "ran": {status: ledger.ran[status] for status in _RAN},
            "skipped": dict(sorted(ledger.skipped.items())),
            "missed": {status: ledger.missed[status] for status in _MISSED},
            "interrupted": ledger.interrupted,
            "in_flight": ledger.in_flight,
        },
        "unaccounted": ledger.unaccounted,
        "unaccounted_count": ledger.unaccounted_count,
    }
