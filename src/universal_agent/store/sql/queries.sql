-- Every statement the product makes. `:name` are parameters; `-- name [dialect] --` is a variant.

-- append_event --
INSERT INTO events (source, type, timestamp, source_ref, owner_id, session_id, status, data,
                    run_slot_at)
VALUES (:source, :type, :timestamp, :source_ref, :owner_id, :session_id, :status, :data,
        :run_slot_at);

-- newest_seq --
SELECT seq FROM sqlite_sequence WHERE name = 'events';

-- read_events --
SELECT seq, source, type, timestamp, source_ref, owner_id, session_id, status, data
FROM events WHERE seq > :after_seq ORDER BY seq LIMIT :limit;

-- forget_events --
DELETE FROM events
WHERE seq <= :until AND seq < (SELECT seq FROM sqlite_sequence WHERE name = 'events');

-- log_bounds --
SELECT (SELECT value FROM meta WHERE name = 'stream_id'),
       (SELECT min(seq) FROM events),
       (SELECT seq FROM sqlite_sequence WHERE name = 'events');

-- get_meta --
SELECT value FROM meta WHERE name = :name;

-- set_meta --
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- drop_meta --
DELETE FROM meta WHERE name = :name;

-- meta_with_prefix --
SELECT name, value FROM meta WHERE substr(name, 1, length(:prefix)) = :prefix;

-- audit_events --
SELECT seq, source, type, timestamp, source_ref, owner_id, session_id, status, data
FROM events
WHERE type IN (SELECT value FROM json_each(:types)) AND seq < :before_seq
ORDER BY seq DESC LIMIT :limit;

-- sizes --
SELECT (SELECT count(*) FROM jobs WHERE deleted_at IS NULL),
       (SELECT count(*) FROM jobs
        WHERE source <> 'cron' AND source = 'heartbeat' AND deleted_at IS NULL),
       (SELECT count(*) FROM runs), (SELECT timestamp FROM events ORDER BY seq DESC LIMIT 1);

-- insert_job --
INSERT INTO jobs (job_id, source, version, enabled, owner_id, created_at, effective_from,
                  next_run_at, due_at)
VALUES (:job_id, :source, :version, :enabled, :owner_id, :created_at, :effective_from,
        :next_run_at, :due_at);

-- insert_job_version --
INSERT INTO job_versions (job_id, version, spec, effective_from)
VALUES (:job_id, :version, :spec, :effective_from);

-- close_job_version --
UPDATE job_versions SET effective_until = :effective_until
WHERE job_id = :job_id AND version = :version;

-- replace_job --
UPDATE jobs
SET version = :version, enabled = :enabled, owner_id = :owner_id,
    effective_from = :effective_from, next_run_at = :next_run_at, due_at = :due_at,
    consecutive_failures = CASE WHEN :begins_anew THEN 0 ELSE consecutive_failures END,
    probe_at = CASE WHEN :held THEN probe_at END
WHERE job_id = :job_id AND version = :replaces AND next_run_at IS :mark
  AND deleted_at IS NULL AND (due_at IS NULL OR due_at > :now);

-- hold_job --
UPDATE jobs SET version = :version, effective_from = :effective_from, probe_at = :probe_at
WHERE job_id = :job_id;

-- set_probe --
UPDATE jobs SET probe_at = :probe_at WHERE job_id = :job_id AND probe_at IS NOT NULL;

-- take_probe --
UPDATE jobs SET probe_at = :next_probe_at WHERE job_id = :job_id AND probe_at <= :slot;

-- held_among --
SELECT j.job_id FROM json_each(:refs) d CROSS JOIN jobs j ON j.job_id = d.value
WHERE j.probe_at IS NOT NULL AND j.deleted_at IS NULL;

-- held_jobs --
SELECT job_id FROM jobs WHERE probe_at IS NOT NULL;

-- delete_job --
UPDATE jobs SET deleted_at = :now, next_run_at = NULL, due_at = NULL, probe_at = NULL
WHERE job_id = :job_id AND version = :version AND next_run_at IS :mark
  AND deleted_at IS NULL AND (due_at IS NULL OR due_at > :now);

-- get_job --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at,
       (SELECT started_at FROM runs
        WHERE source_ref = j.job_id AND source = j.source AND started_at IS NOT NULL
        ORDER BY run_id DESC LIMIT 1),
       j.consecutive_failures,
       EXISTS (SELECT 1 FROM runs
               WHERE source_ref = j.job_id AND finished_at IS NULL AND status = 'running'),
       j.probe_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.job_id = :job_id AND j.deleted_at IS NULL;

-- list_jobs --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at,
       (SELECT started_at FROM runs WHERE source_ref = j.job_id AND started_at IS NOT NULL
        ORDER BY run_id DESC LIMIT 1),
       j.consecutive_failures,
       EXISTS (SELECT 1 FROM runs
               WHERE source_ref = j.job_id AND finished_at IS NULL AND status = 'running'),
       j.probe_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.job_id > :cursor AND j.deleted_at IS NULL AND j.source = 'cron'
  AND (:owner_id IS NULL OR j.owner_id = :owner_id)
ORDER BY j.job_id LIMIT :limit;

-- count_jobs --
SELECT count(*) FROM jobs
WHERE deleted_at IS NULL AND source = 'cron' AND (:owner_id IS NULL OR owner_id = :owner_id);

-- list_beats --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at,
       (SELECT started_at FROM runs
        WHERE source_ref = j.job_id AND source = j.source AND started_at IS NOT NULL
        ORDER BY run_id DESC LIMIT 1),
       j.consecutive_failures,
       EXISTS (SELECT 1 FROM runs
               WHERE source_ref = j.job_id AND finished_at IS NULL AND status = 'running'),
       j.probe_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.source <> 'cron' AND j.source = 'heartbeat' AND j.deleted_at IS NULL ORDER BY j.job_id;

-- due_jobs --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at, NULL,
       j.consecutive_failures, 0, j.probe_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at <= :until AND j.source <> :without ORDER BY j.due_at LIMIT :limit;

-- due_page --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at, NULL,
       j.consecutive_failures, 0, j.probe_at, j.due_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at <= :until AND j.due_at >= :after_at AND (j.due_at, j.job_id) > (:after_at, :after_id)
  AND j.source = :source
ORDER BY j.due_at, j.job_id LIMIT :limit;

-- next_jobs --
SELECT j.job_id, j.version, v.spec, j.created_at, j.effective_from, j.next_run_at,
       (SELECT started_at FROM runs WHERE source_ref = j.job_id AND started_at IS NOT NULL
        ORDER BY run_id DESC LIMIT 1),
       j.consecutive_failures,
       EXISTS (SELECT 1 FROM runs
               WHERE source_ref = j.job_id AND finished_at IS NULL AND status = 'running'),
       j.probe_at
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.due_at IS NOT NULL ORDER BY j.due_at LIMIT :limit;

-- next_due --
SELECT (SELECT min(due_at) FROM jobs WHERE due_at > :until AND source <> :without),
       (SELECT min(retry_at) FROM slots WHERE retry_at IS NOT NULL AND source <> :without),
       (SELECT min(queue_until) FROM runs WHERE status = 'queued'),
       (SELECT min(useful_until) FROM missed
        WHERE status = 'pending' AND useful_until IS NOT NULL);

-- spec_of --
SELECT spec FROM job_versions WHERE job_id = :job_id AND version = :version;

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

-- (CROSS JOIN keeps SQLite to the order written: the few keys first, then the index.)

-- active_runs --
SELECT r.source_ref, r.run_id, r.status, r.trigger FROM json_each(:refs) d
CROSS JOIN runs r ON r.source_ref = d.value AND r.finished_at IS NULL;

-- (A missed slot that was rescheduled while the clock was ahead may come again.)

-- taken_slots --
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

-- insert_run --
INSERT INTO runs (run_id, source, source_ref, scheduled_at, has_slot, job_version, status, trigger,
                  attempt, priority, serial, queued_at, queue_until, started_at, host,
                  approved_by, spec)
VALUES (:run_id, :source, :source_ref, :scheduled_at, :has_slot, :job_version, :status, :trigger,
        :attempt, :priority, :serial, :queued_at, :queue_until, :started_at, :host, :approved_by,
        :spec);

-- drop_retries --
UPDATE slots SET retry_at = NULL, reason = :reason
WHERE source_ref IN (SELECT value FROM json_each(:refs))
  AND retry_at IS NOT NULL AND run_id IS NOT NULL
RETURNING run_id;

-- drop_retry --
UPDATE slots SET retry_at = NULL, reason = :reason
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
RETURNING run_id;

-- put_missed --
INSERT INTO missed (missed_id, source, source_ref, job_version, first_at, last_at, count, cause,
                    outage_id, status, created_at, updated_at, useful_until, note, decided_by,
                    run_id)
VALUES (:missed_id, :source, :source_ref, :job_version, :first_at, :last_at, :count, :cause,
        :outage_id, :status, :created_at, :updated_at, :useful_until, :note, :decided_by, :run_id)
ON CONFLICT (missed_id) DO UPDATE
SET first_at = excluded.first_at, last_at = excluded.last_at, count = excluded.count,
    status = excluded.status, updated_at = excluded.updated_at, note = excluded.note,
    decided_by = excluded.decided_by, run_id = excluded.run_id;

-- missed_after --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE source_ref = :source_ref AND last_at > :after AND status <> 'withdrawn'
ORDER BY first_at, missed_id;

-- expired_too_early --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE source_ref = :source_ref AND status = 'expired' AND useful_until > :now
ORDER BY first_at, missed_id;

-- slot_of_missed --
SELECT 1 FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND missed_id = :missed_id;

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

-- plan_job --
UPDATE jobs SET version = :version, effective_from = :effective_from, next_run_at = :next_run_at,
                due_at = :due_at
WHERE job_id = :job_id AND deleted_at IS NULL;

-- cut_version_short --
UPDATE job_versions
SET effective_until = :effective_until, slots_until = coalesce(slots_until, :slots_until)
WHERE job_id = :job_id AND version = :version;

-- clock --
SELECT acted_at, leapt_to FROM clock;

-- set_leapt_to --
UPDATE clock SET leapt_to = :leapt_to;

-- set_acted_at --
UPDATE clock SET acted_at = :now;

-- keep_zone_rules --
INSERT INTO zone_rules (fingerprint, timezone, changes)
VALUES (:fingerprint, :timezone, :changes) ON CONFLICT DO NOTHING;

-- keep_zone --
INSERT INTO zones (timezone, rules, first_rules) VALUES (:timezone, :rules, :rules)
ON CONFLICT (timezone) DO UPDATE
SET rules = coalesce(rules, excluded.rules), first_rules = coalesce(first_rules, excluded.rules);

-- set_zone_rules --
UPDATE zones SET rules = :rules WHERE timezone = :timezone;

-- zones_without_rules --
SELECT timezone FROM zones WHERE rules IS NULL;

-- zones_with_rules --
SELECT timezone, rules FROM zones WHERE rules IS NOT NULL ORDER BY timezone;

-- first_zone_rules --
SELECT timezone, first_rules FROM zones WHERE first_rules IS NOT NULL;

-- all_zone_rules --
SELECT timezone, changes FROM zone_rules;

-- jobs_by_other_rules --
SELECT j.job_id FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.deleted_at IS NULL AND j.enabled
  AND json_extract(v.spec, '$.schedule.timezone') = :timezone
  AND json_extract(v.spec, '$.schedule.kind') = 'cron'
  AND coalesce(json_extract(v.spec, '$.schedule.rules'), '') <> :rules
ORDER BY j.job_id;

-- missed_with_slot --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE source_ref = :source_ref AND first_at <= :at AND last_at >= :at
  AND status <> 'withdrawn'
ORDER BY status = 'pending' DESC, created_at DESC, missed_id DESC;

-- get_missed --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE missed_id = :missed_id;

-- pending_group --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed
WHERE source_ref = :source_ref AND outage_id = :outage_id AND status = 'pending';

-- pending_of_job --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE source_ref = :job_id AND status = 'pending' ORDER BY last_at;

-- decided_together --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed
WHERE source_ref = :source_ref AND outage_id = :outage_id AND status = :status
  AND updated_at = :updated_at;

-- useless_missed --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE status = 'pending' AND useful_until <= :now
ORDER BY useful_until LIMIT :limit;

-- attempts_of_slot --
SELECT r.attempt FROM slots s JOIN runs r ON r.run_id = s.run_id
WHERE s.source = :source AND s.source_ref = :source_ref AND s.scheduled_at = :scheduled_at;

-- start_slot_at --
UPDATE slots SET retry_at = :retry_at
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- move_mark --
UPDATE jobs SET next_run_at = :next_run_at, due_at = :due_at
WHERE job_id = :job_id AND deleted_at IS NULL;

-- drop_exception --
DELETE FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id IS NULL AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason));

-- first_decided_ahead --
SELECT min(s.scheduled_at) FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id
WHERE s.scheduled_at > :after AND s.source_ref = :job_id
  AND (r.trigger = 'early' OR (s.run_id IS NULL AND (
    s.outcome = 'moved' OR (s.outcome = 'skipped' AND s.reason = :reason))));

-- exceptions_after --
SELECT scheduled_at FROM slots
WHERE scheduled_at > :after AND source_ref = :job_id AND run_id IS NULL
  AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason))
ORDER BY scheduled_at;

-- skip_moved_slots --
UPDATE slots SET outcome = 'skipped', reason = :reason, retry_at = NULL
WHERE source_ref = :job_id AND retry_at IS NOT NULL AND run_id IS NULL
  AND outcome = 'moved' AND scheduled_at <= :until
RETURNING scheduled_at, job_version;

-- skip_moved_slot --
UPDATE slots SET outcome = 'skipped', reason = :reason, retry_at = NULL
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- has_waiting_start --
SELECT 1 FROM slots WHERE source_ref = :job_id AND retry_at IS NOT NULL LIMIT 1;

-- waiting_early_runs --
SELECT run_id FROM runs
WHERE source_ref = :job_id AND finished_at IS NULL AND status = 'queued' AND trigger = 'early';

-- drop_exceptions_after --
DELETE FROM slots
WHERE source_ref = :job_id AND scheduled_at > :after AND run_id IS NULL
  AND (outcome = 'moved' OR (outcome = 'skipped' AND reason = :reason));

-- put_slot --
INSERT INTO slots (source, source_ref, scheduled_at, job_version, outcome, reason, run_id, missed_id)
VALUES (:source, :source_ref, :scheduled_at, :job_version, :outcome, :reason, :run_id, :missed_id)
ON CONFLICT (source, source_ref, scheduled_at) DO UPDATE
SET outcome = excluded.outcome, reason = excluded.reason, run_id = excluded.run_id,
    retry_at = NULL, missed_id = excluded.missed_id;

-- claimable_runs --
SELECT r.run_id, r.source, r.source_ref, r.status, r.trigger, r.attempt, r.scheduled_at,
       r.has_slot, r.job_version, r.queued_at, r.started_at, r.finished_at, r.error, r.reason,
       r.exit_code, r.output_preview, r.host, r.approved_by, r.serial, v.spec, r.spec
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' AND (r.trigger IN ('catch_up', 'approved')) = :late
  AND r.source NOT IN (SELECT value FROM json_each(:off))
  AND NOT (r.serial AND EXISTS (
    SELECT 1 FROM runs x
    WHERE x.source_ref = r.source_ref AND x.finished_at IS NULL AND (
      x.status = 'running'
      OR ((x.trigger IN ('catch_up', 'approved')) < :late AND NOT :overdue)
      OR ((x.trigger IN ('catch_up', 'approved')) = :late
          AND (x.priority, x.scheduled_at, x.run_id)
              < (r.priority, r.scheduled_at, r.run_id)))))
ORDER BY r.priority, r.scheduled_at, r.run_id LIMIT :limit;

-- any_queued --
SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued');

-- queued_runs --
SELECT r.run_id, r.source, r.source_ref, r.status, r.trigger, r.attempt, r.scheduled_at,
       r.has_slot, r.job_version, r.queued_at, r.started_at, r.finished_at, r.error, r.reason,
       r.exit_code, r.output_preview, r.host, r.approved_by, r.queue_until, v.spec, r.spec
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' ORDER BY r.priority, r.scheduled_at, r.run_id;

-- overdue_runs --
SELECT r.run_id, r.source, r.source_ref, r.status, r.trigger, r.attempt, r.scheduled_at,
       r.has_slot, r.job_version, r.queued_at, r.started_at, r.finished_at, r.error, r.reason,
       r.exit_code, r.output_preview, r.host, r.approved_by, r.queue_until, v.spec, r.spec
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' AND r.queue_until <= :now LIMIT :limit;

-- start_run --
UPDATE runs SET status = 'running', started_at = :now, host = :host
WHERE run_id = :run_id AND status = 'queued';

-- requeue_run --
UPDATE runs SET status = 'queued', started_at = NULL, host = NULL
WHERE run_id = :run_id AND status = 'running'
RETURNING run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
          job_version, queued_at, started_at, finished_at, error, reason, exit_code,
          output_preview, host, approved_by;

-- set_slot_outcome --
UPDATE slots SET outcome = :outcome, reason = :reason, retry_at = :retry_at
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id = :run_id;

-- miss_slot --
UPDATE slots SET outcome = :outcome, reason = :reason, retry_at = NULL, missed_id = :missed_id
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND run_id = :run_id
RETURNING job_version;

-- next_attempt --
UPDATE slots SET run_id = :run_id, outcome = 'queued', reason = NULL, retry_at = NULL
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at
  AND retry_at IS NOT NULL;

-- end_runs --
UPDATE runs
SET status = json_extract(d.value, '$[1]'), started_at = json_extract(d.value, '$[2]'),
    finished_at = json_extract(d.value, '$[3]'), error = json_extract(d.value, '$[4]'),
    exit_code = json_extract(d.value, '$[5]'), output_preview = json_extract(d.value, '$[6]'),
    reason = json_extract(d.value, '$[7]')
FROM json_each(:rows) d
WHERE runs.run_id = json_extract(d.value, '$[0]') AND runs.status = 'running'
RETURNING run_id;

-- drop_queued_run --
UPDATE runs SET status = :status, finished_at = :now, error = :error, reason = :reason
WHERE run_id = :run_id AND status = 'queued'
RETURNING run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
          job_version, queued_at, started_at, finished_at, error, reason, exit_code,
          output_preview, host, approved_by;

-- count_outcome --
UPDATE jobs SET consecutive_failures = CASE WHEN :failed THEN consecutive_failures + 1 ELSE 0 END
WHERE job_id = :job_id AND (:failed OR consecutive_failures > 0);

-- due_starts --
SELECT s.source, s.source_ref, s.scheduled_at, s.retry_at, s.job_version, s.run_id, r.attempt,
       r.job_version
FROM slots s LEFT JOIN runs r ON r.run_id = s.run_id
WHERE s.retry_at <= :now AND s.source <> :without ORDER BY s.retry_at LIMIT :limit;

-- due_moved --
SELECT source, source_ref, scheduled_at, retry_at, job_version, run_id, NULL, NULL FROM slots
WHERE retry_at <= :now AND source = :source AND run_id IS NULL ORDER BY retry_at LIMIT :limit;

-- close_run --
UPDATE runs SET status = :status, finished_at = :now, error = :error
WHERE run_id = :run_id AND finished_at IS NULL;

-- expire_at --
UPDATE missed SET useful_until = :useful_until WHERE missed_id = :missed_id AND status = 'pending';

-- refs_in_outage --
SELECT DISTINCT source_ref FROM missed WHERE status = 'pending' AND outage_id = :outage_id;

-- left_running --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs WHERE finished_at IS NULL AND status = 'running' AND host = :host LIMIT :limit;

-- (One process owns a SQLite file: whatever it finds running is its own, under any host name.)

-- left_running [sqlite] --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs WHERE finished_at IS NULL AND status = 'running' LIMIT :limit;

-- waiting_of_job --
SELECT run_id FROM runs
WHERE source_ref = :job_id AND finished_at IS NULL AND status = 'queued';

-- get_run --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs WHERE run_id = :run_id;

-- interruptions_of_slot --
SELECT count(*) FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
  AND status = 'interrupted';

-- run_of_slot --
SELECT run_id FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- list_runs --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs
WHERE run_id < :before AND (:source IS NULL OR source = :source)
  AND (:status IS NULL OR status = :status)
ORDER BY run_id DESC LIMIT :limit;

-- list_runs_of_job --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs
WHERE source_ref = :job_id AND run_id < :before AND (:source IS NULL OR source = :source)
  AND (:status IS NULL OR status = :status)
ORDER BY run_id DESC LIMIT :limit;

-- remember_once --
INSERT INTO idempotency (key, fingerprint, resource, created_at)
VALUES (:key, :fingerprint, :resource, :now) ON CONFLICT DO NOTHING;

-- recall_once --
SELECT fingerprint, resource FROM idempotency WHERE key = :key;

-- missed_spans --
SELECT missed_id, source, source_ref, job_version, first_at, last_at, count, cause, outage_id,
       status, created_at, updated_at, useful_until, note, decided_by, run_id
FROM missed WHERE status = :status AND (:job_id IS NULL OR source_ref = :job_id)
ORDER BY created_at, missed_id LIMIT :limit;

-- forget_once --
DELETE FROM idempotency WHERE created_at < :before;

-- ledger_versions --
SELECT job_id, version, spec, effective_from, effective_until FROM job_versions
WHERE effective_from < :end AND (effective_until IS NULL OR effective_until > :start)
  AND (:job_id IS NULL OR job_id = :job_id);

-- recorded_by_hour --
SELECT scheduled_at - scheduled_at % 3600, count(*) FROM slots
WHERE scheduled_at > :start AND scheduled_at <= :end
  AND (:job_id IS NULL OR source_ref = :job_id)
GROUP BY 1 ORDER BY 1;

-- ledger_slots --
SELECT source_ref, scheduled_at, outcome, reason, missed_id IS NOT NULL FROM slots
WHERE scheduled_at > :start AND scheduled_at <= :end;

-- ledger_slots_of_job --
SELECT source_ref, scheduled_at, outcome, reason, missed_id IS NOT NULL FROM slots
WHERE source_ref = :job_id AND scheduled_at > :start AND scheduled_at <= :end;

-- ledger_missed --
SELECT source_ref, first_at, last_at, job_version, cause, status FROM missed
WHERE last_at > :start AND first_at <= :end AND status <> 'withdrawn'
  AND (:job_id IS NULL OR source_ref = :job_id)
ORDER BY status = 'pending' DESC, created_at DESC, missed_id DESC;

-- event_time --
SELECT timestamp FROM events WHERE seq = :seq;

-- versions_of_job --
SELECT job_id, version, spec, effective_from, effective_until FROM job_versions
WHERE job_id = :job_id ORDER BY version;

-- job_ends --
SELECT deleted_at, next_run_at FROM jobs WHERE job_id = :job_id;

-- slot_state --
SELECT outcome, reason, retry_at FROM slots
WHERE source = :source AND source_ref = :source_ref AND scheduled_at = :scheduled_at;

-- runs_of_slot --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
ORDER BY run_id;

-- events_of_slot --
SELECT seq, source, type, timestamp, source_ref, owner_id, session_id, status, data
FROM events
WHERE run_slot_at = :at AND source_ref = :source_ref
  AND json_extract(data, '$.run.event_id') = :event_id
UNION ALL
SELECT seq, source, type, timestamp, source_ref, owner_id, session_id, status, data
FROM events
WHERE source_ref = :source_ref AND run_slot_at IS NULL
  AND (json_extract(data, '$.event_id') = :event_id
  OR (type IN ('cron_run_missed', 'heartbeat_missed') AND json_extract(data, '$.first_at') <= :at
      AND json_extract(data, '$.last_at') >= :at)
  OR EXISTS (SELECT 1 FROM json_each(data, '$.spans')
             WHERE json_extract(value, '$.first_at') <= :at
               AND json_extract(value, '$.last_at') >= :at))
ORDER BY seq LIMIT 200;

-- put_notification --
INSERT INTO notifications (notification_id, kind, severity, title, message, source_ref, session_id,
                           incident, is_open, status, created_at, updated_at, snoozed_until, note,
                           resolved_at, metadata)
VALUES (:notification_id, :kind, :severity, :title, :message, :source_ref, :session_id, :incident,
        :is_open, :status, :created_at, :updated_at, :snoozed_until, :note, :resolved_at, :metadata)
ON CONFLICT (notification_id) DO UPDATE
SET title = excluded.title, message = excluded.message, is_open = excluded.is_open,
    status = excluded.status, updated_at = excluded.updated_at,
    resolved_at = excluded.resolved_at, metadata = excluded.metadata;

-- mark_notification --
UPDATE notifications
SET status = :status, note = coalesce(:note, note), snoozed_until = :snoozed_until,
    updated_at = :now
WHERE notification_id = :notification_id;

-- trim_notifications --
DELETE FROM notifications WHERE notification_id <= (
  SELECT notification_id FROM notifications ORDER BY notification_id DESC LIMIT 1 OFFSET :keep)
  AND notification_id NOT IN (SELECT notification_id FROM deliveries WHERE next_at IS NOT NULL);

-- open_incident --
SELECT notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open,
       status, created_at, updated_at, snoozed_until, note, resolved_at, metadata
FROM notifications WHERE incident = :incident AND is_open LIMIT 1;

-- latest_spec --
SELECT spec FROM job_versions WHERE job_id = :job_id ORDER BY version DESC LIMIT 1;

-- list_notifications --
SELECT notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open,
       status, created_at, updated_at, snoozed_until, note, resolved_at, metadata
FROM notifications
WHERE notification_id < :before AND (:session_id IS NULL OR session_id = :session_id)
ORDER BY notification_id DESC LIMIT :limit;

-- get_notification --
SELECT notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open,
       status, created_at, updated_at, snoozed_until, note, resolved_at, metadata
FROM notifications WHERE notification_id = :notification_id;

-- update_incident --
UPDATE notifications
SET title = :title, message = :message, metadata = :metadata, updated_at = :now
WHERE notification_id = :notification_id;

-- open_notifications --
SELECT notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open,
       status, created_at, updated_at, snoozed_until, note, resolved_at, metadata
FROM notifications WHERE is_open AND substr(incident, 1, length(:prefix)) = :prefix
ORDER BY notification_id;

-- pending_in_outage --
SELECT EXISTS (SELECT 1 FROM missed WHERE outage_id = :outage_id AND status = 'pending');

-- add_delivery --
INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
VALUES (:notification_id, :target, 'pending', :now, :now) ON CONFLICT DO NOTHING;

-- next_delivery --
SELECT d.target, d.attempts, d.refusals, d.created_at, d.next_at,
       n.notification_id, n.kind, n.severity, n.title, n.message, n.source_ref, n.session_id,
       n.incident, n.is_open, n.status, n.created_at, n.updated_at, n.snoozed_until, n.note,
       n.resolved_at, n.metadata
FROM deliveries d JOIN notifications n ON n.notification_id = d.notification_id
WHERE d.target = :target AND d.next_at IS NOT NULL
ORDER BY d.next_at, d.notification_id LIMIT 1;

-- delivery_attempted --
UPDATE deliveries
SET status = :status, attempts = attempts + 1,
    refusals = CASE WHEN :refused THEN refusals + 1 ELSE 0 END,
    next_at = :next_at, ended_at = :ended_at, error = :error
WHERE notification_id = :notification_id AND target = :target AND status = 'pending';

-- spread_deliveries --
INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
SELECT notification_id, :target, 'pending', created_at, next_at FROM deliveries
WHERE target = '' AND created_at > :since
ON CONFLICT DO NOTHING;

-- drop_spread_deliveries --
DELETE FROM deliveries WHERE target = '';

-- end_deliveries_elsewhere --
UPDATE deliveries SET status = 'given_up', next_at = NULL, ended_at = :now,
                      error = 'the target is no longer in UA_NOTIFY_URLS'
WHERE next_at IS NOT NULL AND target NOT IN (SELECT value FROM json_each(:targets));

-- list_deliveries --
SELECT notification_id, target, status FROM deliveries WHERE :notification_id IS NULL OR notification_id = :notification_id
ORDER BY notification_id, target;

-- trim_deliveries --
DELETE FROM deliveries WHERE notification_id NOT IN (SELECT notification_id FROM notifications);

-- count_enabled_jobs --
SELECT count(*) FROM jobs WHERE deleted_at IS NULL AND source = 'cron' AND enabled;

-- notable_events --
SELECT seq, source, type, timestamp, source_ref, owner_id, session_id, status, data
FROM events
WHERE seq > :after_seq AND (
  type IN ('cron_run_missed', 'cron_run_failed', 'cron_job_updated', 'heartbeat_missed',
           'heartbeat_failed', 'heartbeat_scheduled', 'calendar_missed_resolved', 'calendar_replanned',
           'clock_set_back', 'zone_rules_changed')
  OR (type = 'heartbeat_completed' AND json_extract(data, '$.beat.told'))
  OR (type IN ('cron_run_completed', 'heartbeat_completed') AND (
    EXISTS (SELECT 1 FROM notifications
            WHERE incident IN ('failing:' || events.source_ref, 'alert:' || events.source_ref)
              AND is_open)
    OR source_ref IN (SELECT source_ref FROM events
                      WHERE seq > :after_seq AND (
                        type IN ('cron_run_failed', 'heartbeat_failed')
                        OR (type = 'heartbeat_completed'
                            AND json_extract(data, '$.beat.told')))))))
ORDER BY seq LIMIT :limit;

-- insert_proposal --
INSERT INTO proposals (proposal_id, event_id, job_id, job_version, record, status, created_at,
                       expires_at)
VALUES (:proposal_id, :event_id, :job_id, :job_version, :record, :status, :created_at,
        :expires_at);

-- get_proposal --
SELECT proposal_id, event_id, job_id, job_version, record, status, created_at, expires_at
FROM proposals WHERE proposal_id = :proposal_id;

-- decide_proposal --
UPDATE proposals SET status = :status, decided_at = :now, decided_by = :by
WHERE proposal_id = :proposal_id AND status = :expected;

-- forget_proposals --
DELETE FROM proposals WHERE created_at < :before;

-- queue_system_event --
INSERT INTO system_events (session_id, event_type, payload, created_at, created_by)
VALUES (:session_id, :event_type, :payload, :created_at, :created_by);

-- trim_system_events --
DELETE FROM system_events WHERE session_id = :session_id AND event_id <= (
  SELECT event_id FROM system_events WHERE session_id = :session_id
  ORDER BY event_id DESC LIMIT 1 OFFSET :keep);

-- system_events_of --
SELECT event_id, session_id, event_type, payload, created_at, created_by
FROM system_events WHERE session_id = :session_id ORDER BY event_id;

-- waiting_beat --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs
WHERE source_ref = :session_id AND status = 'queued' AND finished_at IS NULL
  AND source = 'heartbeat'
ORDER BY run_id LIMIT 1;

-- drop_wakes --
DELETE FROM system_events
WHERE session_id = :session_id AND event_type = 'heartbeat_wake' AND run_id IS NULL
RETURNING json_extract(payload, '$.mode');

-- hand_over --
UPDATE system_events SET run_id = :run_id WHERE session_id = :session_id
RETURNING event_id, session_id, event_type, payload, created_at, created_by;

-- acknowledge --
DELETE FROM system_events
WHERE run_id = :run_id AND (:ran_well OR (event_type = 'heartbeat_wake' AND (
  :ran OR json_extract(payload, '$.mode') = 'now')));

-- forget_system_events --
DELETE FROM system_events WHERE session_id = :session_id;

-- keep_report --
INSERT INTO beat_reports (run_id, session_id, ended_at, fingerprint, report)
VALUES (:run_id, :session_id, :ended_at, :fingerprint, :report) ON CONFLICT DO NOTHING;

-- trim_reports --
DELETE FROM beat_reports WHERE session_id = :session_id AND decided_at IS NOT NULL AND run_id <= (
  SELECT run_id FROM beat_reports WHERE session_id = :session_id
  ORDER BY run_id DESC LIMIT 1 OFFSET :keep);

-- undecided_reports --
SELECT run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected
FROM beat_reports WHERE decided_at IS NULL ORDER BY run_id LIMIT :limit;

-- alert_told --
SELECT EXISTS (
  SELECT 1 FROM beat_reports
  WHERE session_id = :session_id AND fingerprint = :fingerprint AND ended_at > :since
    AND run_id <> :run_id AND (sent OR waits));

-- decide_report --
UPDATE beat_reports
SET decided_at = :now, sent = :sent, indicator_only = :indicator_only, reason = :reason,
    waits = :waits, connected = :connected
WHERE run_id = :run_id AND decided_at IS NULL;

-- waiting_reports --
SELECT run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected
FROM beat_reports
WHERE waits AND EXISTS (
  SELECT 1 FROM json_each(report, '$.targets') WHERE value = :session_id)
ORDER BY run_id;

-- report_sent --
UPDATE beat_reports SET sent = 1, reason = NULL, waits = 0, connected = :connected
WHERE run_id = :run_id AND waits;

-- last_reports --
SELECT run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected
FROM beat_reports
WHERE run_id IN (
  SELECT max(run_id) FROM beat_reports
  WHERE :session_id IS NULL OR session_id = :session_id GROUP BY session_id);

-- suppressed_reports --
SELECT run_id, session_id, ended_at, report, decided_at, sent, indicator_only, reason, connected
FROM beat_reports
WHERE reason IS NOT NULL AND run_id < :before
  AND (:session_id IS NULL OR session_id = :session_id)
ORDER BY run_id DESC LIMIT :limit;

-- forget_reports --
DELETE FROM beat_reports WHERE session_id = :session_id;

-- create_session --
INSERT INTO sessions (session_id, user_id, workspace_dir, source, metadata, created_at,
                      last_active_at)
VALUES (:session_id, :user_id, :workspace_dir, :source, :metadata, :now, :now)
ON CONFLICT DO NOTHING;

-- get_session --
SELECT s.session_id, s.user_id, s.workspace_dir, s.source, s.metadata, s.created_at,
       s.last_active_at, EXISTS (
         SELECT 1 FROM runs WHERE source_ref = s.session_id AND finished_at IS NULL)
FROM sessions s WHERE s.session_id = :session_id AND s.deleted_at IS NULL;

-- session_in_workspace --
SELECT s.session_id, s.user_id, s.workspace_dir, s.source, s.metadata, s.created_at,
       s.last_active_at, EXISTS (
         SELECT 1 FROM runs WHERE source_ref = s.session_id AND finished_at IS NULL)
FROM sessions s WHERE s.workspace_dir = :workspace_dir AND s.deleted_at IS NULL;

-- workspace_of_others_jobs --
SELECT 1 FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.owner_id <> :user_id AND j.source = 'cron' AND (
  substr(:workspace_dir || '/', 1, length(v.spec ->> 'workspace_dir') + 1)
    = (v.spec ->> 'workspace_dir') || '/'
  OR substr((v.spec ->> 'workspace_dir') || '/', 1, length(:workspace_dir) + 1)
    = :workspace_dir || '/')
LIMIT 1;

-- workspace_of_others --
SELECT 1 FROM sessions
WHERE user_id <> :user_id AND (
  substr(:workspace_dir || '/', 1, length(workspace_dir) + 1) = workspace_dir || '/'
  OR substr(workspace_dir || '/', 1, length(:workspace_dir) + 1) = :workspace_dir || '/')
LIMIT 1;

-- list_sessions --
SELECT s.session_id, s.user_id, s.workspace_dir, s.source, s.metadata, s.created_at,
       s.last_active_at, EXISTS (
         SELECT 1 FROM runs WHERE source_ref = s.session_id AND finished_at IS NULL)
FROM sessions s WHERE s.deleted_at IS NULL AND s.session_id > :cursor
ORDER BY s.session_id LIMIT :limit;

-- count_sessions --
SELECT count(*) FROM sessions WHERE deleted_at IS NULL;

-- busy_sessions --
SELECT DISTINCT source_ref FROM runs
WHERE finished_at IS NULL AND source IN ('session', 'heartbeat');

-- delete_session --
UPDATE sessions SET deleted_at = :now WHERE session_id = :session_id AND deleted_at IS NULL;

-- touch_session --
UPDATE sessions SET last_active_at = :now WHERE session_id = :session_id;

-- open_runs_of_session --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM runs WHERE source_ref = :session_id AND finished_at IS NULL ORDER BY queued_at, run_id;

-- (More than two hundred runs since a moment ago a session does not have.)

-- said_before --
SELECT run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot,
       job_version, queued_at, started_at, finished_at, error, reason, exit_code,
       output_preview, host, approved_by
FROM (SELECT * FROM runs WHERE source_ref = :session_id ORDER BY run_id DESC LIMIT 200) AS latest
WHERE source = 'session' AND queued_at > :since AND json_extract(spec, '$.command') = :text
ORDER BY run_id DESC LIMIT 1;

-- untold_turn --
SELECT r.run_id, r.source, r.source_ref, r.status, r.trigger, r.attempt, r.scheduled_at,
       r.has_slot, r.job_version, r.queued_at, r.started_at, r.finished_at, r.error, r.reason,
       r.exit_code, r.output_preview, r.host, r.approved_by
FROM runs r JOIN sessions s ON s.session_id = r.source_ref
WHERE r.source_ref = :session_id AND r.source = 'session' AND r.finished_at IS NOT NULL
  AND r.run_id > s.told_run_id
ORDER BY r.run_id DESC LIMIT 1;

-- turn_told --
UPDATE sessions SET told_run_id = :run_id
WHERE session_id = :session_id AND told_run_id < :run_id;
