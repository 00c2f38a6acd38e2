-- Change requests.

-- insert_proposal --
INSERT INTO proposals (proposal_id, event_id, job_id, job_version, record, status, created_at,
                       expires_at)
VALUES (:proposal_id, :event_id, :job_id, :job_version, :record, :status, :created_at,
        :expires_at);

-- get_proposal --
SELECT proposal_id, event_id, job_id, job_version, record, status, created_at, expires_at
FROM proposals WHERE proposal_id = :proposal_id;

-- decide_proposal --
UPDATE proposals SET status = :status, decided_at = :now, decided_by = :by
WHERE proposal_id = :proposal_id AND status = :expected;

-- forget_proposals --
DELETE FROM proposals WHERE created_at < :before;
