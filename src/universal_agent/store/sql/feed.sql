-- The calendar's projection (V2): read for a window, written by the fold, and copied page by page.

-- {of_asked_jobs} --
(:owner IS NULL OR source_ref IN (
  SELECT j.job_id FROM feed_jobs j JOIN feed_versions v
  ON v.job_id = j.job_id AND v.version = j.version
  WHERE json_extract(v.spec, '$.user_id') = :owner))
AND (:only IS NULL OR source_ref IN (SELECT value FROM json_each(:only)))

-- feed_jobs --
SELECT j.job_id, j.version, v.spec, j.next_run_at, j.deleted
FROM (SELECT job_id FROM feed_jobs WHERE next_run_at < :end
      UNION SELECT job_id FROM feed_jobs WHERE frequent AND NOT deleted
      UNION SELECT source_ref FROM feed_slots
      WHERE :is_digest AND lane = '' AND scheduled_at >= :start AND scheduled_at < :end) d
CROSS JOIN feed_jobs j ON j.job_id = d.job_id AND NOT j.deleted
JOIN feed_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE (:owner IS NULL OR json_extract(v.spec, '$.user_id') = :owner)
  AND (:source IS NULL OR v.source = :source)
LIMIT :most;

-- feed_jobs_named --
SELECT j.job_id, j.version, v.spec, j.next_run_at, j.deleted
FROM json_each(:refs) d CROSS JOIN feed_jobs j ON j.job_id = d.value
JOIN feed_versions v ON v.job_id = j.job_id AND v.version = j.version;

-- feed_specs --
SELECT v.job_id, v.version, v.spec
FROM json_each(:versions) d
CROSS JOIN feed_versions v ON v.job_id = json_extract(d.value, '$[0]')
  AND v.version = json_extract(d.value, '$[1]');

-- feed_slots --
SELECT source, source_ref, scheduled_at, outcome, reason, run_id, duration_seconds, moved_to
FROM feed_slots WHERE lane = '' AND scheduled_at >= :start AND scheduled_at < :end
  AND (:source IS NULL OR source = :source)
  AND {of_asked_jobs}
  AND (:digest IS NULL OR (NOT :every AND source = 'cron'
       AND source_ref NOT IN (SELECT value FROM json_each(:digest))))
LIMIT :most;

-- feed_slots_of --
SELECT source, source_ref, scheduled_at, outcome, reason, run_id, duration_seconds, moved_to
FROM feed_slots
WHERE lane IN ('', :source_ref) AND scheduled_at >= :start AND scheduled_at < :end
  AND source_ref = :source_ref
ORDER BY scheduled_at LIMIT :most;

-- feed_slot_counts --
SELECT source_ref, count(*), max(scheduled_at)
FROM (SELECT source_ref, scheduled_at FROM feed_slots
      WHERE lane = '' AND scheduled_at >= :start AND scheduled_at < :end
        AND (:source IS NULL OR source = :source)
        AND {of_asked_jobs}
        AND (:digest IS NULL OR (NOT :every AND source = 'cron'
             AND source_ref NOT IN (SELECT value FROM json_each(:digest))))
      ORDER BY scheduled_at LIMIT :most)
GROUP BY source_ref;

-- feed_slot_counts_of --
SELECT source_ref, count(*), max(scheduled_at)
FROM (SELECT source_ref, scheduled_at FROM feed_slots
      WHERE lane IN ('', :source_ref) AND scheduled_at >= :start AND scheduled_at < :end
        AND source_ref = :source_ref
      ORDER BY scheduled_at LIMIT :most)
GROUP BY source_ref;

-- feed_hour_counts --
SELECT count(*)
FROM (SELECT 1 FROM feed_hours WHERE hour >= :start - 3600 AND hour < :end
        AND (:source IS NULL OR source_ref IN (SELECT job_id FROM feed_versions WHERE source = :source))
        AND {of_asked_jobs}
      LIMIT :most);

-- feed_digest_hours --
SELECT source_ref, scheduled_at - scheduled_at % 3600, outcome, count(*)
FROM feed_slots
WHERE lane = '' AND scheduled_at >= :start AND scheduled_at < :end
  AND (:source IS NULL OR source = :source)
  AND {of_asked_jobs}
  AND (:every OR source <> 'cron' OR source_ref IN (SELECT value FROM json_each(:digest)))
GROUP BY 1, 2, 3 LIMIT :most;

-- feed_whole_hours --
SELECT source_ref, hour, outcome, count FROM feed_hours
WHERE hour >= :first AND hour < :last
  AND (:source IS NULL OR source_ref IN (SELECT job_id FROM feed_versions WHERE source = :source))
  AND {of_asked_jobs};

-- feed_part_of_hour --
SELECT s.source_ref, :hour, s.outcome, count(*)
FROM (SELECT DISTINCT source_ref FROM feed_hours
      WHERE hour = :hour AND (:only IS NULL OR source_ref IN (SELECT value FROM json_each(:only)))) d
CROSS JOIN feed_slots s ON s.lane = d.source_ref
  AND s.scheduled_at >= :start AND s.scheduled_at < :end
GROUP BY s.source_ref, s.outcome;

-- feed_taken --
SELECT DISTINCT s.source, s.source_ref, s.scheduled_at, s.outcome, s.reason, s.run_id,
       s.lane <> ''
FROM json_each(:ranges) d
CROSS JOIN feed_slots s ON s.lane IN ('', json_extract(d.value, '$[0]'))
  AND s.scheduled_at >= json_extract(d.value, '$[1]')
  AND s.scheduled_at <= json_extract(d.value, '$[2]')
  AND s.source_ref = json_extract(d.value, '$[0]');

-- feed_missed --
WITH foremost AS (
  SELECT source_ref, outage_id FROM feed_missed
  WHERE status = 'pending' AND (:source_ref IS NULL OR source_ref = :source_ref)
    AND (:source IS NULL OR source = :source)
    AND (:owner IS NULL OR source_ref IN (SELECT j.job_id FROM feed_jobs j JOIN feed_versions v
         ON v.job_id = j.job_id AND v.version = j.version
         WHERE json_extract(v.spec, '$.user_id') = :owner))
    AND (:only IS NULL OR source_ref IN (SELECT value FROM json_each(:only)))
  GROUP BY source_ref, outage_id
  ORDER BY max(useful_until) IS NULL, max(useful_until), min(created_at), source_ref LIMIT :groups)
SELECT {missed_columns}
FROM feed_missed
WHERE ((status = 'pending' AND (source_ref, outage_id) IN (SELECT source_ref, outage_id FROM foremost))
       OR (last_at >= :start AND first_at < :end AND status <> 'withdrawn'))
  AND (:source_ref IS NULL OR source_ref = :source_ref)
  AND (:source IS NULL OR source = :source)
  AND (:owner IS NULL OR source_ref IN (SELECT j.job_id FROM feed_jobs j JOIN feed_versions v
         ON v.job_id = j.job_id AND v.version = j.version
         WHERE json_extract(v.spec, '$.user_id') = :owner))
    AND (:only IS NULL OR source_ref IN (SELECT value FROM json_each(:only)))
ORDER BY missed_id LIMIT :most;

-- feed_state --
SELECT position, last_event_at FROM feed_state;

-- set_feed_state --
UPDATE feed_state SET position = :position, last_event_at = :last_event_at;

-- advance_feed_state --
UPDATE feed_state SET position = :position, last_event_at = :last_event_at
WHERE position = :seen;

-- feed_job_states --
SELECT j.job_id, j.version, j.next_run_at, j.deleted
FROM json_each(:refs) d CROSS JOIN feed_jobs j ON j.job_id = d.value;

-- feed_slot_states --
SELECT s.source, s.source_ref, s.scheduled_at, s.job_version, s.outcome, s.reason, s.run_id,
       s.duration_seconds, s.moved_to
FROM json_each(:keys) d
CROSS JOIN feed_slots s ON s.lane IN ('', json_extract(d.value, '$[0]'))
  AND s.scheduled_at = json_extract(d.value, '$[1]')
  AND s.source_ref = json_extract(d.value, '$[0]');

-- feed_exceptions --
SELECT s.source, s.source_ref, s.scheduled_at, s.job_version, s.outcome, s.reason, s.run_id,
       s.duration_seconds, s.moved_to
FROM json_each(:refs) d
CROSS JOIN feed_slots s ON s.lane IN ('', d.value) AND s.scheduled_at > :after
  AND s.source_ref = d.value AND s.run_id IS NULL AND s.outcome IN ('moved', 'skipped');

-- feed_kinds_of_versions --
SELECT v.job_id, v.version, v.frequent
FROM json_each(:versions) d
CROSS JOIN feed_versions v ON v.job_id = json_extract(d.value, '$[0]')
  AND v.version = json_extract(d.value, '$[1]')
WHERE v.frequent OR v.source <> 'cron';

-- put_feed_version --
INSERT INTO feed_versions (job_id, version, spec, frequent, source)
VALUES (:job_id, :version, :spec, :frequent, :source)
ON CONFLICT (job_id, version) DO UPDATE SET spec = excluded.spec, frequent = excluded.frequent;

-- put_feed_job --
INSERT INTO feed_jobs (job_id, version, next_run_at, deleted, frequent)
VALUES (:job_id, :version, :next_run_at, :deleted, :frequent)
ON CONFLICT (job_id) DO UPDATE
SET version = excluded.version, next_run_at = excluded.next_run_at, deleted = excluded.deleted,
    frequent = excluded.frequent;

-- put_feed_slot --
INSERT INTO feed_slots (lane, scheduled_at, source, source_ref, job_version, outcome, reason,
                        run_id, duration_seconds, moved_to)
VALUES (:lane, :scheduled_at, :source, :source_ref, :job_version, :outcome, :reason, :run_id,
        :duration_seconds, :moved_to)
ON CONFLICT (lane, scheduled_at, source, source_ref) DO UPDATE
SET job_version = excluded.job_version, outcome = excluded.outcome, reason = excluded.reason,
    run_id = excluded.run_id, duration_seconds = excluded.duration_seconds,
    moved_to = excluded.moved_to;

-- drop_feed_slot --
DELETE FROM feed_slots
WHERE lane = :lane AND scheduled_at = :scheduled_at AND source = :source
  AND source_ref = :source_ref;

-- add_to_feed_hour --
INSERT INTO feed_hours (hour, source_ref, outcome, count)
VALUES (:hour, :source_ref, :outcome, :count)
ON CONFLICT (hour, source_ref, outcome) DO UPDATE SET count = count + excluded.count;

-- drop_empty_feed_hour --
DELETE FROM feed_hours
WHERE hour = :hour AND source_ref = :source_ref AND outcome = :outcome AND count = 0;

-- put_feed_missed --
INSERT INTO feed_missed (missed_id, source, source_ref, job_version, first_at, last_at, count,
                         cause, outage_id, status, created_at, updated_at, useful_until, note,
                         decided_by, run_id, held_by)
VALUES (:missed_id, :source, :source_ref, :job_version, :first_at, :last_at, :count, :cause,
        :outage_id, :status, :created_at, :updated_at, :useful_until, :note, :decided_by, :run_id,
        :held_by)
ON CONFLICT (missed_id) DO UPDATE
SET first_at = excluded.first_at, last_at = excluded.last_at, count = excluded.count,
    status = excluded.status, updated_at = excluded.updated_at, note = excluded.note,
    decided_by = excluded.decided_by, run_id = excluded.run_id;

-- feed_dump_jobs --
-- The rows of a table in the order of its key, from any key on.
SELECT job_id, version, next_run_at, deleted, frequent FROM feed_jobs
WHERE job_id > :job_id ORDER BY job_id LIMIT :limit;

-- feed_dump_versions --
SELECT job_id, version, spec, frequent, source FROM feed_versions
WHERE (job_id, version) > (:job_id, :version) ORDER BY job_id, version LIMIT :limit;

-- feed_dump_slots --
SELECT lane, scheduled_at, source, source_ref, job_version, outcome, reason, run_id,
       duration_seconds, moved_to
FROM feed_slots
WHERE (lane, scheduled_at, source, source_ref) > (:lane, :scheduled_at, :source, :source_ref)
ORDER BY lane, scheduled_at, source, source_ref LIMIT :limit;

-- feed_dump_hours --
SELECT hour, source_ref, outcome, count FROM feed_hours
WHERE (hour, source_ref, outcome) > (:hour, :source_ref, :outcome)
ORDER BY hour, source_ref, outcome LIMIT :limit;

-- feed_dump_missed --
SELECT {missed_columns}
FROM feed_missed WHERE missed_id > :missed_id ORDER BY missed_id LIMIT :limit;

-- feed_dump_state --
SELECT position, last_event_at FROM feed_state WHERE position > :position LIMIT :limit;

-- clear_feed_jobs --
DELETE FROM feed_jobs;

-- clear_feed_versions --
DELETE FROM feed_versions;

-- clear_feed_slots --
DELETE FROM feed_slots;

-- clear_feed_hours --
DELETE FROM feed_hours;

-- clear_feed_missed --
DELETE FROM feed_missed;
