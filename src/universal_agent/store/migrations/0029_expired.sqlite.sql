-- Missed slots that expired, in the order of their expiry: for the list and the daily digest.

CREATE INDEX missed_expired ON missed (updated_at, missed_id) WHERE status = 'expired';
