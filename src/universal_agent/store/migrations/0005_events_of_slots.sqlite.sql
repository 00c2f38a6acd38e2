-- Two ways to a slot's events. What its runs did is found by the slot's time, since an index by job
-- would write a page for each event; the rest is rare enough for one.

ALTER TABLE events ADD COLUMN run_slot_at REAL;   -- of an event about a run: its scheduled_at

UPDATE events SET run_slot_at = json_extract(data, '$.run.scheduled_at')
WHERE json_extract(data, '$.run.scheduled_at') IS NOT NULL;

DROP INDEX IF EXISTS events_of;
DROP INDEX IF EXISTS events_of_run;
CREATE INDEX events_of_run ON events (run_slot_at) WHERE run_slot_at IS NOT NULL;
CREATE INDEX events_of ON events (source_ref, seq) WHERE run_slot_at IS NULL;
