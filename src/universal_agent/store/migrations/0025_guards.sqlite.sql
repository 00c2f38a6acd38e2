-- Facts that decide races: at most one of each. Rows that would break them are closed first; no
-- version of the product has made such rows.

UPDATE runs SET serial = 0
WHERE finished_at IS NULL AND status = 'running' AND serial AND EXISTS (
  SELECT 1 FROM runs x WHERE x.source_ref = runs.source_ref AND x.finished_at IS NULL
    AND x.status = 'running' AND x.serial AND x.run_id < runs.run_id);
CREATE UNIQUE INDEX runs_serial ON runs (source_ref)
  WHERE status = 'running' AND serial AND finished_at IS NULL;

UPDATE runs SET status = 'cancelled', finished_at = queued_at, error = 'another turn was open'
WHERE finished_at IS NULL AND source = 'session' AND EXISTS (
  SELECT 1 FROM runs x WHERE x.source_ref = runs.source_ref AND x.finished_at IS NULL
    AND x.source = 'session' AND x.run_id < runs.run_id);
CREATE UNIQUE INDEX runs_turn ON runs (source_ref) WHERE source = 'session' AND finished_at IS NULL;

DELETE FROM system_events
WHERE event_type = 'heartbeat_wake' AND run_id IS NULL AND event_id NOT IN (
  SELECT max(event_id) FROM system_events
  WHERE event_type = 'heartbeat_wake' AND run_id IS NULL GROUP BY session_id);
CREATE UNIQUE INDEX system_events_wake ON system_events (session_id)
  WHERE event_type = 'heartbeat_wake' AND run_id IS NULL;

UPDATE notifications SET is_open = 0
WHERE is_open AND notification_id NOT IN (
  SELECT max(notification_id) FROM notifications WHERE is_open GROUP BY incident);
DROP INDEX notifications_open;
CREATE UNIQUE INDEX notifications_open ON notifications (incident) WHERE is_open;
