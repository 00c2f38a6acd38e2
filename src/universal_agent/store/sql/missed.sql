-- Missed spans.

-- {missed_columns} --
missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id, status,
created_at, updated_at, useful_until, note, decided_by, run_id, held_by

-- insert_missed --
INSERT INTO missed (missed_id, source, source_ref, job_version, first_at, last_at, count, cause,
                    outage_id, status, created_at, updated_at, useful_until, note, decided_by,
                    run_id, held_by)
VALUES (:missed_id, :source, :source_ref, :job_version, :first_at, :last_at, :count, :cause,
        :outage_id, :status, :created_at, :updated_at, :useful_until, :note, :decided_by, :run_id,
        :held_by);

-- change_missed --
UPDATE missed
SET first_at = :first_at, last_at = :last_at, count = :count, status = :status,
    updated_at = :updated_at, note = :note, decided_by = :decided_by, run_id = :run_id
WHERE missed_id = :missed_id AND status = :was;

-- get_missed --
SELECT {missed_columns}
FROM missed WHERE missed_id = :missed_id;

-- missed_with_slot --
SELECT {missed_columns}
FROM missed WHERE source_ref = :source_ref AND first_at <= :at AND last_at >= :at
  AND status <> 'withdrawn'
ORDER BY status IN ('pending', 'open') DESC, created_at DESC, missed_id DESC;

-- missed_after --
SELECT {missed_columns}
FROM missed WHERE source_ref = :source_ref AND last_at > :after AND status <> 'withdrawn'
ORDER BY first_at, missed_id;

-- missed_spans --
SELECT {missed_columns}
FROM missed WHERE status = :status AND (:job_id IS NULL OR source_ref = :job_id)
ORDER BY created_at, missed_id LIMIT :limit;

-- count_pending_slots --
SELECT coalesce(sum(count), 0) FROM missed WHERE status = 'pending';

-- pending_group --
SELECT {missed_columns}
FROM missed
WHERE source_ref = :source_ref AND outage_id = :outage_id AND status = :status;

-- open_before --
SELECT {missed_columns}
FROM missed WHERE source_ref = :source_ref AND status = 'open' AND last_at < :before
ORDER BY last_at;

-- pending_of_job --
SELECT {missed_columns}
FROM missed WHERE source_ref = :job_id AND status IN ('pending', 'open') ORDER BY last_at;

-- pending_in_outage --
SELECT EXISTS (SELECT 1 FROM missed WHERE outage_id = :outage_id AND status = 'pending');

-- refs_in_outage --
SELECT DISTINCT source_ref FROM missed WHERE status = 'pending' AND outage_id = :outage_id;

-- decided_together --
SELECT {missed_columns}
FROM missed
WHERE source_ref = :source_ref AND outage_id = :outage_id AND status = :status
  AND updated_at = :updated_at;

-- useless_missed --
SELECT {missed_columns}
FROM missed WHERE status = 'pending' AND useful_until <= :now
ORDER BY useful_until LIMIT :limit;

-- expire_at --
UPDATE missed SET useful_until = :useful_until WHERE missed_id = :missed_id AND status = 'pending';

-- expired_before --
SELECT {missed_columns}
FROM missed
WHERE status = 'expired' AND updated_at <= :at AND (updated_at < :at OR missed_id < :missed_id)
ORDER BY updated_at DESC, missed_id DESC LIMIT :limit;

-- expired_between --
SELECT {missed_columns}
FROM missed
WHERE status = 'expired' AND updated_at > :since AND updated_at <= :until
ORDER BY updated_at, missed_id;

-- expired_too_early --
SELECT {missed_columns}
FROM missed WHERE source_ref = :source_ref AND status = 'expired' AND useful_until > :now
ORDER BY first_at, missed_id;

-- judged_ahead --
SELECT source_ref FROM missed
WHERE (last_at > :since AND status <> 'withdrawn')
   OR (status = 'expired' AND useful_until > :now)
UNION
SELECT source_ref FROM slots
WHERE scheduled_at > :since AND run_id IS NULL AND outcome = 'skipped'
  AND reason IN (SELECT value FROM json_each(:skips))
UNION
SELECT job_id FROM jobs WHERE effective_from > :begun_after AND deleted_at IS NULL
ORDER BY 1;
