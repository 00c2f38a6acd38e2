"""Session continuity: rates of resuming and attaching, and their alarm thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The counters of the session-continuity document (docs/contract.md), in its order.
CONTINUITY_COUNTERS = (
    "sessions_created",
    "ws_attach_attempts",
    "ws_attach_successes",
    "ws_attach_failures",
    "resume_attempts",
    "resume_successes",
    "resume_failures",
    "turn_busy_rejected",
    "turn_duplicate_in_progress",
    "turn_duplicate_completed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The bounds beyond which a rate is an alarm."""

    resume_success_min: float
    attach_success_min: float
    failures: int


def continuity_document(counters: Mapping[str, int], thresholds: Thresholds) -> dict[str, Any]:
    """Counters, rates (None before the first attempt) and alerts."""
    resume_rate = _rate(counters["resume_successes"], counters["resume_attempts"])
    attach_rate = _rate(counters["ws_attach_successes"], counters["ws_attach_attempts"])
    alerts = []
    if resume_rate is not None and resume_rate < thresholds.resume_success_min:
        alerts.append(_alert("resume_success_rate_low", resume_rate, thresholds.resume_success_min))
    if attach_rate is not None and attach_rate < thresholds.attach_success_min:
        alerts.append(_alert("attach_success_rate_low", attach_rate, thresholds.attach_success_min))
    for code, name in (
        ("resume_failures_high", "resume_failures"),
        ("attach_failures_high", "ws_attach_failures"),
    ):
        if counters[name] >= thresholds.failures:
            alerts.append(_alert(code, counters[name], thresholds.failures))
    duplicates = counters["turn_duplicate_in_progress"] + counters["turn_duplicate_completed"]
    return {
        **{name: counters[name] for name in CONTINUITY_COUNTERS},
        "duplicate_turn_prevention_count": duplicates,
        "resume_success_rate": resume_rate,
        "attach_success_rate": attach_rate,
        "continuity_status": "degraded" if alerts else "ok",
        "alerts": alerts,
    }


def _rate(successes: int, attempts: int) -> float | None:
    return successes / attempts if attempts else None


def _alert(code: str, actual: float, threshold: float) -> dict[str, Any]:
    return {
        "code": code,
        "severity": "warning",
        "message": f"{code.replace('_', ' ')}: {actual:g}, threshold {threshold:g}",
        "actual": actual,
        "threshold": threshold,
    }
