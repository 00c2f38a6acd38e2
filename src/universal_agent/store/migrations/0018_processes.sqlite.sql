-- The processes that claim runs. A claim carries the id of its process. beat_at is the last sign of
-- life; where a process holds the database alone, its lock is the sign (docs/adr/0011).

CREATE TABLE processes (
  process_id TEXT PRIMARY KEY,
  host TEXT NOT NULL,
  kind TEXT NOT NULL,
  started_at REAL NOT NULL,
  beat_at REAL NOT NULL
) WITHOUT ROWID;

ALTER TABLE runs ADD COLUMN process_id TEXT;
