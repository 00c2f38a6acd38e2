-- What beats had to say, and what became of it.

CREATE TABLE beat_reports (
  run_id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  ended_at REAL NOT NULL,
  fingerprint TEXT NOT NULL,            -- the same for alerts with the same words
  report TEXT NOT NULL,                 -- JSON
  decided_at REAL,                      -- NULL: who is told is still to be decided
  sent INTEGER NOT NULL DEFAULT 0,
  indicator_only INTEGER NOT NULL DEFAULT 0,
  reason TEXT,                          -- why nobody was told
  waits INTEGER NOT NULL DEFAULT 0,     -- an alert, for the next client that attaches
  connected TEXT NOT NULL DEFAULT '[]'  -- JSON: the sessions whose clients were told
) WITHOUT ROWID;
CREATE INDEX beat_reports_of ON beat_reports (session_id, run_id);
CREATE INDEX beat_reports_alike ON beat_reports (session_id, fingerprint, ended_at);
CREATE INDEX beat_reports_undecided ON beat_reports (run_id) WHERE decided_at IS NULL;
CREATE INDEX beat_reports_waiting ON beat_reports (run_id) WHERE waits;
CREATE INDEX beat_reports_suppressed ON beat_reports (run_id) WHERE reason IS NOT NULL;
