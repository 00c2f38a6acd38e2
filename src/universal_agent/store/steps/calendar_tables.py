"""The sources of a calendar's facts: the runtime tables, and the projection of the event log."""

from collections.abc import Collection, Iterable
from typing import Protocol

from universal_agent.domain.calendar_facts import (
    Detail,
    Window,
)
from universal_agent.domain.calendar_size import (
    MAX_GROUPS,
    MAX_JOBS,
    MAX_SLOTS,
)
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.job import JobSpec
from universal_agent.domain.slot import epoch
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import readable
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.tx import Row, Tx
from universal_agent.store.verbs.event_log import log_bounds

_HOUR = 3600


#: The most hours that are counted: as many as fit into an answer.
MOST_HOURS = 170_000


#: Parameters of a statement.
Asked = dict[str, object]


class CalendarTables(Protocol):
    """The source that facts are read from. `digest`: jobs that are counted by the hour, as JSON."""

    def jobs(self, window: Window) -> list[Row]: ...
    def jobs_named(self, refs: Iterable[str]) -> list[Row]: ...
    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]: ...
    def slots(self, window: Window, digest: str | None) -> list[Row]: ...
    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]: ...
    def hours(self, window: Window, digest: str | None) -> list[Row]: ...
    def hour_count(self, window: Window, until: int) -> int: ...
    def missed(self, window: Window) -> list[Row]: ...
    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]: ...
    def version(self) -> tuple[int, float | None]: ...


def _filters(window: Window) -> dict[str, object]:
    return {"owner": window.owner_id, "source": window.source}


def _missed_filters(window: Window) -> dict[str, object]:
    return {
        **_filters(window),
        "source_ref": window.source_ref,
        "groups": MAX_GROUPS,
        "most": MAX_SLOTS + 1,
    }


def _bounds(window: Window, until: int | None = None) -> dict[str, object]:
    return {"start": epoch(window.start), "end": epoch(window.end) if until is None else until}


class RuntimeTables:
    """The tables that the engine works on."""

    def __init__(self, tx: Tx, window: Window) -> None:
        self._tx = tx
        self._specs = tx.specs
        self._bounds = _bounds(window)
        single = window.source_ref is not None
        #: "job version" of the versions that are counted by the hour.
        self._summed = to_json([] if single else self._frequent_versions())

    def _frequent_versions(self) -> list[str]:
        rows = self._tx.all("calendar_versions", **self._bounds)
        frequent = readable(
            self._tx,
            "job_versions",
            rows,
            lambda row: is_frequent(self._specs.get(row[2]).schedule),
        )
        return [f"{row[0]} {row[1]}" for row, is_one in frequent if is_one]

    def jobs(self, window: Window) -> list[Row]:
        return self._tx.all(
            "calendar_jobs",
            source_ref=window.source_ref,
            **_filters(window),
            most=MAX_JOBS + 1,
        )

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("calendar_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        def read(key: Row) -> JobSpec:
            job_id, version = key
            return read_spec(self._tx, job_id, version)

        found = readable(self._tx, "job_versions", versions, read)
        return {(key[0], key[1]): spec for key, spec in found}

    def slots(self, window: Window, digest: str | None) -> list[Row]:
        return self._tx.all("calendar_slots", **self._asked(window, digest))

    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]:
        return self._tx.all("calendar_slot_counts", **self._asked(window, digest, until))

    def _asked(self, window: Window, digest: str | None, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            **_filters(window),
            "source_ref": window.source_ref,
            "summed": self._summed,
            "digest": digest,
            "every": window.detail is Detail.COUNTS,
            "most": MAX_SLOTS + 1,
        }

    def hours(self, window: Window, digest: str | None) -> list[Row]:
        return self._tx.all(
            "calendar_hours",
            **self._bounds,
            **_filters(window),
            summed=self._summed,
            digest=digest,
            every=window.detail is Detail.COUNTS,
            most=MOST_HOURS + 1,
        )

    def hour_count(self, window: Window, until: int) -> int:
        """At the most: hours of each version whose slots are counted."""
        versions = len(from_json(self._summed))
        return versions * -(-(until - epoch(window.start)) // _HOUR)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all("calendar_missed", **self._bounds, **_missed_filters(window))

    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]:
        rows = self._tx.all("calendar_taken", ranges=to_json(ranges))
        specs = self.specs({(source_ref, version) for _, source_ref, *_, version in rows})
        return [
            (*row[:6], is_frequent(specs[row[1], row[6]].schedule))
            for row in rows
            if (row[1], row[6]) in specs
        ]

    def version(self) -> tuple[int, float | None]:
        newest = log_bounds(self._tx).newest_seq
        row = self._tx.one("event_time", seq=newest)
        return newest, None if row is None else row[0]


class ProjectionTables:
    """The tables that the event log was folded into."""

    def __init__(self, tx: Tx, only: Collection[str] | None) -> None:
        self._tx = tx
        self._specs = tx.specs
        self._only = None if only is None else sorted(only)
        self._among = None if only is None else to_json(self._only)

    def jobs(self, window: Window) -> list[Row]:
        named = self._only if window.source_ref is None else [window.source_ref]
        if named is not None:
            return [row for row in self.jobs_named(named) if not row[4]]
        # Whether a job's slots are counted depends on the job, even when its next slot is later.
        return self._tx.all(
            "feed_jobs",
            **_bounds(window),
            **_filters(window),
            is_digest=window.detail is not Detail.ALL,
            most=MAX_JOBS + 1,
        )

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("feed_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        rows = self._tx.all("feed_specs", versions=to_json(list(versions)))
        found = readable(self._tx, "job_versions", rows, lambda row: self._specs.get(row[2]))
        return {(row[0], row[1]): spec for row, spec in found}

    def slots(self, window: Window, digest: str | None) -> list[Row]:
        if window.source_ref is None:
            return self._tx.all("feed_slots", **self._asked(window, digest))
        return self._tx.all("feed_slots_of", **self._asked_of(window))

    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]:
        if window.source_ref is None:
            return self._tx.all("feed_slot_counts", **self._asked(window, digest, until))
        return self._tx.all("feed_slot_counts_of", **self._asked_of(window, until))

    def _asked(self, window: Window, digest: str | None, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            **_filters(window),
            "only": self._among,
            "digest": digest,
            "every": window.detail is Detail.COUNTS,
            "most": MAX_SLOTS + 1,
        }

    def _asked_of(self, window: Window, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            "source_ref": window.source_ref,
            "most": MAX_SLOTS + 1,
        }

    def hours(self, window: Window, digest: str | None) -> list[Row]:
        """Whole hours were counted before; of hours that the window cuts, slots are counted now."""
        rows = self._counted_hours(window)
        if digest is not None:
            asked = {**_bounds(window), **_filters(window), "only": self._among}
            rows += self._tx.all(
                "feed_digest_hours",
                **asked,
                digest=digest,
                every=window.detail is Detail.COUNTS,
                most=MOST_HOURS + 1,
            )
        return rows

    def hour_count(self, window: Window, until: int) -> int:
        asked = {**_bounds(window, until), **_filters(window), "only": self._among}
        (row,) = self._tx.all("feed_hour_counts", **asked, most=MOST_HOURS)
        return int(row[0])

    def _counted_hours(self, window: Window) -> list[Row]:
        start, end = epoch(window.start), epoch(window.end)
        first, last = -(-start // _HOUR) * _HOUR, end // _HOUR * _HOUR
        if first > last:  # all within one hour
            return self._part_of_hour(last, start, end)
        return [
            *self._part_of_hour(first - _HOUR, start, first),
            *self._tx.all(
                "feed_whole_hours",
                first=first,
                last=last,
                only=self._among,
                **_filters(window),
            ),
            *self._part_of_hour(last, last, end),
        ]

    def _part_of_hour(self, hour: int, start: int, end: int) -> list[Row]:
        if start >= end:
            return []
        return self._tx.all("feed_part_of_hour", hour=hour, start=start, end=end, only=self._among)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all(
            "feed_missed", **_bounds(window), **_missed_filters(window), only=self._among
        )

    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]:
        return self._tx.all("feed_taken", ranges=to_json(ranges))

    def version(self) -> tuple[int, float | None]:
        row = self._tx.one("feed_state")
        assert row is not None
        position, last_event_at = row
        return position, last_event_at
