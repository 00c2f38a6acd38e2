-- The calendar's projection: fed from the event log and from nothing else. `position` is the seq
-- of the last event in it; it moves in the transaction that applies the event.

CREATE TABLE feed_state (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  position INTEGER NOT NULL,
  last_event_at REAL
);
INSERT INTO feed_state (only_row, position) VALUES (1, 0);

CREATE TABLE feed_jobs (
  job_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  next_run_at INTEGER,
  deleted INTEGER NOT NULL,
  frequent INTEGER NOT NULL       -- more than 288 slots a day: has a row even when none is due
) WITHOUT ROWID;
CREATE INDEX feed_jobs_expected ON feed_jobs (next_run_at) WHERE next_run_at IS NOT NULL;
CREATE INDEX feed_jobs_frequent ON feed_jobs (job_id) WHERE frequent AND NOT deleted;

CREATE TABLE feed_versions (
  job_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  spec TEXT NOT NULL,
  frequent INTEGER NOT NULL,
  PRIMARY KEY (job_id, version)
) WITHOUT ROWID;

-- Slots that are listed share the lane '', in the order of time; those of a frequent version lie
-- in a lane of their own, so that a week of the others is read without passing 600,000 of these.
CREATE TABLE feed_slots (
  lane TEXT NOT NULL,
  scheduled_at INTEGER NOT NULL,
  source TEXT NOT NULL,
  source_ref TEXT NOT NULL,
  job_version INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT,
  run_id TEXT,
  duration_seconds REAL,
  moved_to REAL,
  PRIMARY KEY (lane, scheduled_at, source, source_ref)
) WITHOUT ROWID;

-- What lies in the lanes of frequent versions, counted.
CREATE TABLE feed_hours (
  hour INTEGER NOT NULL,
  source_ref TEXT NOT NULL,
  outcome TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (hour, source_ref, outcome)
) WITHOUT ROWID;

CREATE TABLE feed_missed (
  missed_id TEXT PRIMARY KEY,
  source_ref TEXT NOT NULL,
  job_version INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  cause TEXT NOT NULL,
  outage_id TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  useful_until REAL,
  note TEXT,
  decided_by TEXT,
  run_id TEXT
) WITHOUT ROWID;
CREATE INDEX feed_missed_open ON feed_missed (missed_id) WHERE status = 'pending';
CREATE INDEX feed_missed_until ON feed_missed (last_at);
