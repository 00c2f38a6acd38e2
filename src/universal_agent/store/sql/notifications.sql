-- Notifications and their deliveries.

-- {notification_columns} --
notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open, status,
created_at, updated_at, snoozed_until, note, resolved_at, metadata

-- put_notification --
INSERT INTO notifications (notification_id, kind, severity, title, message, source_ref, session_id,
                           incident, is_open, status, created_at, updated_at, snoozed_until, note,
                           resolved_at, metadata)
VALUES (:notification_id, :kind, :severity, :title, :message, :source_ref, :session_id, :incident,
        :is_open, :status, :created_at, :updated_at, :snoozed_until, :note, :resolved_at, :metadata)
ON CONFLICT (notification_id) DO UPDATE
SET title = excluded.title, message = excluded.message, is_open = excluded.is_open,
    status = excluded.status, updated_at = excluded.updated_at,
    resolved_at = excluded.resolved_at, metadata = excluded.metadata;

-- mark_notification --
UPDATE notifications
SET status = :status, note = coalesce(:note, note), snoozed_until = :snoozed_until,
    updated_at = :now
WHERE notification_id = :notification_id;

-- trim_notifications --
DELETE FROM notifications WHERE notification_id <= (
  SELECT notification_id FROM notifications ORDER BY notification_id DESC LIMIT 1 OFFSET :keep)
  AND notification_id NOT IN (SELECT notification_id FROM deliveries WHERE next_at IS NOT NULL);

-- open_incident --
SELECT {notification_columns}
FROM notifications WHERE incident = :incident AND is_open LIMIT 1;

-- list_notifications --
SELECT {notification_columns}
FROM notifications
WHERE notification_id < :before AND (:session_id IS NULL OR session_id = :session_id)
ORDER BY notification_id DESC LIMIT :limit;

-- get_notification --
SELECT {notification_columns}
FROM notifications WHERE notification_id = :notification_id;

-- update_incident --
UPDATE notifications
SET title = :title, message = :message, metadata = :metadata, updated_at = :now
WHERE notification_id = :notification_id;

-- open_notifications --
SELECT {notification_columns}
FROM notifications WHERE is_open AND substr(incident, 1, length(:prefix)) = :prefix
ORDER BY notification_id;

-- add_delivery --
INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
VALUES (:notification_id, :target, 'pending', :now, :now) ON CONFLICT DO NOTHING;

-- next_delivery --
SELECT d.target, d.attempts, d.refusals, d.created_at, d.next_at,
       {n.notification_columns}
FROM deliveries d JOIN notifications n ON n.notification_id = d.notification_id
WHERE d.target = :target AND d.next_at IS NOT NULL
ORDER BY d.next_at, d.notification_id LIMIT 1;

-- delivery_attempted --
UPDATE deliveries
SET status = :status, attempts = attempts + 1,
    refusals = CASE WHEN :refused THEN refusals + 1 ELSE 0 END,
    next_at = :next_at, ended_at = :ended_at, error = :error
WHERE notification_id = :notification_id AND target = :target AND status = 'pending';

-- spread_deliveries --
INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
SELECT notification_id, :target, 'pending', created_at, next_at FROM deliveries
WHERE target = '' AND created_at > :since
ON CONFLICT DO NOTHING;

-- drop_spread_deliveries --
DELETE FROM deliveries WHERE target = '';

-- end_deliveries_elsewhere --
UPDATE deliveries SET status = 'given_up', next_at = NULL, ended_at = :now,
                      error = 'the target is no longer in UA_NOTIFY_URLS'
WHERE next_at IS NOT NULL AND target NOT IN (SELECT value FROM json_each(:targets));

-- list_deliveries --
SELECT notification_id, target, status FROM deliveries WHERE :notification_id IS NULL OR notification_id = :notification_id
ORDER BY notification_id, target;

-- trim_deliveries --
DELETE FROM deliveries WHERE notification_id NOT IN (SELECT notification_id FROM notifications);
