-- The facts that ledgers count.

-- ledger_versions --
SELECT {version_columns} FROM job_versions
WHERE effective_from < :end AND (effective_until IS NULL OR effective_until > :start)
  AND (:job_id IS NULL OR job_id = :job_id);

-- ledger_slots --
SELECT source_ref, scheduled_at, outcome, reason, missed_id IS NOT NULL FROM slots
WHERE scheduled_at > :start AND scheduled_at <= :end;

-- ledger_slots_of_job --
SELECT source_ref, scheduled_at, outcome, reason, missed_id IS NOT NULL FROM slots
WHERE source_ref = :job_id AND scheduled_at > :start AND scheduled_at <= :end;

-- ledger_missed --
SELECT source_ref, first_at, last_at, job_version, cause, status FROM missed
WHERE last_at > :start AND first_at <= :end AND status <> 'withdrawn'
  AND (:job_id IS NULL OR source_ref = :job_id)
ORDER BY status IN ('pending', 'open') DESC, created_at DESC, missed_id DESC;

-- recorded_by_hour --
SELECT scheduled_at - scheduled_at % 3600, count(*) FROM slots
WHERE scheduled_at > :start AND scheduled_at <= :end
  AND (:job_id IS NULL OR source_ref = :job_id)
GROUP BY 1 ORDER BY 1;
