"""Beat reports and the rules for delivering them.

A report is made when the beat ends, with the rules that were in force, and stored in the same
commit as the end. Its recipients follow from the report alone, so a crash in between loses nothing
and a later change of the rules does not affect earlier reports.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from universal_agent.domain.heartbeat import DeliveryMode, HeartbeatConfig
from universal_agent.domain.heartbeat_reply import Verdict
from universal_agent.domain.run import PREVIEW_CHARS, Run, RunStatus
from universal_agent.domain.slot import Source

#: Characters of a reply that are stored and delivered.
REPORT_CHARS = 16_000


#: Refusals by the agent's endpoint in a row after which a session's beats are paused.
REFUSALS_BORNE = 3

#: The key is wrong, the account is out of credit, or the key may not do this.
_REFUSALS = (401, 402, 403)


def is_refusal(run: Run) -> bool:
    """Whether a beat failed for a reason that needs a person; retrying would cost and not help."""
    return (
        run.source == Source.HEARTBEAT
        and run.status is RunStatus.ERROR
        and run.exit_code in _REFUSALS
    )


class SuppressedReason(StrEnum):
    """Why a report was not delivered; the values are the wire's."""

    #: The session's delivery is `none`.
    DELIVERY_NONE = "delivery_none"
    #: It was an acknowledgement, and those are not shown.
    OK_SUPPRESSED = "ok_suppressed"
    #: It was an alert, and those are not shown.
    ALERTS_SUPPRESSED = "alerts_suppressed"
    #: The same alert was delivered within the dedupe window.
    DEDUPE = "dedupe"
    #: There is no target session.
    NO_TARGETS = "no_targets"
    #: No client was connected; an alert waits for the next one that is.
    NO_CONNECTED_TARGETS = "no_connected_targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """What a beat did."""

    #: Files of the workspace that were made or changed, by their path in it.
    writes: tuple[str, ...] = ()
    #: Those of them that lie in `work_products`.
    work_products: tuple[str, ...] = ()
    bash_commands: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The wire form."""
        return {
            "writes": list(self.writes),
            "work_products": list(self.work_products),
            "bash_commands": list(self.bash_commands),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatReport:
    """A beat's result, and the rules for its delivery."""

    ok_only: bool
    text: str
    #: The token that an acknowledgement began with.
    token: str | None
    #: What an alert is about, a few words each: the checks that failed, or the reply's first line.
    about: tuple[str, ...] = ()
    artifacts: Artifacts = field(default_factory=Artifacts)
    mode: DeliveryMode = DeliveryMode.LAST
    #: The sessions whose clients are told.
    targets: tuple[str, ...] = ()
    show_ok: bool = False
    show_alerts: bool = True
    dedupe_window: timedelta = timedelta(days=1)
    use_indicator: bool = False

    @classmethod
    def of(
        cls,
        verdict: Verdict,
        config: HeartbeatConfig,
        session_id: str,
        *,
        about: Sequence[str] = (),
        artifacts: Artifacts | None = None,
    ) -> Self:
        """The report of a session's beat."""
        targets = {
            DeliveryMode.LAST: (session_id,),
            DeliveryMode.EXPLICIT: config.explicit_session_ids,
            DeliveryMode.NONE: (),
        }
        return cls(
            ok_only=verdict.ok_only,
            text=verdict.text[:REPORT_CHARS],
            token=verdict.token,
            about=() if verdict.ok_only else tuple(about),
            artifacts=artifacts or Artifacts(),
            mode=config.delivery_mode,
            targets=targets[config.delivery_mode],
            show_ok=config.show_ok,
            show_alerts=config.show_alerts,
            dedupe_window=config.dedupe_window,
            use_indicator=config.use_indicator,
        )

    @property
    def is_told(self) -> bool:
        """Whether this is an alert that is shown on every channel."""
        return not self.ok_only and self.show_alerts and self.mode is not DeliveryMode.NONE

    def headline(self) -> dict[str, Any]:
        """The summary in the event of the beat's end."""
        return {
            "ok_only": self.ok_only,
            "told": self.is_told,
            "about": list(self.about),
            "text": self.text[:PREVIEW_CHARS],
        }

    @property
    def fingerprint(self) -> str:
        """The same for alerts with the same words."""
        words = " ".join(self.text.split())
        return hashlib.sha256(f"{self.ok_only} {words}".encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """The report as the store keeps it."""
        return {
            "ok_only": self.ok_only,
            "text": self.text,
            "token": self.token,
            "about": list(self.about),
            "artifacts": self.artifacts.document(),
            "mode": self.mode,
            "targets": list(self.targets),
            "show_ok": self.show_ok,
            "show_alerts": self.show_alerts,
            "dedupe_seconds": self.dedupe_window // timedelta(seconds=1),
            "use_indicator": self.use_indicator,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The report that `record` wrote."""
        artifacts = {name: tuple(paths) for name, paths in record["artifacts"].items()}
        return cls(
            ok_only=record["ok_only"],
            text=record["text"],
            token=record["token"],
            about=tuple(record["about"]),
            artifacts=Artifacts(**artifacts),
            mode=DeliveryMode(record["mode"]),
            targets=tuple(record["targets"]),
            show_ok=record["show_ok"],
            show_alerts=record["show_alerts"],
            dedupe_window=timedelta(seconds=record["dedupe_seconds"]),
            use_indicator=record["use_indicator"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The delivery of a report."""

    #: A summary went to the connected targets.
    sent: bool
    #: Only an indicator did.
    indicator_only: bool = False
    reason: SuppressedReason | None = None


def waits(report: BeatReport, delivery: Delivery) -> bool:
    """Whether the next client that attaches receives it: an alert without a connected client."""
    return not report.ok_only and delivery.reason is SuppressedReason.NO_CONNECTED_TARGETS


def reason_to_withhold(report: BeatReport, *, told_before: bool) -> SuppressedReason | None:
    """Why the report is withheld whatever clients are connected; None when it is delivered.

    `told_before`: an alert with the same words was delivered within the dedupe window.
    """
    if report.mode is DeliveryMode.NONE:
        return SuppressedReason.DELIVERY_NONE
    if report.ok_only and not report.show_ok:
        return SuppressedReason.OK_SUPPRESSED
    if not report.ok_only and not report.show_alerts:
        return SuppressedReason.ALERTS_SUPPRESSED
    if not report.ok_only and told_before:
        return SuppressedReason.DEDUPE
    if not report.targets:
        return SuppressedReason.NO_TARGETS
    return None


def is_hidden(reason: SuppressedReason) -> bool:
    """Whether it is withheld for what it is, so that an indicator may go out instead."""
    return reason in (SuppressedReason.OK_SUPPRESSED, SuppressedReason.ALERTS_SUPPRESSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReport:
    """A stored report and its delivery."""

    run_id: str
    session_id: str
    ended_at: datetime
    report: BeatReport
    #: None: the delivery has not been decided.
    delivery: Delivery | None = None
    #: The targets whose clients received it.
    connected: tuple[str, ...] = ()

    def sent_to(self, targets: Sequence[str]) -> Self:
        """The report as it is once the clients of these targets have it."""
        return replace(self, delivery=Delivery(sent=True), connected=tuple(targets))

    def summary(self) -> dict[str, Any]:
        """The wire form: `last_summary`, and the data of a `heartbeat_summary`."""
        report, delivery = self.report, self.delivery or Delivery(sent=False)
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "timestamp": self.ended_at.isoformat(),
            "ok_only": report.ok_only,
            "text": report.text or report.token or "",
            "token": report.token,
            "sent": delivery.sent,
            "artifacts": report.artifacts.document(),
            "delivery": {
                "mode": report.mode,
                "targets": list(report.targets),
                "connected_targets": list(self.connected),
                "indicator_only": delivery.indicator_only,
            },
            "suppressed_reason": delivery.reason,
        }
