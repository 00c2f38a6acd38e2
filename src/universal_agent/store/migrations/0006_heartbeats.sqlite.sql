-- A session's beats are a job with the session's id; what waits to be told to a beat.

ALTER TABLE jobs ADD COLUMN source TEXT NOT NULL DEFAULT 'cron';
CREATE INDEX jobs_of_source ON jobs (source, job_id) WHERE source <> 'cron' AND deleted_at IS NULL;

ALTER TABLE runs ADD COLUMN spec TEXT;   -- JSON, of a turn: it is no job's; NULL: its job version's

ALTER TABLE feed_missed ADD COLUMN source TEXT NOT NULL DEFAULT 'cron';
ALTER TABLE feed_versions ADD COLUMN source TEXT NOT NULL DEFAULT 'cron';

CREATE TABLE system_events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  session_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  payload TEXT NOT NULL,                -- JSON
  created_at REAL NOT NULL,
  created_by TEXT NOT NULL,
  run_id TEXT                           -- the beat that has it; gone once that has run well
);
CREATE INDEX system_events_of ON system_events (session_id, event_id);
CREATE INDEX system_events_with ON system_events (run_id) WHERE run_id IS NOT NULL;
