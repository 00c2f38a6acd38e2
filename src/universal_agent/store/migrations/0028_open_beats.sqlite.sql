-- Missed beats that nobody is asked about are closed when a later beat of the session has ended.

CREATE INDEX missed_beats_open ON missed (source_ref) WHERE status = 'open';

-- The last beat that ended: whether a session is silent is known without its whole past.
CREATE INDEX beats_ended ON runs (source_ref, finished_at)
  WHERE source = 'heartbeat' AND started_at IS NOT NULL
    AND status IN ('success', 'error', 'timeout', 'skipped');

-- Slots that were skipped for a reason that people are told of: such a session is not silent, and
-- an open breaker says how many slots it has cost.
CREATE INDEX slots_excused ON slots (source_ref, scheduled_at)
  WHERE outcome = 'skipped' AND reason IN ('cooldown', 'breaker');
