-- Runs.

-- {run_columns} --
run_id, source, source_ref, status, trigger, attempt, scheduled_at, has_slot, job_version,
queued_at, started_at, finished_at, error, reason, exit_code, output_preview, host, approved_by,
end_class, end_until, process_id

-- insert_run --
INSERT INTO runs (run_id, source, source_ref, scheduled_at, has_slot, job_version, status, trigger,
                  attempt, priority, serial, queued_at, queue_until, started_at, host,
                  process_id, approved_by, spec, pool, light, useful_until)
VALUES (:run_id, :source, :source_ref, :scheduled_at, :has_slot, :job_version, :status, :trigger,
        :attempt, :priority, :serial, :queued_at, :queue_until, :started_at, :host, :process_id,
        :approved_by, :spec, :pool, :light, :useful_until);

-- active_runs --
-- CROSS JOIN fixes the join order in SQLite: the few keys first, then the index.
SELECT r.source_ref, r.run_id, r.status, r.trigger FROM json_each(:refs) d
CROSS JOIN runs r ON r.source_ref = d.value AND r.finished_at IS NULL;

-- claimable_runs --
-- Runs on time of one pool that may start, first the one to start first.
SELECT {r.run_columns}, r.serial, v.spec, r.spec, r.pool, r.light,
       0, r.priority, r.scheduled_at, r.run_id
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' AND r.trigger NOT IN ('catch_up', 'approved')
  AND r.pool IS :pool AND r.light = :light
  AND r.source NOT IN (SELECT value FROM json_each(:off))
  AND r.run_id NOT IN (SELECT value FROM json_each(:held))
  AND NOT (r.serial AND EXISTS (
    SELECT 1 FROM runs x
    WHERE x.source_ref = r.source_ref AND x.finished_at IS NULL AND (
      x.status = 'running'
      OR (x.trigger NOT IN ('catch_up', 'approved')
          AND (x.priority, x.scheduled_at, x.run_id)
              < (r.priority, r.scheduled_at, r.run_id)))))
ORDER BY r.priority, r.scheduled_at, r.run_id LIMIT :limit;

-- claimable_late_runs --
-- Runs of missed slots of one pool that may start, first what is useful for the shortest time.
SELECT {r.run_columns}, r.serial, v.spec, r.spec, r.pool, r.light,
       coalesce(r.useful_until, 9e15), r.priority, r.scheduled_at, r.run_id
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' AND r.trigger IN ('catch_up', 'approved') AND r.pool IS :pool
  AND r.source NOT IN (SELECT value FROM json_each(:off))
  AND r.run_id NOT IN (SELECT value FROM json_each(:held))
  AND NOT (r.serial AND EXISTS (
    SELECT 1 FROM runs x
    WHERE x.source_ref = r.source_ref AND x.finished_at IS NULL AND (
      x.status = 'running'
      OR (x.trigger NOT IN ('catch_up', 'approved') AND NOT :overdue)
      OR (x.trigger IN ('catch_up', 'approved')
          AND (coalesce(x.useful_until, 9e15), x.priority, x.scheduled_at, x.run_id)
              < (coalesce(r.useful_until, 9e15), r.priority, r.scheduled_at, r.run_id)))))
ORDER BY coalesce(r.useful_until, 9e15), r.priority, r.scheduled_at, r.run_id LIMIT :limit;

-- any_queued --
SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued');

-- queued_runs --
SELECT {r.run_columns}, r.queue_until, v.spec, r.spec
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' ORDER BY r.priority, r.scheduled_at, r.run_id;

-- overdue_runs --
SELECT {r.run_columns}, r.queue_until, v.spec, r.spec
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.status = 'queued' AND r.queue_until <= :now LIMIT :limit;

-- start_runs --
UPDATE runs
SET status = 'running', started_at = :now, host = :host, process_id = :process_id
FROM json_each(:run_ids) d
WHERE runs.run_id = d.value AND runs.status = 'queued'
RETURNING run_id;

-- running_run --
SELECT {run_columns}, cancel_reason
FROM runs WHERE run_id = :run_id AND status = 'running';

-- request_cancel --
UPDATE runs SET cancel_reason = :reason
WHERE run_id = :run_id AND status = 'running' AND cancel_reason IS NULL;

-- cancels_requested --
SELECT run_id, cancel_reason FROM runs
WHERE finished_at IS NULL AND status = 'running' AND cancel_reason IS NOT NULL;

-- requeue_run --
UPDATE runs SET status = 'queued', started_at = NULL, host = NULL, process_id = NULL
WHERE run_id = :run_id AND status = 'running';

-- end_runs --
UPDATE runs
SET status = json_extract(d.value, '$[1]'), started_at = json_extract(d.value, '$[2]'),
    finished_at = json_extract(d.value, '$[3]'), error = json_extract(d.value, '$[4]'),
    exit_code = json_extract(d.value, '$[5]'), output_preview = json_extract(d.value, '$[6]'),
    reason = json_extract(d.value, '$[7]'), end_class = json_extract(d.value, '$[9]'),
    end_until = json_extract(d.value, '$[10]')
FROM json_each(:rows) d
WHERE runs.run_id = json_extract(d.value, '$[0]') AND runs.status = 'running'
  AND runs.process_id = json_extract(d.value, '$[8]')
RETURNING run_id;

-- drop_queued_run --
UPDATE runs SET status = :status, finished_at = :now, error = :error, reason = :reason
WHERE run_id = :run_id AND status = 'queued'
RETURNING {run_columns};

-- refuse_turn --
UPDATE runs SET status = 'error', finished_at = :now, error = :error, end_class = :end_class,
                end_until = :end_until
WHERE run_id = :run_id AND status = 'queued'
RETURNING {run_columns};

-- close_run --
UPDATE runs SET status = :status, finished_at = :now, error = :error
WHERE run_id = :run_id AND finished_at IS NULL;

-- waiting_of_job --
SELECT run_id FROM runs
WHERE source_ref = :job_id AND finished_at IS NULL AND status = 'queued';

-- waiting_early_runs --
SELECT run_id FROM runs
WHERE source_ref = :job_id AND finished_at IS NULL AND status = 'queued' AND trigger = 'early';

-- count_waiting_runs --
SELECT count(*) FROM runs WHERE status = 'queued';

-- get_run --
SELECT {run_columns}
FROM runs WHERE run_id = :run_id;

-- interruptions_of_slot --
SELECT count(*) FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
  AND status = 'interrupted';

-- interrupted_before --
SELECT run_id FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
  AND status = 'interrupted' ORDER BY run_id DESC LIMIT 1;

-- list_runs --
SELECT {run_columns}
FROM runs
WHERE run_id < :before AND (:source IS NULL OR source = :source)
  AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
ORDER BY run_id DESC LIMIT :limit;

-- list_runs_of_job --
SELECT {run_columns}
FROM runs
WHERE source_ref = :job_id AND run_id < :before AND (:source IS NULL OR source = :source)
  AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
ORDER BY run_id DESC LIMIT :limit;

-- outages_of_slot --
-- Attempts that ended for an outage of a service; they count for nothing.
SELECT count(*) FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
  AND end_class <> 'failed';

-- runs_of_slot --
SELECT {run_columns}
FROM runs
WHERE source_ref = :source_ref AND source = :source AND scheduled_at = :scheduled_at AND has_slot
ORDER BY run_id;
