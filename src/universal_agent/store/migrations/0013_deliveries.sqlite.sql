-- A delivery for each notification and each target beyond the dashboard, with its own end.

CREATE TABLE deliveries (
  notification_id TEXT NOT NULL,
  target TEXT NOT NULL,           -- a name made from the target's URL; '': every target
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  refusals INTEGER NOT NULL DEFAULT 0,   -- in a row
  created_at REAL NOT NULL,
  next_at REAL,                   -- when it is tried next; NULL: it has ended
  ended_at REAL,
  error TEXT,                     -- why the last attempt failed
  PRIMARY KEY (notification_id, target)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (target, next_at) WHERE next_at IS NOT NULL;

CREATE INDEX missed_of_outage ON missed (outage_id) WHERE status = 'pending';

INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
SELECT notification_id, '', 'pending', created_at, created_at FROM notifications
WHERE NOT delivered;

DROP INDEX notifications_undelivered;
ALTER TABLE notifications DROP COLUMN delivered;
ALTER TABLE notifications ADD COLUMN resolved_at REAL;
