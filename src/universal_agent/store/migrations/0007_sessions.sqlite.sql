-- Sessions; their turns are runs, their beats are jobs with their ids.

CREATE TABLE sessions (
  session_id TEXT PRIMARY KEY,          -- sorts by the time it was made, where we named it
  user_id TEXT NOT NULL,
  workspace_dir TEXT NOT NULL,
  source TEXT NOT NULL,
  metadata TEXT NOT NULL,               -- JSON
  created_at REAL NOT NULL,
  last_active_at REAL NOT NULL,
  told_run_id TEXT NOT NULL DEFAULT '', -- the latest turn whose end a client was told
  deleted_at REAL
) WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_workspace ON sessions (workspace_dir) WHERE deleted_at IS NULL;
