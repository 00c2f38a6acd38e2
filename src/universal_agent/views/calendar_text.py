"""How is a feed written as JSON, fast?

Most rows of a feed are the same as a moment ago. Each is written once and kept for as long as it
is asked for, so that a feed after one change costs the reading and one new row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar import Feed
from universal_agent.domain.calendar_row import JobFact, Row, job_part, row_document

#: Rows kept: those of a few busy weeks.
_KEPT = 20_000


class Text(NamedTuple):
    """An entry of one of the feed's lists, by its name in it."""

    name: str
    json: bytes


@dataclass(frozen=True, slots=True)
class FeedText:
    """A feed, written."""

    rows: Sequence[Text]
    always_running: Sequence[Text]
    stasis_queue: Sequence[Text]
    version: int
    last_event_at: datetime | None

    def of_source(self, source: str) -> Self:
        """The part of it that is about one source."""
        prefix = f"{source}|"

        def part(texts: Sequence[Text]) -> list[Text]:
            return [text for text in texts if text.name.startswith(prefix)]

        return replace(
            self,
            rows=part(self.rows),
            always_running=part(self.always_running),
            stasis_queue=part(self.stasis_queue),
        )

    def differences(self, other: "FeedText") -> list[str]:
        """What is not the same in the other's three lists, byte for byte."""
        pairs = (
            ("events", self.rows, other.rows),
            ("always_running", self.always_running, other.always_running),
            ("stasis_queue", self.stasis_queue, other.stasis_queue),
        )
        return [
            f"{name}: {difference}"
            for name, mine, others in pairs
            if mine != others
            for difference in _differences(mine, others)
        ]


def _differences(mine: Sequence[Text], others: Sequence[Text]) -> Iterator[str]:
    left, right = dict(mine), dict(others)
    found = False
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name):
            found = True
            yield f"{left.get(name, b'-').decode()} is not {right.get(name, b'-').decode()}"
    if not found:
        yield "the order"


def joined(texts: Iterable[Text]) -> orjson.Fragment:
    """A JSON array of them."""
    return orjson.Fragment(b"[" + b",".join([text.json for text in texts]) + b"]")


class RowWriter:
    """Writes feeds, and remembers the rows of the latest ones."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        # Two generations: a row that is asked for moves into the young one, and when that is
        # full, what nobody has asked for in the meantime is let go with the old one.
        self._young: dict[tuple[str, Row], Text] = {}
        self._old: dict[tuple[str, Row], Text] = {}

    def write(self, feed: Feed, zone: ZoneInfo) -> FeedText:
        """The feed as JSON."""
        jobs = feed.jobs
        parts: dict[str, dict[str, Any]] = {}
        return FeedText(
            rows=[self._row(row, jobs, zone, parts) for row in feed.rows],
            always_running=[
                Text(f"{row['source']}|{row['source_ref']}", orjson.dumps(row))
                for row in feed.always_running
            ],
            stasis_queue=[
                _item(item, self._row(row, jobs, zone, parts)) for row, item in feed.stasis
            ],
            version=feed.version,
            last_event_at=feed.last_event_at,
        )

    def _row(
        self,
        row: Row,
        jobs: Mapping[str, JobFact],
        zone: ZoneInfo,
        parts: dict[str, dict[str, Any]],
    ) -> Text:
        key = zone.key, row
        text = self._young.get(key)
        if text is None:
            text = self._old.get(key)
            if text is None:
                spec = jobs[row.source_ref].spec
                part = parts.get(row.source_ref)
                if part is None:
                    part = parts[row.source_ref] = job_part(spec)
                text = Text(row.event_id, orjson.dumps(row_document(row, spec, zone, part)))
            if len(self._young) >= self._kept:
                self._old, self._young = self._young, {}
            self._young[key] = text
        return text


def _item(item: Mapping[str, Any], row: Text) -> Text:
    """A stasis item, with the row of its latest slot."""
    document = {**item, "event": orjson.Fragment(row.json)}
    return Text(item["event_id"], orjson.dumps(document))
