-- The rules of time zones that cron jobs are, or were, planned by (domain/local_time.py).

CREATE TABLE zone_rules (
  fingerprint TEXT PRIMARY KEY,
  timezone TEXT NOT NULL,
  changes TEXT NOT NULL           -- JSON: [[UTC second, offset from then on], ...]
) WITHOUT ROWID;

CREATE TABLE zones (
  timezone TEXT PRIMARY KEY,
  rules TEXT,                     -- what its jobs are planned by; NULL: not known yet
  first_rules TEXT                -- what versions that recorded no rules were planned by
) WITHOUT ROWID;

INSERT INTO zones (timezone)
SELECT DISTINCT json_extract(spec, '$.schedule.timezone') FROM job_versions
WHERE json_extract(spec, '$.schedule.kind') = 'cron'
  AND json_extract(spec, '$.schedule.timezone') <> 'UTC';
