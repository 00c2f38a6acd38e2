-- The event log.

-- {event_columns} --
seq, source, type, timestamp, source_ref, owner_id, session_id, status, data

-- append_event --
INSERT INTO events (seq, source, type, timestamp, source_ref, owner_id, session_id, status, data,
                    run_slot_at)
VALUES (:seq, :source, :type, :timestamp, :source_ref, :owner_id, :session_id, :status, :data,
        :run_slot_at);

-- take_seqs --
-- The row is locked until the transaction ends, so this is its last step but the INSERT.
UPDATE log_head SET seq = seq + :count RETURNING seq;

-- read_events --
SELECT {event_columns}
FROM events WHERE seq > :after_seq ORDER BY seq LIMIT :limit;

-- forget_events --
DELETE FROM events
WHERE seq <= :until AND seq < (SELECT seq FROM log_head);

-- log_bounds --
SELECT (SELECT value FROM meta WHERE name = 'stream_id'),
       (SELECT min(seq) FROM events), (SELECT seq FROM log_head);

-- audit_events --
SELECT {event_columns}
FROM events
WHERE type IN (SELECT value FROM json_each(:types)) AND seq < :before_seq
ORDER BY seq DESC LIMIT :limit;

-- sizes --
SELECT (SELECT count(*) FROM jobs WHERE deleted_at IS NULL),
       (SELECT count(*) FROM jobs
        WHERE source <> 'cron' AND source = 'heartbeat' AND deleted_at IS NULL),
       (SELECT count(*) FROM runs), (SELECT timestamp FROM events ORDER BY seq DESC LIMIT 1);

-- event_time --
SELECT timestamp FROM events WHERE seq = :seq;

-- events_of_slot --
SELECT {event_columns}
FROM events
WHERE run_slot_at = :at AND source_ref = :source_ref
  AND json_extract(data, '$.run.event_id') = :event_id
UNION ALL
SELECT {event_columns}
FROM events
WHERE source_ref = :source_ref AND run_slot_at IS NULL
  AND (json_extract(data, '$.event_id') = :event_id
  OR (type IN ('cron_run_missed', 'heartbeat_missed') AND json_extract(data, '$.first_at') <= :at
      AND json_extract(data, '$.last_at') >= :at)
  OR EXISTS (SELECT 1 FROM json_each(data, '$.spans')
             WHERE json_extract(value, '$.first_at') <= :at
               AND json_extract(value, '$.last_at') >= :at))
ORDER BY seq LIMIT 200;

-- notable_events --
SELECT {event_columns}
FROM events
WHERE seq > :after_seq AND (
  type IN ('cron_run_missed', 'cron_run_failed', 'cron_job_updated', 'heartbeat_missed',
           'heartbeat_failed', 'heartbeat_scheduled', 'calendar_missed_resolved', 'calendar_replanned',
           'clock_set_back', 'zone_rules_changed', 'resource_cooldown_opened',
           'resource_cooldown_prolonged', 'resource_cooldown_closed')
  OR (type = 'heartbeat_completed' AND json_extract(data, '$.beat.told'))
  OR (type IN ('cron_run_completed', 'heartbeat_completed', 'cron_job_deleted',
               'heartbeat_removed') AND (
    EXISTS (SELECT 1 FROM notifications
            WHERE incident = 'alert:' || events.source_ref AND is_open)
    OR EXISTS (SELECT 1 FROM incident_jobs i
               JOIN notifications n ON n.notification_id = i.notification_id
               WHERE i.source_ref = events.source_ref AND n.is_open)
    OR source_ref IN (SELECT source_ref FROM events
                      WHERE seq > :after_seq AND (
                        type IN ('cron_run_failed', 'heartbeat_failed')
                        OR (type = 'heartbeat_completed'
                            AND json_extract(data, '$.beat.told')))))))
ORDER BY seq LIMIT :limit;
