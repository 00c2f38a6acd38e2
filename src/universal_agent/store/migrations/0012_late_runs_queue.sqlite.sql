-- Runs of missed slots queue behind the others: the first of either kind is found in the index.

DROP INDEX runs_queue;
CREATE INDEX runs_queue
  ON runs ((trigger IN ('catch_up', 'approved')), priority, scheduled_at, run_id)
  WHERE status = 'queued';
