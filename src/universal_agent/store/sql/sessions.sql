-- Sessions and their turns.

-- {session_columns} --
s.session_id, s.user_id, s.workspace_dir, s.source, s.metadata, s.created_at, s.last_active_at,
EXISTS (SELECT 1 FROM runs WHERE source_ref = s.session_id AND finished_at IS NULL)

-- create_session --
INSERT INTO sessions (session_id, user_id, workspace_dir, source, metadata, created_at,
                      last_active_at)
VALUES (:session_id, :user_id, :workspace_dir, :source, :metadata, :now, :now)
ON CONFLICT DO NOTHING;

-- get_session --
SELECT {session_columns}
FROM sessions s WHERE s.session_id = :session_id AND s.deleted_at IS NULL;

-- session_in_workspace --
SELECT {session_columns}
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
SELECT {session_columns}
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
SELECT {run_columns}
FROM runs WHERE source_ref = :session_id AND finished_at IS NULL ORDER BY queued_at, run_id;

-- said_before --
-- A session has at most two hundred runs in the last few seconds.
SELECT {run_columns}
FROM (SELECT * FROM runs WHERE source_ref = :session_id ORDER BY run_id DESC LIMIT 200) AS latest
WHERE source = 'session' AND queued_at > :since AND json_extract(spec, '$.command') = :text
ORDER BY run_id DESC LIMIT 1;

-- untold_turn --
SELECT {r.run_columns}
FROM runs r JOIN sessions s ON s.session_id = r.source_ref
WHERE r.source_ref = :session_id AND r.source = 'session' AND r.finished_at IS NOT NULL
  AND r.run_id > s.told_run_id
ORDER BY r.run_id DESC LIMIT 1;

-- turn_told --
UPDATE sessions SET told_run_id = :run_id
WHERE session_id = :session_id AND told_run_id < :run_id;
