-- Processes that claim runs.

-- insert_process --
INSERT INTO processes (process_id, host, kind, started_at, beat_at)
VALUES (:process_id, :host, :kind, :started_at, :now);

-- name_unknown_claims --
UPDATE runs SET process_id = 'unknown'
WHERE finished_at IS NULL AND status = 'running' AND process_id IS NULL;

-- insert_unknown_processes --
INSERT INTO processes (process_id, host, kind, started_at, beat_at)
SELECT DISTINCT process_id, 'unknown', 'unknown', 0, 0 FROM runs
WHERE finished_at IS NULL AND status = 'running'
  AND process_id NOT IN (SELECT process_id FROM processes);

-- beat --
UPDATE processes SET beat_at = :now WHERE process_id = :process_id;

-- lock_process --
SELECT 1 FROM processes WHERE process_id = :process_id;

-- lock_silent_process --
SELECT 1 FROM processes
WHERE process_id = :process_id AND (:silent_for IS NULL OR beat_at <= :now - :silent_for);

-- silent_processes --
SELECT process_id FROM processes
WHERE process_id <> :but AND (:silent_for IS NULL OR beat_at <= :now - :silent_for)
ORDER BY started_at, process_id;

-- forget_process --
DELETE FROM processes
WHERE process_id = :process_id AND NOT EXISTS (
  SELECT 1 FROM runs
  WHERE runs.finished_at IS NULL AND runs.status = 'running'
    AND runs.process_id = processes.process_id);

-- left_running --
SELECT {run_columns}, cancel_reason
FROM runs WHERE finished_at IS NULL AND status = 'running' AND process_id = :process_id
  AND run_id NOT IN (SELECT value FROM json_each(:kept))
ORDER BY run_id LIMIT :limit;

-- running_among --
SELECT {run_columns}, cancel_reason
FROM runs WHERE finished_at IS NULL AND status = 'running'
  AND run_id IN (SELECT value FROM json_each(:run_ids))
ORDER BY run_id;

-- adopt_runs --
UPDATE runs SET process_id = :process_id, host = :host
WHERE finished_at IS NULL AND status = 'running'
  AND run_id IN (SELECT value FROM json_each(:run_ids))
RETURNING {run_columns};

-- count_crashes --
UPDATE runs SET crashes = crashes + 1
WHERE finished_at IS NULL AND status = 'running' AND process_id = :process_id;

-- crashes_of_run --
SELECT crashes FROM runs WHERE run_id = :run_id;
