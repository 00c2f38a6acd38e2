-- The state of channels beyond the dashboard; deliveries of one notification on several occasions.

CREATE TABLE channels (
  target TEXT PRIMARY KEY,
  status TEXT NOT NULL,           -- ok, failing, down
  since REAL,
  failures INTEGER NOT NULL DEFAULT 0,   -- in a row
  refusals INTEGER NOT NULL DEFAULT 0,   -- in a row
  error TEXT,
  delivered_at REAL,
  failing_since REAL,
  probes INTEGER NOT NULL DEFAULT 0,
  probe_at REAL,
  claimed_until REAL              -- an attempt is under way until then at the latest
) WITHOUT ROWID;

CREATE TABLE deliveries_by_occasion (
  notification_id TEXT NOT NULL,
  target TEXT NOT NULL,           -- the channel; '': every channel
  number INTEGER NOT NULL DEFAULT 0,     -- deliveries of the notification before this one
  occasion TEXT NOT NULL DEFAULT 'new',
  batch TEXT,                     -- the message that it is part of, if it is not one of its own
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  refusals INTEGER NOT NULL DEFAULT 0,   -- in a row
  created_at REAL NOT NULL,
  next_at REAL,                   -- when it is tried next; NULL: it has ended
  ended_at REAL,
  error TEXT,                     -- why the last attempt failed
  PRIMARY KEY (notification_id, target, number)
) WITHOUT ROWID;

INSERT INTO deliveries_by_occasion
  (notification_id, target, status, attempts, refusals, created_at, next_at, ended_at, error)
SELECT notification_id, target, status, attempts, refusals, created_at, next_at, ended_at, error
FROM deliveries;

DROP TABLE deliveries;
ALTER TABLE deliveries_by_occasion RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (target, next_at) WHERE next_at IS NOT NULL;

ALTER TABLE notifications ADD COLUMN tellings INTEGER NOT NULL DEFAULT 1;
