-- How many jobs there are, and how many of them are enabled, is asked at every start and by every
-- look at the overview: an index answers that, and no specification is read.

ALTER TABLE jobs ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1;
UPDATE jobs SET enabled = coalesce(
  (SELECT json_extract(v.spec, '$.enabled') FROM job_versions v
   WHERE v.job_id = jobs.job_id AND v.version = jobs.version), 1);
CREATE INDEX jobs_counted ON jobs (source, deleted_at, enabled, owner_id);
