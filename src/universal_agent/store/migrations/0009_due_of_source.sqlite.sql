-- A gateway that leaves the jobs of one source alone passes over them within the index.

DROP INDEX jobs_due;
CREATE INDEX jobs_due ON jobs (due_at, source) WHERE due_at IS NOT NULL;
