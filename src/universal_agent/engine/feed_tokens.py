"""The tokens of calendar programs that are in force."""

import secrets
from collections.abc import Sequence

from universal_agent.clock import Clock
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.feed_token import PREFIX, FeedToken, digest_of
from universal_agent.store import verbs
from universal_agent.store.store import Store

_BYTES = 24


class FeedTokens:
    """Creates, revokes and recognizes them."""

    event_types = (EventType.FEED_TOKEN_CREATED, EventType.FEED_TOKEN_REVOKED)

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        #: By what is kept of each.
        self._tokens: dict[str, FeedToken] = {}

    def accepts(self, secret: bytes) -> bool:
        """Whether this is a token in force."""
        return digest_of(secret) in self._tokens

    def all(self) -> Sequence[FeedToken]:
        """Every token in force, by name."""
        return sorted(self._tokens.values(), key=lambda token: token.name)

    async def create(self, name: str, *, by: str) -> tuple[FeedToken, str]:
        """A new token, and its secret, which is not kept. Raises Conflict and LimitReached."""
        secret = PREFIX + secrets.token_urlsafe(_BYTES)
        token = FeedToken(
            name=name,
            digest=digest_of(secret.encode()),
            created_at=self._clock.now(),
            created_by=by,
        )
        await self._store.write(verbs.feed_tokens.add_feed_token, token)
        await self.look()
        return token, secret

    async def revoke(self, name: str, *, by: str) -> None:
        """End a token immediately. Raises NotFound."""
        await self._store.write(
            verbs.feed_tokens.revoke_feed_token, name, by=by, now=self._clock.now()
        )
        await self.look()

    def notice(self, event: Event) -> None:
        """A revoked token is gone; a new one is read by `look`."""
        if event.type is EventType.FEED_TOKEN_REVOKED:
            name = event.data["name"]
            self._tokens = {d: t for d, t in self._tokens.items() if t.name != name}

    async def look(self) -> None:
        """Read the tokens that are kept."""
        found = await self._store.read(verbs.feed_tokens.feed_tokens)
        self._tokens = {token.digest: token for token in found}
