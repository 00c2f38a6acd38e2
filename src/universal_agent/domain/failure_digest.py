"""Failures of jobs with one cause, in figures and in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.notifications import Notification
from universal_agent.domain.slot import from_epoch

#: Jobs that one incident names by id; further ones open another one.
MOST_JOBS = 1000

#: Jobs that a message names.
_MOST_NAMED = 3

_ERROR_CHARS = 160


@dataclass(frozen=True, slots=True)
class FailureDigest:
    """The jobs that fail for one cause."""

    #: The error of the first failure.
    error: str
    #: When each job's failure was first seen, in epoch seconds, in their order.
    since: Mapping[str, float]
    #: When a job worked again, for those that do.
    recovered: Mapping[str, float]
    #: How often it came back after it was over.
    relapses: int = 0
    #: Whether people know of the latest relapse.
    is_relapse_told: bool = True

    @classmethod
    def of(cls, notification: Notification) -> "FailureDigest":
        """The digest of a stored notification; an older release stored none."""
        record = notification.metadata
        began = {notification.source_ref: notification.created_at.timestamp()}
        return cls(
            record.get("error", notification.message),
            record.get("since", began),
            record.get("recovered", {}),
            record.get("relapses", 0),
            record.get("is_relapse_told", True),
        )

    @property
    def failing(self) -> list[str]:
        """The jobs that still fail."""
        return [ref for ref in self.since if ref not in self.recovered]

    def with_failure(self, ref: str, now: datetime) -> "FailureDigest":
        """The digest with a job that fails."""
        since = self.since if ref in self.since else {**self.since, ref: now.timestamp()}
        recovered = {other: at for other, at in self.recovered.items() if other != ref}
        return replace(self, since=since, recovered=recovered)

    def with_success(self, ref: str, now: datetime) -> "FailureDigest":
        """The digest with a job that works again."""
        return replace(self, recovered={**self.recovered, ref: now.timestamp()})

    def without(self, ref: str) -> "FailureDigest":
        """The digest without a job that is gone."""
        return replace(
            self,
            since={other: at for other, at in self.since.items() if other != ref},
            recovered={other: at for other, at in self.recovered.items() if other != ref},
        )

    def recovered_within(self, ref: str, span: timedelta, now: datetime) -> bool:
        """Whether a job of the digest worked again no longer than `span` ago."""
        at = self.recovered.get(ref)
        return at is not None and now - from_epoch(at) <= span

    def record(self) -> dict[str, Any]:
        """What of it is kept in a notification's metadata."""
        return {
            "error": self.error,
            "since": dict(self.since),
            "recovered": dict(self.recovered),
            "relapses": self.relapses,
            "is_relapse_told": self.is_relapse_told,
            "jobs": list(self.since),
            "failing": len(self.failing),
        }

    def words(self, titles: Callable[[str], str]) -> tuple[str, str] | None:
        """Title and message of several jobs; None for one, whose words say more about it."""
        if len(self.since) == 1:
            return None
        named = ", ".join(titles(ref) for ref in list(self.since)[:_MOST_NAMED])
        if further := len(self.since) - _MOST_NAMED:
            named += f" and {further} more" if further > 0 else ""
        ended = ""
        if self.recovered:
            ended = f" {len(self.recovered)} of them work again."
        return (
            f"{len(self.since)} jobs: {self.error[:_ERROR_CHARS]}",
            f"{named} fail for the same cause: {self.error}.{ended}",
        )

    def words_of_end(self, since: datetime, titles: Callable[[str], str]) -> tuple[str, str]:
        """Title and message of the end."""
        began = f"{since:%Y-%m-%d %H:%M} UTC"
        if len(self.since) == 1:
            [ref] = self.since
            return f"{titles(ref)} works again", f"It had failed since {began}."
        return (
            f"{len(self.since)} jobs work again",
            f"They had failed since {began}: {self.error}",
        )
