-- Pools bound how many of their runs are in execution. Light runs (beats, turns, jobs that say so)
-- have workers in reserve. Runs of missed slots start in the order of their deadlines.

CREATE TABLE pools (
  name TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  origin TEXT NOT NULL,           -- domain/pools.py:Origin
  updated_at REAL NOT NULL
) WITHOUT ROWID;

ALTER TABLE jobs ADD COLUMN pool TEXT;
CREATE INDEX jobs_pool ON jobs (pool) WHERE pool IS NOT NULL AND deleted_at IS NULL;

ALTER TABLE runs ADD COLUMN pool TEXT;
ALTER TABLE runs ADD COLUMN light INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN useful_until REAL;   -- of runs of missed slots
ALTER TABLE runs ADD COLUMN raised_at REAL;      -- when waiting raised its priority last
UPDATE runs SET light = 1 WHERE finished_at IS NULL AND source <> 'cron';

DROP INDEX runs_queue;
CREATE INDEX runs_queue ON runs (pool, light, priority, scheduled_at, run_id)
  WHERE status = 'queued' AND trigger NOT IN ('catch_up', 'approved');
CREATE INDEX runs_late_queue
  ON runs (pool, coalesce(useful_until, 9e15), priority, scheduled_at, run_id)
  WHERE status = 'queued' AND trigger IN ('catch_up', 'approved');
CREATE INDEX runs_pool ON runs (pool) WHERE status = 'running' AND pool IS NOT NULL;

-- What held the pool while the slot waited, in words.
ALTER TABLE missed ADD COLUMN held_by TEXT;
ALTER TABLE feed_missed ADD COLUMN held_by TEXT;
