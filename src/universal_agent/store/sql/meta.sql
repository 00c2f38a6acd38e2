-- Single values by name, and Idempotency-Keys.

-- get_meta --
SELECT value FROM meta WHERE name = :name;

-- set_meta --
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- drop_meta --
DELETE FROM meta WHERE name = :name;

-- meta_with_prefix --
SELECT name, value FROM meta WHERE substr(name, 1, length(:prefix)) = :prefix;

-- remember_once --
INSERT INTO idempotency (key, fingerprint, resource, created_at)
VALUES (:key, :fingerprint, :resource, :now) ON CONFLICT DO NOTHING;

-- recall_once --
SELECT fingerprint, resource FROM idempotency WHERE key = :key;

-- forget_once --
DELETE FROM idempotency WHERE created_at < :before;
