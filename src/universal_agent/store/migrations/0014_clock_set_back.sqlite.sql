-- What is known of the clock. A start whose clock is behind `acted_at` plans every job again.

CREATE TABLE clock (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  acted_at REAL NOT NULL,         -- the newest instant that an event was recorded at, to within 5 s
  leapt_to REAL                   -- the reading after the latest leap ahead
);
INSERT INTO clock (only_row, acted_at) VALUES (1, coalesce((SELECT max(timestamp) FROM events), 0));

CREATE TRIGGER clock_runs AFTER INSERT ON events
WHEN NEW.timestamp > (SELECT acted_at + 5 FROM clock)
BEGIN
  UPDATE clock SET acted_at = NEW.timestamp;
END;

-- A version that was cut short because the clock had run ahead has slots on record up to here.
ALTER TABLE job_versions ADD COLUMN slots_until REAL;

-- Slots that a person moved to another job are decided, though no row of `slots` says so.
CREATE INDEX missed_rescheduled ON missed (source_ref, last_at) WHERE status = 'rescheduled';

-- What retention knows of the clock (domain/lived_time.py) begins with the events there are.
INSERT INTO meta (name, value)
SELECT 'lived_time', json_object('seen_at', max(timestamp), 'lived', 0.0, 'leaps', json_array())
FROM events HAVING max(timestamp) IS NOT NULL;
