-- The seq of the newest event: a transaction takes the numbers of its events from here, as its last
-- step. So the log has no gaps, and its order is the order of the commits.

CREATE TABLE log_head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO log_head (one, seq)
SELECT 1, max(coalesce((SELECT max(seq) FROM events), 0),
              coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0));
