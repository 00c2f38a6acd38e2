-- Rules of time zones, and the clock's record.

-- keep_zone_rules --
INSERT INTO zone_rules (fingerprint, timezone, changes)
VALUES (:fingerprint, :timezone, :changes) ON CONFLICT DO NOTHING;

-- keep_zone --
INSERT INTO zones (timezone, rules, first_rules) VALUES (:timezone, :rules, :rules)
ON CONFLICT (timezone) DO UPDATE
SET rules = coalesce(rules, excluded.rules), first_rules = coalesce(first_rules, excluded.rules);

-- set_zone_rules --
UPDATE zones SET rules = :rules WHERE timezone = :timezone;

-- zones_without_rules --
SELECT timezone FROM zones WHERE rules IS NULL;

-- zones_with_rules --
SELECT timezone, rules FROM zones WHERE rules IS NOT NULL ORDER BY timezone;

-- first_zone_rules --
SELECT timezone, first_rules FROM zones WHERE first_rules IS NOT NULL;

-- all_zone_rules --
SELECT timezone, changes FROM zone_rules
ORDER BY fingerprint IN (SELECT rules FROM zones) DESC;

-- jobs_by_other_rules --
SELECT j.job_id FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.deleted_at IS NULL AND j.enabled
  AND json_extract(v.spec, '$.schedule.timezone') = :timezone
  AND json_extract(v.spec, '$.schedule.kind') = 'cron'
  AND coalesce(json_extract(v.spec, '$.schedule.rules'), '') <> :rules
ORDER BY j.job_id;

-- clock --
SELECT acted_at, leapt_to FROM clock;

-- set_leapt_to --
UPDATE clock SET leapt_to = :leapt_to;

-- set_acted_at --
UPDATE clock SET acted_at = :now;
