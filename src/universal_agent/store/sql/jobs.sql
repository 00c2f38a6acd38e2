-- Jobs and their versions.

-- {version_columns} --
job_id, version, spec, effective_from, effective_until

-- {job_columns} --
j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at,
(SELECT started_at FROM runs
 WHERE source_ref = j.job_id AND source = j.source AND started_at IS NOT NULL
 ORDER BY run_id DESC LIMIT 1),
j.consecutive_failures,
EXISTS (SELECT 1 FROM runs
        WHERE source_ref = j.job_id AND finished_at IS NULL AND status = 'running'),
j.probe_at

-- {due_job_columns} --
j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at, NULL,
j.consecutive_failures, 0, j.probe_at

-- insert_job --
INSERT INTO jobs (job_id, source, version, enabled, owner_id, created_at, effective_from,
                  next_run_at, due_at, pool)
VALUES (:job_id, :source, :version, :enabled, :owner_id, :created_at, :effective_from,
        :next_run_at, :due_at, :pool);

-- insert_job_version --
INSERT INTO job_versions (job_id, version, spec, effective_from)
VALUES (:job_id, :version, :spec, :effective_from);

-- close_job_version --
UPDATE job_versions SET effective_until = :effective_until
WHERE job_id = :job_id AND version = :version;

-- replace_job --
UPDATE jobs
SET version = :version, enabled = :enabled, owner_id = :owner_id, pool = :pool,
    effective_from = :effective_from, next_run_at = :next_run_at, due_at = :due_at,
    consecutive_failures = CASE WHEN :resets_failures THEN 0 ELSE consecutive_failures END,
    probe_at = CASE WHEN :held THEN probe_at END
WHERE job_id = :job_id AND version = :replaces AND next_run_at IS :mark
  AND deleted_at IS NULL AND (due_at IS NULL OR due_at > :now);

-- hold_job --
UPDATE jobs SET version = :version, effective_from = :effective_from, probe_at = :probe_at
WHERE job_id = :job_id AND version = :replaces AND deleted_at IS NULL;

-- set_probe --
UPDATE jobs SET probe_at = :probe_at WHERE job_id = :job_id AND probe_at IS NOT NULL;

-- take_probe --
UPDATE jobs SET probe_at = :next_probe_at WHERE job_id = :job_id AND probe_at <= :slot;

-- held_among --
SELECT j.job_id FROM json_each(:refs) d CROSS JOIN jobs j ON j.job_id = d.value
WHERE j.probe_at IS NOT NULL AND j.deleted_at IS NULL;

-- breaker_of_job --
WITH held AS (
  SELECT min(effective_from) AS since FROM job_versions
  WHERE job_id = :job_id AND version > coalesce((
    SELECT max(version) FROM job_versions
    WHERE job_id = :job_id AND json_extract(spec, '$.off_label') IS NOT 'auto_paused'), 0))
SELECT since, (
  SELECT count(*) FROM slots
  WHERE source_ref = :job_id AND outcome = 'skipped' AND reason IN ('cooldown', 'breaker')
    AND reason = 'breaker' AND scheduled_at > held.since)
FROM held;

-- held_jobs --
SELECT job_id FROM jobs WHERE probe_at IS NOT NULL;

-- delete_job --
UPDATE jobs SET deleted_at = :now, next_run_at = NULL, due_at = NULL, probe_at = NULL
WHERE job_id = :job_id AND version = :version AND next_run_at IS :mark
  AND deleted_at IS NULL AND (due_at IS NULL OR due_at > :now);

-- get_job --
SELECT {job_columns}
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.job_id = :job_id AND j.deleted_at IS NULL;

-- list_jobs --
SELECT {job_columns}
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.job_id > :cursor AND j.deleted_at IS NULL AND j.source = 'cron'
  AND (:owner_id IS NULL OR j.owner_id = :owner_id)
ORDER BY j.job_id LIMIT :limit;

-- count_jobs --
SELECT count(*) FROM jobs
WHERE deleted_at IS NULL AND source = 'cron' AND (:owner_id IS NULL OR owner_id = :owner_id);

-- count_enabled_jobs --
SELECT count(*) FROM jobs WHERE deleted_at IS NULL AND source = 'cron' AND enabled;

-- list_beats --
SELECT {job_columns}
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.source <> 'cron' AND j.source = 'heartbeat' AND j.deleted_at IS NULL ORDER BY j.job_id;

-- due_jobs --
SELECT {due_job_columns}
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at <= :until AND j.source <> :without ORDER BY j.due_at LIMIT :limit;

-- due_page --
SELECT {due_job_columns}, j.due_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at <= :until AND j.due_at >= :after_at AND (j.due_at, j.job_id) > (:after_at, :after_id)
  AND j.source = :source
ORDER BY j.due_at, j.job_id LIMIT :limit;

-- next_jobs --
SELECT {job_columns}
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at IS NOT NULL ORDER BY j.due_at LIMIT :limit;

-- next_due --
SELECT (SELECT min(due_at) FROM jobs WHERE due_at > :until AND source <> :without),
       (SELECT min(retry_at) FROM slots WHERE retry_at IS NOT NULL AND source <> :without),
       (SELECT min(queue_until) FROM runs WHERE status = 'queued'),
       (SELECT min(useful_until) FROM missed
        WHERE status = 'pending' AND useful_until IS NOT NULL),
       (SELECT min(until) FROM cooldowns WHERE until > :until),
       EXISTS (SELECT 1 FROM cooldowns WHERE until <= :until);

-- spec_of --
SELECT spec FROM job_versions WHERE job_id = :job_id AND version = :version;

-- latest_spec --
SELECT spec FROM job_versions WHERE job_id = :job_id ORDER BY version DESC LIMIT 1;

-- own_spec --
SELECT spec FROM runs WHERE run_id = :run_id AND spec IS NOT NULL;

-- advance_jobs --
UPDATE jobs
SET next_run_at = json_extract(d.value, '$[3]'), due_at = json_extract(d.value, '$[4]')
FROM json_each(:rows) d
WHERE jobs.job_id = json_extract(d.value, '$[0]')
  AND jobs.version = json_extract(d.value, '$[1]')
  AND jobs.next_run_at = json_extract(d.value, '$[2]') AND jobs.deleted_at IS NULL
RETURNING job_id;

-- postpone_job --
UPDATE jobs SET due_at = :due_at
WHERE job_id = :job_id AND version = :version AND due_at IS NOT NULL;

-- move_mark --
UPDATE jobs SET next_run_at = :next_run_at, due_at = :due_at
WHERE job_id = :job_id AND deleted_at IS NULL;

-- lock_job --
-- The job's row is the lock of its slots and its plan.
UPDATE jobs SET next_run_at = next_run_at
WHERE job_id = :job_id AND version = :version AND next_run_at IS :mark AND deleted_at IS NULL;

-- count_outcome --
UPDATE jobs SET consecutive_failures = CASE WHEN :failed THEN consecutive_failures + 1 ELSE 0 END
WHERE job_id = :job_id AND (:failed OR consecutive_failures > 0);

-- job_ends --
SELECT deleted_at, next_run_at FROM jobs WHERE job_id = :job_id;

-- versions_of_job --
SELECT {version_columns} FROM job_versions
WHERE job_id = :job_id ORDER BY version;

-- plan_job --
UPDATE jobs SET version = :version, effective_from = :effective_from, next_run_at = :next_run_at,
                due_at = :due_at
WHERE job_id = :job_id AND deleted_at IS NULL;

-- cut_version_short --
UPDATE job_versions
SET effective_until = :effective_until, slots_until = coalesce(slots_until, :slots_until)
WHERE job_id = :job_id AND version = :version;
