-- Notifications and their deliveries.

-- {notification_columns} --
notification_id, kind, severity, title, message, source_ref, session_id, incident, is_open, status,
created_at, updated_at, snoozed_until, note, resolved_at, remind_at, update_at, settles_at,
acknowledged_at, metadata

-- put_notification --
INSERT INTO notifications (notification_id, kind, severity, title, message, source_ref, session_id,
                           incident, is_open, status, created_at, updated_at, snoozed_until, note,
                           resolved_at, remind_at, update_at, settles_at, acknowledged_at,
                           metadata)
VALUES (:notification_id, :kind, :severity, :title, :message, :source_ref, :session_id, :incident,
        :is_open, :status, :created_at, :updated_at, :snoozed_until, :note, :resolved_at,
        :remind_at, :update_at, :settles_at, :acknowledged_at, :metadata)
ON CONFLICT (notification_id) DO UPDATE
SET title = excluded.title, message = excluded.message, is_open = excluded.is_open,
    status = excluded.status, updated_at = excluded.updated_at,
    resolved_at = excluded.resolved_at, remind_at = excluded.remind_at,
    update_at = excluded.update_at, settles_at = excluded.settles_at,
    acknowledged_at = excluded.acknowledged_at, metadata = excluded.metadata;

-- put_incident_job --
INSERT INTO incident_jobs (source_ref, notification_id) VALUES (:source_ref, :notification_id)
ON CONFLICT DO NOTHING;

-- incident_of_job --
SELECT {n.notification_columns}
FROM incident_jobs i JOIN notifications n ON n.notification_id = i.notification_id
WHERE i.source_ref = :source_ref AND (n.is_open OR n.resolved_at >= :since)
ORDER BY n.is_open DESC, n.notification_id DESC LIMIT 1;

-- mark_notification --
UPDATE notifications
SET status = :status, note = coalesce(:note, note), snoozed_until = :snoozed_until,
    acknowledged_at = CASE WHEN :status = 'acknowledged' THEN :now END, updated_at = :now
WHERE notification_id = :notification_id;

-- trim_notifications --
DELETE FROM notifications WHERE notification_id <= (
  SELECT notification_id FROM notifications ORDER BY notification_id DESC LIMIT 1 OFFSET :keep)
  AND notification_id NOT IN (SELECT notification_id FROM deliveries WHERE next_at IS NOT NULL);

-- open_incident --
SELECT {notification_columns}
FROM notifications WHERE incident = :incident AND is_open LIMIT 1;

-- recent_incident --
SELECT {notification_columns}
FROM notifications WHERE incident = :incident AND (is_open OR resolved_at >= :since)
ORDER BY is_open DESC, notification_id DESC LIMIT 1;

-- list_notifications --
SELECT {notification_columns}
FROM notifications
WHERE notification_id < :before AND (:session_id IS NULL OR session_id = :session_id)
ORDER BY notification_id DESC LIMIT :limit;

-- get_notification --
SELECT {notification_columns}
FROM notifications WHERE notification_id = :notification_id;

-- open_notifications --
SELECT {notification_columns}
FROM notifications WHERE is_open AND substr(incident, 1, length(:prefix)) = :prefix
ORDER BY notification_id;

-- count_telling --
UPDATE notifications SET tellings = tellings + 1 WHERE notification_id = :notification_id;

-- tellings --
SELECT tellings FROM notifications WHERE notification_id = :notification_id;

-- add_delivery --
INSERT INTO deliveries (notification_id, target, number, occasion, status, created_at, next_at)
VALUES (:notification_id, :target, :number, :occasion, 'pending', :now, :now)
ON CONFLICT DO NOTHING;

-- {delivery_columns} --
notification_id, target, number, occasion, attempts, refusals, created_at, next_at

-- due_deliveries --
SELECT d.batch, {d.delivery_columns}, {n.notification_columns}
FROM deliveries d JOIN notifications n ON n.notification_id = d.notification_id
WHERE d.target = :target AND d.next_at IS NOT NULL AND (:whenever OR d.next_at <= :now)
  AND ((:urgent AND n.severity = 'error') OR d.created_at <= :released)
ORDER BY d.created_at, d.notification_id, d.number LIMIT :limit;

-- deliveries_of_batch --
SELECT d.batch, {d.delivery_columns}, {n.notification_columns}
FROM deliveries d JOIN notifications n ON n.notification_id = d.notification_id
WHERE d.target = :target AND d.next_at IS NOT NULL AND d.batch = :batch
ORDER BY d.created_at, d.notification_id, d.number;

-- next_delivery --
SELECT min(CASE WHEN (:urgent AND n.severity = 'error') OR d.created_at <= :released
           THEN d.next_at END), count(*)
FROM deliveries d JOIN notifications n ON n.notification_id = d.notification_id
WHERE d.target = :target AND d.next_at IS NOT NULL;

-- put_into_batch --
UPDATE deliveries SET batch = :batch
WHERE notification_id = :notification_id AND target = :target AND number = :number;

-- delivery_attempted --
UPDATE deliveries
SET status = :status, attempts = attempts + 1,
    refusals = CASE WHEN :refused THEN refusals + 1 ELSE 0 END,
    next_at = :next_at, ended_at = :ended_at, error = :error
WHERE notification_id = :notification_id AND target = :target AND number = :number
  AND status = 'pending';

-- drop_idle_deliveries --
UPDATE deliveries SET status = 'dropped', next_at = NULL, ended_at = :now
WHERE target = :target AND next_at IS NOT NULL AND occasion <> 'new' AND notification_id IN (
  SELECT notification_id FROM notifications
  WHERE NOT is_open OR status IN ('acknowledged', 'dismissed'));

-- give_up_deliveries --
UPDATE deliveries SET status = 'given_up', next_at = NULL, ended_at = :now
WHERE target = :target AND next_at IS NOT NULL AND created_at < :since;

-- release_deliveries --
UPDATE deliveries SET next_at = :now WHERE target = :target AND next_at > :now;

-- spread_deliveries --
INSERT INTO deliveries (notification_id, target, status, created_at, next_at)
SELECT notification_id, :target, 'pending', created_at, next_at FROM deliveries
WHERE target = '' AND created_at > :since
ON CONFLICT DO NOTHING;

-- drop_spread_deliveries --
DELETE FROM deliveries WHERE target = '';

-- end_deliveries_elsewhere --
UPDATE deliveries SET status = 'given_up', next_at = NULL, ended_at = :now,
                      error = 'the channel is no longer set'
WHERE next_at IS NOT NULL AND target NOT IN (SELECT value FROM json_each(:targets));

-- list_deliveries --
SELECT notification_id, target, number, status FROM deliveries
WHERE :notification_id IS NULL OR notification_id = :notification_id
ORDER BY notification_id, number, target;

-- pending_deliveries --
SELECT target, count(*) FROM deliveries WHERE next_at IS NOT NULL GROUP BY target;

-- trim_incident_jobs --
DELETE FROM incident_jobs
WHERE notification_id NOT IN (SELECT notification_id FROM notifications);

-- trim_deliveries --
DELETE FROM deliveries WHERE notification_id NOT IN (SELECT notification_id FROM notifications);

-- {channel_columns} --
status, since, failures, refusals, error, delivered_at, failing_since, probes, probe_at,
claimed_until

-- get_channel --
SELECT {channel_columns} FROM channels WHERE target = :target;

-- list_channels --
SELECT target, {channel_columns} FROM channels ORDER BY target;

-- put_channel --
INSERT INTO channels (target, status, since, failures, refusals, error, delivered_at,
                      failing_since, probes, probe_at, claimed_until)
VALUES (:target, :status, :since, :failures, :refusals, :error, :delivered_at, :failing_since,
        :probes, :probe_at, :claimed_until)
ON CONFLICT (target) DO UPDATE
SET status = excluded.status, since = excluded.since, failures = excluded.failures,
    refusals = excluded.refusals, error = excluded.error, delivered_at = excluded.delivered_at,
    failing_since = excluded.failing_since, probes = excluded.probes,
    probe_at = excluded.probe_at, claimed_until = excluded.claimed_until;

-- claim_channel --
INSERT INTO channels (target, status, claimed_until) VALUES (:target, 'ok', :until)
ON CONFLICT (target) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE claimed_until IS NULL OR claimed_until <= :now;

-- release_channel --
UPDATE channels SET claimed_until = NULL WHERE target = :target;

-- adopt_channel --
UPDATE channels SET claimed_until = NULL,
                    probe_at = CASE WHEN probe_at IS NULL THEN NULL ELSE :now END
WHERE target = :target;

-- drop_channels_elsewhere --
DELETE FROM channels WHERE target NOT IN (SELECT value FROM json_each(:targets));
