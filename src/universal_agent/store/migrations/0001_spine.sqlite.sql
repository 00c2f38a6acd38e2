-- The spine: jobs and their versions, slots, runs, missed spans, the event log.
-- Instants are epoch seconds: whole (INTEGER) where they name a slot, REAL elsewhere.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE jobs (
  job_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  owner_id TEXT NOT NULL,
  created_at REAL NOT NULL,
  effective_from REAL NOT NULL,
  next_run_at INTEGER,            -- nominal time of the next slot not yet decided
  due_at REAL,                    -- the same, shifted by the job's jitter: when to wake
  consecutive_failures INTEGER NOT NULL DEFAULT 0,
  deleted_at REAL
) WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE job_versions (
  job_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  spec TEXT NOT NULL,             -- JSON, domain/job.py
  effective_from REAL NOT NULL,   -- expects slots after this ...
  effective_until REAL,           -- ... up to and with this; NULL: in force
  PRIMARY KEY (job_id, version)
) WITHOUT ROWID;

-- One row for each slot that was admitted or skipped. The primary key is the conservation law:
-- whoever inserts it first owns the slot. Time comes first in it, so that slots of one moment lie
-- side by side and a commit that admits a hundred of them writes a page or two.
CREATE TABLE slots (
  source TEXT NOT NULL,
  source_ref TEXT NOT NULL,
  scheduled_at INTEGER NOT NULL,
  job_version INTEGER NOT NULL,
  outcome TEXT NOT NULL,          -- the status of its last attempt, or skipped
  reason TEXT,
  run_id TEXT,                    -- its last attempt
  retry_at REAL,                  -- when the next attempt is to be made
  missed_id TEXT,                 -- set when the slot is accounted for as missed
  PRIMARY KEY (scheduled_at, source, source_ref)
) WITHOUT ROWID;
CREATE INDEX slots_retry ON slots (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX slots_retry_of ON slots (source_ref) WHERE retry_at IS NOT NULL;

CREATE TABLE runs (
  run_id TEXT PRIMARY KEY,        -- sorts by the time it was made
  source TEXT NOT NULL,
  source_ref TEXT NOT NULL,
  scheduled_at REAL NOT NULL,
  has_slot INTEGER NOT NULL,
  job_version INTEGER NOT NULL,
  status TEXT NOT NULL,
  trigger TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  serial INTEGER NOT NULL,        -- 1: never beside another run of its job
  queued_at REAL NOT NULL,
  queue_until REAL,               -- missed(capacity) when still queued then
  started_at REAL,
  finished_at REAL,
  error TEXT,
  reason TEXT,
  exit_code INTEGER,
  output_preview TEXT NOT NULL DEFAULT '',
  host TEXT,
  approved_by TEXT
) WITHOUT ROWID;
CREATE INDEX runs_of_job ON runs (source_ref, run_id);
CREATE INDEX runs_open ON runs (source_ref, status) WHERE finished_at IS NULL;
CREATE INDEX runs_queue ON runs (priority, scheduled_at, run_id) WHERE status = 'queued';
CREATE INDEX runs_overdue ON runs (queue_until) WHERE status = 'queued';

-- Missed slots as spans of neighbours, never one row a slot.
CREATE TABLE missed (
  missed_id TEXT PRIMARY KEY,
  source TEXT NOT NULL,
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
CREATE INDEX missed_of_job ON missed (source_ref, first_at);
CREATE INDEX missed_open ON missed (created_at) WHERE status = 'pending';
CREATE INDEX missed_useful ON missed (useful_until)
  WHERE status = 'pending' AND useful_until IS NOT NULL;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  type TEXT NOT NULL,
  timestamp REAL NOT NULL,
  source_ref TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  session_id TEXT,
  status TEXT NOT NULL,
  data TEXT NOT NULL
);

-- Idempotency-Key of an acknowledged POST and the thing it made; kept a day.
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  resource TEXT NOT NULL,
  created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);
