-- Single values by name, and Idempotency-Keys.

-- get_meta --
SELECT value FROM meta WHERE name = :name;

-- set_meta --
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- set_meta_first --
-- A value that the first writer sets.
INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING;

-- advance_meta --
-- A position that moves from the value that was seen: of two that saw it, one moves it.
INSERT INTO meta (name, value) VALUES (:name, :value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE meta.value = :seen;

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
