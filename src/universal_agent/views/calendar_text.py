"""Serialization of feeds to JSON.

Most rows of a feed do not change between requests. The JSON of a row is cached while it is in use,
so that after one change only one row is serialized again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar import Feed
from universal_agent.domain.calendar_row import JobFact, Row, job_part, row_document

#: The size of each of the two generations of the cache: the rows of a busy week. A larger feed may
#: exceed it by a factor of two.
_KEPT_BYTES = 4_000_000

#: Memory of an entry in addition to its JSON.
_OVERHEAD = 150


class Text(NamedTuple):
    """An entry in one of the feed's lists: its name and its JSON."""

    name: str
    json: bytes


@dataclass(frozen=True, slots=True)
class FeedText:
    """A feed whose entries are serialized."""

    rows: Sequence[Text]
    always_running: Sequence[Text]
    stasis_queue: Sequence[Text]
    version: int
    last_event_at: datetime | None

    @property
    def json_bytes(self) -> int:
        """The length of the JSON."""
        lists = (self.rows, self.always_running, self.stasis_queue)
        return sum(len(text.json) + 1 for texts in lists for text in texts)

    @property
    def held_bytes(self) -> int:
        """The size in memory."""
        entries = len(self.rows) + len(self.always_running) + len(self.stasis_queue)
        return self.json_bytes + _OVERHEAD * entries

    def differences(self, other: "FeedText") -> list[str]:
        """The differences between the lists of both feeds, byte for byte."""
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


def dump(document: object) -> bytes:
    """JSON for a cache: a copy, since the bytes from orjson occupy several times their length."""
    return bytes(memoryview(orjson.dumps(document)))


def written_with(document: Mapping[str, Any], lists: Mapping[str, Sequence[Text]]) -> bytes:
    """A document as JSON, with lists of entries that are already serialized.

    It is joined in one step, so that a large answer is not in memory twice.
    """
    pieces = [orjson.dumps(document).removesuffix(b"}")]
    for name, texts in lists.items():
        pieces.append(b',"%b":[' % name.encode())
        for number, text in enumerate(texts):
            if number:
                pieces.append(b",")
            pieces.append(text.json)
        pieces.append(b"]")
    pieces.append(b"}")
    return b"".join(pieces)


class RowWriter:
    """Serializes feeds, and caches the rows of recent ones."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        # Two generations: a row that is used moves into the young one. When that is full, the old
        # one is dropped with the rows that were not used since.
        self._young: dict[tuple[str, Row], Text] = {}
        self._old: dict[tuple[str, Row], Text] = {}
        self._young_bytes = 0

    def write(self, feed: Feed, zone: ZoneInfo) -> FeedText:
        """Serialize a feed."""
        if self._young_bytes >= self._kept_bytes:
            self._begin_generation()
        jobs = feed.jobs
        parts: dict[str, dict[str, Any]] = {}
        return FeedText(
            rows=[self._row(row, jobs, zone, parts) for row in feed.rows],
            always_running=[
                Text(f"{row.job.spec.source}|{row.source_ref}", dump(row.document(zone)))
                for row in feed.always_running
            ],
            stasis_queue=[
                _item(item, self._row(row, jobs, zone, parts)) for row, item in feed.stasis
            ],
            version=feed.version,
            last_event_at=feed.last_event_at,
        )

    def _begin_generation(self) -> None:
        self._old, self._young, self._young_bytes = self._young, {}, 0

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
                text = Text(row.event_id, dump(row_document(row, spec, zone, part)))
            if self._young_bytes >= 2 * self._kept_bytes:
                self._begin_generation()
            self._young[key] = text
            self._young_bytes += len(text.json) + _OVERHEAD
        return text


def _item(item: Mapping[str, Any], row: Text) -> Text:
    """A stasis item with the row of its latest slot."""
    document = {**item, "event": orjson.Fragment(row.json)}
    return Text(item["event_id"], dump(document))
