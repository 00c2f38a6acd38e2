"""Answers of a gateway that knows one job, one run, one miss, one session, one notification."""

from typing import Any

JOB_ID = "job_01a20b924cb865029db7"
RUN_ID = "run_01a22f97db78cd1266dc"
SESSION_ID = "ses_01a224dda43802d52e4a"
EVENT_ID = f"cron|{JOB_ID}|1796094000"
TIME = "2026-12-01T03:00:00+00:00"

RUN = {
    "run_id": RUN_ID,
    "job_id": JOB_ID,
    "status": "success",
    "scheduled_at": 1_796_094_000.0,
    "started_at": 1_796_094_000.1,
    "finished_at": 1_796_094_000.2,
    "error": None,
    "output_preview": "depth 0\n",
    "trigger": "schedule",
    "attempt": 2,
    "exit_code": 0,
    "duration_seconds": 0.1,
    "host": "vm",
    "reason": "late",
    "event_id": EVENT_ID,
}

JOB = {
    "job_id": JOB_ID,
    "title": "Queue depth",
    "description": "every hour",
    "command": "true",
    "workspace_dir": "/w",
    "timezone": "UTC",
    "delete_after_run": True,
    "model": "m",
    "enabled": True,
    "off_label": None,
    "running": False,
    "runner": "shell",
    "overlap": "skip",
    "on_miss": "ask",
    "last_run_at": 1_796_094_000.0,
    "next_run_at": 1_796_097_600.0,
    "consecutive_failures": 1,
    "misfire_grace_seconds": 60,
    "useful_for_seconds": 600,
    "timeout_seconds": 60,
    "retries": 1,
    "jitter_seconds": 0,
    "auto_pause_after": 10,
    "metadata": {"a": 1},
    "fail_on": {"output": ["x"]},
    "version": 3,
}

SLOT = {"at": 1_796_097_600.0, "utc": TIME, "local": TIME}

ECHO = {
    "description": "every hour",
    "timezone": "UTC",
    "timezone_source": "host",
    "runner": "shell",
    "notes": ["a note"],
    "next": [SLOT],
}

EVENT = {
    "seq": 7,
    "source": "cron",
    "type": "cron_run_finished",
    "timestamp": TIME,
    "source_ref": JOB_ID,
    "owner_id": "default",
    "session_id": None,
    "status": "success",
    "data": {"run": {"run_id": RUN_ID, "error": "e", "event_id": EVENT_ID}},
}
MISSED = {**EVENT, "data": {"count": 3, "cause": "process_down"}}
EDITED = {**EVENT, "data": {"changed": ["title"], "reason": None}}
FLAGGED = {**EVENT, "data": {"name": "UA_SCHED_PUSH_ENABLED", "value": True, "by": "operator"}}
DECIDED = {**EVENT, "data": {"action": "deleted", "event_id": EVENT_ID, "note": "n", "by": "ada"}}

WAITING = {
    "event_id": EVENT_ID,
    "status": "pending",
    "group": {"count": 2, "first_scheduled_at_utc": TIME, "last_scheduled_at_utc": TIME},
    "cause": "process_down",
    "outage_id": "out_1",
    "useful_until_utc": TIME,
    "recommended": {"decision": "approve", "reason": "no later slot does its work"},
    "event": {"event_id": EVENT_ID, "source_ref": JOB_ID, "title": "Queue depth"},
}

EXPIRED = {
    "event_id": EVENT_ID,
    "title": "Queue depth",
    "group": {"count": 2, "first_scheduled_at_utc": TIME, "last_scheduled_at_utc": TIME},
    "cause": "process_down",
    "expired_at_utc": TIME,
}

SUMMARY = {
    "run_id": RUN_ID,
    "session_id": SESSION_ID,
    "timestamp": TIME,
    "text": "HEARTBEAT_OK",
    "sent": True,
    "delivery": {"mode": "last", "connected_targets": [SESSION_ID]},
    "suppressed_reason": "ok_suppressed",
}

BEAT = {
    "session_id": SESSION_ID,
    "workspace_dir": "home",
    "last_run": 1_796_094_000.0,
    "last_summary": SUMMARY,
    "busy": False,
    "next_run": 1_796_097_600.0,
    "schedule": {"description": "every hour", "active_hours": "8-20", "timezone": "UTC"},
    "delivery": {"mode": "last"},
    "enabled": True,
    "off_label": None,
    "config_error": "bad",
}

SESSION = {
    "session_id": SESSION_ID,
    "user_id": "ada",
    "workspace_dir": "/w/home",
    "source": "cli",
    "status": "idle",
    "clients": 0,
    "created_at": TIME,
    "last_active_at": TIME,
}

LEDGER = {
    "start_utc": TIME,
    "end_utc": TIME,
    "expected": 9,
    "outcomes": {
        "ran": {"success": 8, "error": 0},
        "skipped": {"overlap": 1},
        "missed": {},
        "interrupted": 0,
        "in_flight": 0,
    },
    "unaccounted": [EVENT_ID],
    "unaccounted_count": 1,
}

FLAGS = {
    "flags": {
        "UA_SCHED_PUSH_ENABLED": {
            "value": True,
            "source": "override",
            "changed_at": TIME,
            "changed_by": "operator",
        }
    }
}

NOTIFICATION = {
    "id": "ntf_1",
    "kind": "recovered",
    "title": "t",
    "message": "m",
    "status": "new",
    "is_open": True,
    "created_at": TIME,
    "updated_at": TIME,
}

HEALTH = {
    "status": "healthy",
    "timestamp": TIME,
    "version": "0.1.0",
    "reasons": [],
    "deployment_profile": {
        "cron": True,
        "heartbeat": True,
        "mock_responses": False,
        "auth_required": False,
        "agent": "none",
    },
}

PROPOSAL = {
    "proposal_id": "prp_1",
    "summary": "skip the next slot",
    "rephrased_as": "skip next",
    "after": {"next": [SLOT]},
    "confidence": "high",
    "warnings": ["w"],
}

DONE = {
    "event_id": EVENT_ID,
    "status": "ok",
    "action": "skip",
    "resolution": "approved_and_run",
    "run": RUN,
    "job": JOB,
}

DRAIN = {
    "process_id": "proc_1",
    "draining": True,
    "until": TIME,
    "open_runs": 1,
    "runs": [{"run_id": RUN_ID, "job_id": JOB_ID}],
}

JOBS = "/api/v1/cron/jobs"
RUNS = "/api/v1/cron/runs"
OPS = "/api/v1/ops"

#: What is answered at each address: the method and the beginning of the path.
ANSWERS: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/api/v1/health"): HEALTH,
    ("GET", f"{JOBS}/{JOB_ID}/runs"): {"runs": [RUN], "has_more": False},
    ("POST", f"{JOBS}/{JOB_ID}/run"): {"run": RUN},
    ("GET", f"{JOBS}/{JOB_ID}"): {
        "job": JOB,
        "echo": ECHO,
        "breaker": {"since": 1_796_094_000.0, "probe_at": None, "slots": 3},
    },
    ("PUT", f"{JOBS}/{JOB_ID}"): {"job": JOB, "echo": ECHO},
    ("DELETE", f"{JOBS}/{JOB_ID}"): {"status": "deleted"},
    ("POST", JOBS): {"job": JOB, "echo": ECHO},
    ("GET", JOBS): {"jobs": [JOB], "total": 2, "next_cursor": None},
    ("GET", "/api/v1/cron/next"): {
        "next": [{**SLOT, "job_id": JOB_ID, "title": "Queue depth", "description": "every hour"}]
    },
    ("POST", f"{RUNS}/{RUN_ID}/cancel"): {"run": RUN},
    ("GET", f"{RUNS}/{RUN_ID}"): {"run": RUN},
    ("GET", RUNS): {"runs": [RUN], "has_more": False},
    ("GET", f"{OPS}/drain"): DRAIN,
    ("POST", f"{OPS}/drain"): DRAIN,
    ("GET", f"{OPS}/logs/tail"): {
        "cursor": 8,
        "size": 8,
        "lines": ["depth 0"],
        "partial": False,
        "truncated": True,
    },
    ("GET", f"{OPS}/scheduling/ledger"): LEDGER,
    ("GET", f"{OPS}/scheduling/explain"): {
        "event_id": EVENT_ID,
        "outcome": "success",
        "sentences": ["It ran."],
        "events": [EVENT],
    },
    ("GET", f"{OPS}/scheduling/events"): {
        "events": [EVENT, MISSED, EDITED],
        "event_bus_seq": 9,
        "oldest_seq": 1,
        "has_more": False,
        "gap": True,
    },
    ("GET", f"{OPS}/scheduling/projection/verify"): {
        "ok": False,
        "position": 9,
        "hash": "a",
        "expected_hash": "b",
    },
    ("POST", f"{OPS}/scheduling/projection/rebuild"): {
        "ok": True,
        "position": 9,
        "hash": "a",
        "expected_hash": "a",
    },
    ("GET", f"{OPS}/audit"): {"entries": [FLAGGED, DECIDED, EDITED], "has_more": False},
    ("GET", f"{OPS}/flags"): FLAGS,
    ("PATCH", f"{OPS}/flags"): FLAGS,
    ("POST", f"{OPS}/stasis/bulk"): {
        "results": [{"event_id": EVENT_ID, "status": "refused", "detail": "d"}],
        "done": 0,
        "refused": 1,
    },
    ("POST", f"{OPS}/stasis"): DONE,
    ("GET", f"{OPS}/stasis/expired"): {"expired": [EXPIRED], "next_cursor": "abc"},
    ("GET", f"{OPS}/stasis"): {"stasis_queue": [WAITING], "total": 2},
    ("GET", f"{OPS}/sessions/{SESSION_ID}"): {**SESSION, "runs": [RUN]},
    ("GET", f"{OPS}/sessions"): {"sessions": [SESSION], "total": 1, "next_cursor": None},
    ("POST", "/api/v1/sessions"): SESSION,
    ("DELETE", "/api/v1/sessions"): {"status": "deleted", "session_id": SESSION_ID},
    ("GET", "/api/v1/heartbeat/suppressed"): {"suppressed": [SUMMARY], "has_more": False},
    ("POST", "/api/v1/heartbeat/wake"): {
        "status": "queued",
        "session_id": SESSION_ID,
        "run_id": RUN_ID,
        "mode": "now",
    },
    ("POST", "/api/v1/dashboard/notifications/bulk"): {
        "results": [{"id": "ntf_1", "status": "refused", "detail": "d"}]
    },
    ("GET", "/api/v1/dashboard/notifications"): {"notifications": [NOTIFICATION]},
}


def answer_to(method: str, path: str, *, named: bool) -> dict[str, Any] | None:
    """The answer to a request; `named`: it names one session. None where nothing is known."""
    if (method, path) == ("GET", "/api/v1/heartbeat/last"):
        return BEAT if named else {"heartbeats": {SESSION_ID: BEAT}}
    if "/calendar/events/" in path:
        if path.endswith("/change-request"):
            return {"proposal": PROPOSAL}
        if path.endswith("/confirm"):
            return {"status": "applied", "event_id": EVENT_ID, "proposal": PROPOSAL}
        return DONE
    return next(
        (
            document
            for (known, start), document in ANSWERS.items()
            if known == method and path.startswith(start)
        ),
        None,
    )
