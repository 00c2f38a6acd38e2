-- Earlier versions switched a job off after repeated failures. Such a job has no slots any more, so
-- nothing would end its pause. The ids are kept here until the next start has resumed the jobs.

INSERT INTO meta (name, value)
SELECT 'auto_paused', json_group_array(j.job_id)
FROM jobs j JOIN job_versions v ON v.job_id = j.job_id AND v.version = j.version
WHERE j.deleted_at IS NULL AND NOT json_extract(v.spec, '$.enabled')
  AND json_extract(v.spec, '$.off_label') = 'auto_paused'
HAVING count(*) > 0;
