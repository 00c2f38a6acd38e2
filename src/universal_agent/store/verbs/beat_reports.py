"""Reports of beats. A report is kept in the commit that ends its beat, so none is lost before
delivery.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from universal_agent.domain.beat import (
    BeatReport,
    Delivery,
    KeptReport,
    SuppressedReason,
    waits,
)
from universal_agent.domain.run import Run
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.tx import Row, Tx

#: Reports kept for each session.
_KEPT = 200

#: How long an alert that waits for a client is kept beyond that number.
_ALERT_WAITS = timedelta(days=1)


def keep_report(tx: Tx, run: Run, report: BeatReport, *, now: datetime) -> None:
    """Store a beat's report, and delete the session's oldest beyond the number kept.

    A report that is not decided is not deleted, nor for a day an alert that waits for a client.
    """
    tx.run(
        "keep_report",
        run_id=run.run_id,
        session_id=run.source_ref,
        ended_at=(run.finished_at or now).timestamp(),
        fingerprint=report.fingerprint,
        report=to_json(report.record()),
    )
    tx.run(
        "trim_reports",
        session_id=run.source_ref,
        keep=_KEPT,
        overdue_before=(now - _ALERT_WAITS).timestamp(),
    )


def undecided_reports(tx: Tx, *, limit: int) -> list[KeptReport]:
    """Reports whose delivery is not decided yet, oldest first."""
    return decoded(tx, "beat_reports", tx.all("undecided_reports", limit=limit), _from_row)


def alert_told(tx: Tx, kept: KeptReport) -> bool:
    """Whether an alert of the session with the same text was sent, or waits to be sent, within the
    report's dedupe window.
    """
    since = kept.ended_at - kept.report.dedupe_window
    row = tx.one(
        "alert_told",
        session_id=kept.session_id,
        fingerprint=kept.report.fingerprint,
        run_id=kept.run_id,
        since=since.timestamp(),
    )
    return bool(row and row[0])


def decide_report(
    tx: Tx, kept: KeptReport, delivery: Delivery, *, connected: Sequence[str], now: datetime
) -> None:
    """Record the delivery of a report. One that was decided before stays as it is."""
    tx.run(
        "decide_report",
        run_id=kept.run_id,
        now=now.timestamp(),
        sent=delivery.sent,
        indicator_only=delivery.indicator_only,
        reason=delivery.reason,
        waits=waits(kept.report, delivery),
        connected=to_json(list(connected)),
    )


def waiting_reports(tx: Tx, session_id: str) -> list[KeptReport]:
    """Alerts that target the session and wait for a client to connect, oldest first."""
    rows = tx.all("waiting_reports", session_id=session_id)
    return decoded(tx, "beat_reports", rows, _from_row)


def report_sent(tx: Tx, run_id: str, *, to: str) -> None:
    """Record that a waiting report was sent to a client of the session `to`."""
    tx.run("report_sent", run_id=run_id, connected=to_json([to]))


def last_reports(tx: Tx, session_id: str | None = None) -> dict[str, KeptReport]:
    """The latest report of each session, or of one."""
    rows = tx.all("last_reports", session_id=session_id)
    found = decoded(tx, "beat_reports", rows, _from_row)
    return {kept.session_id: kept for kept in found}


def suppressed_reports(
    tx: Tx, *, session_id: str | None, limit: int, before: str | None
) -> list[KeptReport]:
    """Reports that were not sent, newest first, from before the run `before`."""
    rows = tx.all("suppressed_reports", session_id=session_id, limit=limit, before=before or "~")
    return decoded(tx, "beat_reports", rows, _from_row)


def _from_row(row: Row) -> KeptReport:
    run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected = row
    delivery = None
    if decided_at is not None:
        delivery = Delivery(
            sent=bool(sent),
            indicator_only=bool(indicator_only),
            reason=None if reason is None else SuppressedReason(reason),
        )
    return KeptReport(
        run_id=run_id,
        session_id=session_id,
        ended_at=from_epoch(ended_at),
        report=BeatReport.from_record(from_json(report)),
        delivery=delivery,
        connected=tuple(from_json(connected)),
    )
