-- Slots: claimed, moved, skipped, tried again.

-- taken_slots --
-- A missed slot that was rescheduled while the clock was ahead may come again.
SELECT s.source_ref, s.scheduled_at FROM json_each(:keys) d
CROSS JOIN slots s ON s.source = json_extract(d.value, '$[0]')
            AND s.source_ref = json_extract(d.value, '$[1]')
            AND s.scheduled_at = json_extract(d.value, '$[2]')
UNION ALL
SELECT m.source_ref, m.last_at FROM json_each(:keys) d
CROSS JOIN missed m ON m.source_ref = json_extract(d.value, '$[1]')
            AND m.last_at = json_extract(d.value, '$[2]') AND m.status = 'rescheduled';

-- decided_between --
SELECT scheduled_at FROM slots
WHERE scheduled_at >= :first_at AND scheduled_at <= :last_at AND source_ref = :source_ref
UNION
SELECT last_at FROM missed
WHERE last_at >= :first_at AND last_at <= :last_at AND source_ref = :source_ref
  AND status = 'rescheduled'
ORDER BY 1;

-- claim_slot --
INSERT INTO slots (source, source_ref, scheduled_at, job_version, outcome, reason, run_id, missed_id)
VALUES (:source, :source_ref, :scheduled_at, :job_version, :outcome, :reason, :run_id, :missed_id)
ON CONFLICT DO NOTHING;

-- put_slot --
INSERT INTO slots (source, source_ref, scheduled_at, job_version, outcome, reason, run_id, missed_id)
VALUES (:source, :source_ref, :scheduled_at, :job_version, :outcome, :reason, :run_id, :missed_id)
ON CONFLICT (source, source_ref, scheduled_at) DO UPDATE
SET outcome = excluded.outcome, reason = excluded.reason, run_id = excluded.run_id,
    retry_at = NULL, missed_id = excluded.missed_id;

-- start_slot_at --
UPDATE slots SET retry_at = :retry_at
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- set_slot_outcome --
UPDATE slots SET outcome = :outcome, reason = :reason, retry_at = :retry_at
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id = :run_id;

-- miss_slot --
UPDATE slots SET outcome = :outcome, reason = :reason, retry_at = NULL, missed_id = :missed_id
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id = :run_id
RETURNING job_version;

-- take_start --
UPDATE slots SET retry_at = NULL
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND retry_at = :retry_at;

-- next_attempt --
UPDATE slots SET run_id = :run_id, outcome = 'queued', reason = NULL
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- drop_retries --
UPDATE slots SET retry_at = NULL, reason = :reason
WHERE source_ref IN (SELECT value FROM json_each(:refs))
  AND retry_at IS NOT NULL AND run_id IS NOT NULL
RETURNING run_id;

-- drop_retry --
UPDATE slots SET retry_at = NULL, reason = :reason
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
RETURNING run_id;

-- due_starts --
SELECT s.source, s.source_ref, s.scheduled_at, s.retry_at, s.job_version, s.run_id, r.attempt,
       r.job_version
FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id
WHERE s.retry_at <= :now AND s.source <> :without ORDER BY s.retry_at LIMIT :limit;

-- due_moved --
SELECT source, source_ref, scheduled_at, retry_at, job_version, run_id, NULL, NULL FROM slots
WHERE retry_at <= :now AND source = :source AND run_id IS NULL ORDER BY retry_at LIMIT :limit;

-- has_waiting_start --
SELECT 1 FROM slots WHERE source_ref = :job_id AND retry_at IS NOT NULL LIMIT 1;

-- attempts_of_slot --
SELECT r.attempt FROM slots s JOIN runs r ON r.run_id = s.run_id
WHERE s.source = :source AND s.source_ref = :source_ref AND s.scheduled_at = :scheduled_at;

-- run_of_slot --
SELECT run_id FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- slot_state --
SELECT outcome, reason, retry_at FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- slot_of_missed --
SELECT 1 FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND missed_id = :missed_id;

-- scheduler_skips_after --
SELECT source_ref, scheduled_at FROM slots
WHERE scheduled_at > :after AND run_id IS NULL AND outcome = 'skipped'
  AND reason IN (SELECT value FROM json_each(:skips))
  AND source_ref IN (SELECT value FROM json_each(:refs))
ORDER BY scheduled_at;

-- drop_skip --
DELETE FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id IS NULL AND outcome = 'skipped';

-- drop_override --
DELETE FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id IS NULL AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason));

-- first_decided_ahead --
SELECT min(s.scheduled_at) FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id
WHERE s.scheduled_at > :after AND s.source_ref = :job_id
  AND (r.trigger = 'early' OR (s.run_id IS NULL AND (
    s.outcome = 'moved' OR (s.outcome = 'skipped' AND s.reason = :reason))));

-- overrides_after --
SELECT scheduled_at FROM slots
WHERE scheduled_at > :after AND source_ref = :job_id AND run_id IS NULL
  AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason))
ORDER BY scheduled_at;

-- drop_overrides_after --
DELETE FROM slots
WHERE source_ref = :job_id AND scheduled_at > :after AND run_id IS NULL
  AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason));

-- skip_moved_slots --
UPDATE slots SET outcome = 'skipped', reason = :reason, retry_at = NULL
WHERE source_ref = :job_id AND retry_at IS NOT NULL AND run_id IS NULL
  AND outcome = 'moved' AND scheduled_at <= :until
RETURNING scheduled_at, job_version;

-- skip_moved_slot --
UPDATE slots SET outcome = 'skipped', reason = :reason, retry_at = NULL
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;
