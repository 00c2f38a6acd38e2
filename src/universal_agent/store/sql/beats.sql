-- Heartbeats: the system events that the next beat gets, and reports.

-- {report_columns} --
run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected

-- {system_event_columns} --
event_id, session_id, event_type, payload, created_at, created_by

-- queue_system_event --
INSERT INTO system_events (session_id, event_type, payload, created_at, created_by)
VALUES (:session_id, :event_type, :payload, :created_at, :created_by);

-- trim_system_events --
DELETE FROM system_events WHERE session_id = :session_id AND event_id <= (
  SELECT event_id FROM system_events WHERE session_id = :session_id
  ORDER BY event_id DESC LIMIT 1 OFFSET :keep);

-- system_events_of --
SELECT {system_event_columns}
FROM system_events WHERE session_id = :session_id ORDER BY event_id;

-- waiting_beat --
SELECT {run_columns}
FROM runs
WHERE source_ref = :session_id AND status = 'queued' AND finished_at IS NULL
  AND source = 'heartbeat'
ORDER BY run_id LIMIT 1;

-- drop_wakes --
DELETE FROM system_events
WHERE session_id = :session_id AND event_type = 'heartbeat_wake' AND run_id IS NULL
RETURNING json_extract(payload, '$.mode');

-- deliver_events --
UPDATE system_events SET run_id = :run_id WHERE session_id = :session_id
RETURNING {system_event_columns};

-- acknowledge --
DELETE FROM system_events
WHERE run_id = :run_id AND (:ran_well OR (event_type = 'heartbeat_wake' AND (
  :ran OR json_extract(payload, '$.mode') = 'now')));

-- forget_system_events --
DELETE FROM system_events WHERE session_id = :session_id;

-- keep_report --
INSERT INTO beat_reports (run_id, session_id, ended_at, fingerprint, report)
VALUES (:run_id, :session_id, :ended_at, :fingerprint, :report) ON CONFLICT DO NOTHING;

-- trim_reports --
DELETE FROM beat_reports
WHERE session_id = :session_id AND decided_at IS NOT NULL
  AND (NOT waits OR ended_at < :overdue_before) AND run_id <= (
  SELECT run_id FROM beat_reports WHERE session_id = :session_id
  ORDER BY run_id DESC LIMIT 1 OFFSET :keep);

-- undecided_reports --
SELECT {report_columns}
FROM beat_reports WHERE decided_at IS NULL ORDER BY run_id LIMIT :limit;

-- alert_told --
SELECT EXISTS (
  SELECT 1 FROM beat_reports
  WHERE session_id = :session_id AND fingerprint = :fingerprint AND ended_at > :since
    AND run_id <> :run_id AND (sent OR waits));

-- decide_report --
UPDATE beat_reports
SET decided_at = :now, sent = :sent, indicator_only = :indicator_only, reason = :reason,
    waits = :waits, connected = :connected
WHERE run_id = :run_id AND decided_at IS NULL;

-- waiting_reports --
SELECT {report_columns}
FROM beat_reports
WHERE waits AND EXISTS (
  SELECT 1 FROM json_each(report, '$.targets') WHERE value = :session_id)
ORDER BY run_id;

-- report_sent --
UPDATE beat_reports SET sent = 1, reason = NULL, waits = 0, connected = :connected
WHERE run_id = :run_id AND waits;

-- last_reports --
SELECT {report_columns}
FROM beat_reports
WHERE run_id IN (
  SELECT max(run_id) FROM beat_reports
  WHERE :session_id IS NULL OR session_id = :session_id GROUP BY session_id);

-- suppressed_reports --
SELECT {report_columns}
FROM beat_reports
WHERE reason IS NOT NULL AND run_id < :before
  AND (:session_id IS NULL OR session_id = :session_id)
ORDER BY run_id DESC LIMIT :limit;

-- forget_reports --
DELETE FROM beat_reports WHERE session_id = :session_id;

-- life_of_beats --
SELECT
  (SELECT finished_at FROM runs
   WHERE source_ref = :session_id AND source = 'heartbeat' AND started_at IS NOT NULL
     AND status IN ('success', 'error', 'timeout', 'skipped') AND reason IS NOT :quiet
   ORDER BY finished_at DESC LIMIT 1),
  (SELECT max(scheduled_at) FROM slots
   WHERE source = 'heartbeat' AND source_ref = :session_id AND outcome = 'skipped'
     AND reason IN ('cooldown', 'breaker')),
  (SELECT max(last_at) FROM (
     SELECT last_at, cause FROM missed
     WHERE source_ref = :session_id AND status <> 'withdrawn'
     ORDER BY first_at DESC LIMIT :beats)
   WHERE cause IN (SELECT value FROM json_each(:causes))),
  EXISTS (SELECT 1 FROM runs
   WHERE source_ref = :session_id AND source = 'heartbeat' AND status = 'running'
     AND finished_at IS NULL);
