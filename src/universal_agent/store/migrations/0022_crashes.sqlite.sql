-- How often a gateway has crashed while the run was in execution. A run that outlives its gateway can
-- be there at several crashes.

ALTER TABLE runs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_interrupted ON runs (source_ref, scheduled_at) WHERE status = 'interrupted';
