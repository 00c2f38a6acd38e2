"""The daily digest of missed slots that expired without a decision."""

from datetime import datetime

from universal_agent.clock import Clock
from universal_agent.domain.channels import ChannelRules
from universal_agent.engine.notify import Notifier
from universal_agent.store import verbs
from universal_agent.store.store import Store

#: The longest sleep: the wall clock may be set forward in between.
_LONGEST_SLEEP_SECONDS = 600.0


class ExpiredDigest:
    """Tells once a day, and only when something expired."""

    def __init__(
        self, store: Store, clock: Clock, notifier: Notifier, *, minute: int, timezone: str
    ) -> None:
        """`minute` of the day in that zone."""
        self._store = store
        self._clock = clock
        self._notifier = notifier
        #: The clock of a channel's digest.
        self._rules = ChannelRules(digest=minute, timezone=timezone)

    async def run(self) -> None:
        """Tell at the digest's time, and at a start what a digest that was missed would have."""
        told = await self._store.read(verbs.expired.told_until)
        if told is None:
            told = self._clock.now()
            await self._notifier.tell_expired(until=told)
        while True:
            told = await self._turn(told)
            ahead = self._rules.next_release(self._clock.now())
            assert ahead is not None
            wait = (ahead - self._clock.now()).total_seconds()
            await self._clock.sleep(min(max(wait, 1.0), _LONGEST_SLEEP_SECONDS))

    async def _turn(self, told: datetime) -> datetime:
        now = self._clock.now()
        until = self._rules.released(now)
        # What was told until a time that is yet to come was told while the clock ran ahead.
        if until is None or until <= told <= now:
            return told
        await self._notifier.tell_expired(until=until)
        return until
