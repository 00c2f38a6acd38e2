-- Pools, and the runs in them.

-- {pool_columns} --
name, size, origin

-- list_pools --
SELECT {pool_columns} FROM pools ORDER BY name;

-- get_pool --
SELECT {pool_columns} FROM pools WHERE name = :name;

-- put_pool --
INSERT INTO pools (name, size, origin, updated_at) VALUES (:name, :size, :origin, :now)
ON CONFLICT (name) DO UPDATE
SET size = excluded.size, origin = excluded.origin, updated_at = excluded.updated_at;

-- delete_pool --
DELETE FROM pools WHERE name = :name;

-- runs_leave_pool --
-- Runs of jobs that have moved to another pool since they were queued.
UPDATE runs SET pool = NULL WHERE pool = :name AND finished_at IS NULL;

-- job_of_pool --
SELECT job_id FROM jobs WHERE pool = :name AND pool IS NOT NULL AND deleted_at IS NULL LIMIT 1;

-- pool_rooms --
-- The free places of each named pool, and whether a run waits for one.
SELECT p.name,
  p.size - (SELECT count(*) FROM runs r WHERE r.pool = p.name AND r.status = 'running'),
  EXISTS (SELECT 1 FROM runs r WHERE r.pool = p.name AND r.status = 'queued'
          AND r.trigger NOT IN ('catch_up', 'approved'))
  OR EXISTS (SELECT 1 FROM runs r WHERE r.pool = p.name AND r.status = 'queued'
             AND r.trigger IN ('catch_up', 'approved'))
FROM pools p ORDER BY p.name;

-- pools_running --
SELECT coalesce(pool, ''), count(*) FROM runs
WHERE finished_at IS NULL AND status = 'running' GROUP BY coalesce(pool, '');

-- pools_waiting --
SELECT coalesce(pool, ''), count(*), min(queued_at) FROM runs
WHERE status = 'queued' GROUP BY coalesce(pool, '');

-- pool_holders --
-- The oldest runs in execution of a pool; of all pools where `pool` is null.
SELECT r.run_id, r.started_at, v.spec, r.spec, r.source_ref, count(*) OVER ()
FROM runs r LEFT JOIN job_versions v ON v.job_id = r.source_ref AND v.version = r.job_version
WHERE r.finished_at IS NULL AND r.status = 'running' AND (:pool IS NULL OR r.pool = :pool)
ORDER BY r.started_at, r.run_id LIMIT :limit;

-- raise_waiting --
UPDATE runs SET priority = priority - 1, raised_at = :now
WHERE run_id IN (
  SELECT run_id FROM runs
  WHERE status = 'queued' AND priority > 0 AND trigger NOT IN ('catch_up', 'approved')
    AND coalesce(raised_at, queued_at) <= :since LIMIT :limit);
