-- Resources that refused or could not be reached; runs that use them wait (domain/cooldown.py).
-- A row is an open cooldown; the event log keeps those that are over.

CREATE TABLE cooldowns (
  resource TEXT PRIMARY KEY,
  cause TEXT NOT NULL,
  since REAL NOT NULL,
  until REAL NOT NULL,
  is_named INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  slots INTEGER NOT NULL,
  opened_by TEXT NOT NULL,
  run_id TEXT NOT NULL,
  error TEXT,
  probe_run_id TEXT
) WITHOUT ROWID;

-- Attempts that ended for an outage of a service.
CREATE INDEX runs_outages ON runs (source_ref, scheduled_at) WHERE end_class <> 'failed';
