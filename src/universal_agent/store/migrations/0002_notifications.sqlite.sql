-- What people are told. Folded from the event log; meta `notified_seq` is how far.

CREATE TABLE notifications (
  notification_id TEXT PRIMARY KEY,   -- sorts by the time it was made
  kind TEXT NOT NULL,
  severity TEXT NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  source_ref TEXT NOT NULL,
  session_id TEXT,
  incident TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  status TEXT NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  snoozed_until REAL,
  note TEXT,
  metadata TEXT NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX notifications_open ON notifications (incident) WHERE is_open;
CREATE INDEX notifications_undelivered ON notifications (notification_id) WHERE NOT delivered;
