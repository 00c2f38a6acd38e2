-- The calendar, scanned from the runtime tables (V1). The statements of feed.sql answer the same
-- questions with the same columns in the same order. Rows that are not shown are not read.

-- calendar_jobs --
SELECT j.job_id, j.version, v.spec, j.next_run_at, 0
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.deleted_at IS NULL AND (:source_ref IS NULL OR j.job_id = :source_ref)
  AND (:owner IS NULL OR j.owner_id = :owner) AND (:source IS NULL OR j.source = :source)
LIMIT :most;

-- calendar_jobs_named --
SELECT j.job_id, j.version, v.spec, j.next_run_at, j.deleted_at IS NOT NULL
FROM json_each(:refs) d CROSS JOIN jobs j ON j.job_id = d.value
JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version;

-- calendar_versions --
-- One hour earlier: the version that a slot belongs to may have ended with that slot.
SELECT job_id, version, spec FROM job_versions
WHERE effective_from < :end + 3600 AND (
  effective_until IS NULL OR effective_until > :start - 3600 OR slots_until > :start - 3600);

-- calendar_slots --
SELECT s.source, s.source_ref, s.scheduled_at, s.outcome, s.reason, s.run_id,
       r.finished_at - r.started_at, CASE WHEN s.outcome = 'moved' THEN s.retry_at END
FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id
WHERE s.scheduled_at >= :start AND s.scheduled_at < :end
  AND (:source_ref IS NULL OR s.source_ref = :source_ref)
  AND (:source IS NULL OR s.source = :source)
  AND (:owner IS NULL OR s.source_ref IN (SELECT job_id FROM jobs WHERE owner_id = :owner))
  AND s.source_ref || ' ' || s.job_version NOT IN (SELECT value FROM json_each(:summed))
  AND (:digest IS NULL OR (NOT :every AND s.source = 'cron'
       AND s.source_ref NOT IN (SELECT value FROM json_each(:digest))))
ORDER BY s.scheduled_at, s.source, s.source_ref
LIMIT :most;

-- calendar_slot_counts --
SELECT source_ref, count(*), max(scheduled_at)
FROM (SELECT s.source_ref, s.scheduled_at FROM slots s
      WHERE s.scheduled_at >= :start AND s.scheduled_at < :end
        AND (:source_ref IS NULL OR s.source_ref = :source_ref)
        AND (:source IS NULL OR s.source = :source)
        AND (:owner IS NULL OR s.source_ref IN (SELECT job_id FROM jobs WHERE owner_id = :owner))
        AND s.source_ref || ' ' || s.job_version NOT IN (SELECT value FROM json_each(:summed))
        AND (:digest IS NULL OR (NOT :every AND s.source = 'cron'
             AND s.source_ref NOT IN (SELECT value FROM json_each(:digest))))
      ORDER BY s.scheduled_at LIMIT :most)
GROUP BY source_ref;

-- calendar_hours --
SELECT s.source_ref, s.scheduled_at - s.scheduled_at % 3600, s.outcome, count(*)
FROM slots s
WHERE s.scheduled_at >= :start AND s.scheduled_at < :end
  AND (:source IS NULL OR s.source = :source)
  AND (:owner IS NULL OR s.source_ref IN (SELECT job_id FROM jobs WHERE owner_id = :owner))
  AND (s.source_ref || ' ' || s.job_version IN (SELECT value FROM json_each(:summed))
       OR (:digest IS NOT NULL AND (:every OR s.source <> 'cron'
           OR s.source_ref IN (SELECT value FROM json_each(:digest)))))
GROUP BY 1, 2, 3 LIMIT :most;

-- calendar_taken --
SELECT DISTINCT s.source, s.source_ref, s.scheduled_at, s.outcome, s.reason, s.run_id,
       s.job_version
FROM json_each(:ranges) d
CROSS JOIN slots s ON s.scheduled_at >= json_extract(d.value, '$[1]')
  AND s.scheduled_at <= json_extract(d.value, '$[2]')
  AND s.source_ref = json_extract(d.value, '$[0]');

-- calendar_missed --
WITH foremost AS (
  SELECT source_ref, outage_id FROM missed
  WHERE status = 'pending' AND (:source_ref IS NULL OR source_ref = :source_ref)
    AND (:source IS NULL OR source = :source)
    AND (:owner IS NULL OR source_ref IN (SELECT job_id FROM jobs WHERE owner_id = :owner))
  GROUP BY source_ref, outage_id
  ORDER BY max(useful_until) IS NULL, max(useful_until), min(created_at), source_ref LIMIT :groups)
SELECT {missed_columns}
FROM missed
WHERE ((status = 'pending' AND (source_ref, outage_id) IN (SELECT source_ref, outage_id FROM foremost))
       OR (last_at >= :start AND first_at < :end AND status <> 'withdrawn'))
  AND (:source_ref IS NULL OR source_ref = :source_ref)
  AND (:source IS NULL OR source = :source)
  AND (:owner IS NULL OR source_ref IN (SELECT job_id FROM jobs WHERE owner_id = :owner))
ORDER BY missed_id LIMIT :most;
