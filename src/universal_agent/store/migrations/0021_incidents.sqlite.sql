-- Failures of several jobs with one cause share an incident; open notifications have turns of time.

ALTER TABLE notifications ADD COLUMN remind_at REAL;
ALTER TABLE notifications ADD COLUMN update_at REAL;
ALTER TABLE notifications ADD COLUMN settles_at REAL;
ALTER TABLE notifications ADD COLUMN acknowledged_at REAL;

UPDATE notifications SET acknowledged_at = updated_at WHERE status = 'acknowledged';

-- The jobs of a `failed` notification.
CREATE TABLE incident_jobs (
  source_ref TEXT NOT NULL,
  notification_id TEXT NOT NULL,
  PRIMARY KEY (source_ref, notification_id)
) WITHOUT ROWID;

INSERT INTO incident_jobs (source_ref, notification_id)
SELECT source_ref, notification_id FROM notifications WHERE kind = 'failed' AND is_open;
