-- Change requests: what was proposed, and what became of it.

CREATE TABLE proposals (
  proposal_id TEXT PRIMARY KEY,
  event_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  job_version INTEGER NOT NULL,
  record TEXT NOT NULL,               -- JSON, engine/changes.py
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  decided_at REAL,
  decided_by TEXT
) WITHOUT ROWID;
