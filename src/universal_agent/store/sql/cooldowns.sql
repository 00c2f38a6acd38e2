-- Cooldowns of resources.

-- open_cooldowns --
SELECT c.resource, c.cause, c.since, c.until, c.is_named, c.ends, c.slots, c.opened_by, c.run_id,
       c.error, c.probe_run_id,
       EXISTS (SELECT 1 FROM runs r WHERE r.run_id = c.probe_run_id AND r.status = 'running')
FROM cooldowns c ORDER BY c.resource;

-- open_cooldown --
-- The first of several transactions opens it.
INSERT INTO cooldowns (resource, cause, since, until, is_named, ends, slots, opened_by, run_id,
                       error)
VALUES (:resource, :cause, :since, :until, :is_named, :ends, :slots, :opened_by, :run_id, :error)
ON CONFLICT (resource) DO NOTHING;

-- prolong_cooldown --
UPDATE cooldowns
SET cause = :cause, until = :until, is_named = :is_named, ends = :ends, run_id = :run_id,
    error = :error, probe_run_id = :probe_run_id
WHERE resource = :resource AND opened_by = :opened_by AND until <= :until;

-- take_cooldown_probe --
UPDATE cooldowns SET probe_run_id = :run_id
WHERE resource = :resource AND until <= :now AND NOT EXISTS (
  SELECT 1 FROM runs r WHERE r.run_id = cooldowns.probe_run_id AND r.status = 'running');

-- count_cooldown_slots --
UPDATE cooldowns SET slots = slots + :count WHERE resource = :resource;

-- close_cooldown --
DELETE FROM cooldowns WHERE resource = :resource AND opened_by = :opened_by RETURNING slots;
