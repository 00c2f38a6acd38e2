-- Open runs are found by an index of their own in every question for them. With `finished_at` in it
-- there are two equal terms to match, and SQLite prefers it to the one over a job's whole past.

DROP INDEX runs_open;
CREATE INDEX runs_open ON runs (finished_at, source_ref, status) WHERE finished_at IS NULL;
