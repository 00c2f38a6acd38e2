"""Tokens of calendar programs, kept in the meta table; each change has its event."""

from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.feed_token import MAX_TOKENS, FeedToken
from universal_agent.domain.slot import from_epoch
from universal_agent.errors import Conflict, LimitReached, NotFound
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.tx import Row, Tx

_PREFIX = "feed_token:"


def feed_tokens(tx: Tx) -> list[FeedToken]:
    """Every token, by name."""
    found = decoded(tx, "meta", tx.all("meta_with_prefix", prefix=_PREFIX), _from_row)
    return sorted(found, key=lambda token: token.name)


def _from_row(row: Row) -> FeedToken:
    name, value = row
    record = from_json(value)
    return FeedToken(
        name=name.removeprefix(_PREFIX),
        digest=record["digest"],
        created_at=from_epoch(record["created_at"]),
        created_by=record["created_by"],
    )


def add_feed_token(tx: Tx, token: FeedToken) -> None:
    """Keep a new token. Raises Conflict for a name that is taken, and LimitReached."""
    if tx.one("get_meta", name=_PREFIX + token.name) is not None:
        raise Conflict(f"There is a feed token {token.name!r} already; revoke it first.")
    if len(tx.all("meta_with_prefix", prefix=_PREFIX)) >= MAX_TOKENS:
        raise LimitReached(f"There are {MAX_TOKENS} feed tokens; revoke one first.")
    record = {
        "digest": token.digest,
        "created_at": token.created_at.timestamp(),
        "created_by": token.created_by,
    }
    tx.run("set_meta", name=_PREFIX + token.name, value=to_json(record))
    tx.append(events.feed_token_created(token.name, by=token.created_by, now=token.created_at))


def revoke_feed_token(tx: Tx, name: str, *, by: str, now: datetime) -> None:
    """Remove a token. Raises NotFound."""
    if tx.one("get_meta", name=_PREFIX + name) is None:
        raise NotFound(f"There is no feed token {name!r}.")
    tx.run("drop_meta", name=_PREFIX + name)
    tx.append(events.feed_token_revoked(name, by=by, now=now))
