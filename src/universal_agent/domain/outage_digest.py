"""The cost of an outage, in figures and in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from universal_agent.domain.judge import Cause
from universal_agent.domain.slot import from_epoch

_CAUSE_WORDS = {
    Cause.PROCESS_DOWN: "down",
    Cause.PLANNED_RESTART: "restarted on purpose",
    Cause.HOST_SUSPENDED: "asleep",
    Cause.CLOCK_STEP: "clock set forward",
    Cause.STORE_UNAVAILABLE: "database unavailable",
    Cause.CAPACITY: "no free worker",
    Cause.ENGINE_OFF: "switched off",
    Cause.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True)
class OutageDigest:
    """The cost of an outage so far."""

    cause: str
    first_at: int
    last_at: int
    missed: int
    useful: int
    jobs: tuple[str, ...]
    #: What held the pool at the latest miss, in words.
    held_by: str | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "OutageDigest":
        if not record:
            return cls("", 2**53, 0, 0, 0, ())
        return cls(
            record["cause"],
            record["first_at"],
            record["last_at"],
            record["missed"],
            record["useful"],
            tuple(record["jobs"]),
            record.get("held_by"),
        )

    def with_miss(self, data: Mapping[str, Any], now: datetime) -> "OutageDigest":
        useful_until = data["useful_until"]
        useful = useful_until is None or from_epoch(useful_until) > now
        job_id = data["event_id"].split("|")[1]
        return OutageDigest(
            data["cause"],
            min(self.first_at, data["first_at"]),
            max(self.last_at, data["last_at"]),
            self.missed + data["count"],
            self.useful + int(useful),
            self.jobs if job_id in self.jobs else (*self.jobs, job_id)[:1000],
            data.get("held_by") or self.held_by,
        )

    def record(self) -> dict[str, Any]:
        return {
            "cause": self.cause,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "missed": self.missed,
            "useful": self.useful,
            "jobs": list(self.jobs),
            "held_by": self.held_by,
        }

    def words(self, title: str, *, is_planned: bool = False) -> tuple[str, str]:
        """Title and message: "down 02:10-07:45: 6 missed, 2 still useful"."""
        first, last = from_epoch(self.first_at), from_epoch(self.last_at)
        span = f"{first:%H:%M}" if first == last else f"{first:%H:%M}-{last:%H:%M}"
        if first.date() != last.date():
            span = f"{first:%b %d %H:%M} to {last:%b %d %H:%M}"
        what = title if len(self.jobs) == 1 else f"{len(self.jobs)} jobs"
        if self.cause == Cause.INTERRUPTED:
            noun = "run was" if self.missed == 1 else "runs were"
            if is_planned:
                return f"{self.missed} {noun} cut by a restart", f"{what}, {span} UTC: as asked for"
            return f"{self.missed} {noun} interrupted", f"{what}, {span} UTC: outcome unknown"
        groups = "1 job's latest is" if self.useful == 1 else f"{self.useful} jobs' latest are"
        return (
            f"{self.missed} missed: {what}",
            (
                f"{_CAUSE_WORDS[Cause(self.cause)]} {span} UTC: {self.missed} missed, "
                f"{groups} still useful" + (f"; {self.held_by}" if self.held_by else "")
            ),
        )
