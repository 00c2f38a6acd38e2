"""The event log: read, audited, bounded and trimmed."""

from uuid import uuid4

from universal_agent.domain.event_types import AUDITED
from universal_agent.domain.events import Event
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.events import events_from
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.values import LogBounds, Sizes

_LIVED_TIME = "lived_time"


def read_events(tx: Tx, *, after_seq: int, limit: int) -> list[Event]:
    """The first `limit` events after `after_seq`, oldest first."""
    return events_from(tx, tx.all("read_events", after_seq=after_seq, limit=limit))


def log_bounds(tx: Tx) -> LogBounds:
    """The event log's ends."""
    row = tx.one("log_bounds")
    assert row is not None
    stream_id, oldest, newest = row
    return LogBounds(
        stream_id=stream_id,
        oldest_seq=newest + 1 if oldest is None else oldest,
        newest_seq=newest,
    )


@in_lane(Lane.LONG)
def audit(tx: Tx, *, limit: int, before_seq: int | None) -> list[Event]:
    """Events of what people decided and changed, newest first."""
    rows = tx.all(
        "audit_events",
        types=to_json(AUDITED),
        before_seq=2**53 if before_seq is None else before_seq,
        limit=limit,
    )
    return events_from(tx, rows)


def sizes(tx: Tx) -> Sizes:
    """How many jobs, sessions with beats, runs and events there are."""
    row = tx.one("sizes")
    assert row is not None
    jobs, beats, runs, last_event_at = row
    return Sizes(
        jobs=jobs - beats,
        sessions_with_beats=beats,
        runs=runs,
        last_event_at=None if last_event_at is None else from_epoch(last_event_at),
    )


def forget_events(tx: Tx, *, until: int) -> None:
    """Delete the events up to that seq. The newest one stays, whatever its seq."""
    tx.run("forget_events", until=until)


def name_stream(tx: Tx) -> None:
    """Give a new database its stream id, by which clients tell two databases apart."""
    if tx.one("get_meta", name="stream_id") is None:
        tx.run("set_meta_first", name="stream_id", value=uuid4().hex)


def lived_time(tx: Tx) -> str | None:
    """What `keep_lived_time` stored, or None."""
    row = tx.one("get_meta", name=_LIVED_TIME)
    return None if row is None else str(row[0])


def keep_lived_time(tx: Tx, text: str) -> None:
    """Store retention's record of the clock."""
    tx.run("set_meta", name=_LIVED_TIME, value=text)
