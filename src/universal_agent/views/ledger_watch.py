"""The ledger of the last minutes, computed every minute: a lost slot raises an alarm."""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.metrics import Metrics
from universal_agent.views.ledger import LedgerView

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 60.0
_WINDOW = timedelta(minutes=10)


class LedgerWatch:
    """Remembers the slots that the latest ledger found without an outcome."""

    def __init__(self, ledger: LedgerView, clock: Clock, metrics: Metrics) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._unaccounted: tuple[str, ...] = ()

    def unaccounted(self) -> Sequence[str]:
        """The slots of the last minutes that have no outcome."""
        return self._unaccounted

    async def run(self) -> None:
        """Compute the ledger again and again, until cancelled."""
        while True:
            await self._clock.sleep(_EVERY_SECONDS)
            now = self._clock.now()
            ledger = await self._ledger.ledger(start=now - _WINDOW, end=now, now=now)
            self._metrics.slots_unaccounted.set(ledger["unaccounted_count"])
            self._unaccounted = tuple(ledger["unaccounted"])
            if self._unaccounted:
                _log.error(
                    "slots_unaccounted",
                    event_ids=self._unaccounted[:20],
                )
