-- A job that fails again and again is held: it stays enabled, its slots are skipped, and from
-- probe_at on one of them runs as a probe. NULL: the job is not held.

ALTER TABLE jobs ADD COLUMN probe_at REAL;
CREATE INDEX jobs_held ON jobs (probe_at) WHERE probe_at IS NOT NULL;
